"""kill -9 while deletions are purged: nothing alive goes, nothing deleted comes back, and in the end nothing dead is left.

Partitions of a few thousand rows are written, some rows with newer timestamps than the deletions that follow: of the whole partition, of
ranges, of both. gc_grace_seconds is 0, so that owners sweep a second later, in steps. The server is killed at random moments in
between and started again; each time every partition must hold exactly its newer rows. When the sweeper has come to the end of its
due list, the table of its progress must say that nothing waits, and the rows must be gone from the files too.
"""
import argparse
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import BINARY, EXECUTE, RESULT, Client, Server, execute_body, frame  # noqa: E402

ROWS, KEPT_EVERY = 3000, 7


def write_partition(client, insert, pk, rng):
    """Rows at timestamp 100, every KEPT_EVERY-th at 300, then deletions at 200. Answers the rows that stay."""
    first = rng.randrange(KEPT_EVERY)
    out = []
    for c in range(ROWS):
        raw = execute_body(insert, [struct.pack(">q", pk), struct.pack(">i", c), b"x" * 100])
        at = 2 + len(insert) + 2
        stamp = 300 if c % KEPT_EVERY == first else 100
        out.append(frame(EXECUTE, raw[:at] + bytes([raw[at] | 0x20]) + raw[at + 1:] + struct.pack(">q", stamp), c % 500))
    for start in range(0, ROWS, 500):
        client.send(b"".join(out[start:start + 500]))
        for _ in range(min(500, ROWS - start)):
            _, opcode, body = client.receive()
            if opcode != RESULT:
                raise AssertionError(f"a write was refused: {body[:200]!r}")
    low, high = sorted(rng.sample(range(ROWS), 2))
    kind = rng.randrange(3)
    if kind != 1:
        client.query(f"DELETE FROM sweep.t USING TIMESTAMP 200 WHERE pk = {pk}")
        low, high = 0, ROWS
    else:
        client.query(f"DELETE FROM sweep.t USING TIMESTAMP 200 WHERE pk = {pk} AND c >= {low} AND c < {high}")
    if kind == 2:
        client.query(f"DELETE FROM sweep.t USING TIMESTAMP 150 WHERE pk = {pk} AND c > {ROWS // 3} AND c < {ROWS // 2}")
    return {c for c in range(ROWS) if c % KEPT_EVERY == first or not low <= c < high}


def select(client, text):
    return client.execute(client.prepare(text), [])


def read_partition(client, pk):
    return {struct.unpack(">i", row[0])[0] for row in select(client, f"SELECT c FROM sweep.t WHERE pk = {pk}")}


def check(server, alive):
    client, lost = Client(server.port), []
    for pk, wanted in alive.items():
        seen = read_partition(client, pk)
        if seen != wanted:
            lost.append(f"partition {pk}: {len(wanted - seen)} rows are gone, {len(seen - wanted)} came back")
    client.close()
    return lost


def progress(server):
    client = Client(server.port)
    found = select(client, "SELECT tombstones_purged, rows_deleted, next_due FROM system_views.helenus_sweeper")
    client.close()
    return sum(struct.unpack(">q", r[0])[0] for r in found), sum(struct.unpack(">q", r[1])[0] for r in found), \
        any(r[2] is not None for r in found)


def operate(server, word):
    subprocess.run([BINARY, word, server.data], check=True, capture_output=True, timeout=60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    rng, alive, failed, swept = random.Random(args.seed), {}, 0, 0
    print(f"seed {args.seed}")
    with tempfile.TemporaryDirectory(prefix="helenus-sweep-") as top:
        server = Server(os.path.join(top, "data"), "--shards", "2").start()
        client = Client(server.port)
        client.query("CREATE KEYSPACE sweep WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE sweep.t (pk bigint, c int, v blob, PRIMARY KEY (pk, c)) WITH gc_grace_seconds = 0")
        for number in range(1, args.rounds + 1):
            insert = client.prepare("INSERT INTO sweep.t (pk, c, v) VALUES (?, ?, ?)")
            for pk in range(number * 2, number * 2 + 2):
                alive[pk] = write_partition(client, insert, pk, rng)
            # Half of the kills fall into the first steps, right after the deletion is due; the others anywhere.
            time.sleep(rng.uniform(0.95, 1.1) if rng.random() < 0.5 else rng.uniform(0, 2))
            swept += progress(server)[1]
            client.close()
            server.kill()
            server.start()
            lost = check(server, alive)
            failed += bool(lost)
            for line in lost[:5]:
                print("LOST round", number, line)
            client = Client(server.port)
        client.close()
        end = time.time() + 30
        while time.time() < end and progress(server)[2]:
            time.sleep(0.2)
        time.sleep(2.5)
        operate(server, "sweep")
        waits = progress(server)[2]
        operate(server, "flush")
        operate(server, "compact")
        lost = check(server, alive)
        for line in lost[:5]:
            print("LOST at the end", line)
        purged, deleted, _ = progress(server)
        if waits or not swept + deleted:
            print(f"FAILED: {'deletions still wait' if waits else 'nothing was swept'}")
        failed += bool(lost) + bool(waits or not swept + deleted)
        server.stop()
    print(f"{args.rounds} kills, at least {swept + deleted} rows swept, {purged} tombstones purged since the last")
    print(f"{args.rounds + 1 - min(failed, args.rounds + 1)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
