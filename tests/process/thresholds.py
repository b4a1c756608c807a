"""Thresholds, small ones: who passes a warning threshold is warned, who passes a failure threshold refused, in Cassandra's words and bytes.

    python3 tests/process/thresholds.py
    python3 bench/cassandra/cassandra.py start --fresh --dir DIR --port PORT $(python3 tests/process/thresholds.py --settings)
    python3 tests/process/thresholds.py --record HOST:PORT

tests/vectors/thresholds.txt is what Apache Cassandra 5.0.5 answered: a line per request with the version of the protocol, its name, and
the warnings, or the error's code, message and detail. Ports in it are the ones of a node's own, which nobody promises: they read 7000.
"""
import os
import re
import signal
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import ERROR, QUERY, Client, Server, long_string  # noqa: E402

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "thresholds.txt")
# Cassandra's name and value, ours.
SETTINGS = [
    ("tombstone_warn_threshold: 10", "tombstone-warn", "10"),
    ("tombstone_failure_threshold: 20", "tombstone-fail", "20"),
    ("batch_size_warn_threshold: 1KiB", "batch-warn-bytes", "1k"),
    ("batch_size_fail_threshold: 4KiB", "batch-fail-bytes", "4k"),
    ("unlogged_batch_across_partitions_warn_threshold: 3", "batch-warn-partitions", "3"),
]


def query(client, text, page=None):
    body = long_string(text) + struct.pack(">HI" if client.version >= 5 else ">HB", 1, 4 if page else 0)
    if page:
        body += struct.pack(">i", page)
    return client.exchange(QUERY, body, version=client.version)


def told(client, answer):
    """What the client hears of it, beside the rows."""
    flags, opcode, body, extra = answer
    words = "; ".join(extra.get("warnings", [])) or "nothing"
    if opcode == ERROR:
        code, size = struct.unpack_from(">IH", body)
        words = f"{code:#06x} {body[6:6 + size].decode()} | {body[6 + size:].hex()} | {words}"
    words = re.sub(r" for query .*?; token ", " for query ...; token ", words)  # Cassandra shows its own way to write it
    return re.sub(r"(/?127\.0\.0\.1):\d+", r"\1:7000", words)


def schema(client):
    for text in ("CREATE KEYSPACE IF NOT EXISTS th WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                 "CREATE TABLE IF NOT EXISTS th.t (k int, c int, v text, PRIMARY KEY (k, c))"):
        query(client, text)
    for k, count in ((1, 10), (2, 11), (3, 20), (4, 21), (5, 40)):
        for c in range(count):
            query(client, f"DELETE FROM th.t WHERE k = {k} AND c = {c}")
    query(client, "INSERT INTO th.t (k, c, v) VALUES (2, 100, 'x')")
    query(client, "INSERT INTO th.t (k, c, v) VALUES (4, 100, 'x')")


def batch(kind, partitions, size):
    return f"BEGIN {kind} BATCH " + "".join(
        f"INSERT INTO th.t (k, c, v) VALUES ({100 + i}, 0, '{'x' * size}'); " for i in range(partitions)) + "APPLY BATCH"


def requests():
    for k in (1, 2, 3, 4, 5):
        yield f"{k}: tombstones", f"SELECT * FROM th.t WHERE k = {k}", None
    yield "tombstones, paged", "SELECT * FROM th.t WHERE k = 5", 50
    yield "tombstones, counted", "SELECT count(*) FROM th.t WHERE k = 5", None
    yield "tombstones of all partitions", "SELECT * FROM th.t", None
    yield "tombstones, a slice", "SELECT * FROM th.t WHERE k = 5 AND c < 15", None
    for kind in ("", "UNLOGGED"):
        for partitions, size in ((2, 100), (2, 500), (2, 3000), (1, 3000), (1, 5000), (3, 10), (4, 10)):
            yield f"batch {kind} of {partitions} with {size}", batch(kind, partitions, size), None


def answers(port, host="127.0.0.1"):
    client = Client(port, host, version=4)
    schema(client)
    for version in (3, 4, 5):
        client = Client(port, host, version=version)
        for name, text, page in requests():
            yield f"v{version}\t{name}\t{told(client, query(client, text, page))}"
        client.close()


def reloaded():
    """What SIGHUP brings holds for the next request."""
    with tempfile.TemporaryDirectory(prefix="helenus-thresholds-") as top:
        path = os.path.join(top, "helenus.conf")

        def write(size):
            with open(path, "w") as f:
                f.write(f"batch-fail-bytes = {size}\nbatch-warn-bytes = 0\nbatch-warn-partitions = 0\n")

        write("4k")
        with Server(os.path.join(top, "data"), "--config", path) as server:
            client = Client(server.port)
            schema(client)
            before = told(client, query(client, batch("UNLOGGED", 20, 400)))
            write("0")
            server.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20
            while "config: read again" not in server.log_tail() and time.monotonic() < end:
                time.sleep(0.02)
            after = told(client, query(client, batch("UNLOGGED", 20, 400)))
            client.close()
    return before.startswith("0x2200 Batch too large") and after == "nothing", (before, after)


def main():
    if sys.argv[1:] == ["--settings"]:
        print(" ".join(f"'--set={setting}'" for setting, _, _ in SETTINGS))
        return 0
    if len(sys.argv) == 3 and sys.argv[1] == "--record":
        host, _, port = sys.argv[2].rpartition(":")
        lines = list(answers(int(port), host))
        with open(VECTORS, "w") as f:
            f.write("".join(line + "\n" for line in lines))
        print(f"{len(lines)} answers recorded")
        return 0
    with open(VECTORS) as f:
        wanted = f.read().splitlines()
    failed = 0
    with Server(None, *[word for _, name, number in SETTINGS for word in (f"--{name}", number)]) as server:
        given = list(answers(server.port))
    for want, got in zip(wanted, given, strict=True):
        if want != got:
            failed += 1
            print(f"FAILED\n  Cassandra: {want}\n  helenus:   {got}")
    ok, why = reloaded()
    if not ok:
        failed += 1
        print(f"FAILED a reload: {why}")
    wanted.append("a reload")
    print(f"{len(wanted) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
