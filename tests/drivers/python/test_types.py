"""Every type, written and read through the driver's own codecs; extremes; in keys; in collections."""
import datetime
import decimal
import math
import struct
import uuid
from collections import OrderedDict, namedtuple

import pytest
from cassandra.util import Date, Duration, OrderedMap, SortedSet, Time

D = decimal.Decimal
NATIVE = {
    "ascii": ["", "a", "~" * 1000, "\x00\x7f"],
    "bigint": [0, 1, -1, 2**63 - 1, -2**63],
    "blob": [b"", b"\x00", bytes(300), b"\xff" * 300, bytes(range(256)) * 256],
    "boolean": [True, False],
    "date": [Date(0), Date(-2**31), Date(2**31 - 1), Date(datetime.date(2024, 2, 29))],
    "decimal": [D("0"), D("1.0"), D("1.00"), D("-1E-27"), D("123456789012345678901234567890.5"), D("1E+10")],
    "double": [0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, math.nan],
    "duration": [Duration(0, 0, 0), Duration(1, 2, 3), Duration(-1, -2, -3), Duration(2**31 - 1, 2**31 - 1, 2**63 - 1)],
    "float": [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan],
    "inet": ["0.0.0.0", "255.255.255.255", "::1", "2001:db8::ff00:42:8329"],
    "int": [0, 1, -1, 2**31 - 1, -2**31],
    "smallint": [0, -1, 2**15 - 1, -2**15],
    "text": ["", "a", "zażółć", "🐘", "x" * 65536, "\x00"],
    "time": [Time(0), Time(86399999999999), Time("12:34:56.000000789")],
    "timestamp": [datetime.datetime(1970, 1, 1), datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
                  datetime.datetime(1900, 1, 1), datetime.datetime(9999, 12, 31)],
    "timeuuid": [uuid.UUID("50554d6e-29bb-11e5-b345-feff819cdc9f"), uuid.UUID("00000000-0000-1000-8080-808080808080")],
    "tinyint": [0, -1, 127, -128],
    "uuid": [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID("123e4567-e89b-12d3-a456-426614174000")],
    "varchar": ["", "v"],
    "varint": [0, 127, 128, -128, -129, 255, 256, 2**64, -2**64, 10**400],
}
NESTED = {
    "list<int>": [[1, 2, 3], [5]],
    "set<text>": [SortedSet(["a", "b"])],
    "map<text, int>": [OrderedMap([("a", 1), ("b", 2)])],
    "frozen<list<int>>": [[], [1], [0] * 1000],
    "frozen<set<int>>": [SortedSet([]), SortedSet([3, 1, 2])],
    "frozen<map<int, text>>": [OrderedMap([]), OrderedMap([(1, "x"), (2, "")])],
    "list<frozen<list<int>>>": [[[1], [], [2, 3]]],
    "map<text, frozen<map<int, frozen<set<text>>>>>": [OrderedMap([("k", OrderedMap([(1, SortedSet(["p", "q"]))]))])],
    "tuple<int, text, double>": [(1, "x", 2.5), (None, None, None), (1, None, math.inf)],
    "tuple<int, frozen<tuple<text, int>>>": [(1, ("a", 2))],
    "frozen<set<frozen<tuple<int, text>>>>": [SortedSet([(1, "a"), (2, "b")])],
    "vector<float, 3>": [[1.0, 2.5, -3.0], [0.0, 0.0, 0.0]],
    "vector<text, 2>": [["a", ""]],
    "vector<int, 4>": [[1, -1, 2**31 - 1, -2**31]],
}


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack(">d", a) == struct.pack(">d", b) or (a != a and b != b)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, D):
        return a.as_tuple() == b.as_tuple()
    return a == b


@pytest.mark.parametrize("cql_type", list(NATIVE) + list(NESTED))
def test_round_trip(session, keyspace, cql_type):
    name = "t_" + "".join(c if c.isalnum() else "_" for c in cql_type)
    session.execute(f"CREATE TABLE {keyspace}.{name} (k int PRIMARY KEY, v {cql_type})")
    insert = session.prepare(f"INSERT INTO {keyspace}.{name} (k, v) VALUES (?, ?)")
    select = session.prepare(f"SELECT v FROM {keyspace}.{name} WHERE k = ?")
    values = {**NATIVE, **NESTED}[cql_type] + [None]
    for k, value in enumerate(values):
        session.execute(insert, (k, value))
    for k, value in enumerate(values):
        got = session.execute(select, (k,)).one().v
        assert same(got, value), (value, got)


@pytest.mark.parametrize("cql_type", [t for t in NATIVE if t not in ("duration",)])
def test_as_keys(session, keyspace, cql_type):
    """As partition and as clustering column; the clustering order is that of the values."""
    values = [v for v in NATIVE[cql_type] if v == v and not (hasattr(v, "__len__") and len(v) > 65535)]
    name = f"k_{cql_type}"
    session.execute(f"CREATE TABLE {keyspace}.{name} (p {cql_type}, c {cql_type}, n int, PRIMARY KEY (p, c))")
    session.execute(f"CREATE TABLE {keyspace}.{name}_desc (p int, c {cql_type}, n int, PRIMARY KEY (p, c)) "
                    "WITH CLUSTERING ORDER BY (c DESC)")
    insert = session.prepare(f"INSERT INTO {keyspace}.{name} (p, c, n) VALUES (?, ?, ?)")
    descending = session.prepare(f"INSERT INTO {keyspace}.{name}_desc (p, c, n) VALUES (1, ?, ?)")
    select = session.prepare(f"SELECT c, n FROM {keyspace}.{name} WHERE p = ?")
    point = session.prepare(f"SELECT n FROM {keyspace}.{name} WHERE p = ? AND c = ?")
    for i, partition in enumerate(v for v in values if v not in ("", b"")):
        for j, value in enumerate(values):
            session.execute(insert, (partition, value, i * 1000 + j))
        rows = list(session.execute(select, (partition,)))
        assert {r.n for r in rows} >= {i * 1000 + j for j in range(len(values)) if len(rows) == len(values)}
        for j, value in enumerate(values):
            assert session.execute(point, (partition, value)).one().n % 1000 in range(len(values))
    for j, value in enumerate(values):
        session.execute(descending, (value, j))
    down = [r.n for r in session.execute(f"SELECT n FROM {keyspace}.{name}_desc WHERE p = 1")]
    up = [r.n for r in session.execute(f"SELECT n FROM {keyspace}.{name}_desc WHERE p = 1 ORDER BY c ASC")]
    assert down == up[::-1]
    if cql_type in ("bigint", "int", "smallint", "tinyint", "varint", "ascii", "blob"):
        assert [values[n] for n in up] == sorted(values)
    if cql_type in ("text", "varchar"):
        assert [values[n] for n in up] == sorted(values, key=lambda v: v.encode())


def test_udt_registered(session, cluster, keyspace):
    Address = namedtuple("Address", "street zip tags")
    session.execute(f"CREATE TYPE {keyspace}.address (street text, zip int, tags set<text>)")
    session.execute(f"CREATE TABLE {keyspace}.people (k int PRIMARY KEY, a frozen<address>, l list<frozen<address>>)")
    cluster.register_user_type(keyspace, "address", Address)
    insert = session.prepare(f"INSERT INTO {keyspace}.people (k, a, l) VALUES (?, ?, ?)")
    home = Address("Main", 12345, {"x", "y"})
    session.execute(insert, (1, home, [home, Address(None, None, None)]))
    row = session.execute(f"SELECT a, l FROM {keyspace}.people").one()
    assert isinstance(row.a, Address)
    assert row.a == home
    assert row.l == [home, Address(None, None, None)]
    session.execute(f"INSERT INTO {keyspace}.people (k, a) VALUES (2, %s)", (home,))
    assert session.execute(f"SELECT a FROM {keyspace}.people WHERE k = 2").one().a == home


def test_udt_without_registration(session, keyspace):
    session.execute(f"CREATE TYPE {keyspace}.plain (x int, y text)")
    session.execute(f"CREATE TABLE {keyspace}.plains (k int PRIMARY KEY, p plain)")
    session.execute(f"INSERT INTO {keyspace}.plains (k, p) VALUES (1, {{x: 1}})")
    row = session.execute(f"SELECT p FROM {keyspace}.plains").one()
    assert (row.p.x, row.p.y) == (1, None)


def test_ordered_dict_as_map(session, keyspace):
    session.execute(f"CREATE TABLE {keyspace}.maps (k int PRIMARY KEY, m map<int, int>)")
    session.execute(f"INSERT INTO {keyspace}.maps (k, m) VALUES (1, %s)", (OrderedDict([(2, 2), (1, 1)]),))
    assert list(session.execute(f"SELECT m FROM {keyspace}.maps").one().m.items()) == [(1, 1), (2, 2)]
