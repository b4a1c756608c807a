"""Schema events: who has read READY hears of each later change, once, and all hear of them in the same order.

    python3 tests/wire/events.py [--check] [--rounds N] [--host HOST:PORT]

The loops of the server share its connections, so those that listen and those that change the schema are on one loop or on two. In each
round new connections in several versions and compressions register, with requests before and behind that which are not answered yet; as
soon as the last READY was read others change the schema, one or several at once, and still others register at that very moment. Of those
that stay some always have replies to read, and some read nothing until all others have heard.
"""
import argparse
import os
import random
import select
import socket
import struct
import sys
import time

from lz4 import block

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import EVENT, QUERY, READY, REGISTER, RESULT, Client, Server, frame, query_body, short_string  # noqa: E402

LIMITS = ["--output-bytes", "64k", "--requests-in-flight", "16"]  # so that connections pause
# Who registers more than once hears of all it named, and of each thing once.
REGISTRATIONS = [("SCHEMA_CHANGE",), ("SCHEMA_CHANGE", "SCHEMA_CHANGE", "STATUS_CHANGE"), ("TOPOLOGY_CHANGE", "SCHEMA_CHANGE")]
KINDS = [(3, None), (4, None), (5, None), (3, "lz4"), (4, "lz4"), (5, "lz4")]
REGISTERS = 1000  # the stream ids of REGISTER from here on; the others are counted from 0
STAY_ROUNDS, PATIENCE_S = 5, 60
REPLIES, ROW_BYTES = 5, 30000
SLEEPY_REPLIES, SLEEPY_ROW_BYTES = 30, 200000  # more than the kernel takes, so that the server keeps some of it
OLDER = 16  # changes: what is made in one round is changed or dropped in another


class Listener:
    def __init__(self, port, host, version, compression, replies=0, row=1, sleepy=False):
        self.name = f"{'sleepy ' * sleepy}v{version} {compression or 'plain'}"
        self.version, self.replies, self.row, self.sleepy = version, replies, row, sleepy
        self.ready, self.heard, self.waits = 0, [], 0
        self.joined = None  # how many changes there had been before the first that it hears
        self.client = Client(port, host=host, version=version, compression=compression, timeout=PATIENCE_S)
        if sleepy:
            self.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
        self.names = random.choice(REGISTRATIONS)
        self.ask(1)
        for i, name in enumerate(self.names):
            self.client.send(frame(REGISTER, struct.pack(">H", 1) + short_string(name), stream=REGISTERS + i, version=version))
        self.ask(1)

    def is_ready(self):
        return self.ready == len(self.names)

    def ask(self, count):
        body = query_body(f"SELECT v FROM e.row WHERE k = {self.row}", version=self.version)
        for i in range(count):
            self.client.send(frame(QUERY, body, stream=i, version=self.version))
        self.waits += count

    def read(self):
        self.client.read_some()
        for stream, opcode, body, is_compressed in self.frames():
            if opcode == EVENT:
                assert stream == -1, f"{self.name}: an event on stream {stream}"
                assert "SCHEMA_CHANGE" in self.names[:self.ready], f"{self.name}: an event after {self.ready} of {self.names}"
                if is_compressed:
                    body = block.decompress(body[4:], uncompressed_size=struct.unpack_from(">I", body)[0])
                self.heard.append(strings(body)[1:])
            elif opcode == READY:
                assert stream == REGISTERS + self.ready, stream
                self.ready += 1
            else:
                assert opcode == RESULT, f"{self.name}: {opcode} {body[:200]}"
                self.waits -= 1

    def frames(self):
        """As the client's own, with whether each is compressed."""
        while len(self.client.pending) >= 9:
            size, = struct.unpack_from(">I", self.client.pending, 5)
            if len(self.client.pending) < 9 + size:
                return
            _, flags, stream, opcode, body = self.client.receive_frame()
            yield stream, opcode, body, flags & 1

    def check(self, every):
        """It heard all that came since it joined, and nothing else."""
        assert self.heard == every[self.joined:], \
            f"{self.name} heard {self.heard[-6:]}, the others {every[self.joined:][-6:]}, it joined at {self.joined} of {len(every)}"


def strings(body):
    out, at = [], 0
    while at < len(body):
        size, = struct.unpack_from(">H", body, at)
        out.append(body[at + 2:at + 2 + size].decode())
        at += 2 + size
    return tuple(out)


def read_until(listeners, done, what):
    """Who sleeps is read when the others are done."""
    end = time.monotonic() + PATIENCE_S
    for sleepy in (False, True):
        while waiting := {one.client.socket: one for one in listeners if one.sleepy == sleepy and not done(one)}:
            readable, _, _ = select.select(list(waiting), [], [], max(0, end - time.monotonic()))
            assert readable, f"{what}: " + "; ".join(f"{one.name} heard {one.heard[-4:]}" for one in waiting.values())
            for one in readable:
                waiting[one].read()


def changes(number):
    """Statements of one round, each of things of its own, so that they may be done in any order; with what is heard of each."""
    old = number - OLDER
    made = [(f"CREATE TABLE e.t{number} (k int PRIMARY KEY)", ("CREATED", "TABLE", "e", f"t{number}"))]
    if number % 4 == 0:
        made += [(f"CREATE TYPE e.u{number} (a int)", ("CREATED", "TYPE", "e", f"u{number}")),
                 (f"CREATE KEYSPACE e{number} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
                  ("CREATED", "KEYSPACE", f"e{number}")),
                 ("CREATE TABLE IF NOT EXISTS e.row (k int PRIMARY KEY)", None)]
    if number % 4 == 1 and old >= 0:
        made += [(f"ALTER TABLE e.t{old + 1} ADD v int", ("UPDATED", "TABLE", "e", f"t{old + 1}")),
                 (f"ALTER TYPE e.u{old - 1} ADD b text", ("UPDATED", "TYPE", "e", f"u{old - 1}"))]
    if number % 4 == 2 and old >= 0:
        made += [(f"DROP TYPE e.u{old - 2}", ("DROPPED", "TYPE", "e", f"u{old - 2}")),
                 (f"DROP KEYSPACE e{old - 2}", ("DROPPED", "KEYSPACE", f"e{old - 2}"))]
    if old >= 0:
        made += [(f"DROP TABLE e.t{old}", ("DROPPED", "TABLE", "e", f"t{old}"))]
    return made[:1] if number % 8 == 7 else made  # sometimes one alone


def one_round(number, staying, every, changers, host, port):
    """Registers, changes, and adds what is heard to `every`. The listeners that came new."""
    fresh = [Listener(port, host, *kind) for kind in random.sample(KINDS, 3)]
    read_until(fresh, Listener.is_ready, f"round {number}, READY")
    for one in fresh:
        one.joined = len(every)
    known = staying + fresh
    late = [Listener(port, host, *kind) for kind in random.sample(KINDS, 2)]
    for one in staying:
        if not one.sleepy or number % STAY_ROUNDS == 1:
            one.ask(one.replies)
    made = changes(number)
    used = random.sample(changers, len(made))
    for client, (text, _) in zip(used, made):
        client.send(frame(QUERY, query_body(text, version=client.version), version=client.version))
    for client, (text, _) in zip(used, made):
        _, opcode, body = client.receive()
        assert opcode == RESULT, (text, body)
    wanted = sorted(event for _, event in made if event)
    so_far = len(every) + len(wanted)
    sure = [one for one in known if one.joined is not None]
    read_until(sure, lambda one: one.joined + len(one.heard) >= so_far, f"round {number}, {wanted}")
    now = sure[0].heard[len(every) - sure[0].joined:]
    assert sorted(now) == wanted, (number, sure[0].name, now, wanted)
    every += now
    # Who registered while changes were made heard none, all, or the last ones of that round; and all of this one.
    unsure = [one for one in known if one.joined is None]
    read_until(unsure, lambda one: one.heard and one.heard[-1] == now[-1], f"round {number}, {now}")
    for one in unsure:
        one.joined = len(every) - len(one.heard)
        assert len(one.heard) >= len(now), (number, one.name, one.heard, now)
    return fresh + late


def run(port, host, rounds):
    """How many events were heard."""
    changers = [Client(port, host=host, version=3 + i % 3, timeout=PATIENCE_S) for i in range(8)]
    for text in ("CREATE KEYSPACE e WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                 "CREATE TABLE e.row (k int PRIMARY KEY, v text)", f"INSERT INTO e.row (k, v) VALUES (1, '{'x' * ROW_BYTES}')",
                 f"INSERT INTO e.row (k, v) VALUES (2, '{'x' * SLEEPY_ROW_BYTES}')"):
        changers[0].query(text)
    always = [Listener(port, host, *kind, replies=REPLIES * (i % 2)) for i, kind in enumerate(KINDS)]
    always += [Listener(port, host, version, None, SLEEPY_REPLIES, row=2, sleepy=True) for version in (4, 5)]
    read_until(always, Listener.is_ready, "READY")
    for one in always:
        one.joined = 0
    staying, every, heard = list(always), [], 0
    for number in range(rounds):
        staying += one_round(number, staying, every, changers, host, port)
        if number % STAY_ROUNDS and number != rounds - 1:
            continue
        # What came twice, or late, is among what was read since.
        read_until(staying, lambda one: one.is_ready() and not one.waits, f"round {number}, answers")
        for one in staying:
            if one.joined is not None:
                one.check(every)
        for one in staying[len(always):]:
            heard += len(one.heard)
            one.client.close()
        staying = list(always)
    return len(every), heard + sum(len(one.heard) for one in always)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--host", metavar="HOST:PORT")
    args = parser.parse_args()
    if args.host:
        host, _, port = args.host.rpartition(":")
        print("%u changes, %u events" % run(int(port), host, args.rounds))
        return 0
    wrong = None
    with Server(None, "--loops", "2", "--shards", "4", *LIMITS) as server:
        try:
            print("%u changes, %u events" % run(server.port, "127.0.0.1", args.rounds))
            code = server.stop()
            wrong = f"the server ended with {code}: {server.log_tail()}" if code else None
        except (AssertionError, OSError) as e:
            wrong = f"{type(e).__name__}: {e}"
    if wrong:
        print(f"FAILED schema events: {wrong}")
    print(f"{int(not wrong)} passed, {int(bool(wrong))} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
