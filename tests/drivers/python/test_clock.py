"""Time moved ahead (helenus clock DIR --advance): what it brings is seen through the driver, of a server of its own."""
import datetime
import subprocess
import time

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile

from server import Helenus

DAY_S = 86400


@pytest.fixture()
def server():
    server = Helenus(args=["--shards", "2"])
    server.start()
    yield server
    assert server.stop() == 0, server.tail()


@pytest.fixture()
def session(server):
    cluster = Cluster(["127.0.0.1"], port=server.cql_port, execution_profiles={
        EXEC_PROFILE_DEFAULT: ExecutionProfile(request_timeout=30)})
    session = cluster.connect()
    session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE k.t (p int, c int, v text, w text, PRIMARY KEY (p, c))")
    yield session
    cluster.shutdown()


def clock(server, *arguments):
    return subprocess.run([server.binary, "clock", server.data, *arguments], capture_output=True, text=True, timeout=60)


def advance(server, duration):
    done = clock(server, "--advance", duration)
    assert done.returncode == 0, done
    return told(done)


def told(done):
    """What time it is for the server, in seconds."""
    text = done.stdout.strip().rpartition(" is at ")[2]
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def rows(session, columns="c, v"):
    return [tuple(r) for r in session.execute(f"SELECT {columns} FROM k.t WHERE p = 1")]


def test_ttl_of_thirty_days(server, session):
    insert = session.prepare("INSERT INTO k.t (p, c, v) VALUES (1, ?, ?) USING TTL ?")
    session.execute(insert, (1, "thirty", 30 * DAY_S))
    session.execute(insert, (2, "sixty", 60 * DAY_S))
    session.execute(insert, (3, "ever", 0))
    session.execute("UPDATE k.t USING TTL %s SET w = 'cell' WHERE p = 1 AND c = 3", (20 * DAY_S,))
    assert rows(session) == [(1, "thirty"), (2, "sixty"), (3, "ever")]
    advance(server, "29d")
    assert rows(session) == [(1, "thirty"), (2, "sixty"), (3, "ever")]
    assert rows(session, "w") == [(None,), (None,), (None,)]
    left = session.execute("SELECT TTL(v) FROM k.t WHERE p = 1 AND c = 1").one()[0]
    assert 0 < left <= DAY_S
    advance(server, "1d1m")
    assert rows(session) == [(2, "sixty"), (3, "ever")]
    assert session.execute("INSERT INTO k.t (p, c, v) VALUES (1, 1, 'again') IF NOT EXISTS").one().applied
    advance(server, "4w2d")
    assert rows(session) == [(1, "again"), (3, "ever")]


def test_timestamps(server, session):
    session.use_client_timestamp = False  # which would be the client's time
    before = told(clock(server))
    assert abs(before - time.time()) < 60
    after = advance(server, "90m")
    assert 5400 <= after - before < 5400 + 60
    session.execute("INSERT INTO k.t (p, c, v) VALUES (1, 1, 'x')")
    session.execute("INSERT INTO k.t (p, c, w) VALUES (1, 1, 'x') IF NOT EXISTS")
    session.execute("UPDATE k.t SET w = 'y' WHERE p = 1 AND c = 1 IF v = 'x'")
    now, v, w = session.execute("SELECT toUnixTimestamp(now()), WRITETIME(v), WRITETIME(w) FROM k.t WHERE p = 1").one()
    for seen in (now / 1000, v / 1e6, w / 1e6):
        assert abs(seen - after) < 60, (seen, after)
    assert abs(told(clock(server)) - after) < 60
    assert w > v


def test_sweeper_follows(server, session):
    session.execute("ALTER TABLE k.t WITH gc_grace_seconds = %d" % (10 * DAY_S))
    session.execute("INSERT INTO k.t (p, c, v) VALUES (1, 1, 'x')")
    session.execute("DELETE FROM k.t WHERE p = 1")

    def purged():
        return sum(r.tombstones_purged for r in session.execute("SELECT tombstones_purged FROM system_views.helenus_sweeper"))
    advance(server, "9d23h")
    assert purged() == 0
    advance(server, "2h")
    assert purged() == 1
    # What comes due between two moves is found without one: the sweeper looks at real time, not at how long it waits.
    session.execute("DELETE FROM k.t WHERE p = 2")
    advance(server, "%ds" % (10 * DAY_S - 2))
    deadline = time.monotonic() + 30
    while purged() < 2:
        assert time.monotonic() < deadline, "the sweeper still waits for ten days"
        time.sleep(0.1)


@pytest.mark.parametrize("arguments, code, words", [
    (["--advance", "-1d"], 2, "no duration"), (["--advance", "1"], 2, "no duration"), (["--advance", "d"], 2, "no duration"),
    (["--advance", "0s"], 2, "no duration"), (["--advance", "1000000000d"], 2, "no duration"),
    (["--advance", "100000d"], 1, "too far ahead"), (["--backwards"], 2, "usage"), (["--advance"], 2, "usage")])
def test_refused(server, arguments, code, words):
    done = clock(server, *arguments)
    assert done.returncode == code and words in done.stderr, done
    assert abs(told(clock(server)) - time.time()) < 60
