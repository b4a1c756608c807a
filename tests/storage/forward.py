"""A data directory of format 2, which a server of that format wrote until it was killed (format2.tar.xz; made by the statements in WRITTEN),
is brought forward: all that was in it is answered, by a server that was killed at each step on the way too; `helenus check`, `snapshot`,
`restore` and `reshard` take it as it is.

    build/venv/bin/python tests/storage/forward.py
"""
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile  # noqa: E402
from cassandra.policies import RoundRobinPolicy  # noqa: E402
from cassandra.query import tuple_factory  # noqa: E402
from lib.native import BINARY, Server  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SWITCHES = BINARY + "-switches"
STEPS = {"forward-emptied": 2, "forward-written": 2, "forward-complete": 2, "forward-named": 3}
WRITTEN = """
CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1} AND tags = {'a': 'b'};
CREATE TYPE k.z (a int, b frozen<list<text>>);
CREATE TYPE k.a (one frozen<z>, two frozen<map<text, frozen<z>>>);
CREATE TABLE k.t (a int, b text, c frozen<a>, d map<int, frozen<z>>, PRIMARY KEY (a, b)) WITH comment = 'here';
INSERT INTO k.t (a, b, c, d) VALUES (1, 'x', {one: {a: 5, b: ['p', 'q']}, two: {'m': {a: 6}}}, {1: {a: 7}});
ALTER TABLE k.t ADD e int;
INSERT INTO k.t (a, b, e) VALUES (2, 'y', 3);
ALTER TABLE k.t DROP e;
ALTER KEYSPACE system_auth WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};
CREATE KEYSPACE "Other" WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3} AND durable_writes = false;
CREATE TABLE "Other"."T" (k text PRIMARY KEY, n counter);
UPDATE "Other"."T" SET n = n + 4 WHERE k = 'c';
CREATE TABLE k.gone (a int PRIMARY KEY);
INSERT INTO k.gone (a) VALUES (1);
TRUNCATE k.gone;
INSERT INTO k.gone (a) VALUES (2);
CREATE KEYSPACE empty WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
DROP KEYSPACE empty;
"""
EXPECTED = {
    "SELECT a, b, toJson(c), toJson(d) FROM k.t": [
        (1, "x", '{"one": {"a": 5, "b": ["p", "q"]}, "two": {"m": {"a": 6, "b": null}}}', '{"1": {"a": 7, "b": null}}'),
        (2, "y", "null", "null")],
    "SELECT * FROM k.gone": [(2,)],
    'SELECT * FROM "Other"."T"': [("c", 4)],
    "SELECT type_name, field_types FROM system_schema.types": [
        ("a", ["frozen<z>", "frozen<map<text, frozen<z>>>"]), ("z", ["int", "frozen<list<text>>"])],
    "SELECT column_name, type FROM system_schema.dropped_columns": [("e", "int")],
    "SELECT comment FROM system_schema.tables WHERE keyspace_name = 'k' AND table_name = 't'": [("here",)],
    "SELECT durable_writes FROM system_schema.keyspaces WHERE keyspace_name = 'Other'": [(False,)],
}
HOST_ID = "65520eea-2d7a-4f6e-bdca-8d49f14eebbc"
passed, failures = [], []


def expect(ok, what):
    (passed if ok else failures).append(what)
    print(("ok " if ok else "FAILED ") + what, flush=True)


def unpack(top, name):
    data = os.path.join(top, name)
    os.mkdir(data)
    with tarfile.open(os.path.join(HERE, "format2.tar.xz")) as tar:
        tar.extractall(data, filter="data")
    return data


def format_of(data):
    with open(os.path.join(data, "FORMAT")) as f:
        return int(f.read().split()[-1])


def helenus(*words):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=120)


def answers(data):
    """What differs from what was written, and then it can be written to."""
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60, row_factory=tuple_factory)
    with Server(data) as server:
        cluster = Cluster(["127.0.0.1"], port=server.port, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
        session = cluster.connect()
        wrong = {query: rows for query, expected in EXPECTED.items() if (rows := list(session.execute(query))) != expected}
        if str(list(session.execute("SELECT host_id FROM system.local"))[0][0]) != HOST_ID:
            wrong["host_id"] = "another"
        session.execute("CREATE TABLE k.later (a int PRIMARY KEY, b frozen<a>)")
        session.execute("INSERT INTO k.later (a, b) VALUES (1, {one: {a: 2}})")
        if list(session.execute("SELECT a FROM k.later")) != [(1,)]:
            wrong["later"] = "not there"
        session.execute("DROP TABLE k.later")
        end = time.monotonic() + 20
        while jobs := list(session.execute("SELECT kind, done, total, unit, failure FROM system_views.helenus_jobs")):
            if jobs[0][0] != "removal" or jobs[0][3] != "tables" or time.monotonic() > end:
                wrong["jobs"] = jobs
                break
        cluster.shutdown()
    return wrong


def main():
    with tempfile.TemporaryDirectory(prefix="helenus-forward-") as top:
        data = unpack(top, "plain")
        expect(helenus("check", data).returncode == 0 and format_of(data) == 2, "it is sound, and stays of format 2 when it is looked at")
        expect(helenus("snapshot", data, os.path.join(top, "copy")).returncode == 0, "a snapshot can be made of it")
        expect(answers(data) == {}, "all of it is answered")
        expect(format_of(data) == 3, "it is of format 3 now")
        expect(answers(data) == {}, "and again")
        expect(helenus("check", data).returncode == 0, "and it is sound")
        shutil.rmtree(data)

        expect(helenus("restore", os.path.join(top, "copy"), data).returncode == 0 and format_of(data) == 2, "the snapshot is restored")
        expect(answers(data) == {} and format_of(data) == 3, "and all of it is answered")

        data = unpack(top, "sharded")
        expect(helenus("reshard", data, "--shards", "3").returncode == 0, "it can be given another number of shards")
        expect(answers(data) == {} and format_of(data) == 3, "and all of it is answered then")

        for step, number in STEPS.items():
            data = unpack(top, step)
            server = Server(data, binary=SWITCHES, env={"HELENUS_TEST_KILL": step})
            try:
                server.start()
                expect(False, f"{step}: it was not killed")
            except RuntimeError:
                expect(server.process.returncode == -signal.SIGKILL and format_of(data) == number, f"{step}: killed, of format {number}")
            expect(helenus("check", data).returncode == 0, f"{step}: sound")
            expect(answers(data) == {} and format_of(data) == 3, f"{step}: all of it is answered by the next start")
    print(f"{len(passed)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
