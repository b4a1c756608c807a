"""Hostile input gets a named error or a closed connection, memory stays bounded, and a polite client keeps being served.

A polite client asks all the time in its own thread; each attack is followed by a check that it was answered throughout, and that the
server's memory did not grow past a bound.
"""
import os
import random
import socket
import struct
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import (BATCH, ERROR, EXECUTE, OPTIONS, PREPARE, QUERY, READY, REGISTER, RESULT, STARTUP, SUPPORTED,  # noqa: E402,F401
                        Client, Server, ServerError, execute_body, frame, long_string, lz4_segment, query_body, segment, segments,
                        short_string, string_map, value)

PROTOCOL, OVERLOADED, SYNTAX, INVALID = 0x000A, 0x1001, 0x2000, 0x2200
MEMORY_BOUND = int(os.environ.get("HOSTILE_MEMORY_MB", "400")) << 20


class Polite(threading.Thread):
    """Asks and checks, every 10 ms; notes the longest wait."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.stop, self.count, self.worst, self.failure = port, False, 0, 0.0, None

    def run(self):
        try:
            c = Client(self.port, timeout=20)
            statement = c.prepare("SELECT v FROM hostile.t WHERE k = ?")
            while not self.stop:
                begin = time.time()
                assert c.execute(statement, [struct.pack(">i", 1)]) == [[b"polite"]]
                self.worst = max(self.worst, time.time() - begin)
                self.count += 1
                time.sleep(0.01)
        except Exception as e:  # noqa: BLE001 - told by the main thread
            self.failure = e


def outcome(port, data, host="127.0.0.1", startup=True, timeout=10):
    """What the server does with these bytes: ("error", code), ("reply", opcode), "closed" or "silent"."""
    c = Client(port, startup=startup, timeout=timeout)
    try:
        c.send(data)
        _, opcode, body = c.receive()
        return ("error", struct.unpack_from(">I", body)[0]) if opcode == ERROR else ("reply", opcode)
    except (ConnectionError, BrokenPipeError):
        return "closed"
    except socket.timeout:
        return "silent"
    finally:
        c.close()


def expect(name, got, *allowed):
    assert got in allowed, f"{name}: got {got}, expected one of {allowed}"


def random_frames(server, rng):
    for _ in range(400):
        data = rng.randbytes(rng.choice((1, 8, 9, 10, 40, 300, 5000)))
        c = Client(server.port, startup=rng.random() < 0.5, timeout=10)
        try:
            c.send(data)
            c.socket.shutdown(socket.SHUT_WR)
            while c.socket.recv(65536):
                pass
        except OSError:
            pass
        c.close()


def mutated_frames(server, rng):
    """Well-formed messages with a few bytes changed or cut, on a ready connection."""
    good = [query_body("SELECT * FROM hostile.t WHERE k = ?", values=[struct.pack(">i", 1)]),
            long_string("SELECT * FROM hostile.t"), execute_body(b"x" * 16, [b"abc"]),
            string_map({"CQL_VERSION": "3.0.0"}), struct.pack(">H", 1) + short_string("SCHEMA_CHANGE"),
            struct.pack(">BH", 0, 1) + b"\0" + long_string("INSERT INTO hostile.t (k, v) VALUES (5, 'x')") + struct.pack(">HHB", 0, 1, 0)]
    opcodes = [QUERY, PREPARE, EXECUTE, STARTUP, REGISTER, BATCH]
    for _ in range(2000):
        i = rng.randrange(len(good))
        body = bytearray(good[i])
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        if rng.random() < 0.5:
            body = body[:rng.randrange(len(body) + 1)]
        got = outcome(server.port, frame(opcodes[i], bytes(body)))
        assert got != "silent", f"no answer to opcode {opcodes[i]} body {bytes(body).hex()}"
        assert got != ("error", 0x0000), f"server error for opcode {opcodes[i]} body {bytes(body).hex()}"


def truncated(server, rng):
    body = query_body("SELECT * FROM hostile.t WHERE k = ?", values=[struct.pack(">i", 1)])
    for size in range(len(body)):
        expect(f"query cut at {size}", outcome(server.port, frame(QUERY, body[:size])), ("error", PROTOCOL), ("error", SYNTAX), ("error", INVALID))


def oversized(server, rng):
    expect("a frame of 1 GiB", outcome(server.port, struct.pack(">BBhBI", 4, 0, 0, QUERY, 1 << 30) + b"x" * 100), ("error", PROTOCOL), ("error", INVALID), "closed")
    expect("a frame of 4 GiB", outcome(server.port, struct.pack(">BBhBI", 4, 0, 0, QUERY, 0xFFFFFFFF)), ("error", PROTOCOL), ("error", INVALID), "closed")
    expect("before STARTUP", outcome(server.port, struct.pack(">BBhBI", 4, 0, 0, STARTUP, 1 << 27), startup=False), ("error", PROTOCOL), ("error", INVALID), "closed")


def versions(server, rng):
    for version in (0, 1, 2, 6, 7, 0x42, 0x7F):
        expect(f"version {version}", outcome(server.port, frame(STARTUP, string_map({"CQL_VERSION": "3.0.0"}), version=version), startup=False), ("error", PROTOCOL), "closed")
    expect("a response from a client", outcome(server.port, frame(RESULT, b"", version=0x84)), ("error", PROTOCOL), "closed")
    expect("QUERY before STARTUP", outcome(server.port, frame(QUERY, query_body("SELECT * FROM system.local")), startup=False), ("error", PROTOCOL))
    expect("an unknown opcode", outcome(server.port, frame(0x55, b"")), ("error", PROTOCOL))


def bombs(server, rng):
    """A compressed frame that says it holds much more than it may."""
    c = Client(server.port, compression="lz4")
    for claimed in (0x7FFFFFFF, 0xFFFFFFFF, 1 << 28, 1 << 20):
        body = struct.pack(">I", claimed) + b"\x1f\x00\x01\x00" + b"\xff" * 2000
        d = Client(server.port, compression="lz4")
        try:
            d.send(frame(QUERY, body, flags=1))
            _, opcode, reply = d.receive()
            assert opcode == ERROR and struct.unpack_from(">I", reply)[0] in (PROTOCOL, INVALID), (opcode, reply[:80])
        except (ConnectionError, BrokenPipeError):
            pass
        d.close()
    c.close()
    s = Client(server.port, compression="snappy")
    try:
        s.send(frame(QUERY, b"\xff\xff\xff\xff\x07" + b"\xfe" * 1000, flags=1))
        _, opcode, reply = s.receive()
        assert opcode == ERROR and struct.unpack_from(">I", reply)[0] in (PROTOCOL, INVALID), (opcode, reply[:80])
    except (ConnectionError, BrokenPipeError):
        pass
    s.close()


def utf8(server, rng):
    for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"):
        expect("invalid UTF-8 in a statement", outcome(server.port, frame(QUERY, long_string(b"SELECT '" + bad + b"' FROM hostile.t") + struct.pack(">HB", 1, 0))),
               ("error", SYNTAX), ("error", PROTOCOL), ("error", INVALID))
        expect("invalid UTF-8 as text", outcome(server.port, frame(QUERY, query_body("INSERT INTO hostile.t (k, v) VALUES (9, ?)", values=[bad]))), ("error", INVALID))


def nesting(server, rng):
    deep = 10000
    for text in ("INSERT INTO hostile.l (k, v) VALUES (1, " + "[" * deep + "]" * deep + ")",
                 "SELECT " + "(" * deep + "1" + ")" * deep + " FROM hostile.t",
                 "CREATE TABLE hostile.deep (k int PRIMARY KEY, v " + "frozen<list<" * deep + "int" + ">>" * deep + ")",
                 "SELECT " + "toJson(" * deep + "v" + ")" * deep + " FROM hostile.t",
                 "INSERT INTO hostile.l (k, v) VALUES (1, " + "{1:" * deep + "1" + "}" * deep + ")",
                 "SELECT " + "-" * deep + "1 FROM hostile.t",
                 "INSERT INTO hostile.t JSON '" + "[" * deep + "]" * deep + "'"):
        expect("10 000 levels: " + text[:50], outcome(server.port, frame(QUERY, query_body(text)), timeout=30), ("error", SYNTAX), ("error", INVALID))


def big_statements(server, rng):
    room = (16 << 20) - 200
    for text in ("SELECT * FROM hostile.t WHERE k IN (" + "1," * (room // 2 - 100) + "1)",
                 "INSERT INTO hostile.t (k, v) VALUES (2, '" + "x" * (room - 100) + "')",
                 "SELECT " + "a" * (room - 100) + " FROM hostile.t",
                 "/*" + "x" * (room - 100) + "*/ SELECT * FROM hostile.t",
                 "x" * room):
        got = outcome(server.port, frame(QUERY, query_body(text)), timeout=60)
        assert got != "silent" and got != ("error", 0), f"{text[:40]}: {got}"


def wrong_lengths(server, rng):
    c = Client(server.port)
    fixed = {"bigint": 8, "int": 4, "smallint": 2, "tinyint": 1, "boolean": 1, "float": 4, "double": 8, "uuid": 16, "timeuuid": 16,
             "timestamp": 8, "date": 4, "time": 8}
    for name, size in fixed.items():
        c.query(f"CREATE TABLE IF NOT EXISTS hostile.w_{name} (k int PRIMARY KEY, v {name}, l frozen<list<{name}>>, t frozen<tuple<{name}, {name}>>)")
        for wrong in {0, 1, 2, 3, 5, 7, 9, 15, 17, 64} - {size}:
            if wrong == 0 and name not in ("smallint", "tinyint", "date", "time"):
                continue  # the empty value is legal for the others
            try:
                c.query(f"INSERT INTO hostile.w_{name} (k, v) VALUES (1, ?)", [b"\0" * wrong])
                raise AssertionError(f"{name} took {wrong} bytes")
            except ServerError as e:
                assert e.code == INVALID, e
        for raw in (b"", b"\0", struct.pack(">i", -1), struct.pack(">i", 1 << 30), struct.pack(">ii", 1, 1 << 30), struct.pack(">ii", 1, -2),
                    struct.pack(">ii", 2, size) + b"\0" * size, struct.pack(">ii", 1, size) + b"\0" * size + b"x"):
            try:
                c.query(f"INSERT INTO hostile.w_{name} (k, l) VALUES (1, ?)", [raw])
                raise AssertionError(f"list<{name}> took {raw.hex()}")
            except ServerError as e:
                assert e.code == INVALID, e
    c.close()


def silent_connections(server, rng):
    """10 000 connections that say nothing: from several loopback addresses, since one has too few ports."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    before, open_sockets, refused = server.rss_bytes(), [], 0
    for i in range(10000):
        s = socket.socket()
        s.settimeout(5)
        try:
            s.bind((f"127.0.0.{2 + i % 20}", 0))
            s.connect(("127.0.0.1", server.port))
            open_sockets.append(s)
        except OSError:
            refused += 1
            s.close()
    grown = server.rss_bytes() - before
    print(f"    {len(open_sockets)} silent connections, {refused} refused, {grown / max(1, len(open_sockets)):.0f} bytes of server memory each")
    assert len(open_sockets) >= 9000, "the server refused silent connections"
    c = Client(server.port)
    assert c.query("SELECT * FROM system.local")
    c.close()
    for s in open_sockets:
        s.close()


def slow_readers(server, rng):
    """Clients that ask and never read."""
    c = Client(server.port)
    for i in range(50):
        c.query(f"INSERT INTO hostile.big (k, c, v) VALUES (1, {i}, '" + "y" * 20000 + "')")
    c.close()
    before, clients = server.rss_bytes(), []
    for _ in range(20):
        d = Client(server.port)
        d.socket.setblocking(False)
        statement = frame(QUERY, query_body("SELECT * FROM hostile.big WHERE k = 1"))
        sent = 0
        try:
            for _ in range(2000):
                sent += d.socket.send(statement)
        except BlockingIOError:
            pass
        clients.append(d)
    time.sleep(3)
    grown = server.rss_bytes() - before
    print(f"    20 clients that do not read: memory grew by {grown >> 20} MiB")
    assert grown < 200 << 20
    for d in clients:
        d.close()


def segment_outcome(port, data, lz4=False):
    """What a v5 connection makes of raw bytes: as `outcome`; and whether it goes on, which a well-formed OPTIONS behind them tells."""
    c = Client(port, version=5, compression="lz4" if lz4 else None, timeout=10)
    try:
        c.send(data, raw=True)
        c.socket.shutdown(socket.SHUT_WR)
        got = []
        while True:
            _, opcode, body = c.receive()
            got.append(("error", struct.unpack_from(">I", body)[0]) if opcode == ERROR else ("reply", opcode))
    except (ConnectionError, BrokenPipeError):
        return got
    except socket.timeout:
        return "silent"
    finally:
        c.close()


def v5_query(text="SELECT v FROM hostile.t WHERE k = 1", stream=1):
    return frame(QUERY, query_body(text, version=5), stream=stream, version=5)


def segments_flipped(server, rng):
    """One bit of a segment is not what it was: an error of the protocol and the end, never an answer."""
    for lz4 in (False, True):
        whole = lz4_segment(v5_query("SELECT v FROM hostile.t WHERE k = 1 /*" + "x" * 100 + "*/")) if lz4 else segment(v5_query())
        assert segment_outcome(server.port, whole, lz4) == [("reply", RESULT)]
        for bit in range(0, len(whole) * 8):
            data = bytearray(whole)
            data[bit // 8] ^= 1 << bit % 8
            got = segment_outcome(server.port, bytes(data) + whole, lz4)
            assert got == [("error", PROTOCOL)], f"bit {bit}: {got}"


def segments_random(server, rng):
    """Rubbish; rubbish in good segments; good segments cut, joined, doubled and put in any order."""
    good = [segment(v5_query(stream=i)) for i in range(4)] + [segments(v5_query("SELECT v FROM hostile.t /*" + "y" * 300000 + "*/"))]
    for _ in range(600):
        kind = rng.randrange(4)
        if kind == 0:
            data = rng.randbytes(rng.choice((1, 5, 6, 9, 16, 100, 5000)))
        elif kind == 1:
            payload = rng.randbytes(rng.choice((0, 1, 8, 9, 20, 1000)))
            data = segment(payload, rng.random() < 0.5) + good[0]
        elif kind == 2:
            body = bytearray(v5_query())
            for _ in range(rng.randrange(1, 4)):
                body[rng.randrange(len(body))] = rng.randrange(256)
            data = segment(bytes(body)[:rng.randrange(1, len(body) + 1)], rng.random() < 0.8)
        else:
            data = b"".join(rng.sample(good, len(good)))
            data = data[:rng.randrange(len(data) + 1)]
        got = segment_outcome(server.port, data)
        assert got != "silent" and ("error", 0) not in got, f"{got} of {data[:60].hex()}"


def segments_huge(server, rng):
    """Envelopes that say they are larger than any may be, over many segments; ones that never end; many that wait for their end."""
    part = rng.randbytes(131071 - 9)
    head = struct.pack(">BBhBI", 5, 0, 1, QUERY, 64 << 20)
    c = Client(server.port, version=5, timeout=60)
    c.send(segment(head + part, False), raw=True)
    left = (64 << 20) - len(part)
    block = segment(bytes(131071), False)
    while left > 131071:
        c.send(block, raw=True)
        left -= 131071
    c.send(segment(bytes(left), False), raw=True)
    _, opcode, body = c.receive()
    assert opcode == ERROR and struct.unpack_from(">I", body)[0] == INVALID, (opcode, body)
    c.send(v5_query())  # 64 MiB went by, and it goes on
    assert c.receive()[1] == RESULT
    c.close()
    before, waiting = server.rss_bytes(), []
    for _ in range(200):  # 15 MiB are promised by each, 128 KiB come
        d = Client(server.port, version=5)
        d.send(segment(struct.pack(">BBhBI", 5, 0, 1, QUERY, 15 << 20) + part, False), raw=True)
        waiting.append(d)
    time.sleep(1)
    grown = server.rss_bytes() - before
    print(f"    200 envelopes that never end: memory grew by {grown >> 20} MiB")
    assert grown < 120 << 20
    for d in waiting:
        d.close()


def segments_bombs(server, rng):
    """LZ4 blocks that hold more, or less, or other things than their header says."""
    block = b"\x1f\x00\x01\x00" + b"\xff" * 500 + b"\x00"
    for claimed in (1, 1000, 100000, 131071):
        data = segment(b"", lz4=True, packed=block, unpacked_length=claimed)
        assert segment_outcome(server.port, data, lz4=True) == [("error", PROTOCOL)], claimed
    assert segment_outcome(server.port, segment(b"", lz4=True, packed=b"", unpacked_length=131071), lz4=True) == [("error", PROTOCOL)]
    # 128 KiB of rubbish from 600 bytes, again and again: work, but no memory.
    zeros = lz4_segment(bytes(131071))
    for _ in range(200):
        assert segment_outcome(server.port, zeros * 20, lz4=True) in ([("error", PROTOCOL)], [("error", PROTOCOL)] * 2)


def segments_slow_readers(server, rng):
    """Packed segments full of requests from clients that read nothing: what is unpacked waits within the limits."""
    c = Client(server.port)
    for i in range(20):  # that LZ4 cannot make small: the kernel would take thousands of replies
        c.query(f"INSERT INTO hostile.big (k, c, v) VALUES (2, {i}, '{rng.randbytes(10000).hex()}')")
    c.close()
    before, clients = server.rss_bytes(), []
    data = lz4_segment(b"".join(v5_query("SELECT * FROM hostile.big WHERE k = 2", stream=i) for i in range(1500)))
    for _ in range(50):
        d = Client(server.port, version=5, compression="lz4")
        d.socket.setblocking(False)
        try:
            for _ in range(20):
                d.socket.send(data)
        except BlockingIOError:
            pass
        clients.append(d)
    time.sleep(3)
    grown = server.rss_bytes() - before
    print(f"    50 clients with packed segments that do not read: memory grew by {grown >> 20} MiB")
    assert grown < 200 << 20
    for d in clients:
        d.close()


def long_work(server, rng):
    """Requests of seconds: who shares their loop waits for a small part of them. Several connections, so that each loop has some."""
    from lz4 import block
    numbers = b"".join(struct.pack(">ii", 4, x * 7919 % 1000003) for x in range(600000))
    numbers = struct.pack(">i", 600000) + numbers
    c = Client(server.port, timeout=120)
    c.execute(c.prepare("INSERT INTO hostile.l (k, v) VALUES (3, ?)"), [numbers])
    remove = c.prepare("UPDATE hostile.l SET v = v - ? WHERE k = 3")
    statement = query_body("SELECT v FROM hostile.l WHERE k IN (" + "1," * 450000 + "1)")
    packed = struct.pack(">I", len(statement)) + block.compress(statement, store_size=False)
    assert len(packed) < 64 << 10

    def compressed():
        d = Client(server.port, timeout=120, compression="lz4")
        d.send(b"".join(frame(QUERY, packed, flags=1) for _ in range(20)))
        for _ in range(20):
            d.receive()
        d.close()

    for name, work in (("a large bound list", lambda: c.execute(remove, [numbers])), ("compressed statements", compressed)):
        others = [Polite(server.port) for _ in range(8)]
        for other in others:
            other.start()
        time.sleep(0.2)
        begin = time.time()
        work()
        took = time.time() - begin
        for other in others:
            other.stop = True
        for other in others:
            other.join(30)
            assert other.failure is None, other.failure
        worst = max(other.worst for other in others)
        print(f"    {name}: {took * 1000:.0f} ms, the others waited {worst * 1000:.0f} ms at most")
        assert worst < took / 2, f"{name}: a loop waited {worst:.2f} s of {took:.2f} s"
    c.close()


def long_calls(server, rng):
    """Few rows, many calls: a loop hands each such statement to a worker, so others on every loop are answered. Counted, not timed."""
    def decimal(scale, number):
        return struct.pack(">i", scale) + number.to_bytes(number.bit_length() // 8 + 1, "big")

    c = Client(server.port, timeout=120)
    c.query("CREATE TABLE IF NOT EXISTS hostile.c (k int, c int, a decimal, b decimal, t text, ts timestamp, PRIMARY KEY (k, c))")
    insert = c.prepare("INSERT INTO hostile.c (k, c, a, b, t, ts) VALUES (1, ?, ?, ?, ?, ?)")
    for i in range(20):
        c.execute(insert, [struct.pack(">i", i), decimal(0, 10 ** 19000), decimal(0, 10), b'"' * 1000, struct.pack(">q", 1 << 52)])
    for name, call, count in (("quotients", "a/b", 20), ("texts in JSON", "tojson(" * 6 + "t" + ")" * 6, 5),
                              ("digests", "mask_hash(t)", 400), ("intervals", "floor(ts, 1mo)", 4000)):
        select = f"SELECT {','.join([call] * count)} FROM hostile.c WHERE k = 1"
        others = [Client(server.port) for _ in range(4)]
        before = metric(server, "helenus_requests_waited_total")
        c.send(frame(QUERY, query_body(select)))
        for other in others:
            other.query("SELECT v FROM hostile.t WHERE k = 1")
            other.close()
        _, opcode, body = c.receive()[:3]
        assert opcode == RESULT, (name, opcode, bytes(body[:200]))
        assert metric(server, "helenus_requests_waited_total") > before, f"{name} were computed on a loop"
    c.close()


# Little memory and one loop; a connection's share of it is 20 MB.
BOUNDED = ("--request-bytes", "80m", "--frame-bytes", "4m", "--loops", "1", "--cache-bytes", "16m", "--write-buffer-bytes", "32m")


class Watch(threading.Thread):
    """The most memory a server had."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.stop, self.peak = server, False, 0

    def run(self):
        while not self.stop and self.server.process.poll() is None:
            self.peak = max(self.peak, self.server.rss_bytes())
            time.sleep(0.01)


def bounded_server():
    server = Server(None, *BOUNDED).start()
    c = Client(server.port)
    c.query("CREATE KEYSPACE hostile WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    c.query("CREATE TABLE hostile.t (k int PRIMARY KEY, v text)")
    c.query("INSERT INTO hostile.t (k, v) VALUES (1, 'polite')")
    c.query("CREATE TABLE hostile.m (k int PRIMARY KEY, v int)")
    c.query("CREATE TABLE hostile.two (a text, b text, v int, PRIMARY KEY ((a, b)))")
    c.query("CREATE TABLE hostile.big (k int PRIMARY KEY, v text)")
    c.close()
    return server


def metric(server, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics", timeout=30) as reply:
        return next(int(line.split()[1]) for line in reply.read().decode().splitlines() if line.startswith(name + " "))


def list_of(values):
    return struct.pack(">i", len(values)) + b"".join(struct.pack(">i", len(v)) + v for v in values)


def settled(server, bound, seconds=15):
    """Memory once it fell under the bound, or after so many seconds."""
    end = time.time() + seconds
    while server.rss_bytes() > bound and time.time() < end:
        time.sleep(0.1)
    return server.rss_bytes()


def requests_in_memory(_, rng):
    """Requests that take much more memory than they have bytes, pipelined by many: they wait for each other or are told."""
    with bounded_server() as server:
        before = server.rss_bytes()
        watch, polite = Watch(server), Polite(server.port)
        watch.start()
        polite.start()
        keys = list_of([struct.pack(">i", i) for i in range(60000)])
        outcomes, failures = {}, []

        def attack(options, version):
            try:
                c = Client(server.port, timeout=240, options=options, version=version)
                statement = c.prepare("UPDATE hostile.m SET v = 1 WHERE k IN ?")
                body = execute_body(statement, [keys], metadata_id=c.metadata_id if version >= 5 else None)
                sender = threading.Thread(target=lambda: [c.send(frame(EXECUTE, body, stream=i, version=version)) for i in range(10)])
                sender.start()
                for _ in range(10):
                    _, opcode, body_back = c.receive()
                    key = "ok" if opcode == RESULT else (struct.unpack_from(">I", body_back)[0], body_back[6:].decode())
                    outcomes[key] = outcomes.get(key, 0) + 1
                sender.join()
                c.close()
            except Exception as e:  # noqa: BLE001 - told by the main thread
                failures.append(e)

        waits = [threading.Thread(target=attack, args=({}, version)) for version in (4, 5, 4, 5)]
        for thread in waits:
            thread.start()
        for thread in waits:
            thread.join()
        assert not failures, failures
        assert outcomes == {"ok": 40}, f"who waits is not refused: {outcomes}"
        assert metric(server, "helenus_connections_paused_for_memory_total") > 0, "all were let in at once"
        outcomes.clear()
        told = [threading.Thread(target=attack, args=({"THROW_ON_OVERLOAD": "1"}, version)) for version in (4, 5, 4, 5)]
        for thread in told:
            thread.start()
        for thread in told:
            thread.join()
        assert not failures, failures
        assert sum(outcomes.values()) == 40 and outcomes["ok"] > 0
        refused = [key for key in outcomes if key != "ok"]
        assert refused and all(code == OVERLOADED and message.startswith("Request breached limit on bytes in flight (connection: ")
                               and "request-bytes" in message for code, message in refused), refused
        polite.stop = watch.stop = True
        polite.join(30)
        assert polite.failure is None and polite.worst < 5, (polite.failure, polite.worst)
        print(f"    peak {watch.peak >> 20} MiB (it had {before >> 20}); told: {outcomes['ok']} of 40 done; polite client: "
              f"{polite.count} answers, longest wait {polite.worst * 1000:.0f} ms")
        assert watch.peak < 280 << 20, f"memory {watch.peak >> 20} MiB"
        after = settled(server, before + (100 << 20))
        print(f"    afterwards {after >> 20} MiB")
        assert after < before + (100 << 20), f"memory is kept: {after >> 20} MiB"
        until = time.time() + 15
        while metric(server, "helenus_memory_given_back_total") == 0:
            assert time.time() < until, "free memory stays the process's"
            time.sleep(0.2)


def one_request_too_large(_, rng):
    """A frame of some megabytes whose keys, multiplied, are gigabytes; and rows likewise."""
    with bounded_server() as server:
        watch = Watch(server)
        watch.start()
        c = Client(server.port, timeout=120)
        c.query("CREATE TABLE hostile.rows (k int, a blob, b blob, v int, PRIMARY KEY (k, a, b))")
        values = [struct.pack(">i", i) + bytes(6000) for i in range(250)]
        texts = [v[:4].hex().encode() + b"x" * 6000 for v in values]
        for text, bound in (("UPDATE hostile.two SET v = 1 WHERE a IN ? AND b IN ?", [list_of(texts)] * 2),
                            ("DELETE FROM hostile.two WHERE a IN ? AND b IN ?", [list_of(texts)] * 2),
                            ("SELECT * FROM hostile.two WHERE a IN ? AND b IN ?", [list_of(texts)] * 2),
                            ("UPDATE hostile.rows SET v = 1 WHERE k = 1 AND a IN ? AND b IN ?", [list_of(values)] * 2),
                            ("SELECT * FROM hostile.rows WHERE k = 1 AND a IN ? AND b IN ?", [list_of(values)] * 2)):
            statement = c.prepare(text)
            try:
                c.execute(statement, bound)
                raise AssertionError(f"done: {text}")
            except ServerError as e:
                assert e.code == INVALID and "The request takes more than" in e.message and "request-bytes" in e.message, (text, e)
        assert c.query("SELECT v FROM hostile.t WHERE k = 1")
        c.close()
        watch.stop = True
        print(f"    peak {watch.peak >> 20} MiB")
        assert watch.peak < 300 << 20, f"memory {watch.peak >> 20} MiB"


def replies_in_memory(_, rng):
    """Many clients that ask for large replies and take none: others are served, and those lose what they did not take."""
    with bounded_server() as server:
        c = Client(server.port, timeout=60)
        c.query("INSERT INTO hostile.big (k, v) VALUES (1, '" + "y" * (3 << 20) + "')")
        before = server.rss_bytes()
        watch, polite = Watch(server), Polite(server.port)
        watch.start()
        polite.start()
        clients = []
        for _ in range(120):
            d = Client(server.port, timeout=60)
            d.send(frame(QUERY, query_body("SELECT v FROM hostile.big WHERE k = 1")) * 8)  # more than the kernel keeps for it
            clients.append(d)
            time.sleep(0.05)  # one after another: requests that come at once refuse each other the room for a reply
        time.sleep(1)
        begin = time.time()
        while True:
            try:
                assert c.query("SELECT v FROM hostile.big WHERE k = 1")
                break
            except ServerError as e:
                assert e.code == OVERLOADED and "request-bytes" in e.message and time.time() < begin + 20, e
        print(f"    an honest client with a large reply waited {time.time() - begin:.1f} s")
        polite.stop = watch.stop = True
        polite.join(30)
        assert polite.failure is None and polite.worst < 5, (polite.failure, polite.worst)
        print(f"    peak {watch.peak >> 20} MiB (it had {before >> 20}); polite client: {polite.count} answers, longest wait "
              f"{polite.worst * 1000:.0f} ms")
        assert watch.peak < before + (110 << 20), f"memory {watch.peak >> 20} MiB"
        for name, what in (("paused_for_memory", "nobody waited for memory"), ("over_memory", "nobody lost what it did not take")):
            assert metric(server, f"helenus_connections_{name}_total") > 0, what
        for d in clients:
            d.close()
        after = settled(server, before + (40 << 20))
        print(f"    afterwards {after >> 20} MiB")
        assert after < before + (40 << 20), f"memory is kept: {after >> 20} MiB"


ATTACKS = [long_work, long_calls, random_frames, mutated_frames, truncated, oversized, versions, bombs, utf8, nesting, big_statements, wrong_lengths,
           segments_flipped, segments_random, segments_huge, segments_bombs, silent_connections, slow_readers, segments_slow_readers,
           requests_in_memory, one_request_too_large, replies_in_memory]


def attempt(attack, server, seed):
    """One attack beside a polite client; what is to be said of it."""
    polite = Polite(server.port)
    polite.start()
    begin = time.time()
    try:
        attack(server, random.Random(seed))
        while polite.count == 0 and polite.is_alive() and time.time() < begin + 10:
            time.sleep(0.01)
    finally:
        polite.stop = True
    polite.join(30)
    assert polite.failure is None, f"the polite client failed: {polite.failure!r}"
    assert polite.count > 0, "the polite client was never answered"
    return f"polite client: {polite.count} answers, longest wait {polite.worst * 1000:.0f} ms"


def run_attacks(server, attacks, run):
    """Those that were asked for, one after another; the exit code. A server that died in one is started again."""
    wanted, failed = sys.argv[1:], 0
    attacks = [a for a in attacks if not wanted or a.__name__ in wanted]
    for attack in attacks:
        begin = time.time()
        try:
            said = run(attack)
            assert server.process.poll() is None, "the server died"
            assert server.rss_bytes() < MEMORY_BOUND, f"memory {server.rss_bytes() >> 20} MiB"
            print(f"ok {attack.__name__} ({time.time() - begin:.1f} s; {said}; memory {server.rss_bytes() >> 20} MiB)", flush=True)
        except Exception as e:  # noqa: BLE001 - told, counted, next attack
            failed += 1
            print(f"FAILED {attack.__name__}: {type(e).__name__} {e}", flush=True)
            if server.process.poll() is not None:
                print(server.log_tail())
                server.start()
    print(f"{len(attacks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def main():
    seed = int(os.environ.get("SEED", time.time()))
    print(f"seed {seed}")
    with Server() as server:
        c = Client(server.port)
        c.query("CREATE KEYSPACE hostile WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        c.query("CREATE TABLE hostile.t (k int PRIMARY KEY, v text)")
        c.query("CREATE TABLE hostile.l (k int PRIMARY KEY, v list<int>)")
        c.query("CREATE TABLE hostile.big (k int, c int, v text, PRIMARY KEY (k, c))")
        c.query("INSERT INTO hostile.t (k, v) VALUES (1, 'polite')")
        c.close()
        return run_attacks(server, ATTACKS, lambda attack: attempt(attack, server, seed))


if __name__ == "__main__":
    sys.exit(main())
