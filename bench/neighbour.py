#!/usr/bin/env python3
"""A bad neighbour: a client that does all day what is dearest for a server, while bench.py measures what others see.

    neighbour.py PORT prepare            keyspace `neighbour`: a map and a list of 60 000 elements, a partition of 1 000 000 rows
    neighbour.py PORT SHAPE              until SIGTERM; prints what it did as one JSON object

The shapes, each on connections of its own with requests in flight all the time:

    elements   UPDATE .. SET m[?] = ?         one by one into a map of 60 000
    places     UPDATE .. SET l[?] = ?         one by one in a list of 60 000
    ranges     DELETE .. WHERE p = ? AND c >= ? AND c < ?    of one partition, each over many of those before
    counts     SELECT count(*)                8 clients, of a partition of 1 000 000 rows
    in-reads   SELECT .. WHERE k IN ?         of 65 535 keys
    in-writes  UPDATE and DELETE .. WHERE k IN ?    of 65 535 keys, one after the other
"""
import json
import pathlib
import random
import selectors
import signal
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from lib.native import ERROR, EXECUTE, Client, execute_body, frame  # noqa: E402

ELEMENTS, ROWS, KEYS = 60000, 1000000, 65535


def integer(number):
    return struct.pack(">i", number)


def integers(numbers):
    numbers = list(numbers)
    return integer(len(numbers)) + b"".join(integer(4) + integer(n) for n in numbers)


class Pipe:
    """One connection that keeps `depth` requests in flight; next_request gives (statement, values)."""

    def __init__(self, port, depth, statements, next_request):
        self.client = Client(port, timeout=300)
        self.ids = [self.client.prepare(s) for s in statements]
        self.next_request = next_request
        self.free = list(range(depth))
        self.done = self.failed = 0
        self.first_error = None

    def fill(self, limit=None):
        out = []
        while self.free and (limit is None or limit > len(out)):
            statement, values = self.next_request()
            out.append(frame(EXECUTE, execute_body(self.ids[statement], values), stream=self.free.pop()))
        if out:
            self.client.send(b"".join(out))

    def take(self):
        self.client.read_some()
        for stream, opcode, body in self.client.frames():
            self.free.append(stream)
            self.done += 1
            if opcode == ERROR:
                self.failed += 1
                self.first_error = self.first_error or body[6:200].decode(errors="replace")


def prepare(port):
    client = Client(port, timeout=300)
    for text in ("CREATE KEYSPACE IF NOT EXISTS neighbour WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                 "CREATE TABLE IF NOT EXISTS neighbour.large (k int PRIMARY KEY, m map<int, int>, l list<int>)",
                 "CREATE TABLE IF NOT EXISTS neighbour.ranges (p int, c int, v int, PRIMARY KEY (p, c))",
                 "CREATE TABLE IF NOT EXISTS neighbour.rows (p int, c int, v int, PRIMARY KEY (p, c))",
                 "CREATE TABLE IF NOT EXISTS neighbour.keys (k int PRIMARY KEY, v text)",
                 "INSERT INTO neighbour.large (k, m) VALUES (1, {%s})" % ",".join(f"{i}:{i}" for i in range(ELEMENTS)),
                 "INSERT INTO neighbour.large (k, l) VALUES (2, [%s])" % ",".join(str(i) for i in range(ELEMENTS))):
        client.query(text)
    count = iter(range(ROWS))

    def row():
        c = next(count)
        return 0, [integer(1), integer(c), integer(c)]
    pipe = Pipe(port, 512, ["INSERT INTO neighbour.rows (p, c, v) VALUES (?, ?, ?)"], row)
    while pipe.done < ROWS:
        pipe.fill(ROWS - pipe.done - (512 - len(pipe.free)))
        pipe.take()
    if pipe.failed:
        raise RuntimeError(pipe.first_error)


def shape(port, name):
    rng = random.Random(7)
    if name == "elements":
        return [Pipe(port, 128, ["UPDATE neighbour.large SET m[?] = ? WHERE k = 1"],
                     lambda: (0, [integer(rng.randrange(ELEMENTS)), integer(rng.randrange(1000))]))]
    if name == "places":
        return [Pipe(port, 128, ["UPDATE neighbour.large SET l[?] = ? WHERE k = 2"],
                     lambda: (0, [integer(rng.randrange(ELEMENTS)), integer(rng.randrange(1000))]))]
    if name == "ranges":
        def some_range():
            begin = rng.randrange(1000000)
            return 0, [integer(begin), integer(begin + rng.randrange(1, 100000))]
        return [Pipe(port, 128, ["DELETE FROM neighbour.ranges WHERE p = 1 AND c >= ? AND c < ?"], some_range)]
    if name == "counts":
        return [Pipe(port, 1, ["SELECT count(*) FROM neighbour.rows WHERE p = 1"], lambda: (0, [])) for _ in range(8)]
    if name == "plain":
        return [Pipe(port, 128, ["INSERT INTO neighbour.keys (k, v) VALUES (?, ?)"], lambda: (0, [integer(rng.randrange(KEYS)), b"x"]))]
    keys = integers(range(KEYS))
    if name == "in-reads":
        return [Pipe(port, 10, ["SELECT v FROM neighbour.keys WHERE k IN ?"], lambda: (0, [keys]))]
    if name == "in-writes":
        turn = iter(range(1 << 60))

        def write():
            return (0, [b"x", keys]) if next(turn) % 2 == 0 else (1, [keys])
        return [Pipe(port, 1, ["UPDATE neighbour.keys SET v = ? WHERE k IN ?", "DELETE FROM neighbour.keys WHERE k IN ?"], write)]
    raise SystemExit(f"no shape {name}")


SHAPES = ["plain", "elements", "places", "ranges", "counts", "in-reads", "in-writes"]


def run(port, name):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    pipes, begin = shape(port, name), time.time()
    selector = selectors.DefaultSelector()
    for pipe in pipes:
        selector.register(pipe.client.socket, selectors.EVENT_READ, pipe)
        pipe.fill()
    while not ended:
        for key, _ in selector.select(0.2):
            key.data.take()
            key.data.fill()
    seconds = time.time() - begin
    print(json.dumps({"shape": name, "seconds": round(seconds, 2), "requests": sum(p.done for p in pipes), "errors": sum(p.failed for p in pipes),
                      "first_error": next((p.first_error for p in pipes if p.first_error), None)}))


if __name__ == "__main__":
    if sys.argv[2] == "prepare":
        prepare(int(sys.argv[1]))
    else:
        run(int(sys.argv[1]), sys.argv[2])
