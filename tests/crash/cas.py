"""Compare-and-set is linearizable, also over kill -9: every register's history is one chain.

Each round: several connections keep requests in flight on a few hot partitions of all shards: conditional updates (IF v = ?), INSERT
IF NOT EXISTS of rows that are there and of rows that nobody made yet, and serial reads. Every value is written by one request only, and
names the value it replaced, so that a register's values form a chain. Then the server is killed and started again, and the registers
are read. What must hold, and fails otherwise:
  - a value has at most one successor: no two requests were told that they replaced the same one;
  - what was acknowledged as applied is in the chain that ends with the value now stored, each link as it was asked for;
  - what was refused is not in it; a request with an unknown outcome (the connection died) may be, but only until the restart;
  - a chain only grows: what a restart shows begins with what the one before showed;
  - real time: an answer never shows a value older than one that somebody knew before the request was sent, and a refusal never shows
    the very value it was asked to replace.
"""
import argparse
import os
import random
import select
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import EXECUTE, RESULT, Client, Server, execute_body, frame, rows  # noqa: E402

PARTITIONS, ROWS = 8, 2  # hot registers
FRESH_AT_A_TIME = 4      # rows that several clients try to make at once
SERIAL = 8


def pack(n):
    return struct.pack(">q", n)


def unpack(raw):
    return None if raw is None else struct.unpack(">q", raw)[0]


class Request:
    """One attempt to replace `expected` (None: make the row) by `value`; or a read: value None."""

    def __init__(self, key, expected, value, known):
        self.key, self.expected, self.value = key, expected, value
        self.known = known  # how many facts about the register were known when it was sent
        self.state = "sent"  # then applied, refused, or lost


class Register:
    def __init__(self):
        self.requests = {}  # value -> the request that writes it
        self.facts = []     # values in the order in which they became known
        self.seen = []      # (value shown, facts known at sending, expected or None)
        self.chain = []     # as the last restart showed it

    def latest(self):
        return self.facts[-1] if self.facts else None


class History:
    def __init__(self):
        self.registers, self.next_value, self.wrong = {}, 0, []
        self.applied = self.refused = self.read = self.lost = 0

    def register(self, key):
        return self.registers.setdefault(key, Register())

    def request(self, key, expected):
        self.next_value += 1
        register = self.register(key)
        request = Request(key, expected, self.next_value, len(register.facts))
        register.requests[request.value] = request
        return request

    def answer(self, request, found):
        """found: None (no row), or (applied, value or None)"""
        register = self.register(request.key)
        if request.value is None:
            self.read += 1
            self.show(register, request, found)
        elif found[0]:
            self.applied += 1
            request.state = "applied"
            register.seen.append((request.value, request.known, None))
            register.facts.append(request.value)
        else:
            self.refused += 1
            request.state = "refused"
            if found[1] == request.expected:
                self.wrong.append(f"{request.key}: refused to replace {request.expected}, and showed it")
            self.show(register, request, found[1])

    def show(self, register, request, value):
        register.seen.append((value, request.known, request.expected))
        if value is not None:
            register.facts.append(value)

    def forget(self, requests):
        """The server is dead: these may have been done or not."""
        for request in requests:
            if request.value is not None:
                self.lost += 1
                request.state = "lost"

    def settle(self, key, stored):
        """stored: the (value, replaced) of each row after a restart; None: no row."""
        register = self.register(key)
        chain, value, replaced = [], stored[0] if stored else None, stored[1] if stored else None
        while value is not None:
            request = register.requests.get(value)
            if not request or request.state == "refused" or len(chain) > len(register.requests):
                self.wrong.append(f"{key}: {value} is in the chain, but was {request.state if request else 'never sent'}")
                return
            chain.append(value)
            value = request.expected
        chain.reverse()
        if stored and replaced != register.requests[stored[0]].expected:
            self.wrong.append(f"{key}: {stored[0]} replaced {replaced}, but was asked to replace {register.requests[stored[0]].expected}")
        if chain[:len(register.chain)] != register.chain:
            self.wrong.append(f"{key}: the chain was ...{register.chain[-3:]} and is ...{chain[-3:]} of {len(chain)}")
        place = {v: i for i, v in enumerate(chain)}
        for request in register.requests.values():
            if request.state == "applied" and request.value not in place:
                self.wrong.append(f"{key}: {request.expected} -> {request.value} was acknowledged and is not in the chain of {len(chain)}")
            elif request.state == "lost":  # from now on it is either
                request.state = "applied" if request.value in place else "refused"
        newest, at = [-1], -1  # of the first n facts: the place of the newest
        for fact in register.facts:
            if fact not in place:
                self.wrong.append(f"{key}: {fact} was shown and is not in the chain")
            at = max(at, place.get(fact, -1))
            newest.append(at)
        for value, known, _ in register.seen:
            if place.get(value, -1) < newest[known]:
                self.wrong.append(f"{key}: shown {value} ({place.get(value, -1)}.) after somebody knew the {newest[known]}.")
        register.chain = chain
        # What was looked at needs no second look, and the newest fact is what is stored.
        register.facts, register.seen = chain[-1:], []
        for request in list(register.requests.values()):
            if request.state == "refused":
                del register.requests[request.value]


class Connection:
    def __init__(self, server, depth, history, fresh, rng):
        self.client = Client(server.port)
        self.update = self.client.prepare("UPDATE cas.t SET v = ?, replaced = ? WHERE k = ? AND c = ? IF v = ?")
        self.insert = self.client.prepare("INSERT INTO cas.t (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS")
        self.read = self.client.prepare("SELECT v FROM cas.t WHERE k = ? AND c = ?")
        self.client.socket.setblocking(False)
        self.depth, self.history, self.fresh, self.rng = depth, history, fresh, rng
        self.in_flight, self.free, self.out = {}, list(range(depth)), b""

    def send(self, request, statement, values, consistency=1):
        stream = self.free.pop()
        self.in_flight[stream] = request
        self.out += frame(EXECUTE, execute_body(statement, values, consistency), stream)

    def fill(self):
        h, rng = self.history, self.rng
        while self.free:
            dice = rng.random()
            key = (rng.randrange(PARTITIONS), rng.randrange(ROWS))
            k, c = pack(key[0]), pack(key[1])
            register = h.register(key)
            if dice < 0.1:
                if rng.random() < 0.3:
                    self.fresh[0] += 1
                key = (rng.randrange(PARTITIONS), ROWS + self.fresh[0] - rng.randrange(FRESH_AT_A_TIME))
                request = h.request(key, None)
                self.send(request, self.insert, [pack(key[0]), pack(key[1]), pack(request.value)])
            elif dice < 0.2:
                self.send(Request(key, None, None, len(register.facts)), self.read, [k, c], SERIAL)
            elif register.latest() is None or dice < 0.25:
                request = h.request(key, None)
                self.send(request, self.insert, [k, c, pack(request.value)])
            else:
                expected = register.latest()
                request = h.request(key, expected)
                self.send(request, self.update, [pack(request.value), pack(expected), k, c, pack(expected)])

    def flush(self):
        while self.out:
            try:
                n = self.client.socket.send(self.out)
            except BlockingIOError:
                return
            self.out = self.out[n:]

    def take(self, refused):
        try:
            self.client.read_some()
        except BlockingIOError:
            return
        for stream, opcode, body in self.client.frames():
            request = self.in_flight.pop(stream)
            self.free.append(stream)
            if opcode != RESULT:
                refused.append(body[4:200])
                self.history.forget([request])
            elif request.value is None:
                found = rows(body)
                self.history.answer(request, unpack(found[0][0]) if found else None)
            else:
                self.history.answer(request, outcome(body))


def outcome(body):
    """(applied, the value shown) of a conditional statement's rows, whose columns come with it."""
    _, flags, columns = struct.unpack_from(">III", body)
    at, names = 12, []

    def string(at):
        size, = struct.unpack_from(">H", body, at)
        return body[at + 2:at + 2 + size].decode(), at + 2 + size

    assert flags & 1 and not flags & 6, flags
    _, at = string(at)
    _, at = string(at)
    for _ in range(columns):
        name, at = string(at)
        names.append(name)
        at += 2  # native types
    count, = struct.unpack_from(">I", body, at)
    assert count == 1, count
    at, row = at + 4, {}
    for name in names:
        size, = struct.unpack_from(">i", body, at)
        row[name] = None if size < 0 else body[at + 4:at + 4 + size]
        at += 4 + max(size, 0)
    return row["[applied]"] == b"\1", unpack(row.get("v"))


def load_until_killed(server, args, history, fresh, rng):
    connections = [Connection(server, args.depth, history, fresh, rng) for _ in range(args.connections)]
    refused, end = [], time.time() + rng.uniform(0.02, args.round_seconds)
    while time.time() < end:
        for c in connections:
            c.fill()
            c.flush()
        ready, _, _ = select.select([c.client.socket for c in connections], [], [], 0.001)
        for c in connections:
            if c.client.socket in ready:
                c.take(refused)
    for c in connections:  # as many as may be are on their way when it dies
        c.fill()
        c.flush()
    in_flight = sum(len(c.in_flight) for c in connections)
    server.kill()
    for c in connections:  # replies already in our socket were given
        try:
            while True:
                c.take(refused)
        except (ConnectionError, OSError):
            pass
        history.forget(c.in_flight.values())
        c.client.close()
    if refused:
        raise AssertionError(f"{len(refused)} requests failed, first: {refused[0]!r}")
    return in_flight


def verify(server, history, keys):
    client = Client(server.port)
    statement = client.prepare("SELECT v, replaced FROM cas.t WHERE k = ? AND c = ?")
    for key in keys:
        found = client.execute(statement, [pack(key[0]), pack(key[1])])
        history.settle(key, (unpack(found[0][0]), unpack(found[0][1])) if found else None)
    client.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--connections", type=int, default=6)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--round-seconds", type=float, default=0.4)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    print(f"seed {args.seed}")
    history, fresh, failed, least = History(), [FRESH_AT_A_TIME], 0, None
    with tempfile.TemporaryDirectory(prefix="helenus-cas-") as top:
        server = Server(os.path.join(top, "data"), "--shards", str(args.shards)).start()
        client = Client(server.port)
        client.query("CREATE KEYSPACE cas WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE cas.t (k bigint, c bigint, v bigint, replaced bigint, PRIMARY KEY (k, c))")
        client.close()
        before = 0
        for number in range(1, args.rounds + 1):
            first = fresh[0] - FRESH_AT_A_TIME
            in_flight = load_until_killed(server, args, history, fresh, rng)
            least = in_flight if least is None else min(least, in_flight)
            server.start()
            recent = [key for key in history.registers if key[1] < ROWS or key[1] >= ROWS + first - FRESH_AT_A_TIME]
            verify(server, history, recent)
            if history.wrong:
                failed += 1
                for line in history.wrong[:5]:
                    print("WRONG round", number, line)
                history.wrong = []
                break  # what follows would be about a chain that is broken already
            if number % 10 == 0:
                print(f"round {number}/{args.rounds}: {history.applied} applied, {history.refused} refused", flush=True)
            if number % 10 == 0 and history.applied == before:  # a server that does nothing does nothing wrong
                failed += 1
                print(f"round {number}: nothing was applied in ten rounds\n{server.log_tail()}")
                break
            before = history.applied
        if not failed:
            verify(server, history, history.registers)
            for line in history.wrong[:5]:
                print("WRONG at the end", line)
            failed += bool(history.wrong)
        server.stop()
    longest = max((len(r.chain) for r in history.registers.values()), default=0)
    print(f"{args.rounds} kills; {history.applied} applied, {history.refused} refused, {history.read} read, {history.lost} of unknown outcome; "
          f"{len(history.registers)} registers, the longest chain {longest}; at least {least} in flight at a kill")
    if not failed and (not history.refused or not history.lost or longest < args.rounds):
        print("FAILED: too little happened to show anything")
        failed += 1
    print(f"{args.rounds + 1 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
