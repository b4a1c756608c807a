"""The Python client of the matrix: commands in, facts out (tests/drivers/matrix.py, types.json)."""
import collections
import datetime
import decimal
import ipaddress
import json
import ssl
import struct
import sys
import time
import uuid

from cassandra import AlreadyExists, InvalidRequest
from cassandra.cluster import Cluster, EXEC_PROFILE_DEFAULT, ExecutionProfile, NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import ConstantReconnectionPolicy, RoundRobinPolicy
from cassandra.protocol import SyntaxException
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, SimpleStatement
from cassandra.util import Date, Duration, OrderedMapSerializedKey, Time, sortedset

TYPES = json.load(open(sys.argv[1], encoding="utf-8"))
EPOCH = datetime.datetime(1970, 1, 1)
ADDRESS = collections.namedtuple("address", "street zip")
PERSON = collections.namedtuple("person", "name home phones at")
FIELDS = {"address": (ADDRESS, ["text", "int"]),
          "person": (PERSON, ["text", "frozen<address>", "frozen<set<text>>", "frozen<tuple<int, text>>"])}


def say(fact, value):
    print(json.dumps({"fact": fact, "value": value}), flush=True)


def step(fact, function, *arguments):
    """One fact, or why it could not be found out."""
    try:
        say(fact, function(*arguments))
    except Exception as e:  # the matrix judges
        print(json.dumps({"fact": fact, "error": f"{type(e).__name__}: {e}"}), flush=True)


# ---- values: types.json <-> what the driver takes and gives ----

def parts(cql_type):
    if "<" not in cql_type:
        return cql_type, []
    name, inner = cql_type[:-1].split("<", 1)
    out, depth = [""], 0
    for c in inner:
        depth += (c == "<") - (c == ">")
        if c == "," and depth == 0:
            out.append("")
        else:
            out[-1] += c
    out = [t.strip() for t in out]
    return parts(out[0]) if name == "frozen" else (name, out)


def native(cql_type, value):
    name, of = parts(cql_type)
    if value is None:
        return None
    if name in ("tinyint", "smallint", "int", "bigint", "varint"):
        return int(value)
    if name in ("ascii", "text", "varchar", "boolean"):
        return value
    if name == "blob":
        return bytes.fromhex(value)
    if name == "decimal":
        unscaled, scale = value.split("/")
        return decimal.Decimal(unscaled).scaleb(-int(scale), decimal.Context(prec=200))
    if name in ("float", "double"):
        return struct.unpack(">f" if name == "float" else ">d", bytes.fromhex(value))[0]
    if name == "date":
        return Date(int(value))
    if name == "time":
        return Time(int(value))
    if name == "timestamp":
        return EPOCH + datetime.timedelta(milliseconds=int(value))
    if name in ("uuid", "timeuuid"):
        return uuid.UUID(value)
    if name == "inet":
        return str(ipaddress.ip_address(bytes.fromhex(value)))
    if name == "duration":
        return Duration(*map(int, value.split(",")))
    if name in ("list", "vector"):
        return [native(of[0], v) for v in value]
    if name == "set":
        return sortedset(native(of[0], v) for v in value)
    if name == "map":
        return collections.OrderedDict((key(native(of[0], k)), native(of[1], v)) for k, v in value)
    if name == "tuple":
        return tuple(native(t, v) for t, v in zip(of, value))
    made, types = FIELDS[name]
    return made(*(native(t, v) for t, v in zip(types, value)))


def key(value):
    return tuple(value) if isinstance(value, list) else value


def plain(cql_type, value):
    name, of = parts(cql_type)
    if value is None:
        return None
    if name in ("tinyint", "smallint", "int", "bigint", "varint"):
        return str(value)
    if name in ("ascii", "text", "varchar", "boolean"):
        return value
    if name == "blob":
        return value.hex()
    if name == "decimal":
        sign, digits, exponent = value.as_tuple()
        return f"{'-' if sign else ''}{int(''.join(map(str, digits)))}/{-exponent}"
    if name in ("float", "double"):
        return struct.pack(">f" if name == "float" else ">d", value).hex()
    if name == "date":
        return str(value.days_from_epoch)
    if name == "time":
        return str(value.nanosecond_time)
    if name == "timestamp":
        return str((value - EPOCH) // datetime.timedelta(milliseconds=1))
    if name in ("uuid", "timeuuid"):
        return str(value)
    if name == "inet":
        return ipaddress.ip_address(value).packed.hex()
    if name == "duration":
        return f"{value.months},{value.days},{value.nanoseconds}"
    if name in ("list", "vector", "set"):
        return [plain(of[0], v) for v in value]
    if name == "map":
        assert isinstance(value, OrderedMapSerializedKey)
        return [[plain(of[0], k), plain(of[1], v)] for k, v in value.items()]
    if name == "tuple":
        return [plain(t, v) for t, v in zip(of, value)]
    return [plain(t, v) for t, v in zip(FIELDS[name][1], value)]


# ---- a mode ----

def connect(command, **options):
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=30)
    compression = command["compression"]
    cluster = Cluster([command["host"]], port=command["port"], protocol_version=command["version"],
                      compression=False if compression == "none" else compression,
                      reconnection_policy=ConstantReconnectionPolicy(0.2, None),
                      execution_profiles={EXEC_PROFILE_DEFAULT: profile}, schema_event_refresh_window=0, **options)
    session = cluster.connect()
    if cluster.schema_metadata_enabled:
        cluster.register_user_type("d", "address", ADDRESS)
        cluster.register_user_type("d", "person", PERSON)
    return cluster, session


def cases(skip):
    for entry in TYPES["types"]:
        for case in entry["cases"]:
            if f"{entry['table']}.{case['name']}" not in skip:
                yield entry["table"], entry["type"], case


def types(session, mode, skip):
    insert, select = {}, {}
    for entry in TYPES["types"]:
        table = entry["table"]
        insert[table] = session.prepare(f"INSERT INTO d.{table} (how, writer, name, v) VALUES (?, ?, ?, ?)")
        select[table] = session.prepare(f"SELECT v FROM d.{table} WHERE how = ? AND writer = ? AND name = ?")

    def bound(table, cql_type, case):
        session.execute(insert[table], ("bound", mode, case["name"], native(cql_type, case["value"])))
        return plain(cql_type, session.execute(select[table], ("bound", mode, case["name"])).one().v)

    def literal(table, cql_type, case):
        session.execute(f"INSERT INTO d.{table} (how, writer, name, v) VALUES ('literal', '{mode}', '{case['name']}', "
                        f"{case['literal']})")
        return plain(cql_type, session.execute(select[table], ("literal", mode, case["name"])).one().v)

    def null(table):
        session.execute(insert[table], ("null", mode, "null", None))
        return session.execute(select[table], ("null", mode, "null")).one().v

    for table, cql_type, case in cases(skip):
        step(f"bound.{table}.{case['name']}", bound, table, cql_type, case)
        step(f"literal.{table}.{case['name']}", literal, table, cql_type, case)
    for entry in TYPES["types"]:
        step(f"null.{entry['table']}", null, entry["table"])

    def unset():
        session.execute(insert["t_int"], ("unset", mode, "n", 7))
        session.execute(insert["t_int"], ("unset", mode, "n", UNSET_VALUE))
        return str(session.execute(select["t_int"], ("unset", mode, "n")).one().v)

    if session.cluster.protocol_version >= 4:
        step("unset", unset)


def pages(session, mode):
    insert = session.prepare("INSERT INTO d.pages (writer, n, v) VALUES (?, ?, ?)")
    for n in range(100):
        session.execute(insert, (mode, n, "x" * n))
    select = session.prepare("SELECT n FROM d.pages WHERE writer = ?")
    select.fetch_size = 7

    def sizes():
        result, out = session.execute(select, (mode,)), []
        while True:
            out.append(len(result.current_rows))
            if not result.has_more_pages:
                return out
            result.fetch_next_page()

    def resumed():
        first = session.execute(select, (mode,))
        return [str(r.n) for r in session.execute(select, (mode,), paging_state=first.paging_state).current_rows]

    step("page.sizes", sizes)
    step("page.rows", lambda: [str(r.n) for r in session.execute(select, (mode,))])
    step("page.resumed", resumed)


def batches(session, mode):
    insert = session.prepare("INSERT INTO d.batches (writer, n, v) VALUES (?, ?, ?)")

    def run(kind, rows, least, most):
        batch = BatchStatement(batch_type=kind)
        for n, v in rows[:-1]:
            batch.add(insert, (mode, n, v))
        n, v = rows[-1]
        batch.add(SimpleStatement(f"INSERT INTO d.batches (writer, n, v) VALUES ('{mode}', {n}, '{v}')"))
        session.execute(batch)
        return [[str(r.n), r.v] for r in session.execute(
            "SELECT n, v FROM d.batches WHERE writer = %s AND n >= %s AND n <= %s", (mode, least, most))]

    step("batch.logged", run, BatchType.LOGGED, [(1, "one"), (2, "two"), (3, "three")], 1, 3)
    step("batch.unlogged", run, BatchType.UNLOGGED, [(4, "four"), (5, "five")], 4, 5)


def conditions(session, mode):
    def run(statement, *values):
        row = session.execute(session.prepare(statement), values).one()
        return [row.applied] + ([str(row.v)] if hasattr(row, "v") else [])

    def batch(least, n):
        batch = BatchStatement()
        batch.add(session.prepare("UPDATE d.conditions SET v = ? WHERE writer = ? IF v = ?"), (n, mode, least))
        return [session.execute(batch).one().applied]

    session.execute("DELETE FROM d.conditions WHERE writer = %s", (mode,))
    step("lwt.insert", run, "INSERT INTO d.conditions (writer, v) VALUES (?, ?) IF NOT EXISTS", mode, 1)
    step("lwt.insert.refused", lambda: run("INSERT INTO d.conditions (writer, v) VALUES (?, ?) IF NOT EXISTS", mode, 5))
    step("lwt.update", run, "UPDATE d.conditions SET v = ? WHERE writer = ? IF v = ?", 2, mode, 1)
    step("lwt.update.refused", run, "UPDATE d.conditions SET v = ? WHERE writer = ? IF v = ?", 3, mode, 1)
    step("lwt.batch", batch, 2, 4)
    step("lwt.batch.refused", batch, 2, 5)
    step("lwt.delete", run, "DELETE FROM d.conditions WHERE writer = ? IF EXISTS", mode)
    step("lwt.read", lambda: session.execute("SELECT v FROM d.conditions WHERE writer = %s", (mode,)).one())


def errors(session):
    def code(statement):
        try:
            session.execute(statement)
        except SyntaxException as e:
            return e.code
        except InvalidRequest:
            return 0x2200
        except AlreadyExists:
            return 0x2400
        return None

    step("error.syntax", code, "SELEKT 1")
    step("error.invalid", code, "SELECT nothing FROM d.pages")
    step("error.exists", code, "CREATE TABLE d.pages (k int PRIMARY KEY)")


def large(session, mode):
    wanted = bytes((i * i >> 3) & 0xFF for i in range(1000000))

    def run():
        session.execute(session.prepare("INSERT INTO d.large (writer, v) VALUES (?, ?)"), (mode, wanted))
        got = session.execute("SELECT v FROM d.large WHERE writer = %s", (mode,)).one().v
        return [len(got), got == wanted]

    step("large", run)


def many(session, mode):
    def run():
        insert = session.prepare("INSERT INTO d.many (writer, n, v) VALUES (?, ?, ?)")
        execute_concurrent_with_args(session, insert, [(mode, n, n) for n in range(500)], concurrency=100)
        return str(session.execute("SELECT count(*) FROM d.many WHERE writer = %s", (mode,)).one()[0])

    step("many", run)


def events(command, cluster, mode):
    """What the first session learns of what a second one does to the schema."""
    name = "e_" + mode.replace("-", "_")
    seen = lambda: cluster.metadata.keyspaces.get(name)  # noqa: E731
    table = lambda: seen().tables.get("t")  # noqa: E731
    user_type = lambda: seen().user_types.get("u")  # noqa: E731
    steps = [
        ("created keyspace", f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', "
         "'replication_factor': 1}", lambda: seen()),
        ("created type u", f"CREATE TYPE {name}.u (a int)", lambda: user_type()),
        ("created table t", f"CREATE TABLE {name}.t (k int PRIMARY KEY)", lambda: table()),
        ("updated table t", f"ALTER TABLE {name}.t ADD v int", lambda: "v" in table().columns),
        ("updated type u", f"ALTER TYPE {name}.u ADD b text", lambda: "b" in user_type().field_names),
        ("updated keyspace", f"ALTER KEYSPACE {name} WITH durable_writes = false", lambda: not seen().durable_writes),
        ("dropped table t", f"DROP TABLE {name}.t", lambda: not table()),
        ("dropped type u", f"DROP TYPE {name}.u", lambda: not user_type()),
        ("dropped keyspace", f"DROP KEYSPACE {name}", lambda: not seen()),
    ]

    def run():
        other, session = connect(command, schema_metadata_enabled=False)
        session.execute(f"DROP KEYSPACE IF EXISTS {name}")
        out = []
        for what, statement, happened in steps:
            session.execute(statement)
            deadline = time.time() + 10
            while not happened() and time.time() < deadline:
                time.sleep(0.01)
            if happened():
                out.append(what)
        other.shutdown()
        return out

    step("events", run)


def column(c):
    return {"name": c.name, "type": c.cql_type, "static": c.is_static, "reversed": c.is_reversed}


def metadata(cluster):
    meta = cluster.metadata.keyspaces["meta"]
    return {
        "durable_writes": meta.durable_writes, "strategy": meta.replication_strategy.export_for_schema(),
        "user_types": {n: t.as_cql_query() for n, t in meta.user_types.items()},
        "tables": {n: {"partition_key": [c.name for c in t.partition_key],
                       "clustering_key": [c.name for c in t.clustering_key],
                       "columns": [column(c) for c in t.columns.values()],
                       "options": json.loads(json.dumps(dict(t.options), default=dict)),
                       "cql": t.as_cql_query(formatted=True)} for n, t in meta.tables.items()},
    }


def counted(session):
    rows = session.execute("SELECT driver_name, driver_version, protocol_version, client_options FROM "
                           "system_views.clients")
    return [[r.driver_name, r.driver_version, r.protocol_version, dict(r.client_options or {})] for r in rows]


def run(command):
    mode = command["mode"]
    cluster, session = connect(command)
    types(session, mode, command["skip"])
    pages(session, mode)
    batches(session, mode)
    conditions(session, mode)
    errors(session)
    large(session, mode)
    many(session, mode)
    events(command, cluster, mode)
    step("metadata", metadata, cluster)
    step("clients", counted, session)
    cluster.shutdown()


def read(command):
    cluster, session = connect(command)

    def rows(entry):
        statement = session.prepare(f"SELECT writer, name, v FROM d.{entry['table']} WHERE how = 'bound'")
        return [[r.writer, r.name, plain(entry["type"], r.v)] for r in session.execute(statement)
                if f"{entry['table']}.{r.name}" not in command["skip"]]

    for entry in TYPES["types"]:
        step(f"read.{entry['table']}", rows, entry)
    cluster.shutdown()


SURVIVORS = {}


def prepare(command):
    def run():
        mode = command["mode"]
        cluster, session = connect(command)
        select = session.prepare("SELECT v FROM d.conditions WHERE writer = ?")
        insert = session.prepare("INSERT INTO d.conditions (writer, v) VALUES (?, ?)")
        session.execute(insert, (mode, 1))
        SURVIVORS[mode] = cluster, session, select, insert
        return str(session.execute(select, (mode,)).one().v)

    step("before", run)


def survive(command):
    def run():
        mode = command["mode"]
        cluster, session, select, insert = SURVIVORS[mode]
        deadline = time.time() + 30
        while True:
            try:
                first = str(session.execute(select, (mode,)).one().v)
                break
            except NoHostAvailable:
                if time.time() > deadline:
                    raise
                time.sleep(0.1)
        session.execute(insert, (mode, 2))
        out = [first, str(session.execute(select, (mode,)).one().v)]
        step("clients", counted, session)
        return out

    step("after", run)


KEPT = {}


def read_of(value):
    if hasattr(value, "_asdict"):
        return {name: read_of(v) for name, v in value._asdict().items()}
    return value if value is None else str(value)


def keep(command):
    """A statement that a session prepares once and goes on with, whatever becomes of its table."""
    def run():
        mode, text = command["mode"], command["statement"]
        if mode not in KEPT:
            KEPT[mode] = *connect(command), {}
        _, session, statements = KEPT[mode]
        if text not in statements:
            statements[text] = session.prepare(text)
        result = session.execute(statements[text], command["values"])
        return [[[name, read_of(v)] for name, v in zip(result.column_names, row)] for row in result]

    step("kept", run)


def secure(command):
    """A session with TLS, and what the server says of its connections."""
    def run():
        tls = command["tls"]
        context = ssl.create_default_context(cafile=tls["ca"])
        context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + tls["version"].replace(".", "_")]
        if tls["certificate"]:
            context.load_cert_chain(tls["certificate"], tls["key"])
        cluster, session = connect(command, ssl_context=context, ssl_options={"server_hostname": command["host"]}, schema_metadata_enabled=False)
        try:
            return [list(row) for row in session.execute("SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients")]
        finally:
            cluster.shutdown()

    step("secure", run)


for line in sys.stdin:
    order = json.loads(line)
    try:
        {"run": run, "read": read, "prepare": prepare, "survive": survive, "keep": keep, "secure": secure}[order["do"]](order)
    except Exception as e:
        print(json.dumps({"fact": order["do"], "error": f"{type(e).__name__}: {e}"}), flush=True)
    print(json.dumps({"done": True}), flush=True)
