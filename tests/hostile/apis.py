"""Hostile clients of the HTTP port cost others nothing: not who asks by CQL, and not who asks AWS's APIs from another address.

    apis.py [ATTACK ...]

10 000 connections, silent ones, requests that never end, bodies of the limit and past it, answers that nobody takes. All the time a polite
client of CQL asks, and a polite client of the APIs on a connection that it keeps and on new ones; both must be answered, and rightly. After
each attack memory is looked at, and the attacker's own address is served again.
"""
import gzip
import http.client
import json
import os
import select
import socket
import sys
import threading
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from hostile import Polite, run_attacks  # noqa: E402
from lib.native import Client, Server  # noqa: E402

HOST, OTHER = "127.0.0.1", "127.0.0.2"  # of the attacker; of who is polite
ONE_ADDRESS, BODY_MAX = 512, 1 << 20
JSON = "application/x-amz-json-1.0"


def signed(port, operation, body, headers=None):
    """Headers of a call as botocore signs them."""
    request = AWSRequest("POST", f"http://{HOST}:{port}/", data=body,
                         headers={"X-Amz-Target": f"KeyspacesService.{operation}", "Content-Type": JSON, **(headers or {})})
    SigV4Auth(Credentials("AKIDEXAMPLE", "any"), "cassandra", "us-east-1").add_auth(request)
    return dict(request.headers.items())


GET_TABLE = json.dumps({"keyspaceName": "hostile", "tableName": "t"}).encode()


class PoliteApi(threading.Thread):
    """GetTable every 10 ms on one connection, and each 20th time on a new one; notes the longest wait."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.stop, self.count, self.worst, self.failure = port, False, 0, 0.0, None

    def ask(self, connection):
        begin = time.time()
        connection.request("POST", "/", GET_TABLE, signed(self.port, "GetTable", GET_TABLE))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200 and json.loads(body)["tableName"] == "t", (answer.status, body[:200])
        self.worst = max(self.worst, time.time() - begin)
        self.count += 1

    def run(self):
        def connect():
            return http.client.HTTPConnection(HOST, self.port, timeout=20, source_address=(OTHER, 0))
        try:
            kept = connect()
            while not self.stop:
                self.ask(kept)
                if self.count % 20 == 0:
                    new = connect()
                    self.ask(new)
                    new.close()
                time.sleep(0.01)
            kept.close()
        except Exception as e:  # noqa: BLE001 - told by the main thread
            self.failure = e


def connect(port):
    return socket.create_connection((HOST, port), timeout=20)


def read_status(s):
    """Of the answer that comes; None: the connection ended without one."""
    data = b""
    while b"\r\n" not in data:
        try:
            chunk = s.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            return None
        if not chunk:
            return None
        data += chunk
    return int(data.split(b" ", 2)[1])


def request(port, operation, body, headers=None, length=None):
    lines = [b"POST / HTTP/1.1", f"Host: {HOST}:{port}".encode()]
    lines += [f"{name}: {value}".encode() for name, value in signed(port, operation, body, headers).items()]
    lines.append(f"Content-Length: {len(body) if length is None else length}".encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def close_all(sockets):
    for s in sockets:
        s.close()


def readable(sockets):
    """Those on which an answer stands, or the end."""
    poll = select.poll()
    for s in sockets:
        poll.register(s, select.POLLIN)
    fds = {fd for fd, _ in poll.poll(0)}
    return {s for s in sockets if s.fileno() in fds}


def ten_thousand_connections(server, polite):
    """Held as long as they are let: those within an address's part stay, all others are told or closed."""
    held = []
    for _ in range(10000):
        held.append(connect(server.http_port))
        if len(held) > 2 * ONE_ADDRESS:
            ready = readable(held)
            close_all(ready)
            held = [s for s in held if s not in ready]
    until_more_are_answered(polite, 20)
    silent = len(held) - len(readable(held))
    assert 1 <= silent <= ONE_ADDRESS + 64, f"{silent} of {len(held)} connections are open without a word"
    close_all(held)


def silent_connections(server, polite):
    """All that an address may have, and one more from it is refused; from another one it is not."""
    held = [connect(server.http_port) for _ in range(ONE_ADDRESS)]
    # Taken in the order in which they came.
    with connect(server.http_port) as s:
        s.sendall(request(server.http_port, "GetTable", GET_TABLE))
        assert read_status(s) == 503
    until_more_are_answered(polite, 40)
    close_all(held)


def half_requests(server, polite):
    """Heads and bodies that stop anywhere, some of which come on byte by byte."""
    whole, held = request(server.http_port, "GetTable", GET_TABLE, length=len(GET_TABLE) + 1000), []
    for i in range(300):
        s = connect(server.http_port)
        s.sendall(whole[:1 + i * len(whole) // 300])
        held.append(s)
    for _ in range(50):
        for s in held[::10]:
            try:
                s.sendall(b" ")
            except OSError:
                pass  # it was told that its head is none
        until_more_are_answered(polite, 1)
    close_all(held)


def bodies_of_the_limit(server, polite):
    """Many at once: those that there is room for are read and refused for what they say, others are told to come back."""
    body = b'{"keyspaceName": "hostile", "x": [' + b"1," * ((BODY_MAX - 100) // 2) + b"1]}"
    data, seen = request(server.http_port, "GetTable", body), []

    def send():
        for _ in range(3):
            with connect(server.http_port) as s:
                try:
                    s.sendall(data)
                except OSError:
                    pass  # refused before it was all sent: the answer says so
                seen.append(read_status(s))
    threads = [threading.Thread(target=send) for _ in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(seen) <= {400, 503} and 400 in seen, {s: seen.count(s) for s in set(seen)}


def bodies_past_the_limit(server, polite):
    """Told before they are sent, while they are, and when they are inflated."""
    with connect(server.http_port) as s:
        s.sendall(request(server.http_port, "GetTable", b"", length=1 << 40))
        assert read_status(s) == 413
    with connect(server.http_port) as s:
        try:
            s.sendall(request(server.http_port, "GetTable", b"x" * (BODY_MAX + 1)))
        except OSError:
            pass  # refused before it was all sent
        assert read_status(s) == 413
    bomb = gzip.compress(gzip.compress(b"\0" * (256 << 20), 9), 9)
    for data in (bomb, gzip.compress(b" " * (64 << 20), 9)):
        with connect(server.http_port) as s:
            s.sendall(request(server.http_port, "GetTable", data, {"Content-Encoding": "gzip"}))
            assert read_status(s) == 400


def answers_that_nobody_takes(server, polite):
    """Requests one behind the other on many connections, none of which reads."""
    one, held = request(server.http_port, "ListKeyspaces", b"{}"), []
    for _ in range(100):
        s = connect(server.http_port)
        s.setblocking(False)
        held.append(s)
    for _ in range(20):
        for s in held:
            try:
                s.send(one * 50)
            except BlockingIOError:
                pass
            except OSError:
                pass  # a request that was cut where the buffer ended: told, and ended
        until_more_are_answered(polite, 1)
    close_all(held)


def until_more_are_answered(polite, more):
    goals = [(p, p.count + more) for p in polite]
    end = time.time() + 60
    for p, goal in goals:
        while p.count < goal:
            assert p.failure is None and p.is_alive(), f"{type(p).__name__} failed: {p.failure!r}"
            assert time.time() < end, f"{type(p).__name__} was not answered for 60 s"
            time.sleep(0.01)


ATTACKS = [ten_thousand_connections, silent_connections, half_requests, bodies_of_the_limit, bodies_past_the_limit, answers_that_nobody_takes]


def attempt(attack, server):
    """One attack beside both polite clients; what is to be said of it."""
    polite = [Polite(server.port), PoliteApi(server.http_port)]
    for p in polite:
        p.start()
    try:
        until_more_are_answered(polite, 1)
        attack(server, polite)
        until_more_are_answered(polite, 1)
    finally:
        for p in polite:
            p.stop = True
    for p in polite:
        p.join(30)
        assert p.failure is None, f"{type(p).__name__} failed: {p.failure!r}"
    # The attacker's own address, once its connections are gone.
    end = time.time() + 60
    while True:
        with connect(server.http_port) as s:
            s.sendall(request(server.http_port, "GetTable", GET_TABLE))
            if read_status(s) == 200:
                break
        assert time.time() < end, "the attacker's address is not served again"
        time.sleep(0.05)
    return "; ".join(f"{type(p).__name__}: {p.count} answers, longest wait {p.worst * 1000:.0f} ms" for p in polite)


def main():
    with Server() as server:
        c = Client(server.port)
        c.query("CREATE KEYSPACE hostile WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        c.query("CREATE TABLE hostile.t (k int PRIMARY KEY, v text)")
        c.query("INSERT INTO hostile.t (k, v) VALUES (1, 'polite')")
        c.close()
        return run_attacks(server, ATTACKS, lambda attack: attempt(attack, server))


if __name__ == "__main__":
    sys.exit(main())
