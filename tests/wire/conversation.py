"""The same conversation in v3, v4 and v5, told byte for byte, and compared with what Apache Cassandra 5.0.5 told.

    conversation.py --record HOST:PORT > tests/vectors/conversation.txt      (a real Cassandra)
    conversation.py --check [HOST:PORT]                                      (without an address: a server of its own)

Each step sends one frame written here by hand and prints the reply's version, flags, opcode and body as hex. Masked is what may differ
from server to server: paging states, and the ids of prepared statements (which must then be used as they came).
"""
import os
import re
import struct
import sys

from lz4 import block

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import (BATCH, ERROR, EXECUTE, OPTIONS, PREPARE, QUERY, REGISTER, STARTUP, Client, Server, frame, long_string,  # noqa: E402
                        lz4_segment, segment, short_string, string_map, value)

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "conversation.txt")
UNSET = object()
NOW = 1_900_000_000


def bound(raw):
    return struct.pack(">i", -2) if raw is UNSET else value(raw)


def parameters(version, consistency=1, values=None, names=None, skip=False, page=None, state=None, serial=None, timestamp=None,
               keyspace=None, now=None):
    flags = ((values is not None) | skip << 1 | (page is not None) << 2 | (state is not None) << 3 | (serial is not None) << 4 |
             (timestamp is not None) << 5 | (names is not None) << 6 | (keyspace is not None) << 7 | (now is not None) << 8)
    out = struct.pack(">HI" if version >= 5 else ">HB", consistency, flags)
    if values is not None:
        out += struct.pack(">H", len(values))
        for i, raw in enumerate(values):
            out += (short_string(names[i]) if names else b"") + bound(raw)
    out += struct.pack(">i", page) if page is not None else b""
    out += value(state) if state is not None else b""
    out += struct.pack(">H", serial) if serial is not None else b""
    out += struct.pack(">q", timestamp) if timestamp is not None else b""
    out += short_string(keyspace) if keyspace is not None else b""
    out += struct.pack(">I", now & 0xFFFFFFFF) if now is not None else b""
    return out


class Talk:
    def __init__(self, port, host, version, compression):
        self.version, self.title = version, f"v{version}{' ' + compression if compression else ''}"
        self.client = Client(port, host=host, version=version, compression=compression, timeout=60)
        self.lines = []

    def receive(self):
        """Whether a frame of v4 is compressed is each server's choice; and Cassandra warns of USE as it pleases."""
        version, flags, stream, opcode, body = self.client.receive_frame()
        if flags & 1:
            body = block.decompress(body[4:], uncompressed_size=struct.unpack_from(">I", body)[0])
        if flags & 8:
            count, at, kept = struct.unpack_from(">H", body)[0], 2, []
            for _ in range(count):
                size, = struct.unpack_from(">H", body, at)
                kept += [] if body[at + 2:].startswith(b"`USE <keyspace>`") else [body[at:at + 2 + size]]
                at += 2 + size
            body = (struct.pack(">H", len(kept)) + b"".join(kept) if kept else b"") + body[at:]
            flags = flags if kept else flags & ~8
        return version, flags & ~1, stream, opcode, body

    def ask(self, title, opcode, body, flags=0):
        self.client.send(frame(opcode, body, stream=5, version=self.version, flags=flags))
        version, flags, stream, opcode, body = self.receive()
        assert stream == 5, stream
        shown = body.hex()
        if opcode == 8 and body[:4] == b"\0\0\0\4":
            size, = struct.unpack_from(">H", body, 4)
            shown = body[:6].hex() + "ID" * size + body[6 + size:].hex()
        elif opcode == 8 and body[:4] == b"\0\0\0\2" and body[7] & 2:
            size, = struct.unpack_from(">I", body, 12)
            shown = body[:12].hex() + " STATE " + body[16 + size:].hex()
        elif opcode == ERROR:
            size, = struct.unpack_from(">H", body, 4)
            shown = body[:4].hex() + " " + repr(body[6:6 + size].decode()) + " " + body[6 + size:].hex()
        self.lines.append(f"{self.title} | {title} | {version:02x} {flags:02x} {opcode:02x} | {shown.strip()}")
        return opcode, body

    def query(self, title, text, **options):
        return self.ask(title, QUERY, long_string(text) + parameters(self.version, **options))[1]

    def events(self, title, statements):
        """Each change is told twice, to who asked for it and to who listens: in either order."""
        self.ask(title, REGISTER, struct.pack(">H", 1) + short_string("SCHEMA_CHANGE"))
        for text in statements:
            self.client.send(frame(QUERY, long_string(text) + parameters(self.version), stream=5, version=self.version))
            got = sorted((self.receive() for _ in range(2)), key=lambda f: f[2])
            self.lines += [f"{self.title} | {title}: {text} | {f[0]:02x} {f[1]:02x} {f[2]} {f[3]:02x} | {f[4].hex()}" for f in got]

    def quiet(self, text):
        self.client.query(text)

    def prepare(self, title, text, keyspace=None):
        body = long_string(text)
        if self.version >= 5:
            body += struct.pack(">I", keyspace is not None) + (short_string(keyspace) if keyspace is not None else b"")
        opcode, body = self.ask(title, PREPARE, body)
        if opcode == ERROR:
            return None, None
        size, = struct.unpack_from(">H", body, 4)
        return body[6:6 + size], body[8 + size:24 + size] if self.version >= 5 else None

    def execute(self, title, ids, known=None, **options):
        body = short_string(ids[0]) + (short_string(known or ids[1]) if self.version >= 5 else b"")
        return self.ask(title, EXECUTE, body + parameters(self.version, **options))[1]

    def batch(self, title, entries, kind=0, **options):
        body = struct.pack(">BH", kind, len(entries))
        for text, values in entries:
            body += (b"\0" + long_string(text) if isinstance(text, str) else b"\1" + short_string(text))
            body += struct.pack(">H", len(values)) + b"".join(map(bound, values))
        return self.ask(title, BATCH, body + parameters(self.version, **options))


def state_of(body):
    size, = struct.unpack_from(">I", body, 12)
    return body[16:16 + size]


def integer(n):
    return struct.pack(">i", n)


TYPES = ["ascii", "bigint", "blob", "boolean", "decimal", "double", "float", "int", "timestamp", "uuid", "text", "varint", "timeuuid",
         "inet", "date", "time", "smallint", "tinyint", "duration", "list<int>", "set<smallint>", "map<date, frozen<list<duration>>>",
         "frozen<tuple<int, tinyint>>", "frozen<pair>", "vector<float, 3>", "frozen<map<text, int>>"]


def talk(t):
    v = t.version
    t.quiet("USE conversation_a")
    t.query("rows", "SELECT k, v FROM a")
    t.query("rows without metadata", "SELECT k, v FROM a", skip=True)
    first = t.query("first page", "SELECT k, c FROM pages WHERE k = 1", page=2)
    t.query("last page", "SELECT k, c FROM pages WHERE k = 1", page=2, state=state_of(first))
    t.query("page of 0", "SELECT k, c FROM pages WHERE k = 1", page=0)
    t.query("types", "SELECT * FROM types")
    t.query("void", "INSERT INTO a (k, v) VALUES (1, 'one')")
    t.query("named values", "INSERT INTO a (k, v) VALUES (:k, :v)", values=[b"two", integer(2)], names=["v", "k"])
    t.query("null", "INSERT INTO a (k, v) VALUES (?, ?)", values=[integer(3), None])
    t.query("unset", "INSERT INTO a (k, v) VALUES (?, ?)", values=[integer(1), UNSET])
    t.query("after unset", "SELECT v FROM a WHERE k = 1")
    t.query("timestamp", "INSERT INTO a (k, v) VALUES (4, 'four')", timestamp=1234567)
    t.query("its writetime", "SELECT writetime(v) FROM a WHERE k = 4")
    t.query("unknown table", "SELECT * FROM nowhere")
    t.query("serial as consistency", "INSERT INTO a (k, v) VALUES (1, 'x') IF NOT EXISTS", serial=9)
    t.query("set keyspace", "USE conversation_b")
    t.query("in the other keyspace", "SELECT v FROM a")
    t.quiet("USE conversation_a")
    t.query("already there", "CREATE TABLE a (k int PRIMARY KEY)")
    t.query("create table", "CREATE TABLE created (k int PRIMARY KEY)")
    t.query("alter table", "ALTER TABLE created ADD v text")
    t.query("drop table", "DROP TABLE created")
    t.query("create type", "CREATE TYPE created (k int)")
    t.query("drop type", "DROP TYPE created")
    ids = t.prepare("prepare select", "SELECT k, v FROM a WHERE k = ?")
    t.execute("execute", ids, values=[integer(4)])
    t.execute("execute without metadata", ids, values=[integer(4)], skip=True)
    t.execute("execute unset key", ids, values=[UNSET])
    t.execute("execute page of 0", ids, values=[integer(4)], page=0)
    t.execute("execute too few", ids, values=[])
    insert = t.prepare("prepare insert", "INSERT INTO a (k, v) VALUES (?, ?)")
    t.execute("execute insert", insert, values=[integer(5), b"five"])
    t.execute("execute insert unset", insert, values=[integer(5), UNSET])
    condition = t.prepare("prepare condition", "INSERT INTO a (k, v) VALUES (?, ?) IF NOT EXISTS")
    t.execute("not applied", condition, values=[integer(5), b"other"], skip=True)
    t.prepare("prepare types", "INSERT INTO types (k, c18, c19) VALUES (?, ?, ?)")
    t.prepare("prepare two tables' partition keys", "SELECT c FROM pages WHERE c = ? AND k = ?")
    t.ask("unprepared", EXECUTE, short_string(b"0123456789abcdef") + (short_string(b"0" * 16) if v >= 5 else b"") + parameters(v))
    t.batch("batch", [("INSERT INTO a (k, v) VALUES (6, 'six')", []), (insert[0], [integer(7), b"seven"])])
    t.batch("batch unset", [(insert[0], [integer(7), UNSET])])
    t.batch("batch with too many values", [("INSERT INTO a (k, v) VALUES (6, 'six')", [b"x"])])
    t.batch("batch of unprepared", [(b"0123456789abcdef", [])])
    t.query("after batches", "SELECT k, v FROM a WHERE k IN (5, 6, 7)")
    t.ask("register", REGISTER, struct.pack(">H", 1) + short_string("STATUS_CHANGE"))
    t.ask("register for what v3 does not know", REGISTER, struct.pack(">H", 1) + short_string("TRACE_COMPLETE"))
    t.ask("register what is not", REGISTER, struct.pack(">H", 1) + short_string("WEATHER"))
    t.ask("custom payload", QUERY, struct.pack(">H", 1) + short_string("a") + value(b"b") + long_string("SELECT v FROM a WHERE k = 4") +
          parameters(v), flags=4)
    t.ask("second STARTUP", STARTUP, string_map({"CQL_VERSION": "3.0.0"}))
    if v >= 5:
        talk_v5(t)
    t.events("events", ["CREATE TABLE seen (k int PRIMARY KEY)", "ALTER TABLE seen ADD v int", "DROP TABLE seen",
                        "CREATE TYPE seen (k int)", "DROP TYPE seen"])


def talk_v5(t):
    t.query("keyspace of the request", "SELECT v FROM a", keyspace="conversation_b")
    t.query("the session's is not touched", "SELECT v FROM a WHERE k = 4")
    t.query("keyspace that is not", "SELECT v FROM conversation_a.a WHERE k = 4", keyspace="nowhere")
    t.query("qualified name and keyspace", "SELECT v FROM conversation_a.a WHERE k = 4", keyspace="conversation_b")
    t.query("definition in a keyspace", "CREATE TABLE created (k int PRIMARY KEY)", keyspace="conversation_b")
    t.query("its drop", "DROP TABLE created", keyspace="conversation_b")
    t.query("truncate in a keyspace", "TRUNCATE empty", keyspace="conversation_b")
    other = t.prepare("prepare in a keyspace", "SELECT v FROM a WHERE k = ?", keyspace="conversation_b")
    t.execute("execute it", other, values=[integer(1)])
    t.prepare("prepare in a keyspace that is not", "SELECT v FROM a", keyspace="nowhere")
    t.batch("batch in a keyspace", [("INSERT INTO a (k, v) VALUES (2, 'batch')", [])], keyspace="conversation_b")
    t.query("it went there", "SELECT v FROM a WHERE k = 2", keyspace="conversation_b")
    t.query("now", "INSERT INTO a (k, v) VALUES (10, 'ten') USING TTL 1000", now=NOW)
    t.query("time to live", "SELECT ttl(v) FROM a WHERE k = 10", now=NOW + 100)
    t.query("on its last second", "SELECT v, ttl(v) FROM a WHERE k = 10", now=NOW + 999)
    t.query("expired", "SELECT v FROM a WHERE k = 10", now=NOW + 1000)
    ttl = t.prepare("prepare with a time to live", "UPDATE a USING TTL ? SET v = ? WHERE k = 11")
    t.execute("execute at a time", ttl, values=[integer(50), b"eleven"], now=NOW)
    t.query("read at another", "SELECT ttl(v) FROM a WHERE k = 11", now=NOW + 20)
    t.query("expired by then", "SELECT v FROM a WHERE k = 11", now=NOW + 50)
    t.batch("batch at a time", [("INSERT INTO a (k, v) VALUES (12, 'twelve') USING TTL 100", [])], now=NOW)
    t.query("what it left", "SELECT ttl(v) FROM a WHERE k = 12", now=NOW + 30)
    t.query("condition before", "INSERT INTO a (k, v) VALUES (12, 'again') IF NOT EXISTS", now=NOW + 99)
    t.query("condition after", "INSERT INTO a (k, v) VALUES (12, 'again') IF NOT EXISTS", now=NOW + 100)
    t.query("now beyond 31 bits", "SELECT v FROM a WHERE k = 4", now=0xFFFFFFF0)
    wild = t.prepare("prepare all columns", "SELECT * FROM wild")
    t.execute("all columns", wild, skip=True)
    t.execute("with an id that is not", wild, known=b"0" * 16, skip=True)
    t.execute("with it, and not skipping", wild, known=b"0" * 16)
    t.execute("with it, in pages", wild, known=b"0" * 16, skip=True, page=1)
    t.quiet("ALTER TABLE wild ADD added int")
    again = t.prepare("prepare all columns again", "SELECT * FROM wild")
    t.execute("with what was known before", (again[0], wild[1]), skip=True)
    t.execute("with what is known now", again, skip=True)
    t.quiet("ALTER TABLE wild DROP added")
    describe = t.prepare("prepare describe", "DESCRIBE TYPE pair")
    t.execute("describe", describe, skip=True) if describe[0] else None


def prepare_ground(port, host):
    c = Client(port, host=host, timeout=60)
    for keyspace in ("conversation_a", "conversation_b"):
        c.query(f"DROP KEYSPACE IF EXISTS {keyspace}")
        c.query(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        c.query(f"CREATE TABLE {keyspace}.a (k int PRIMARY KEY, v text)")
        c.query(f"INSERT INTO {keyspace}.a (k, v) VALUES (1, '{keyspace}')")
    c.query("CREATE TABLE conversation_b.empty (k int PRIMARY KEY)")
    c.query("CREATE TABLE conversation_a.pages (k int, c int, PRIMARY KEY (k, c))")
    for i in range(3):
        c.query(f"INSERT INTO conversation_a.pages (k, c) VALUES (1, {i})")
    c.query("CREATE TYPE conversation_a.pair (a int, b smallint)")
    c.query("CREATE TABLE conversation_a.types (k int PRIMARY KEY, " +
            ", ".join(f"c{i} {name}" for i, name in enumerate(TYPES)) + ")")
    c.query("CREATE TABLE conversation_a.wild (k int PRIMARY KEY, b text, a set<int>)")
    for i in range(2):
        c.query(f"INSERT INTO conversation_a.wild (k, b) VALUES ({i}, 'b')")
    c.close()


def refusals(port, host):
    """Before a session: versions that are not, and what STARTUP may say."""
    lines = []

    def tell(title, data, version):
        c = Client(port, host=host, startup=False, version=4, timeout=10)
        c.send(data)
        header = 9 if version > 2 else 8
        while len(c.pending) < header:
            c.read_some()
        size, = struct.unpack_from(">I", c.pending, header - 4)
        while len(c.pending) < header + size:
            c.read_some()
        opcode, body = c.pending[header - 5], c.pending[header:]
        shown = (body[:4].hex() + " " + body[6:].decode()) if opcode == ERROR else ""
        if opcode == 6:  # SUPPORTED is a map: in any order
            count, at, pairs = struct.unpack_from(">H", body)[0], 2, []
            for _ in range(count):
                size, = struct.unpack_from(">H", body, at)
                name, at = body[at + 2:at + 2 + size].decode(), at + 2 + size
                n, at, values = struct.unpack_from(">H", body, at)[0], at + 2, []
                for _ in range(n):
                    size, = struct.unpack_from(">H", body, at)
                    values.append(body[at + 2:at + 2 + size].decode())
                    at += 2 + size
                pairs.append((name, values))
            shown = str(sorted(pairs))
        lines.append(f"{title} | {c.pending[0]:02x} {opcode:02x} | {shown}")
        c.close()

    def startup(version, flags=0, **options):
        return frame(STARTUP, string_map(options), version=version, flags=flags)

    tell("v1", b"\x01\0\0\1\0\0\0\0", 1)
    tell("v2", b"\x02\0\0\1\0\0\0\0", 2)
    tell("v0", frame(STARTUP, b"", version=0), 5)
    tell("v7", startup(7, CQL_VERSION="3.0.0"), 5)
    tell("DSE v2", startup(0x42, CQL_VERSION="3.0.0"), 5)
    for v in (3, 4, 5):
        tell(f"options v{v}", frame(OPTIONS, b"", version=v), v)
        tell(f"no version of CQL v{v}", startup(v, COMPRESSION="lz4"), v)
        tell(f"CQL 2 v{v}", startup(v, CQL_VERSION="2.0.0"), v)
        tell(f"CQL 4 v{v}", startup(v, CQL_VERSION="4.0.0"), v)
        tell(f"in lower case v{v}", startup(v, cql_version="3.4.5", compression="LZ4"), v)
        tell(f"unknown compression v{v}", startup(v, CQL_VERSION="3.0.0", COMPRESSION="Deflate"), v)
        tell(f"snappy v{v}", startup(v, CQL_VERSION="3.0.0", COMPRESSION="snappy"), v)
        tell(f"beta flag v{v}", startup(v, flags=0x10, CQL_VERSION="3.0.0"), v)
        tell(f"query first v{v}", frame(QUERY, long_string("SELECT key FROM system.local") + parameters(v), version=v), v)
    return lines


def broken(port, host, patience):
    """What each server makes of segments that are wrong: its answers, and whether it goes on listening."""
    lines = []

    def flip(data, at):
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]

    def query(stream, text="SELECT key FROM system.local", **header):
        return frame(QUERY, long_string(text) + parameters(5), stream=stream, **{"version": 5, **header})

    def tell(title, data, lz4=False):
        c = Client(port, host=host, version=5, compression="lz4" if lz4 else None, timeout=30)
        c.send(data, raw=True)
        got, end = [], "goes on"
        try:
            # OPTIONS overtakes queries; and what is sent to who has closed takes with it what was not read yet.
            c.socket.settimeout(patience)
            try:
                while True:
                    got.append(c.receive())
            except TimeoutError:
                c.socket.settimeout(30)
            c.send(segment(frame(OPTIONS, b"", stream=99, version=5), lz4=lz4), raw=True)
            while not got or got[-1][0] != 99:
                got.append(c.receive())
        except (ConnectionError, OSError):
            end = "closed"
        got = [(stream, opcode, struct.unpack_from(">I", body)[0] if opcode == ERROR else 0) for stream, opcode, body in got]
        lines.append(f"segments{' lz4' if lz4 else ''} | {title} | " + ", ".join(
            f"{stream}: " + (f"error {code:04x}" if opcode == ERROR else f"{opcode:02x}")
            for stream, opcode, code in sorted(got) if stream != 99) + f" | {end}")
        c.close()

    good = query(1)
    for lz4 in (False, True):
        one = segment(good, lz4=lz4)
        tell("one", one, lz4)
        tell("two in one", segment(good + query(2), lz4=lz4), lz4)
        tell("an empty one", segment(b"", lz4=lz4), lz4)
        tell("wrong CRC24", flip(one, 4), lz4)
        tell("wrong length", flip(one, 0), lz4)
        tell("wrong CRC32", flip(one, len(one) - 1), lz4)
        tell("wrong payload", flip(one, 20), lz4)
        halves = [segment(good[:20], False, lz4=lz4), segment(good[20:], False, lz4=lz4)]
        tell("small parts", segment(query(1, "SELECT key FROM system.local /*" + "x" * 200000 + "*/")[:131071], False, lz4=lz4) +
             segment(query(1, "SELECT key FROM system.local /*" + "x" * 200000 + "*/")[131071:], False, lz4=lz4), lz4)
        tell("one between small parts", halves[0] + segment(query(2), lz4=lz4) + halves[1], lz4)
        tell("wrong CRC32 in the second part", halves[0] + flip(halves[1], len(halves[1]) - 1), lz4)
        tell("another version", segment(query(1, version=4), lz4=lz4), lz4)
        tell("another version, and more", segment(query(1, version=4) + query(2), lz4=lz4), lz4)
        tell("two of another version", segment(query(1, version=4) + query(2, version=4) + query(3), lz4=lz4), lz4)
        tell("a version that is not", segment(query(1, version=7) + query(2), lz4=lz4), lz4)
        tell("an opcode that is not", segment(frame(0x55, b"abc", stream=1, version=5) + query(2), lz4=lz4), lz4)
        tell("two bodies that are cut", segment(frame(QUERY, b"", stream=1, version=5) + frame(QUERY, b"", stream=2, version=5) +
                                                query(3), lz4=lz4), lz4)
        tell("in two segments", segment(frame(QUERY, b"", stream=1, version=5), lz4=lz4) +
             segment(frame(QUERY, b"", stream=2, version=5), lz4=lz4), lz4)
        tell("a negative length", segment(good[:5] + b"\xff\xff\xff\xff" + good[9:], lz4=lz4), lz4)
        tell("compressed flag", segment(query(1, flags=1), lz4=lz4), lz4)
    tell("packed", lz4_segment(query(1, "SELECT key FROM system.local /*" + "x" * 1000 + "*/")), True)
    return lines


def conversation(port, host="127.0.0.1", patience=0.1):
    lines = refusals(port, host) + broken(port, host, patience)
    for version, compression in ((3, None), (4, None), (4, "lz4"), (5, None), (5, "lz4")):
        prepare_ground(port, host)
        t = Talk(port, host, version, compression)
        talk(t)
        lines += t.lines
    return lines


# What Cassandra offers besides: v6, which is v5 under development. We have nothing to develop in it.
V6 = re.compile(r", 6/v6-beta|, '6/v6-beta'")


def main():
    if sys.argv[1] == "--record":
        host, port = sys.argv[2].rsplit(":", 1)
        print("\n".join(conversation(int(port), host, patience=1)))
        return 0
    if len(sys.argv) > 2:
        host, port = sys.argv[2].rsplit(":", 1)
        got = conversation(int(port), host)
    else:
        with Server() as server:
            got = conversation(server.port)
    expected = [V6.sub("", line) for line in open(EXPECTED).read().splitlines()]
    different = 0
    for want, line in zip(expected, got):
        if want != line:
            different += 1
            print(f"Cassandra: {want}\nhelenus:   {line}\n")
    if len(expected) != len(got):
        different += 1
        print(f"{len(expected)} lines expected, {len(got)} got")
    print(f"{len(got) - different} passed, {different} failed")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
