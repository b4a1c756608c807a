"""Traces, warnings and the flags of frames, against what Cassandra answered to the same requests (tracing.json).

What is recorded of a trace: everything of its session that does not differ from run to run, and the shape of its events; the words of
events are each server's own. RECORD=1 with CQL_TARGET pointing at Cassandra writes tracing.json; nothing else does.
"""
import copy
import json
import os
import pathlib
import re
import struct
import sys
import time
import urllib.request
import uuid

import pytest
from cassandra.query import BatchStatement, BatchType, SimpleStatement

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from lib.native import (BATCH, ERROR, EXECUTE, OPTIONS, PREPARE, QUERY, READY, RESULT, Client, frame,  # noqa: E402
                        long_string, short_string, value)

from test_cqlsh import cqlsh  # noqa: E402,F401

RECORDED = pathlib.Path(__file__).with_name("tracing.json")
TRACING, PAYLOAD, WARNING, BETA = 2, 4, 8, 16
UNSET = object()


def number(n):
    return struct.pack(">i", n)


def query(text, values=None, names=None, consistency=1, page_size=None, serial=None):
    flags = (1 if values else 0) | (4 if page_size else 0) | (0x10 if serial else 0) | (0x40 if names else 0)
    return long_string(text) + parameters(flags, values, names, consistency, page_size, serial)


def execute(statement_id, values=None, consistency=1, page_size=None, serial=None):
    flags = (1 if values else 0) | (4 if page_size else 0) | (0x10 if serial else 0)
    return short_string(statement_id) + parameters(flags, values, None, consistency, page_size, serial)


def packed(v):
    return struct.pack(">i", -2) if v is UNSET else value(v)


def parameters(flags, values, names, consistency, page_size, serial):
    body = struct.pack(">HB", consistency, flags)
    if values:
        body += struct.pack(">H", len(values))
        for i, v in enumerate(values):
            body += (short_string(names[i]) if names else b"") + packed(v)
    if page_size:
        body += number(page_size)
    if serial:
        body += struct.pack(">H", serial)
    return body


def batch(kind, *entries, consistency=1):
    body = struct.pack(">BH", kind, len(entries))
    for text, values in entries:
        body += b"\0" + long_string(text) if isinstance(text, str) else b"\1" + short_string(text)
        body += struct.pack(">H", len(values)) + b"".join(map(packed, values))
    return body + struct.pack(">HB", consistency, 0)


class Raw:
    """A raw client in a keyspace of its own."""

    def __init__(self, target, keyspace):
        self.host, self.port, self.keyspace = target.host, target.port, keyspace
        self.client = Client(target.port, target.host)
        self.client.query(f"USE {keyspace}")

    def prepare(self, text):
        _, opcode, body, _ = self.client.exchange(PREPARE, long_string(text))
        assert opcode == RESULT, body
        return body[6:6 + struct.unpack_from(">H", body, 4)[0]]


TABLES = """
CREATE TABLE t (k int PRIMARY KEY, v text, m map<text, int>)
CREATE TABLE c (k int, c int, s text STATIC, v text, PRIMARY KEY (k, c))
CREATE TABLE w (k int, c text, v blob, m map<int, text>, n int, PRIMARY KEY (k, c))
CREATE TABLE plain (k int PRIMARY KEY, v text)
CREATE TABLE graceless (k int PRIMARY KEY, v text) WITH gc_grace_seconds = 0
CREATE TABLE many (k int, c int, v int, PRIMARY KEY (k, c))
""".strip().split("\n")

# What is traced: name -> (opcode, body).
def traced(raw):
    p = raw.prepare
    yield "select", QUERY, query("SELECT v FROM t WHERE k = 1")
    yield "select a page", QUERY, query("SELECT * FROM c WHERE k = 1", page_size=10, consistency=6)
    yield "select a serial one", QUERY, query("SELECT * FROM c WHERE k = 1", consistency=1, serial=9)
    yield "select everything", QUERY, query("SELECT * FROM c", page_size=100)
    yield "select with a value", QUERY, query("SELECT v FROM t WHERE k = ?", [number(1)])
    yield "select with a named value", QUERY, query("SELECT v FROM t WHERE k = :which", [number(1)], ["which"])
    yield "insert", QUERY, query("INSERT INTO t (k, v) VALUES (7, 'seven')", consistency=4)
    yield "insert conditionally", QUERY, query("INSERT INTO t (k, v) VALUES (8, 'eight') IF NOT EXISTS", serial=9)
    yield "delete", QUERY, query("DELETE FROM c WHERE k = 9")
    yield "a batch of text", QUERY, query("BEGIN BATCH INSERT INTO t (k, v) VALUES (10, 'a'); INSERT INTO t (k, v) VALUES (11, 'b') APPLY BATCH")
    yield "use", QUERY, query(f"USE {raw.keyspace}")
    yield "a definition", QUERY, query("CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)")
    yield "a syntax error", QUERY, query("SELECT FROM WHERE")
    yield "no such table", QUERY, query("SELECT * FROM nonsense")
    yield "prepare", PREPARE, long_string("SELECT v FROM t WHERE k = ?")
    yield "prepare nonsense", PREPARE, long_string("SELECT v FROM nonsense WHERE k = ?")
    yield "execute a select", EXECUTE, execute(p("SELECT v FROM t WHERE k = ?"), [number(1)], page_size=5000)
    yield "execute an insert", EXECUTE, execute(p("INSERT INTO t (k, v, m) VALUES (?, ?, ?)"), [
        number(12), "it's".encode(), number(1) + value(b"key") + value(number(5))])
    yield "execute with null and unset", EXECUTE, execute(p("INSERT INTO t (k, v, m) VALUES (?, ?, ?)"), [number(13), None, UNSET])
    yield "execute with a long value", EXECUTE, execute(p("INSERT INTO t (k, v) VALUES (?, ?)"), [number(14), b"x" * 2000])
    yield "execute with a long blob", EXECUTE, execute(p("INSERT INTO w (k, c, v) VALUES (?, ?, ?)"), [number(14), b"c", b"\xab" * 2000])
    yield "execute with a long emoji", EXECUTE, execute(p("INSERT INTO t (k, v) VALUES (?, ?)"), [
        number(14), ("a" + "\N{GRINNING FACE}" * 600).encode()])
    yield "execute by names", EXECUTE, execute(p("INSERT INTO t (k, v) VALUES (:key, :\"Va l\")"), [number(15), b"v"])
    yield "execute IN", EXECUTE, execute(p("SELECT * FROM t WHERE k IN ? LIMIT ?"), [number(1) + value(number(1)), number(3)])
    yield "execute too few", EXECUTE, execute(p("INSERT INTO t (k, v) VALUES (?, ?)"), [number(15)])
    yield "execute the unknown", EXECUTE, execute(b"0123456789abcdef", [number(15)])
    insert = p("INSERT INTO t (k, v) VALUES (?, ?)")
    yield "a logged batch", BATCH, batch(0, ("INSERT INTO t (k, v) VALUES (20, 'x')", []), (insert, [number(21), b"y"]))
    yield "an unlogged batch", BATCH, batch(1, (insert, [number(21), b"y"]), consistency=6)
    yield "an empty batch", BATCH, batch(0)
    yield "a wrong batch", BATCH, batch(0, ("SELECT * FROM t", []))


# What warns, and what does not.
def warned(raw):
    def rows(table, count, size, first=100):
        return [(f"INSERT INTO {table} (k, v) VALUES ({first + i}, '{'x' * size}')", []) for i in range(count)]

    yield "a small batch", BATCH, batch(0, *rows("plain", 2, 100))
    yield "a batch of 5 KiB", BATCH, batch(0, *rows("plain", 2, 3000))
    yield "just below", BATCH, batch(0, *rows("plain", 2, 2490))
    yield "just at it", BATCH, batch(1, *rows("plain", 2, 2491))
    yield "just above", BATCH, batch(1, *rows("plain", 1, 2490), *rows("plain", 1, 2491, 200))
    yield "of one partition", BATCH, batch(0, *rows("plain", 1, 3000), *rows("plain", 1, 3001))
    yield "with the other columns", BATCH, batch(0, *rows("plain", 1, 3000), (
        "INSERT INTO w (k, c, v, m, n) VALUES (1, 'cluster', 0x" + "ab" * 3000 + ", {1: 'one', 2: 'two'}, 5)", []))
    yield "an update", BATCH, batch(0, *rows("plain", 1, 3000), ("UPDATE w SET v = 0x" + "ab" * 3000 + " WHERE k = 2 AND c = 'c'", []))
    yield "with a ttl", BATCH, batch(0, *rows("plain", 1, 3000), (
        "INSERT INTO w (k, c, v) VALUES (3, 'c', 0x" + "ab" * 3000 + ") USING TTL 1000", []))
    yield "a part of a map", BATCH, batch(0, *rows("plain", 1, 3000), (
        "UPDATE w SET m[5] = '" + "y" * 3000 + "', n = null WHERE k = 4 AND c = 'c'", []))
    yield "with deletions", BATCH, batch(0, *rows("plain", 2, 3000), ("DELETE FROM w WHERE k = 5", []))
    yield "with a row's deletion", BATCH, batch(0, *rows("plain", 2, 3000), ("DELETE FROM w WHERE k = 5 AND c = 'long one'", []))
    yield "with a range's deletion", BATCH, batch(0, *rows("plain", 2, 3000), ("DELETE FROM w WHERE k = 5 AND c > 'a' AND c < 'bcd'", []))
    yield "with a static column", BATCH, batch(0, *rows("plain", 2, 3000), ("UPDATE c SET s = 'static' WHERE k = 1", []))
    yield "two rows of a partition", BATCH, batch(0, *rows("plain", 2, 3000), ("INSERT INTO c (k, c, v) VALUES (1, 1, 'a')", []), (
        "INSERT INTO c (k, c, v) VALUES (1, 2, 'b')", []))
    yield "one row twice", BATCH, batch(0, *rows("plain", 2, 3000), ("INSERT INTO c (k, c, v) VALUES (1, 1, 'a')", []), (
        "INSERT INTO c (k, c, s) VALUES (1, 1, 'b')", []))
    yield "of text", QUERY, query("BEGIN UNLOGGED BATCH " + " ".join(text + ";" for text, _ in rows("plain", 3, 2000)) + " APPLY BATCH")
    yield "ten partitions", BATCH, batch(1, *rows("plain", 10, 1))
    yield "eleven partitions", BATCH, batch(1, *rows("plain", 11, 1))
    yield "eleven partitions, logged", BATCH, batch(0, *rows("plain", 11, 1))
    yield "eleven large partitions", BATCH, batch(1, *rows("plain", 11, 1000))
    yield "no grace", BATCH, batch(0, *rows("graceless", 2, 1))
    yield "no grace, one", BATCH, batch(0, *rows("graceless", 1, 1))
    yield "no grace, unlogged", BATCH, batch(1, *rows("graceless", 2, 1))
    yield "no grace, both", BATCH, batch(0, *rows("graceless", 1, 1), *rows("plain", 1, 1))
    yield "count", QUERY, query("SELECT count(*) FROM t")
    yield "count in partitions", QUERY, query("SELECT count(*) FROM c WHERE k IN (1, 2)")
    yield "count in a partition", QUERY, query("SELECT count(*) FROM c WHERE k = 1")
    yield "prepare count", PREPARE, long_string("SELECT max(v) FROM t")
    yield "execute count", EXECUTE, execute(raw.prepare("SELECT max(v) FROM t"))
    yield "group", QUERY, query("SELECT k, count(*) FROM c GROUP BY k")
    yield "filter", QUERY, query("SELECT * FROM t WHERE v = 'x' ALLOW FILTERING")
    yield "use", QUERY, query(f"USE {raw.keyspace}")
    yield "prepare use", PREPARE, long_string(f"USE {raw.keyspace}")
    yield "1000 tombstones", QUERY, query("SELECT * FROM many WHERE k = 1")
    yield "1001 tombstones", QUERY, query("SELECT v FROM many WHERE k = 2")
    yield "1001 tombstones, counted", QUERY, query("SELECT count(*) FROM many")
    yield "1001 tombstones, filtered", QUERY, query("SELECT * FROM many WHERE k = 2 AND c > 5 AND v = 7 ALLOW FILTERING", page_size=50)


# Prepared twice on a connection that has said USE: {0} the keyspace, {1} makes the texts differ.
PREPARED_AFTER_USE = [
    ("prepare after use", "SELECT v FROM t WHERE k = ? LIMIT 1{1}"),
    ("prepare after use, qualified", "SELECT v FROM {0}.t WHERE k = ? LIMIT 2{1}"),
    ("prepare a batch after use", "BEGIN BATCH INSERT INTO {0}.t (k, v) VALUES ({1}, 'v'); INSERT INTO t (k, v) VALUES (3, 'v') APPLY BATCH"),
    ("prepare an insert after use", "INSERT INTO t (k, v) VALUES (?, '{1}')"),
    ("prepare a definition after use", "CREATE TABLE IF NOT EXISTS t (key{1} int PRIMARY KEY)"),
    ("prepare a truncation after use", "TRUNCATE TABLE t"),
    ("prepare use after use", 'USE "{0}"'),
]


# Flags as such: name -> (opcode, body, flags).
def flagged(raw):
    payload = struct.pack(">H", 1) + short_string("key") + value(b"bytes")
    ask = query("SELECT v FROM t WHERE k = 1")
    yield "none", QUERY, ask, 0
    yield "payload", QUERY, payload + ask, PAYLOAD
    yield "payload, empty", QUERY, struct.pack(">H", 0) + ask, PAYLOAD
    yield "payload and tracing", QUERY, payload + ask, PAYLOAD | TRACING
    yield "payload, cut", QUERY, struct.pack(">H", 9), PAYLOAD
    yield "warning", QUERY, ask, WARNING
    yield "beta", QUERY, ask, BETA
    yield "unknown", QUERY, ask, 0xE0
    yield "tracing and warning", BATCH, batch(1, *[(f"INSERT INTO t (k, v) VALUES ({k}, 'x')", []) for k in range(300, 311)]), TRACING
    yield "compressed, though none was agreed", QUERY, ask, 1
    yield "options, traced", OPTIONS, b"", TRACING
    yield "register, traced", 0x0B, struct.pack(">H", 1) + short_string("SCHEMA_CHANGE"), TRACING
    yield "tracing an error", QUERY, query("SELECT * FROM nonsense"), TRACING


def find_trace(session, trace_id, seconds=10):
    """The session row once its duration stands, and its events."""
    end = time.time() + seconds
    while time.time() < end:
        row = session.execute("SELECT * FROM system_traces.sessions WHERE session_id = %s", (trace_id,)).one()
        if row is not None and row.duration is not None:
            return row, list(session.execute("SELECT * FROM system_traces.events WHERE session_id = %s", (trace_id,)))
        time.sleep(0.05)
    return None, []


def described(row, events):
    if row is None:
        return None
    return {"columns": list(row._fields), "command": row.command, "request": row.request, "client": str(row.client),
            "coordinator": str(row.coordinator), "has_port": isinstance(row.coordinator_port, int),
            "duration_is_positive": row.duration > 0, "parameters": dict(sorted((row.parameters or {}).items())),
            "event_columns": list(events[0]._fields) if events else None,
            "event_fields": sorted(f for f in events[0]._fields if getattr(events[0], f) is not None) if events else None}


@pytest.fixture(scope="module")
def raw(target, session, keyspace):
    session.execute(f"USE {keyspace}")
    for text in TABLES:
        session.execute(text)
    for text in ("INSERT INTO t (k, v) VALUES (1, 'one')", "INSERT INTO c (k, c, s, v) VALUES (1, 1, 's', 'v')"):
        session.execute(text)
    raw = Raw(target, keyspace)
    gone = raw.prepare("DELETE FROM many WHERE k = ? AND c = ?")
    for k, count in ((1, 1000), (2, 1001)):
        for c in range(count):
            raw.client.execute(gone, [number(k), number(c)])
    yield raw
    raw.client.close()


def observe(session, raw):
    seen = {"traces": {}, "warnings": {}, "flags": {}}
    for name, opcode, body in traced(raw):
        flags, opcode, body, extra = raw.client.exchange(opcode, body, TRACING)
        trace_id = extra.get("tracing")
        seen["traces"][name] = {"flags": flags, "opcode": opcode, "version": trace_id and trace_id.version,
                                "session": described(*find_trace(session, trace_id)) if trace_id else None}
    for name, opcode, body in warned(raw):
        flags, opcode, body, extra = raw.client.exchange(opcode, body)
        seen["warnings"][name] = {"flags": flags, "opcode": opcode, "warnings": extra.get("warnings")}
        if opcode == ERROR:
            seen["warnings"][name]["error"] = body[6:].decode()
    for name, text in PREPARED_AFTER_USE:
        fresh = Raw(type("Target", (), {"host": raw.host, "port": raw.port}), raw.keyspace)
        replies = [fresh.client.exchange(PREPARE, long_string(text.format(raw.keyspace, n))) for n in range(2)]
        fresh.client.close()
        seen["warnings"][name] = [{"flags": flags, "opcode": opcode, "warnings": extra.get("warnings")}
                                  for flags, opcode, _, extra in replies]
    for name, opcode, body, flags in flagged(raw):
        flags, opcode, body, extra = raw.client.exchange(opcode, body, flags)
        seen["flags"][name] = {"flags": flags, "opcode": opcode, "code": struct.unpack_from(">I", body)[0] if opcode == ERROR else None}
    return seen


observed = {}


@pytest.fixture(scope="module")
def seen(session, raw):
    """Once a run, whatever the drivers speak: it is told over v4, and a warning of USE comes once in ten minutes."""
    if not observed:
        observed.update(observe(session, raw))
    seen = observed
    if os.environ.get("RECORD"):
        RECORDED.write_text(json.dumps(seen, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return seen


def normal(warning):
    """Without what may differ: the order of tables, which is that of a hash; the query, which Cassandra puts together anew from its
    read and we give as it came."""
    warning = re.sub(r"\[([^\]]*)\]", lambda m: "[" + ", ".join(sorted(m[1].split(", "))) + "]", warning)
    return re.sub(r"for query .*; token", "for query ...; token", warning)


def differences(seen, kind):
    got, wanted = copy.deepcopy(seen[kind]), json.loads(RECORDED.read_text())[kind]
    assert sorted(got) == sorted(wanted)
    for name in wanted:
        if kind == "traces" and wanted[name]["session"] and wanted[name]["session"]["event_columns"] is None:
            for session in (got[name]["session"], wanted[name]["session"]):  # where Cassandra had nothing to tell, we may
                session["event_columns"] = session["event_fields"] = None
        for replies in (got[name], wanted[name]):
            for reply in replies if isinstance(replies, list) else [replies]:
                if reply.get("warnings"):
                    reply["warnings"] = list(map(normal, reply["warnings"]))
    return {name: {"got": got[name], "wanted": wanted[name]} for name in got if got[name] != wanted[name]}


def test_traces_are_as_cassandras(seen):
    assert not differences(seen, "traces")


def test_warnings_are_as_cassandras(seen):
    assert not differences(seen, "warnings")


def test_flags_are_as_cassandras(seen):
    assert not differences(seen, "flags")


# ---- through the driver ----

def activities(trace):
    return "\n".join(event.description for event in trace.events)


def traced_by(session, statement, *arguments):
    """Cassandra has replicas that go on after the coordinator has answered; here everything has happened by then."""
    result = session.execute(statement, *arguments, trace=True)
    trace = result.get_query_trace(max_wait_sec=10)
    assert trace.coordinator and trace.client == "127.0.0.1" and trace.started_at
    assert 0 < trace.duration.total_seconds() < 30
    assert trace.events and [e.source_elapsed for e in trace.events] == sorted(e.source_elapsed for e in trace.events)
    assert all(e.source and e.thread_name and e.description for e in trace.events)
    assert os.environ.get("CQL_TARGET") or trace.events[-1].source_elapsed <= trace.duration
    return result, trace


def test_driver_traces_a_select(session, raw, target):
    result, trace = traced_by(session, f"SELECT v FROM {raw.keyspace}.t WHERE k = 1")
    assert result.one().v == "one" and trace.request_type == "Execute CQL3 query"
    assert trace.parameters["query"].endswith("WHERE k = 1")
    if target.helenus:
        assert "Read 1 live rows and 0 tombstone cells" in activities(trace)
        _, trace = traced_by(session, f"SELECT v FROM {raw.keyspace}.many WHERE k = 1")
        assert "Read 0 live rows and 1000 tombstone cells" in activities(trace)


def test_driver_traces_a_prepared_insert(session, raw, target):
    insert = session.prepare(f"INSERT INTO {raw.keyspace}.t (k, v) VALUES (?, ?)")
    _, trace = traced_by(session, insert, (500, "traced"))
    assert trace.request_type == "Execute CQL3 prepared query"
    assert trace.parameters["bound_var_0_k"] == "500" and trace.parameters["bound_var_1_v"] == "'traced'"
    assert session.execute(f"SELECT v FROM {raw.keyspace}.t WHERE k = 500").one().v == "traced"
    if target.helenus:
        assert "Written and synced after" in activities(trace) and "Writing a group of" in activities(trace)
        assert any(e.thread_name.startswith("owner-") for e in trace.events)


def test_driver_traces_a_batch(session, raw):
    batch = BatchStatement(BatchType.LOGGED)
    for k in (501, 502):
        batch.add(SimpleStatement(f"INSERT INTO {raw.keyspace}.t (k, v) VALUES (%s, 'b')"), (k,))
    _, trace = traced_by(session, batch)
    assert trace.request_type == "Execute batch of CQL3 queries"


def test_driver_traces_a_condition(session, raw, target):
    text = f"INSERT INTO {raw.keyspace}.t (k, v) VALUES (503, 'c') IF NOT EXISTS"
    for held in (True, False):
        result, trace = traced_by(session, text)
        assert result.one().applied == held
        if target.helenus:
            assert ("the conditions held" if held else "the conditions did not hold") in activities(trace)


def test_driver_traces_every_page(session, raw):
    for k in range(30):
        session.execute(f"INSERT INTO {raw.keyspace}.c (k, c, v) VALUES (77, {k}, 'p')")
    result = session.execute(SimpleStatement(f"SELECT * FROM {raw.keyspace}.c WHERE k = 77", fetch_size=10), trace=True)
    assert len(list(result)) == 30
    traces = result.get_all_query_traces(max_wait_sec_per=10)
    assert len(traces) == len({t.trace_id for t in traces}) >= 3
    assert all(t.parameters["page_size"] == "10" for t in traces)


def test_driver_shows_warnings(target, session, raw):
    if target.version < 4:  # has no place for them
        assert not session.execute(f"SELECT count(*) FROM {raw.keyspace}.t").response_future.warnings
        return
    batch = BatchStatement(BatchType.UNLOGGED)
    for k in range(600, 611):
        batch.add(SimpleStatement(f"INSERT INTO {raw.keyspace}.plain (k, v) VALUES (%s, 'w')"), (k,))
    warnings = session.execute(batch).response_future.warnings
    assert len(warnings) == 1 and warnings[0].startswith(f"Unlogged batch covering 11 partitions detected against table [{raw.keyspace}.plain]")
    assert session.execute(f"SELECT count(*) FROM {raw.keyspace}.t").response_future.warnings == [
        "Aggregation query used without partition key"]
    assert not session.execute(f"SELECT v FROM {raw.keyspace}.t WHERE k = 1").response_future.warnings


def test_traces_expire_in_a_day(session, raw):
    _, trace = traced_by(session, f"SELECT v FROM {raw.keyspace}.t WHERE k = 1")
    row = session.execute("SELECT ttl(duration) AS d, ttl(request) AS r FROM system_traces.sessions WHERE session_id = %s", (trace.trace_id,)).one()
    assert 86400 - 60 < row.d <= 86400 and 86400 - 60 < row.r <= 86400
    for row in session.execute("SELECT ttl(activity) AS a FROM system_traces.events WHERE session_id = %s", (trace.trace_id,)):
        assert 86400 - 60 < row.a <= 86400


def test_tracing_through_version_3(target, raw):
    client = Client(target.port, target.host, startup=False)
    assert client.exchange(1, struct.pack(">H", 1) + short_string("CQL_VERSION") + short_string("3.4.5"), version=3)[1] == READY
    flags, opcode, body, extra = client.exchange(QUERY, query(f"SELECT v FROM {raw.keyspace}.t WHERE k = 1"), TRACING, version=3)
    assert (flags, opcode) == (TRACING, RESULT) and extra["tracing"].version == 1
    # Warnings came with version 4.
    flags, opcode, body, extra = client.exchange(QUERY, query(f"SELECT count(*) FROM {raw.keyspace}.t"), version=3)
    assert (flags, opcode) == (0, RESULT)
    client.close()


def test_tracing_with_compression(target, session, raw):
    session.execute(f"INSERT INTO {raw.keyspace}.t (k, v) VALUES (700, %s)", ("z" * 5000,))
    for name in ("lz4", "snappy"):
        try:
            cluster = target.cluster(compression=name)
        except Exception as e:  # noqa: BLE001 - the driver has no codec for it here
            pytest.skip(f"the driver cannot {name}: {e}")
        own = cluster.connect()
        result = own.execute(f"SELECT v FROM {raw.keyspace}.t WHERE k = 700", trace=True)
        assert result.one().v == "z" * 5000
        assert result.get_query_trace(max_wait_sec=10).parameters["query"].endswith("k = 700")
        cluster.shutdown()


def test_use_is_warned_of_once_for_a_connection_and_a_statement(target, raw):
    """The first to prepare it is warned, once; who prepares it again is told nothing."""
    text = f"SELECT v FROM t WHERE k = ? LIMIT {int(time.time())}"
    for wanted in (True, False):
        fresh = Raw(target, raw.keyspace)
        for expected in (wanted, False):
            flags, opcode, _, extra = fresh.client.exchange(PREPARE, long_string(text))
            assert opcode == RESULT and ("warnings" in extra) == expected == bool(flags & WARNING)
        fresh.client.close()


# ---- limits: of helenus only ----

def metrics(target):
    with urllib.request.urlopen(f"http://127.0.0.1:{target.helenus.http_port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    return {name: float(re.search(rf"^helenus_traces_{name}_total (\S+)$", text, re.M)[1]) if name != "written" else
            float(re.search(r"^helenus_traces_total (\S+)$", text, re.M)[1]) for name in ("written", "refused", "failed")}


def rss_bytes(target):
    return int(pathlib.Path(f"/proc/{target.helenus.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_tracing_everything_is_bounded(target, raw):
    """A client that traces all it sends, a long statement each: every request is answered; those without a trace say so; memory stays."""
    if not target.helenus:
        pytest.skip("our limits")
    before, memory, client = metrics(target), rss_bytes(target), Client(target.port)
    body, traced, told, done = query(f"INSERT INTO {raw.keyspace}.t (k, v) VALUES (800, '{'x' * 60000}')"), 0, 0, 0
    while not told and done < 20000:
        client.send(b"".join(frame(QUERY, body, i, flags=TRACING) for i in range(500)))
        for _ in range(500):
            flags, opcode, _, extra = client.next_reply()
            assert opcode == RESULT and ("tracing" in extra) != (flags & WARNING != 0)
            traced, told, done = traced + ("tracing" in extra), told + ("warnings" in extra), done + 1
            assert flags & TRACING or extra["warnings"] == ["The request was not traced: too many traces are being written"]
    client.close()
    assert told and traced, (told, traced)
    end = time.time() + 10
    while time.time() < end and metrics(target)["written"] < before["written"] + traced:
        time.sleep(0.05)
    after = metrics(target)
    assert after["written"] - before["written"] == traced and after["refused"] - before["refused"] == told
    assert after["failed"] == before["failed"]
    assert rss_bytes(target) - memory < 512 << 20  # unbounded, it would be gigabytes; a sanitizer keeps 256 MB for itself


def test_a_trace_has_an_end(session, raw, target):
    """However long the statement and however many its values."""
    if not target.helenus:
        pytest.skip("our limits")
    _, trace = traced_by(session, f"INSERT INTO {raw.keyspace}.t (k, v) VALUES (900, '{chr(0xe9) * 100000}')")
    assert len(trace.parameters["query"].encode()) <= 64 << 10
    session.execute(f"CREATE TABLE IF NOT EXISTS {raw.keyspace}.one_partition (k int, c int, v text, PRIMARY KEY (k, c))")
    insert = session.prepare("BEGIN UNLOGGED BATCH " + " ".join(
        f"INSERT INTO {raw.keyspace}.one_partition (k, c, v) VALUES (1, ?, ?);" for _ in range(300)) + " APPLY BATCH")
    _, trace = traced_by(session, insert, [x for k in range(300) for x in (k + 1000, "v" * 900)])
    assert len(trace.events) <= 256
    assert sum(len(k) + len(v) for k, v in trace.parameters.items()) < 300 << 10
    assert session.execute(f"SELECT v FROM {raw.keyspace}.one_partition WHERE k = 1 AND c = 1299").one().v == "v" * 900


def test_a_trace_tells_of_the_worker(session, raw, target):
    if not target.helenus:
        pytest.skip("our words")
    _, trace = traced_by(session, f"CREATE TABLE IF NOT EXISTS {raw.keyspace}.made_by_a_worker (k int PRIMARY KEY)")
    assert "going to a worker" in activities(trace) and any(e.thread_name.startswith("worker") for e in trace.events)


def test_values_are_not_logged(session, raw, target):
    if not target.helenus:
        pytest.skip("our log")
    traced_by(session, f"INSERT INTO {raw.keyspace}.t (k, v) VALUES (901, 'a secret that is traced')")
    assert "a secret that is traced" not in target.helenus.tail(1 << 20)


# ---- through cqlsh ----

def test_cqlsh_traces(cqlsh, session, raw):  # noqa: F811
    out = cqlsh(f"TRACING ON;\nINSERT INTO {raw.keyspace}.t (k, v) VALUES (950, 'q');\n"
                f"SELECT v FROM {raw.keyspace}.t WHERE k = 950;\n"
                f"BEGIN BATCH INSERT INTO {raw.keyspace}.t (k, v) VALUES (951, 'q'); INSERT INTO {raw.keyspace}.t (k, v) VALUES (952, 'q'); APPLY BATCH;\n"
                "TRACING OFF;\nSELECT key FROM system.local;\n").stdout
    assert out.count("Tracing session:") == out.count("Request complete") == 3
    assert "source_elapsed" in out and out.count("Execute CQL3 query") == 3
    assert "(1 rows)" in out and out.count("Parsing ") >= 3
    ids = re.findall(r"Tracing session: (\S+)", out)
    shown = cqlsh(f"SHOW SESSION {ids[1]};\n").stdout
    assert ids[1] in shown and "Request complete" in shown and f"Parsing SELECT v FROM {raw.keyspace}.t WHERE k = 950" in shown
    assert not cqlsh(f"SHOW SESSION {uuid.uuid1()};\n", code=None).stdout.count("Request complete")


def test_cqlsh_shows_warnings(target, cqlsh, raw):  # noqa: F811
    done = cqlsh(f"SELECT count(*) FROM {raw.keyspace}.t;\n")
    shown = "Aggregation query used without partition key" in done.stdout + done.stderr
    assert shown == (target.version >= 4)  # version 3 has no place for them
