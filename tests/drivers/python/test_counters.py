"""Counters through the driver, unchanged: values, prepared statements, BATCH messages of every kind, concurrency, COPY with cqlsh."""
import csv

import pytest
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import BatchStatement, BatchType, SimpleStatement

from test_cqlsh import cqlsh  # noqa: F401


@pytest.fixture(scope="module")
def table(session, keyspace):
    session.execute(f"CREATE TABLE {keyspace}.views (page text, day int, total counter static, hits counter, misses counter, "
                    "PRIMARY KEY (page, day))")
    session.execute(f"CREATE TABLE {keyspace}.plain (k int PRIMARY KEY, v int)")
    return f"{keyspace}.views"


def test_values_are_longs(session, table):
    add = session.prepare(f"UPDATE {table} SET hits = hits + ?, misses = misses - ?, total = total + 1 WHERE page = ? AND day = ?")
    session.execute(add, (2**62, 2**40, "a", 1))
    session.execute(add, (2**62 - 1, 1, "a", 1))
    row = session.execute(f"SELECT * FROM {table} WHERE page = 'a'").one()
    assert (row.total, row.hits, row.misses) == (2, 2**63 - 1, -2**40 - 1)
    session.execute(f"UPDATE {table} SET hits = hits + %s WHERE page = %s AND day = %s", (-5, "a", 2))
    assert [r.hits for r in session.execute(f"SELECT hits FROM {table} WHERE page = 'a'")] == [2**63 - 1, -5]


def test_null_and_unset(target, session, table):
    add = session.prepare(f"UPDATE {table} SET hits = hits + ?, misses = misses + ? WHERE page = 'n' AND day = 1")
    if target.version < 4:  # has no unset
        session.execute(f"UPDATE {table} SET hits = hits + 1 WHERE page = 'n' AND day = 1")
    else:
        session.execute(add, (1,))  # the second is unset
    with pytest.raises(InvalidRequest, match="Invalid null value for counter increment"):
        session.execute(add, (1, None))
    row = session.execute(f"SELECT * FROM {table} WHERE page = 'n'").one()
    assert (row.hits, row.misses) == (1, None)


@pytest.mark.parametrize("count", [1, 40])
def test_counter_batches(session, table, count):
    add = session.prepare(f"UPDATE {table} SET hits = hits + ? WHERE page = ? AND day = ?")
    for kind in (BatchType.COUNTER, BatchType.UNLOGGED):
        batch = BatchStatement(batch_type=kind)
        for i in range(count):
            batch.add(add, (i + 1, f"{kind.name}{count}", i % 3))
            batch.add(f"UPDATE {table} SET total = total + 1 WHERE page = '{kind.name}{count}'")
        session.execute(batch)
        rows = list(session.execute(f"SELECT total, hits FROM {table} WHERE page = '{kind.name}{count}'"))
        assert sum(r.hits for r in rows) == count * (count + 1) // 2
        assert {r.total for r in rows} == {count}


def test_batches_that_mix_are_refused(session, table, keyspace):
    add = SimpleStatement(f"UPDATE {table} SET hits = hits + 1 WHERE page = 'mixed' AND day = 1")
    insert = SimpleStatement(f"INSERT INTO {keyspace}.plain (k, v) VALUES (1, 1)")
    for kind, statements, message in (
            (BatchType.LOGGED, [add], "Cannot include a counter statement in a logged batch"),
            (BatchType.COUNTER, [insert], "Cannot include non-counter statement in a counter batch"),
            (BatchType.COUNTER, [add, insert], "Cannot include non-counter statement in a counter batch"),
            (BatchType.UNLOGGED, [insert, add], "Counter and non-counter mutations cannot exist in the same batch"),
            (BatchType.LOGGED, [insert, add], "Counter and non-counter mutations cannot exist in the same batch")):
        batch = BatchStatement(batch_type=kind)
        batch.add_all(statements, [None] * len(statements))
        with pytest.raises(InvalidRequest, match=message):
            session.execute(batch)
    assert not list(session.execute(f"SELECT * FROM {table} WHERE page = 'mixed'"))
    assert not list(session.execute(f"SELECT * FROM {keyspace}.plain"))


def test_thousands_at_once_are_all_counted(session, table):
    add = session.prepare(f"UPDATE {table} SET hits = hits + ?, total = total + 1 WHERE page = ? AND day = ?")
    sent = [(n % 7 - 3, f"hot{n % 2}", n % 5) for n in range(4000)]
    results = execute_concurrent_with_args(session, add, sent, concurrency=200)
    assert all(ok for ok, _ in results)
    for page in ("hot0", "hot1"):
        rows = list(session.execute(f"SELECT day, total, hits FROM {table} WHERE page = '{page}'"))
        assert {r.total for r in rows} == {2000}
        assert {r.day: r.hits for r in rows} == {d: sum(s[0] for s in sent if s[1] == page and s[2] == d) for d in range(5)}


def test_consistency_levels(session, table):
    text = f"UPDATE {table} SET hits = hits + 1 WHERE page = 'levels' AND day = 1"
    for level in (ConsistencyLevel.ONE, ConsistencyLevel.LOCAL_QUORUM, ConsistencyLevel.ALL):
        session.execute(SimpleStatement(text, consistency_level=level))
    for level in (ConsistencyLevel.ANY, ConsistencyLevel.SERIAL):
        with pytest.raises(InvalidRequest):
            session.execute(SimpleStatement(text, consistency_level=level))
    assert session.execute(f"SELECT hits FROM {table} WHERE page = 'levels'").one().hits == 3


def test_survives_a_schema_change(session, keyspace):
    session.execute(f"CREATE TABLE {keyspace}.grows (k int PRIMARY KEY, a counter)")
    add = session.prepare(f"UPDATE {keyspace}.grows SET a = a + ? WHERE k = 1")
    session.execute(add, (1,))
    session.execute(f"ALTER TABLE {keyspace}.grows ADD b counter")
    session.execute(add, (1,))
    session.execute(f"UPDATE {keyspace}.grows SET b = b + 7 WHERE k = 1")
    session.execute(f"ALTER TABLE {keyspace}.grows DROP a")
    with pytest.raises(InvalidRequest):
        session.execute(add, (1,))
    assert session.execute(f"SELECT * FROM {keyspace}.grows").one() == (1, 7)


def test_copy_of_counters(cqlsh, session, keyspace, tmp_path):  # noqa: F811
    name = f"{keyspace}.copied"
    session.execute(f"CREATE TABLE {name} (k int, c text, a counter, b counter, PRIMARY KEY (k, c))")
    for k in range(50):
        session.execute(f"UPDATE {name} SET a = a + %s, b = b - %s WHERE k = %s AND c = 'x'", (k, k + 1, k))
    wanted = set(session.execute(f"SELECT * FROM {name}"))
    path = tmp_path / "counters.csv"
    assert "50 rows exported" in cqlsh(f"COPY {name} TO '{path}';\n").stdout
    with open(path, newline="") as f:
        assert len(list(csv.reader(f))) == 50
    session.execute(f"CREATE TABLE {keyspace}.again (k int, c text, a counter, b counter, PRIMARY KEY (k, c))")
    assert "50 rows imported" in cqlsh(f"COPY {keyspace}.again FROM '{path}';\n").stdout
    assert set(session.execute(f"SELECT * FROM {keyspace}.again")) == wanted
    # COPY adds: a second time doubles.
    cqlsh(f"COPY {keyspace}.again FROM '{path}';\n")
    assert set(session.execute(f"SELECT * FROM {keyspace}.again")) == {(k, c, 2 * a, 2 * b) for k, c, a, b in wanted}
