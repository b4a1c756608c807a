"""Hostile beginnings of TLS cost others nothing: half-open handshakes by the thousand, slow ones, garbage, storms of connections.

    tls.py [ATTACK ...]

All the time one polite client asks over a session that it has, and now and then over a new one; another asks in plain text. Both must be
answered. After each attack memory is looked at (hostile.py).
"""
import os
import random
import resource
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from hostile import Polite, run_attacks  # noqa: E402
from lib.native import BINARY, Client, Server, free_port  # noqa: E402

HALF_OPEN, AFTER_HELLO = 10000, 3000
HTTP_HALF_OPEN = 2000


class PoliteTls(Polite):
    """Over a session that it keeps, and each 20th time over a new one."""

    def __init__(self, server):
        super().__init__(server.tls_port)
        self.context = server.context

    def run(self):
        try:
            kept = Client(self.port, timeout=30, tls=self.context)
            while not self.stop:
                for client in [kept] if self.count % 20 else [kept, Client(self.port, timeout=30, tls=self.context)]:
                    begin = time.time()
                    body = client.query("SELECT v FROM hostile.t WHERE k = 1")
                    assert b"polite" in body, body
                    self.worst = max(self.worst, time.time() - begin)
                    self.count += 1
                    if client is not kept:
                        client.close()
                time.sleep(0.01)
        except Exception as e:  # noqa: BLE001 - told by the main thread
            self.failure = e


def hello_of(context):
    """The first flight of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def metric(server, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics", timeout=20) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return int(line.rsplit(" ", 1)[1])
    return 0


def failures(server, reason):
    return metric(server, f'helenus_tls_failures_total{{reason="{reason}"}}')


def connect(server, port=None):
    return socket.create_connection(("127.0.0.1", port or server.tls_port), timeout=30)


def close_all(sockets):
    for s in sockets:
        s.close()


def ended(sockets, count, seconds=30):
    """Waits until so many of them were ended by the server."""
    poll, gone = select.poll(), set()
    for s in sockets:
        poll.register(s, select.POLLIN | select.POLLHUP)
    end = time.time() + seconds
    while len(gone) < count:
        assert time.time() < end, f"{len(gone)} of {count} were ended"
        for fd, _ in poll.poll(1000):
            gone.add(fd)
            poll.unregister(fd)


def half_open(server, polite, rng):
    """Some say nothing, some a byte, some nearly a whole hello: none of that costs more than a connection."""
    hello, held = hello_of(server.context), []
    before = server.rss_bytes()
    for i in range(HALF_OPEN):
        s = connect(server)
        size = (0, 1, 5, len(hello) - 1)[i % 4]
        s.sendall(hello[:size])
        held.append(s)
        if i % 1000 == 999:
            polite.until_more(2)
    grown = (server.rss_bytes() - before) / len(held)
    assert grown < 4096, f"{grown:.0f} bytes for each half-open connection"
    polite.until_more(20)
    close_all(held)


def half_open_after_hello(server, polite, rng):
    """The server has answered and waits: only so many may be in that state, and honest clients get in between."""
    hello, held = hello_of(server.context), []
    for i in range(AFTER_HELLO):
        s = connect(server)
        s.sendall(hello)
        held.append(s)
        if i % 500 == 499:
            polite.until_more(2)
    polite.until_more(40)
    assert failures(server, "crowded") > 0
    close_all(held)


def slow_bytes(server, polite, rng):
    """A byte every so often does not move the end of the time that a handshake may take."""
    hello, before = hello_of(server.context), failures(server, "slow")
    held = [connect(server) for _ in range(50)]
    begin = time.time()
    at = 0
    while failures(server, "slow") < before + len(held):
        assert time.time() < begin + 30, "slow handshakes go on"
        for s in held:
            try:
                s.sendall(hello[at:at + 1])
            except OSError:
                pass
        at += 1
        polite.until_more(5)
    close_all(held)


def garbage(server, polite, rng):
    """Random bytes, and hellos with a few bytes changed."""
    hello, held = hello_of(server.context), []
    for i in range(1000):
        data = bytearray(hello)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(5 if i % 2 else 0, len(data))] = rng.randrange(256)
        if i % 3 == 0:
            data = bytearray(rng.randbytes(rng.choice((1, 5, 6, 100, 20000))))
        s = connect(server)
        try:
            s.sendall(bytes(data))
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        held.append(s)
    ended(held, len(held))
    close_all(held)


def changed_records(server, polite, rng):
    """After a handshake: what is no record of this session ends it, whatever it looks like."""
    for i in range(300):
        s = server.context.wrap_socket(connect(server), server_hostname="localhost")
        kind = rng.choice((20, 21, 22, 23, 24, 0, 255))
        size = rng.choice((0, 1, 17, 40, 16000, 65535))
        raw = s.detach()
        with socket.socket(fileno=raw) as plain:
            plain.settimeout(30)
            try:
                plain.sendall(bytes((kind, 3, 3)) + size.to_bytes(2, "big") + rng.randbytes(min(size, 16000)))
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(65536):
                    pass
            except ConnectionError:
                pass


def a_storm_of_handshakes(server, polite, rng):
    """As many as four threads can: those who have a session go on."""
    stop, done, wrong = threading.Event(), [0] * 4, []

    def storm(n):
        while not stop.is_set():
            try:
                server.context.wrap_socket(connect(server), server_hostname="localhost").close()
                done[n] += 1
            except OSError as e:
                wrong.append(e)
    threads = [threading.Thread(target=storm, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    try:
        polite.until_more(200)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not wrong, wrong[0]
    assert all(done), done


def half_open_http(server, polite, rng):
    """The APIs' port: descriptors have a bound of their own, and honest clients get in."""
    held, before = [], failures(server, "crowded") + failures(server, "gone")
    for _ in range(HTTP_HALF_OPEN):
        held.append(connect(server, server.https_port))
    for _ in range(20):
        with urllib.request.urlopen(f"https://localhost:{server.https_port}/health", timeout=30, context=server.context) as answer:
            assert answer.read() == b"ok\n"
    assert failures(server, "crowded") + failures(server, "gone") > before
    close_all(held)


ATTACKS = [half_open, half_open_after_hello, slow_bytes, garbage, changed_records, a_storm_of_handshakes, half_open_http]


class Both:
    """The polite clients, of TLS and of plain text."""

    def __init__(self, server):
        self.clients = [PoliteTls(server), Polite(server.port)]
        for client in self.clients:
            client.start()

    def until_more(self, more):
        goals = [(client, client.count + more) for client in self.clients]
        end = time.time() + 60
        for client, goal in goals:
            while client.count < goal:
                assert client.failure is None and client.is_alive(), f"{type(client).__name__} failed: {client.failure!r}"
                assert time.time() < end, f"{type(client).__name__} was not answered for 60 s"
                time.sleep(0.01)

    def end(self):
        for client in self.clients:
            client.stop = True
        for client in self.clients:
            client.join(60)
            assert client.failure is None, f"{type(client).__name__} failed: {client.failure!r}"


def attempt(attack, server, seed):
    polite = Both(server)
    try:
        polite.until_more(1)
        attack(server, polite, random.Random(seed))
        polite.until_more(20)
    finally:
        for client in polite.clients:
            client.stop = True
    polite.end()
    return "; ".join(f"{type(c).__name__}: {c.count} answers, longest wait {c.worst * 1000:.0f} ms" for c in polite.clients)


def main():
    seed = int(os.environ.get("SEED", time.time()))
    print(f"seed {seed}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tls_port, https_port = free_port(), free_port()
    own = Server()
    certificates = own.data + ".tls"
    subprocess.run([BINARY, "tls", "init", certificates, "--name", "localhost"], check=True, stdout=subprocess.DEVNULL)
    own.options = ("--tls-certificate", certificates + "/server.crt", "--tls-key", certificates + "/server.key", "--cql-tls-port", str(tls_port),
                   "--http-tls-port", str(https_port), "--tls-handshake-timeout-s", "3")
    with own as server:
        server.tls_port, server.https_port = tls_port, https_port
        server.context = ssl.create_default_context(cafile=certificates + "/ca.crt")
        c = Client(server.port)
        c.query("CREATE KEYSPACE hostile WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        c.query("CREATE TABLE hostile.t (k int PRIMARY KEY, v text)")
        c.query("INSERT INTO hostile.t (k, v) VALUES (1, 'polite')")
        c.close()
        return run_attacks(server, ATTACKS, lambda attack: attempt(attack, server, seed))


if __name__ == "__main__":
    sys.exit(main())
