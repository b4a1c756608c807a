"""kill -9 at any moment loses no acknowledged write and shows none that a crash took back.

Each round: several connections keep at least 64 requests in flight over all shards: new rows (some with a TTL), overwrites of hot rows
with growing versions, additions to counters, also in counter batches, and to collections, batches of one partition and of several, deletions
of ranges, and reads of the very keys that are being written. After a random time the server is killed with SIGKILL and started again on
the same directory. Then:
  - every acknowledged row is there with at least the acknowledged version;
  - every version that a read showed before the kill is still there (or a newer one that was sent);
  - nothing that was never sent is there;
  - every counter stands between the additions acknowledged and those sent: none lost, none counted twice;
  - every logged batch, whose rows lie on all shards, is there whole or not at all, and if it was acknowledged it is there;
  - a batch of one partition, which replaces all its rows by one and sets its static column, is too;
  - a list, a set and a map to which each update adds the same number hold the same numbers, the acknowledged ones among them, each once.
At the end every key of every round is checked once more.
"""
import argparse
import os
import random
import re
import select
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import EXECUTE, RESULT, Client, Server, execute_body, frame, rows  # noqa: E402

HOT_KEYS = 64
COUNTERS = 16
GROUPS = 24   # of rows that only batches write, all of a group with one version, one batch of a group at a time
MEMBERS = 6
ROLLS = 16    # partitions of one row, which the next one replaces, one batch at a time


def pack(n):
    return struct.pack(">q", n)


class Witness:
    """What the clients know: per key the newest version sent, acknowledged and shown."""

    def __init__(self):
        self.sent, self.acked, self.shown = {}, {}, {}
        self.counts_sent, self.counts_acked = [0] * COUNTERS, [0] * COUNTERS
        self.counted = 0
        self.batches_sent, self.batches_acked, self.batched = [0] * GROUPS, [0] * GROUPS, 0
        self.idle_groups = set(range(GROUPS))
        self.rolls_sent, self.rolls_acked, self.rolled, self.idle_rolls = [0] * ROLLS, [0] * ROLLS, 0, set(range(ROLLS))
        self.bag, self.bag_sent, self.bag_acked, self.thrown = 0, set(), set(), 0  # one row of collections a round

    def floor(self, key):
        return max(self.acked.get(key, 0), self.shown.get(key, 0))


class Connection:
    def __init__(self, server, depth, witness, fresh, rng):
        self.client = Client(server.port)
        self.write = self.client.prepare("INSERT INTO crash.t (pk, version, padding) VALUES (?, ?, ?)")
        self.read = self.client.prepare("SELECT version FROM crash.t WHERE pk = ?")
        self.count = self.client.prepare("UPDATE crash.c SET n = n + 1, m = m - 1 WHERE pk = ?")
        self.count_both = self.client.prepare("BEGIN COUNTER BATCH " + "UPDATE crash.c SET n = n + 1, m = m - 1 WHERE pk = ?; " * 2 + "APPLY BATCH")
        self.batch = self.client.prepare("BEGIN BATCH " + "INSERT INTO crash.b (pk, version) VALUES (?, ?); " * MEMBERS + "APPLY BATCH")
        self.write_ttl = self.client.prepare("INSERT INTO crash.t (pk, version, padding) VALUES (?, ?, ?) USING TTL 100000")
        self.roll = self.client.prepare("BEGIN UNLOGGED BATCH INSERT INTO crash.r (pk, ck, s) VALUES (?, ?, ?); "
                                        "DELETE FROM crash.r WHERE pk = ? AND ck < ?; APPLY BATCH")
        self.throw = self.client.prepare("UPDATE crash.e SET l = l + ?, s = s + ?, m = m + ? WHERE pk = ?")
        self.client.socket.setblocking(False)
        self.depth, self.witness, self.fresh, self.rng = depth, witness, fresh, rng
        self.in_flight, self.free, self.out = {}, list(range(depth)), b""

    def fill(self):
        w, rng = self.witness, self.rng
        while self.free:
            stream = self.free.pop()
            if rng.random() < 0.2:
                keys = rng.sample(range(COUNTERS), rng.choice((1, 1, 2)))
                for key in keys:
                    w.counts_sent[key] += 1
                self.in_flight[stream] = ("count", keys, 0)
                self.out += frame(EXECUTE, execute_body(self.count if len(keys) == 1 else self.count_both, [*map(pack, keys)]), stream)
            elif rng.random() < 0.1 and w.idle_groups:
                group = w.idle_groups.pop()
                w.batches_sent[group] += 1
                self.in_flight[stream] = ("batch", group, w.batches_sent[group])
                values = [v for i in range(MEMBERS) for v in (pack(group * MEMBERS + i), pack(w.batches_sent[group]))]
                self.out += frame(EXECUTE, execute_body(self.batch, values), stream)
            elif rng.random() < 0.1 and w.idle_rolls:
                roll = w.idle_rolls.pop()
                w.rolls_sent[roll] += 1
                self.in_flight[stream] = ("roll", roll, w.rolls_sent[roll])
                pk, version = pack(roll), pack(w.rolls_sent[roll])
                self.out += frame(EXECUTE, execute_body(self.roll, [pk, version, version, pk, version]), stream)
            elif rng.random() < 0.05:
                number = w.thrown = w.thrown + 1
                w.bag_sent.add(number)
                self.in_flight[stream] = ("throw", number, 0)
                one = collection(pack(number))
                self.out += frame(EXECUTE, execute_body(self.throw, [one, one, one + element(pack(number)), pack(w.bag)]), stream)
            elif rng.random() < 0.25 and w.sent:
                key = self.fresh["last"] - rng.randrange(200) if rng.random() < 0.5 else -1 - rng.randrange(HOT_KEYS)
                self.in_flight[stream] = ("read", key, 0)
                self.out += frame(EXECUTE, execute_body(self.read, [pack(key)]), stream)
            else:
                if rng.random() < 0.5:
                    self.fresh["last"] += 1
                    key = self.fresh["last"]
                else:
                    key = -1 - rng.randrange(HOT_KEYS)
                version = w.sent.get(key, 0) + 1
                w.sent[key] = version
                self.in_flight[stream] = ("write", key, version)
                # The timestamp is the version: two overwrites in flight at once must not be ordered by chance.
                write = self.write_ttl if rng.random() < 0.2 else self.write
                self.out += frame(EXECUTE, execute_body_at(write, [pack(key), pack(version), b"x" * rng.choice((1, 100, 3000))],
                                                           version), stream)

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
            kind, key, version = self.in_flight.pop(stream)
            self.free.append(stream)
            if opcode != RESULT:
                refused.append(body[4:200])
            elif kind == "count":
                for counter in key:
                    self.witness.counts_acked[counter] += 1
                self.witness.counted += len(key)
            elif kind == "batch":
                self.witness.batches_acked[key] = version
                self.witness.batched += 1
                self.witness.idle_groups.add(key)
            elif kind == "roll":
                self.witness.rolls_acked[key] = version
                self.witness.rolled += 1
                self.witness.idle_rolls.add(key)
            elif kind == "throw":
                self.witness.bag_acked.add(key)
            elif kind == "write":
                self.witness.acked[key] = max(self.witness.acked.get(key, 0), version)
            else:
                found = rows(body)
                if found:
                    seen, = struct.unpack(">q", found[0][0])
                    if seen > self.witness.sent.get(key, 0):
                        raise AssertionError(f"key {key}: version {seen} was never sent")
                    self.witness.shown[key] = max(self.witness.shown.get(key, 0), seen)


def execute_body_at(statement_id, values, timestamp):
    """EXECUTE with a client timestamp."""
    raw = execute_body(statement_id, values)
    at = 2 + len(statement_id) + 2
    return raw[:at] + bytes([raw[at] | 0x20]) + raw[at + 1:] + struct.pack(">q", timestamp)


def load(connections, refused, until):
    while not until():
        for c in connections:
            c.fill()
            c.flush()
        ready, _, _ = select.select([c.client.socket for c in connections], [], [], 0.001)
        for c in connections:
            if c.client.socket in ready:
                c.take(refused)


def load_until_killed(server, args, witness, fresh, rng):
    connections = [Connection(server, args.depth, witness, fresh, rng) for _ in range(args.connections)]
    refused, end = [], time.time() + rng.uniform(0.02, args.round_seconds)
    load(connections, refused, lambda: time.time() >= end)
    for c in connections: # as many as may be are on their way when it dies
        c.fill()
        c.flush()
    in_flight = sum(len(c.in_flight) for c in connections)
    server.kill()
    take_the_rest(connections, refused)
    return in_flight


def take_the_rest(connections, refused):
    """Of a server that is dead: replies already in our sockets were acknowledged."""
    for c in connections:
        try:
            while True:
                c.take(refused)
        except (ConnectionError, OSError):
            pass
        c.client.close()
    if refused:
        raise AssertionError(f"{len(refused)} requests refused, first: {refused[0]!r}")


def element(raw):
    return struct.pack(">i", len(raw)) + raw


def collection(*elements):
    return struct.pack(">i", len(elements)) + b"".join(map(element, elements))


def numbers(raw, step=1):
    """Of a collection of bigints; step 2: the keys of a map."""
    count, = struct.unpack_from(">i", raw) if raw else (0,)
    return [struct.unpack_from(">q", raw, 4 + 12 * step * i + 4)[0] for i in range(count)]


def verify(server, witness, keys):
    client = Client(server.port)
    statement = client.prepare("SELECT version FROM crash.t WHERE pk = ?")
    lost = []
    keys = list(keys)
    for start in range(0, len(keys), 200):
        chunk = keys[start:start + 200]
        client.send(b"".join(frame(EXECUTE, execute_body(statement, [pack(k)]), i) for i, k in enumerate(chunk)))
        for _ in chunk:
            stream, opcode, body = client.receive()
            key = chunk[stream]
            if opcode != RESULT:
                lost.append((key, "error", body[4:200]))
                continue
            found = rows(body)
            seen = struct.unpack(">q", found[0][0])[0] if found else 0
            if seen < witness.floor(key):
                lost.append((key, f"has {seen}", f"acknowledged {witness.acked.get(key)}, shown {witness.shown.get(key)}"))
            if seen > witness.sent.get(key, 0):
                lost.append((key, f"has {seen}", "never sent"))
            if found:
                witness.shown[key] = max(witness.shown.get(key, 0), seen)
    client.close()
    return lost


def verify_counters(server, witness):
    client = Client(server.port)
    statement = client.prepare("SELECT n, m FROM crash.c WHERE pk = ?")
    wrong = []
    for key in range(COUNTERS):
        client.send(frame(EXECUTE, execute_body(statement, [pack(key)]), 0))
        _, opcode, body = client.receive()
        found = rows(body) if opcode == RESULT else None
        if found is None:
            wrong.append((f"counter {key}", "error", body[4:200]))
            continue
        n, m = (struct.unpack(">q", value)[0] for value in found[0]) if found else (0, 0)
        if not witness.counts_acked[key] <= n <= witness.counts_sent[key] or m != -n:
            wrong.append((f"counter {key}", f"has {n} and {m}",
                          f"acknowledged {witness.counts_acked[key]}, sent {witness.counts_sent[key]}"))
        witness.counts_acked[key] = witness.counts_sent[key] = n  # from here on that is the truth
    client.close()
    return wrong


def verify_batches(server, witness):
    client = Client(server.port)
    statement = client.prepare("SELECT version FROM crash.b WHERE pk = ?")
    wrong = []
    for group in range(GROUPS):
        versions = set()
        for i in range(MEMBERS):
            client.send(frame(EXECUTE, execute_body(statement, [pack(group * MEMBERS + i)]), 0))
            _, opcode, body = client.receive()
            found = rows(body) if opcode == RESULT else None
            versions.add("error" if found is None else struct.unpack(">q", found[0][0])[0] if found else 0)
        seen = versions.pop() if len(versions) == 1 else None
        if seen is None or seen == "error" or not witness.batches_acked[group] <= seen <= witness.batches_sent[group]:
            wrong.append((f"batch {group}", f"has {versions or seen}",
                          f"acknowledged {witness.batches_acked[group]}, sent {witness.batches_sent[group]}"))
        else:
            witness.batches_acked[group] = seen  # what is shown stays
    witness.idle_groups = set(range(GROUPS))
    client.close()
    return wrong


def verify_rolls(server, witness):
    client = Client(server.port)
    statement = client.prepare("SELECT ck, s FROM crash.r WHERE pk = ?")
    wrong = []
    for roll in range(ROLLS):
        found = [tuple(struct.unpack(">q", v)[0] if v else None for v in row) for row in client.execute(statement, [pack(roll)])]
        seen = found[0][0] if found else 0
        if found not in ([], [(seen, seen)]) or not witness.rolls_acked[roll] <= seen <= witness.rolls_sent[roll]:
            wrong.append((f"partition {roll}", f"has {found}", f"acknowledged {witness.rolls_acked[roll]}, sent {witness.rolls_sent[roll]}"))
        witness.rolls_acked[roll] = max(witness.rolls_acked[roll], seen or 0)
    witness.idle_rolls = set(range(ROLLS))
    client.close()
    return wrong


def verify_bag(server, witness):
    client = Client(server.port)
    found = client.execute(client.prepare("SELECT l, s, m FROM crash.e WHERE pk = ?"), [pack(witness.bag)])
    client.close()
    in_list, in_set, in_map = (numbers(raw, step) for raw, step in zip(found[0], (1, 1, 2))) if found else ([], [], [])
    wrong = []
    if sorted(in_list) != in_set or in_set != in_map:
        wrong.append((f"collections {witness.bag}", f"differ: {len(in_list)} in the list, {len(in_set)} in the set, {len(in_map)} in the map", ""))
    if not witness.bag_acked <= set(in_set) <= witness.bag_sent:
        wrong.append((f"collections {witness.bag}", f"lack {sorted(witness.bag_acked - set(in_set))[:5]}",
                      f"were never sent {sorted(set(in_set) - witness.bag_sent)[:5]}"))
    witness.bag, witness.bag_sent, witness.bag_acked = witness.bag + 1, set(), set()
    return wrong


def make_tables(server):
    client = Client(server.port)
    client.query("CREATE KEYSPACE crash WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TABLE crash.t (pk bigint PRIMARY KEY, version bigint, padding blob)")
    client.query("CREATE TABLE crash.b (pk bigint PRIMARY KEY, version bigint)")
    client.query("CREATE TABLE crash.c (pk bigint PRIMARY KEY, n counter, m counter)")
    client.query("CREATE TABLE crash.r (pk bigint, ck bigint, s bigint STATIC, PRIMARY KEY (pk, ck))")
    client.query("CREATE TABLE crash.e (pk bigint PRIMARY KEY, l list<bigint>, s set<bigint>, m map<bigint, bigint>)")
    client.close()


def verify_all(server, witness, keys):
    return (verify(server, witness, keys) + verify_counters(server, witness) + verify_batches(server, witness) +
            verify_rolls(server, witness) + verify_bag(server, witness))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--round-seconds", type=float, default=0.4)
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    print(f"seed {args.seed}")
    witness, fresh, failed, silent, least, start_ms = Witness(), {"last": 0}, 0, 0, None, []
    with tempfile.TemporaryDirectory(prefix="helenus-crash-") as top:
        server = Server(os.path.join(top, "data"), "--shards", str(args.shards)).start()
        make_tables(server)
        for number in range(1, args.rounds + 1):
            before, acknowledged = fresh["last"], sum(witness.acked.values())
            in_flight = load_until_killed(server, args, witness, fresh, rng)
            silent = 0 if sum(witness.acked.values()) > acknowledged else silent + 1
            if silent == 10: # a server that acknowledges nothing loses nothing
                failed += 1
                print(f"round {number}: nothing acknowledged in the last {silent} rounds\n{server.log_tail()}")
            least = in_flight if least is None else min(least, in_flight)
            begin = time.time()
            server.start()
            start_ms.append((time.time() - begin) * 1000)
            lost = verify_all(server, witness, [*range(max(1, before - 500), fresh["last"] + 1), *range(-HOT_KEYS, 0)])
            failed += bool(lost)
            for entry in lost[:5]:
                print("LOST round", number, *entry)
            if sys.stdout.isatty() or number % 20 == 0:
                print(f"round {number}/{args.rounds}: {len(witness.acked)} keys acknowledged, {in_flight} in flight at the kill",
                      end="\r" if sys.stdout.isatty() else "\n", flush=True)
        lost = verify(server, witness, witness.sent)
        failed += bool(lost)
        for entry in lost[:5]:
            print("LOST at the end", *entry)
        server.stop()
        with open(server.log_path) as log:
            finished = sum(int(n) for n in re.findall(r"finished batches count=(\d+)", log.read()))
    start_ms.sort()
    print(f"{args.rounds} kills, {sum(witness.acked.values())} acknowledged versions of {len(witness.sent)} keys, {witness.counted} acknowledged additions, {witness.batched} acknowledged batches over shards and {witness.rolled} of one partition, {witness.thrown} additions to collections sent, at least {least} in flight at a kill; "
          f"restart p50 {start_ms[len(start_ms) // 2]:.0f} ms, max {start_ms[-1]:.0f} ms")
    print(f"{finished} batches were finished by a start")
    if args.rounds >= 50 and not finished:
        print("FAILED: no kill met a batch on its way")
        failed += 1
    if least < 64:
        print("FAILED: fewer than 64 requests were in flight at a kill")
        failed += 1
    print(f"{args.rounds + 1 - min(failed, args.rounds + 1)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
