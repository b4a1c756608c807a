"""Statements through the driver: prepared, paged, concurrent, batched, unset, re-prepared, errors."""
import decimal
import itertools
import uuid

import pytest
from cassandra import AlreadyExists, ConsistencyLevel, InvalidRequest
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.metadata import Murmur3Token
from cassandra.protocol import ExecuteMessage, PreparedQueryNotFound, SyntaxException
from cassandra.query import (UNSET_VALUE, BatchStatement, BatchType, SimpleStatement, dict_factory, named_tuple_factory,
                             tuple_factory)


@pytest.fixture(scope="module")
def table(session, keyspace):
    session.set_keyspace(keyspace)
    session.execute("CREATE TABLE rows (k int, c int, v text, w int, PRIMARY KEY (k, c))")
    return "rows"


def test_simple_with_values(session, table):
    session.execute(f"INSERT INTO {table} (k, c, v) VALUES (%s, %s, %s)", (1, 1, "it's"))
    session.execute(f"INSERT INTO {table} (k, c, v) VALUES (%(k)s, %(c)s, %(v)s)", {"k": 1, "c": 2, "v": None})
    assert [tuple(r) for r in session.execute(f"SELECT k, c, v FROM {table} WHERE k = 1")] == [(1, 1, "it's"),
                                                                                            (1, 2, None)]


def test_prepared(session, table):
    insert = session.prepare(f"INSERT INTO {table} (k, c, v, w) VALUES (?, ?, ?, ?)")
    select = session.prepare(f"SELECT * FROM {table} WHERE k = ? AND c = ?")
    session.execute(insert, (2, 1, "x", 5))
    session.execute(insert, {"k": 2, "c": 2, "v": "y", "w": 6})
    assert session.execute(select, (2, 1)).one() == (2, 1, "x", 5)
    assert session.execute(select, (2, 2)).one().w == 6
    assert session.execute(select, (2, 3)).one() is None


def test_null_and_unset(target, session, table):
    insert = session.prepare(f"INSERT INTO {table} (k, c, v, w) VALUES (?, ?, ?, ?)")
    session.execute(insert, (3, 1, "kept", 1))
    if target.version < 4:  # has no unset, and the driver knows
        with pytest.raises(ValueError):
            session.execute(insert, (3, 1, UNSET_VALUE, None))
        return
    session.execute(insert, (3, 1, UNSET_VALUE, None))
    assert session.execute(f"SELECT v, w FROM {table} WHERE k = 3").one() == ("kept", None)
    session.execute(insert, (3, 1, None))  # the driver leaves the rest unset
    assert session.execute(f"SELECT v, w FROM {table} WHERE k = 3").one() == (None, None)


@pytest.mark.parametrize("size", [1, 7, 100, 999, 1000, 1001, 5000])
def test_paging(session, table, size):
    count = 1000
    insert = session.prepare(f"INSERT INTO {table} (k, c, v) VALUES (?, ?, ?)")
    if not session.execute(f"SELECT * FROM {table} WHERE k = 100 LIMIT 1").one():
        execute_concurrent_with_args(session, insert, [(100, c, f"v{c}") for c in range(count)])
    rows = session.execute(SimpleStatement(f"SELECT c, v FROM {table} WHERE k = 100", fetch_size=size))
    assert [(r.c, r.v) for r in rows] == [(c, f"v{c}") for c in range(count)]
    select = session.prepare(f"SELECT c FROM {table} WHERE k = ? ORDER BY c DESC")
    select.fetch_size = size
    assert [r.c for r in session.execute(select, (100,))] == list(range(count - 1, -1, -1))


def test_paging_state_continues_elsewhere(target, session, table, keyspace):
    statement = SimpleStatement(f"SELECT c FROM {keyspace}.{table} WHERE k = 100", fetch_size=10)
    first = session.execute(statement)
    state, got = first.paging_state, [r.c for r in first.current_rows]
    with target.cluster() as cluster:
        other = cluster.connect()
        second = other.execute(statement, paging_state=state)
        got += [r.c for r in second.current_rows]
    assert got == list(range(20))


def test_foreign_paging_state_is_refused(target, keyspace, table):
    from cassandra.protocol import ProtocolException
    with target.cluster() as cluster:  # the driver gives up a connection after a protocol error
        with pytest.raises((ProtocolException, InvalidRequest)):
            cluster.connect().execute(SimpleStatement(f"SELECT c FROM {keyspace}.{table} WHERE k = 100", fetch_size=10),
                                      paging_state=b"nonsense that is no paging state")


def test_thousands_concurrently(session, table):
    insert = session.prepare(f"INSERT INTO {table} (k, c, v, w) VALUES (?, ?, ?, ?)")
    wanted = {(1000 + i % 97, i): (f"value {i}", i * 3) for i in range(5000)}
    results = execute_concurrent_with_args(session, insert, [(k, c, v, w) for (k, c), (v, w) in wanted.items()],
                                           concurrency=500)
    assert all(success for success, _ in results)
    got = {(r.k, r.c): (r.v, r.w) for r in session.execute(f"SELECT * FROM {table}") if r.k >= 1000}
    assert got == wanted
    select = session.prepare(f"SELECT v, w FROM {table} WHERE k = ? AND c = ?")
    results = execute_concurrent_with_args(session, select, list(wanted), concurrency=500)
    assert [r.one() for _, r in results] == list(wanted.values())


def test_whole_table_is_in_token_order(session, table):
    keys = [k for k, _ in itertools.groupby(r.k for r in session.execute(f"SELECT k FROM {table}"))]
    assert len(keys) == len(set(keys))
    tokens = [Murmur3Token.hash_fn(k.to_bytes(4, "big", signed=True)) for k in keys]
    assert tokens == sorted(tokens)


def test_batches(session, table):
    insert = session.prepare(f"INSERT INTO {table} (k, c, v) VALUES (?, ?, ?)")
    for kind in (BatchType.LOGGED, BatchType.UNLOGGED):
        batch = BatchStatement(batch_type=kind)
        for c in range(20):
            batch.add(insert, (200, c, kind.name))
        batch.add(SimpleStatement(f"DELETE FROM {table} WHERE k = 200 AND c = 0"))
        batch.add(f"UPDATE {table} SET w = %s WHERE k = 201 AND c = %s", (7, 1))
        session.execute(batch)
        rows = list(session.execute(f"SELECT c, v FROM {table} WHERE k = 200"))
        assert [r.v for r in rows] == [kind.name] * len(rows)
        assert [r.c for r in rows] == list(range(1, 20))
    assert session.execute(f"SELECT w FROM {table} WHERE k = 201").one().w == 7


def test_unknown_id_is_unprepared(target):
    with target.cluster() as cluster:
        session = cluster.connect()
        connection = list(session.get_pools())[0].borrow_connection(5)[0]
        unknown = b"0123456789abcdef"
        _, error = connection.wait_for_response(ExecuteMessage(unknown, [], ConsistencyLevel.ONE, result_metadata_id=b""),
                                                timeout=10, fail_on_error=False)
        assert isinstance(error, PreparedQueryNotFound)
        assert error.info == unknown


def test_evicted_statement_is_prepared_again(session, keyspace):
    """A table that goes takes its statements along; the driver is told UNPREPARED and prepares anew, unseen."""
    make = f"CREATE TABLE {keyspace}.evicted (k int PRIMARY KEY, v text)"
    session.execute(make)
    insert = session.prepare(f"INSERT INTO {keyspace}.evicted (k, v) VALUES (?, ?)")
    select = session.prepare(f"SELECT v FROM {keyspace}.evicted WHERE k = ?")
    session.execute(insert, (1, "before"))
    session.execute(f"DROP TABLE {keyspace}.evicted")
    session.execute(make)
    assert session.execute(select, (1,)).one() is None
    session.execute(insert, (1, "after"))
    assert session.execute(select, (1,)).one().v == "after"


def test_schema_change_under_a_prepared_statement(session, keyspace):
    session.execute(f"CREATE TABLE {keyspace}.changing (k int PRIMARY KEY, v int)")
    select = session.prepare(f"SELECT * FROM {keyspace}.changing WHERE k = ?")
    session.execute(f"INSERT INTO {keyspace}.changing (k, v) VALUES (1, 2)")
    assert session.execute(select, (1,)).one() == (1, 2)
    session.execute(f"DROP TABLE {keyspace}.changing")
    with pytest.raises(InvalidRequest):
        session.execute(select, (1,))


def test_prepared_statements_follow_their_table(session, keyspace):
    """Kept statements read and write what the table has become: columns before and between, fields of types, other types of one name."""
    table = f"{keyspace}.following"
    session.execute(f"CREATE TYPE {keyspace}.followed (a int)")
    make = f"CREATE TABLE {table} (k int PRIMARY KEY, y {{}}, z text, u frozen<followed>)"
    session.set_keyspace(keyspace)
    session.execute(make.format("text"))
    session.execute(f"INSERT INTO {table} (k, y, z, u) VALUES (1, 'yyy', 'zzz', {{a: 5}})")
    select = session.prepare(f"SELECT * FROM {table} WHERE k = ?")
    insert = session.prepare(f"INSERT INTO {table} (k, y) VALUES (?, ?)")
    assert session.execute(select, (1,)).one()._asdict() == {"k": 1, "y": "yyy", "z": "zzz", "u": (5,)}
    session.execute(f"ALTER TABLE {table} ADD a text")
    session.execute(f"UPDATE {table} SET a = 'aaa' WHERE k = 1")
    assert session.execute(select, (1,)).one()._asdict() == {"k": 1, "a": "aaa", "u": (5,), "y": "yyy", "z": "zzz"}
    session.execute(f"ALTER TYPE {keyspace}.followed ADD b text")
    session.execute(f"UPDATE {table} SET u = {{a: 6, b: 'b'}} WHERE k = 1")
    assert session.execute(select, (1,)).one().u == (6, "b")
    session.execute(f"ALTER TABLE {table} DROP y")
    assert session.execute(select, (1,)).one()._asdict() == {"k": 1, "a": "aaa", "u": (6, "b"), "z": "zzz"}
    session.execute(f"DROP TABLE {table}")
    session.execute(make.format("int"))
    with pytest.raises(InvalidRequest):  # the driver sends what it made of it before it was told
        session.execute(insert, (2, "no integer"))
    session.execute(session.prepare(f"INSERT INTO {table} (k, y) VALUES (?, ?)"), (2, 7))
    assert session.execute(select, (2,)).one().y == 7


def test_conditional_insert(session, table):
    statement = f"INSERT INTO {table} (k, c, v) VALUES (400, 1, %s) IF NOT EXISTS"
    assert session.execute(statement, ("first",)).was_applied
    second = session.execute(statement, ("second",))
    assert not second.was_applied
    assert session.execute(f"SELECT v FROM {table} WHERE k = 400").one().v == "first"


def test_default_timestamp_of_the_client(session, table):
    session.execute(f"INSERT INTO {table} (k, c, v) VALUES (500, 1, 'x')")
    written = session.execute(f"SELECT writetime(v) FROM {table} WHERE k = 500").one()[0]
    import time
    assert abs(written / 1e6 - time.time()) < 60


def test_errors(session, keyspace, table):
    with pytest.raises(SyntaxException):
        session.execute("SELEC")
    with pytest.raises(InvalidRequest, match="Undefined column name nonsense"):
        session.execute(f"SELECT nonsense FROM {table}")
    with pytest.raises(AlreadyExists) as e:
        session.execute(f"CREATE TABLE {keyspace}.{table} (k int PRIMARY KEY)")
    assert (e.value.keyspace, e.value.table) == (keyspace, table)
    with pytest.raises(InvalidRequest):
        session.execute(session.prepare(f"SELECT * FROM {table} WHERE k = ?"), (None,))


def test_row_factories(target, keyspace, table):
    with target.cluster() as cluster:
        for factory, wanted in ((tuple_factory, (400, "first")), (dict_factory, {"k": 400, "v": "first"}),
                                (named_tuple_factory, (400, "first"))):
            from cassandra.cluster import EXEC_PROFILE_DEFAULT
            cluster.profile_manager.profiles[EXEC_PROFILE_DEFAULT].row_factory = factory
            assert cluster.connect(keyspace).execute(f"SELECT k, v FROM {table} WHERE k = 400").one() == wanted


def test_consistency_levels(session, table):
    for level in ("ONE", "LOCAL_ONE", "QUORUM", "LOCAL_QUORUM", "ALL", "EACH_QUORUM", "ANY"):
        statement = SimpleStatement(f"INSERT INTO {table} (k, c, v) VALUES (600, 1, '{level}')",
                                    consistency_level=ConsistencyLevel.name_to_value[level])
        session.execute(statement)
    for level in ("ONE", "LOCAL_ONE", "QUORUM", "LOCAL_QUORUM", "ALL", "SERIAL", "LOCAL_SERIAL"):
        statement = SimpleStatement(f"SELECT v FROM {table} WHERE k = 600",
                                    consistency_level=ConsistencyLevel.name_to_value[level])
        assert session.execute(statement).one().v == "ANY"


def test_large_values(session, keyspace):
    session.execute(f"CREATE TABLE {keyspace}.large (k int PRIMARY KEY, b blob, t text, d decimal, i varint, u uuid)")
    insert = session.prepare(f"INSERT INTO {keyspace}.large (k, b, t, d, i, u) VALUES (?, ?, ?, ?, ?, ?)")
    row = (1, bytes(range(256)) * 8192, "ż" * 300_000, decimal.Decimal("1e-300"), 7 ** 2000, uuid.uuid4())
    session.execute(insert, row)
    got = session.execute(f"SELECT k, b, t, d, i, u FROM {keyspace}.large").one()
    assert tuple(got) == row


def test_columns_that_change_are_told(target, session, keyspace):
    """Another client's ALTER under a prepared SELECT *: the rows come with their columns."""
    session.execute(f"CREATE TABLE {keyspace}.widening (k int PRIMARY KEY, b int)")
    session.execute(f"INSERT INTO {keyspace}.widening (k, b) VALUES (1, 2)")
    select = session.prepare(f"SELECT * FROM {keyspace}.widening WHERE k = ?")
    assert session.execute(select, (1,)).one()._asdict() == {"k": 1, "b": 2}
    with target.cluster() as cluster:
        cluster.connect().execute(f"ALTER TABLE {keyspace}.widening ADD a int")
    session.execute(f"UPDATE {keyspace}.widening SET a = 3 WHERE k = 1")
    for _ in range(2):
        assert session.execute(select, (1,)).one()._asdict() == {"k": 1, "a": 3, "b": 2}
    session.execute(f"ALTER TABLE {keyspace}.widening DROP b")
    assert session.execute(select, (1,)).one()._asdict() == {"k": 1, "a": 3}


def test_keyspace_of_a_statement(target, session, keyspace):
    """From v5 on a statement may bring its keyspace; before, the driver refuses to send it."""
    session.execute(f"CREATE KEYSPACE IF NOT EXISTS {keyspace}_other WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    session.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}_other.only_here (k int PRIMARY KEY)")
    statement = SimpleStatement("INSERT INTO only_here (k) VALUES (1)", keyspace=f"{keyspace}_other")
    try:
        if target.version < 5:
            with pytest.raises(Exception):
                session.execute(statement)
            return
        session.execute(statement)
        prepared = session.prepare("SELECT k FROM only_here WHERE k = ?", keyspace=f"{keyspace}_other")
        assert session.execute(prepared, (1,)).one().k == 1
        with pytest.raises(InvalidRequest, match="Keyspace 'nowhere' does not exist"):
            session.execute(SimpleStatement("SELECT * FROM only_here", keyspace="nowhere"))
    finally:
        session.execute(f"DROP KEYSPACE {keyspace}_other")


def test_large_rows(session, keyspace):
    """Requests and replies of several segments each, among many small ones."""
    session.execute(f"CREATE TABLE {keyspace}.segmented (k int PRIMARY KEY, v blob)")
    insert = session.prepare(f"INSERT INTO {keyspace}.segmented (k, v) VALUES (?, ?)")
    select = session.prepare(f"SELECT v FROM {keyspace}.segmented WHERE k = ?")
    sizes = [0, 1, 100, 131000, 131071, 131072, 262142, 1_000_000, 5_000_000]
    values = {k: (uuid.uuid4().bytes * (size // 16 + 1))[:size] for k, size in enumerate(sizes)}
    assert all(r[0] for r in execute_concurrent_with_args(session, insert, list(values.items()), concurrency=9))
    got = execute_concurrent_with_args(session, select, [(k,) for k in values] * 3, concurrency=30)
    assert [r.one().v for _, r in got] == list(values.values()) * 3
