"""Who waits for an answer reads what is its own: statements are prepared again, tables altered and dropped, connections closed while
conditional and traced writes are with their owners. And a write whose definitions are gone when its owner looks is begun again.

    python3 tests/wire/lifetimes.py [--check] [NAME...]

The server's malloc fills what is freed (MALLOC_PERTURB_), so that what is read afterwards is nonsense or a crash; HELENUS may be a
binary of `make san`, whose reports fail the run too.
"""
import os
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import (BATCH, ERROR, EXECUTE, PREPARE, QUERY, Client, Server, execute_body, frame, long_string, query_body,  # noqa: E402
                        short_string, value)

REPORTS = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "ThreadSanitizer")
KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
LITERAL = "a literal that is long enough to be told from what is in freed memory: " + "0123456789" * 5
ROUNDS = 40


def integer(n):
    return struct.pack(">i", n)


def without_extras(flags, body):
    """The body behind the trace's id and the warnings."""
    at = 16 if flags & 2 else 0
    if flags & 8:
        count, = struct.unpack_from(">H", body, at)
        at += 2
        for _ in range(count):
            at += 2 + struct.unpack_from(">H", body, at)[0]
    return body[at:]


def pipeline(client, requests):
    """All of them in one write; the answers' (opcode, body) in the order of the requests."""
    client.send(b"".join(frame(opcode, body, stream=i, flags=rest[0] if rest else 0)
                         for i, (opcode, body, *rest) in enumerate(requests)))
    answers = {}
    while len(answers) < len(requests):
        _, flags, stream, opcode, body = client.receive_frame()
        answers[stream] = opcode, without_extras(flags, body)
    return [answers[i] for i in range(len(requests))]


def text(statement):
    return QUERY, query_body(statement)


def batch(*entries, traced=False):
    """Of prepared ids with their values, and of texts."""
    body = b"\0" + struct.pack(">H", len(entries))
    for statement, values in entries:
        body += (b"\1" + short_string(statement)) if isinstance(statement, bytes) else b"\0" + long_string(statement)
        body += struct.pack(">H", len(values)) + b"".join(map(value, values))
    return BATCH, body + struct.pack(">HB", 1, 0), 2 if traced else 0


def expect_row(answer, *values):
    """The answer has these values at the end of its only row."""
    opcode, body = answer
    wanted = b"".join(map(value, values))
    assert opcode != ERROR and body.endswith(wanted), f"{body!r} does not end with {wanted!r}"


def prepared_again(server):
    """The statement whose literals a refusal shows is prepared again before it is answered."""
    client = Client(server.port)
    client.query("CREATE TABLE k.again (k text, c text, v int, PRIMARY KEY (k, c))")
    client.query(f"INSERT INTO k.again (k, c, v) VALUES ('{LITERAL}', '{LITERAL}', 1)")
    insert = f"INSERT INTO k.again (k, c, v) VALUES ('{LITERAL}', '{LITERAL}', ?) IF NOT EXISTS"
    update = f"UPDATE k.again SET v = ? WHERE k = '{LITERAL}' AND c = '{LITERAL}' IF v = 2"
    ids = [client.prepare(insert), client.prepare(update)]
    again = [(PREPARE, long_string(insert)), (PREPARE, long_string(update))]
    key = LITERAL.encode()
    for _ in range(ROUNDS):
        answers = pipeline(client, [
            (EXECUTE, execute_body(ids[0], [integer(7)])), *again,
            batch((ids[0], [integer(8)]), (ids[1], [integer(9)])), *again,
            (EXECUTE, execute_body(ids[1], [integer(7)])), *again,
            (EXECUTE, execute_body(ids[0], [integer(7)]))])
        expect_row(answers[0], b"\0", key, key, integer(1))
        assert answers[3][0] == ERROR and b"Cannot mix IF" in answers[3][1], answers[3]
        expect_row(answers[6], b"\0", integer(1))
        expect_row(answers[9], b"\0", key, key, integer(1))


def altered(server):
    """The table whose columns a refusal shows is altered before it is answered, and what is read next makes the loop take the new one."""
    client, other = Client(server.port), Client(server.port)
    client.query("CREATE TABLE k.altered (k text PRIMARY KEY, v int)")
    client.query(f"INSERT INTO k.altered (k, v) VALUES ('{LITERAL}', 1)")
    insert = f"INSERT INTO k.altered (k, v) VALUES ('{LITERAL}', 7) IF NOT EXISTS"
    for i in range(ROUNDS):
        end = time.monotonic() + 0.05
        changing = threading.Thread(target=other.query, args=(f"ALTER TABLE k.altered WITH comment = '{i}'",))
        changing.start()
        while time.monotonic() < end:
            answers = pipeline(client, [text(insert), text("SELECT v FROM k.altered WHERE k = 'x'")] * 8)
            for answer in answers[::2]:
                expect_row(answer, b"\0", LITERAL.encode(), integer(1))
        changing.join()


def writes(client, table, counter):
    """Requests of every way to the owners: one partition, several of a shard and of all, batches, conditions; each a list for pipeline()."""
    one = client.prepare(f"INSERT INTO {table} (k, v) VALUES (?, ?)")
    several = client.prepare(f"UPDATE {table} SET v = 1 WHERE k IN (11, 12, 13, 14, 15, 16)")
    conditional = client.prepare(f"UPDATE {table} SET v = ? WHERE k = 3 IF v = 77")
    count = client.prepare(f"UPDATE {counter} SET n = n + 1 WHERE k IN (1, 2, 3, 4, 5, 6)")
    texts = [(f"INSERT INTO {table} (k, v) VALUES ({k}, 1)", []) for k in range(20, 26)]
    return [(EXECUTE, execute_body(one, [integer(1), integer(1)])), text(texts[0][0]),
            (EXECUTE, execute_body(several, [])), (EXECUTE, execute_body(conditional, [integer(1)])),
            text(f"INSERT INTO {table} (k, v) VALUES (4, 1) IF NOT EXISTS"), (EXECUTE, execute_body(count, [])),
            batch((one, [integer(2), integer(2)]), *texts), batch(*texts, (one, [integer(2), integer(2)]), traced=True),
            text("BEGIN UNLOGGED BATCH " + "; ".join(entry[0] for entry in texts) + "; APPLY BATCH")]


def errors_of(answers):
    return {(struct.unpack_from(">I", body)[0], body[6:60]) for opcode, body in answers if opcode == ERROR}


def truncated(server):
    """A write that meets TRUNCATE is written, to the old table or to the new one; what is written after its answer stays."""
    client, other = Client(server.port, timeout=60), Client(server.port, timeout=60)
    client.query("CREATE TABLE k.truncated (k int PRIMARY KEY, v int)")
    client.query("CREATE TABLE k.counted (k int PRIMARY KEY, n counter)")
    requests = writes(client, "k.truncated", "k.counted")
    for _ in range(ROUNDS):
        truncating = threading.Thread(target=lambda: [other.query(f"TRUNCATE k.{name}") for name in ("truncated", "counted") * 3])
        truncating.start()
        while truncating.is_alive():
            refused = errors_of(pipeline(client, requests * 4))
            assert not refused, refused
        truncating.join()
        refused = errors_of(pipeline(client, requests))
        assert not refused, refused
        for k in (1, 2, 11, 16, 20, 25, 4):
            (opcode, body), = pipeline(client, [text(f"SELECT v FROM k.truncated WHERE k = {k}")])
            assert struct.unpack(">I", body[-12:-8])[0] == 1, (k, body)


def dropped(server):
    """A write that meets DROP is written, or refused in the words that there are for a table that is not there."""
    client, other = Client(server.port, timeout=60), Client(server.port, timeout=60)
    refused = set()
    for _ in range(ROUNDS // 4):
        client.query("CREATE TABLE k.dropped (k int PRIMARY KEY, v int)")
        client.query("CREATE TABLE k.uncounted (k int PRIMARY KEY, n counter)")
        requests = writes(client, "k.dropped", "k.uncounted")
        dropping = threading.Thread(target=lambda: [other.query(f"DROP TABLE k.{name}") for name in ("dropped", "uncounted")])
        dropping.start()
        while dropping.is_alive():
            refused |= errors_of(pipeline(client, requests * 4))
        dropping.join()
        answers = pipeline(client, requests)
        assert all(opcode == ERROR for opcode, _ in answers), answers
        refused |= errors_of(answers)
    for code, said in refused:
        assert code == 0x2500 or (code == 0x2200 and said in (b"table dropped does not exist", b"table uncounted does not exist")), refused


def traced_batches(server):
    """Logged batches over shards tell their trace of tables that are altered while the first part is written."""
    client = Client(server.port)
    client.query("CREATE TABLE k.traced (k int PRIMARY KEY, v int)")
    end = time.monotonic() + 3
    failures = []

    def write(texts):
        c, n = Client(server.port, timeout=60), 0
        try:
            while time.monotonic() < end:
                n += 1
                entries = [(f"INSERT INTO k.traced (k, v) VALUES ({n * 7 + i}, {n})", []) for i in range(6)]
                request = batch(*entries, traced=True)
                if texts:
                    request = QUERY, query_body("BEGIN BATCH " + "; ".join(e[0] for e in entries) + "; APPLY BATCH"), 2
                for opcode, body in pipeline(c, [request] * 20):
                    assert opcode != ERROR, body
        except Exception as e:  # noqa: BLE001 - told by the main thread
            failures.append(e)

    writers = [threading.Thread(target=write, args=(texts,)) for texts in (False, True)]
    for thread in writers:
        thread.start()
    i = 0
    while time.monotonic() < end:
        i += 1
        client.query(f"ALTER TABLE k.traced WITH comment = '{i}'")
    for thread in writers:
        thread.join()
    assert not failures, failures


def closed(server):
    """A connection that is closed before the answer keeps nothing: here, wide definitions that were altered since."""
    client = Client(server.port)
    columns = ", ".join(f"c{i} map<text, frozen<list<int>>>" for i in range(200))
    client.query(f"CREATE TABLE k.closed (k int PRIMARY KEY, v int, {columns})")
    client.query("INSERT INTO k.closed (k, v) VALUES (1, 1)")
    update = "UPDATE k.closed SET v = 1 WHERE k = 1 IF v = 1"

    def rounds(count):
        for i in range(count):
            short = Client(server.port)
            short.send(frame(QUERY, query_body(update)) + frame(PREPARE, long_string(update), stream=1))
            short.socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: a reset
            short.close()
            client.query(f"ALTER TABLE k.closed WITH comment = '{i}'")
        return server.rss_bytes()

    before = rounds(100)
    grown = rounds(300) - before
    with open(server.binary, "rb") as binary:
        is_sanitized = b"__asan_init" in binary.read()  # it keeps what was freed, and finds leaks by itself
    assert is_sanitized or grown < 12 << 20, f"{grown >> 20} MiB more after 300 closed connections"


def failing(server):
    """The error of a function tells its name and types when the plan that it was called for is gone."""
    client = Client(server.port)
    client.query("CREATE TABLE k.failing (k int PRIMARY KEY, v int)")
    client.query("INSERT INTO k.failing (k, v) VALUES (1, 1)")
    constant, read = "INSERT INTO k.failing (k, v) VALUES (1, (int)1 / 0)", "SELECT v / ? FROM k.failing WHERE k = 1"
    told = short_string("system") + short_string("_divide") + struct.pack(">H", 2) + short_string("int") * 2
    for _ in range(ROUNDS):
        for opcode, body in pipeline(client, [(PREPARE, long_string(constant)), text(constant), text("SELECT v / 0 FROM k.failing WHERE k = 1")] * 4):
            assert opcode == ERROR and body[:4] == b"\0\0\x14\0" and body.endswith(told), body
    by = client.prepare("SELECT v / (int)? FROM k.failing WHERE k = 1")
    for opcode, body in pipeline(client, [(EXECUTE, execute_body(by, [integer(0)])), (PREPARE, long_string(read))] * 8)[::2]:
        assert opcode == ERROR and body.endswith(told), body


CASES = [failing, prepared_again, altered, truncated, dropped, traced_batches, closed]


def main():
    wanted = [name for name in sys.argv[1:] if name != "--check"]
    passed = failed = 0
    for case in CASES:
        if wanted and case.__name__ not in wanted:
            continue
        with Server(None, "--shards", "4", "--loops", "2", env={"MALLOC_PERTURB_": "165"}) as server:
            try:
                Client(server.port).query(KEYSPACE)
                case(server)
                code = server.stop()
                log = server.log_tail()
                assert code == 0 and not any(report in log for report in REPORTS), f"the server ended with {code}: {log}"
                passed += 1
                print(f"{case.__name__}: passed")
            except Exception as e:  # noqa: BLE001 - told, and counted
                failed += 1
                print(f"{case.__name__}: FAILED: {type(e).__name__}: {e}\n{server.log_tail()[-1500:]}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
