"""A change of the schema makes prepared statements UNPREPARED as Apache Cassandra does, in each version of the protocol.

    python3 tests/wire/unprepared.py [--check]
    python3 tests/wire/unprepared.py --record HOST:PORT

For each change statements of all kinds are prepared, the definitions are changed, and each statement is executed: with its own id, and in
BATCH messages. Who is told that it is unprepared prepares it again and executes it, as drivers do. tests/vectors/unprepared.txt is what
Apache Cassandra 5.0.5 answered, a line each; what it says of metadata is in hexadecimal, without its id.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import (BATCH, ERROR, EXECUTE, PREPARE, QUERY, Client, Server, execute_body, long_string, query_body,  # noqa: E402
                        short_string, value)

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "unprepared.txt")

BASE = [
    "CREATE KEYSPACE {k} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
    "CREATE KEYSPACE {k}b WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
    "CREATE TYPE {k}.inner (a int)",
    "CREATE TYPE {k}.mid (n text, i frozen<inner>)",
    "CREATE TYPE {k}.lone (a int)",
    "CREATE TABLE {k}.t (p int, c int, v int, w text, m frozen<mid>, s int static, PRIMARY KEY (p, c))",
    "CREATE TABLE {k}.o (k int PRIMARY KEY, v int)",
    "CREATE TABLE {k}.spare (k int PRIMARY KEY, v int)",
    "CREATE TABLE {k}b.t (p int, c int, v int, PRIMARY KEY (p, c))",
    "INSERT INTO {k}.t (p, c, v, w, m, s) VALUES (1, 2, 3, 'w', {{n: 'n', i: {{a: 5}}}}, 6)",
    "INSERT INTO {k}.o (k, v) VALUES (1, 1)",
    "INSERT INTO {k}b.t (p, c, v) VALUES (1, 2, 3)",
]

STATEMENTS = [  # name, text, how many ints are bound
    ("select all", "SELECT * FROM {k}.t WHERE p = ? AND c = ?", [1, 2]),
    ("select v", "SELECT v FROM {k}.t WHERE p = ? AND c = ?", [1, 2]),
    ("select json", "SELECT JSON v FROM {k}.t WHERE p = ? AND c = ?", [1, 2]),
    ("select m", "SELECT m FROM {k}.t WHERE p = ? AND c = ?", [1, 2]),
    ("insert", "INSERT INTO {k}.t (p, c, v) VALUES (?, ?, ?)", [1, 2, 4]),
    ("update", "UPDATE {k}.t SET v = ? WHERE p = ? AND c = ?", [5, 1, 2]),
    ("delete", "DELETE FROM {k}.t WHERE p = ? AND c = ?", [9, 9]),
    ("conditional", "UPDATE {k}.t SET v = ? WHERE p = ? AND c = ? IF v = 77", [5, 1, 2]),
    ("batch", "BEGIN BATCH INSERT INTO {k}.t (p, c, v) VALUES (?, ?, ?); UPDATE {k}.o SET v = ? WHERE k = ?; APPLY BATCH",
     [2, 2, 2, 2, 2]),
    ("relative", "SELECT * FROM t WHERE p = ? AND c = ?", [1, 2]),
    ("other table", "SELECT * FROM {k}.o WHERE k = ?", [1]),
    ("other keyspace", "SELECT * FROM {k}b.t WHERE p = ? AND c = ?", [1, 2]),
    ("system", "SELECT key FROM system.local", []),
    ("use", "USE {k}", []),
    ("truncate", "TRUNCATE {k}.o", []),
    ("definition", "ALTER TABLE {k}.o WITH comment = 'again'", []),
]

BATCHES = [  # names of prepared statements, or texts
    ("only the insert", ["insert"]),
    ("the insert and a text", ["insert", "INSERT INTO {k}.o (k, v) VALUES (5, 5)"]),
    ("a text and the update", ["INSERT INTO {k}.o (k, v) VALUES (5, 5)", "update"]),
]

CHANGES = [
    ("nothing", []),
    ("a column is added", ["ALTER TABLE {k}.t ADD a text"]),
    ("a static column is added", ["ALTER TABLE {k}.t ADD st text static"]),
    ("a column is dropped", ["ALTER TABLE {k}.t DROP w"]),
    ("a named column is dropped", ["ALTER TABLE {k}.t DROP v"]),
    ("a column is added and dropped", ["ALTER TABLE {k}.t ADD a text", "ALTER TABLE {k}.t DROP a"]),
    ("a key column is renamed", ["ALTER TABLE {k}.t RENAME c TO cc"]),
    ("a key column is renamed to and fro", ["ALTER TABLE {k}.t RENAME c TO cc", "ALTER TABLE {k}.t RENAME cc TO c"]),
    ("gc_grace_seconds to and fro", ["ALTER TABLE {k}.t WITH gc_grace_seconds = 100", "ALTER TABLE {k}.t WITH gc_grace_seconds = 864000"]),
    ("a comment", ["ALTER TABLE {k}.t WITH comment = 'x'"]),
    ("gc_grace_seconds", ["ALTER TABLE {k}.t WITH gc_grace_seconds = 100"]),
    ("default_time_to_live", ["ALTER TABLE {k}.t WITH default_time_to_live = 100"]),
    ("compaction", ["ALTER TABLE {k}.t WITH compaction = {{'class': 'LeveledCompactionStrategy'}}"]),
    ("a column of another table", ["ALTER TABLE {k}.o ADD a text"]),
    ("a field is added to a type", ["ALTER TYPE {k}.mid ADD extra text"]),
    ("a field is renamed", ["ALTER TYPE {k}.mid RENAME n TO nn"]),
    ("a field is added to an inner type", ["ALTER TYPE {k}.inner ADD b text"]),
    ("a field is renamed in an inner type", ["ALTER TYPE {k}.inner RENAME a TO aa"]),
    ("a field is added to a type of no table", ["ALTER TYPE {k}.lone ADD b text"]),
    ("a type is created", ["CREATE TYPE {k}.more (a int)"]),
    ("a type is dropped", ["DROP TYPE {k}.lone"]),
    ("a table is created", ["CREATE TABLE {k}.more (k int PRIMARY KEY)"]),
    ("another table is dropped", ["DROP TABLE {k}.spare"]),
    ("the table is dropped", ["DROP TABLE {k}.t"]),
    ("the table is made again", ["DROP TABLE {k}.t",
                                 "CREATE TABLE {k}.t (p int, c int, v int, w text, m frozen<mid>, s int static, PRIMARY KEY (p, c))"]),
    ("the table is made again with another type", ["DROP TABLE {k}.t", "CREATE TABLE {k}.t (p int, c int, v text, m int, PRIMARY KEY (p, c))"]),
    ("the keyspace is dropped", ["DROP KEYSPACE {k}"]),
    ("the keyspace is made again", ["DROP KEYSPACE {k}"] + [text for text in BASE if "{k}b" not in text]),
    ("another keyspace is dropped", ["DROP KEYSPACE {k}b"]),
    ("durable_writes", ["ALTER KEYSPACE {k} WITH durable_writes = false"]),
    ("replication", ["ALTER KEYSPACE {k} WITH replication = {{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}}"]),
    ("the table is truncated", ["TRUNCATE {k}.t"]),
    ("the same definition again", ["CREATE TABLE IF NOT EXISTS {k}.t (p int PRIMARY KEY)"]),
]


class Statements:
    """What one client has prepared, and what it is told."""

    def __init__(self, port, host, version):
        self.client = Client(port, host, version=version, timeout=60)
        self.keyspace = f"unp{version}"
        self.prepared = {}  # name: (id, id of its metadata)

    def define(self, text):
        text = text.format(k=self.keyspace)
        opcode, body = self.ask(QUERY, query_body(text, version=self.client.version))
        assert opcode != ERROR, (text, body)

    def ask(self, opcode, body):
        return self.client.exchange(opcode, body, version=self.client.version)[1:3]

    def prepare(self, name, text):
        opcode, body = self.ask(PREPARE, long_string(text.format(k=self.keyspace)) + (b"\0\0\0\0" if self.client.version >= 5 else b""))
        if opcode == ERROR:
            return self.told(opcode, body)
        size, = struct.unpack_from(">H", body, 4)
        self.prepared[name] = body[6:6 + size], body[8 + size:24 + size] if self.client.version >= 5 else None
        return "prepared"

    def told(self, opcode, body):
        kind, = struct.unpack_from(">I", body)
        if opcode == ERROR:
            size, = struct.unpack_from(">H", body, 4)
            if kind == 0x2500:
                ids = [name for name, (known, _) in self.prepared.items() if short_string(known) == body[6 + size:]]
                return f"UNPREPARED {ids}"
            return f"{kind:#06x} {body[6:6 + size].decode()}"
        if kind != 2:
            return {1: "void", 3: "a keyspace is set", 5: "a schema change"}[kind]
        flags, = struct.unpack_from(">I", body, 4)
        at = 12 + (18 if flags & 8 else 0)  # the new id
        return f"rows {flags:#x} {(body[8:12] + body[at:]).hex()}"

    def execute(self, name, values):
        known, metadata = self.prepared[name]
        return self.told(*self.ask(EXECUTE, execute_body(known, [struct.pack(">i", v) for v in values], metadata_id=metadata)))

    def batch(self, names):
        values = {name: values for name, _, values in STATEMENTS}
        body = b"\0" + struct.pack(">H", len(names))
        for name in names:
            if name in self.prepared:
                body += b"\1" + short_string(self.prepared[name][0]) + struct.pack(">H", len(values[name]))
                body += b"".join(value(struct.pack(">i", v)) for v in values[name])
            else:
                body += b"\0" + long_string(name.format(k=self.keyspace)) + struct.pack(">H", 0)
        return self.told(*self.ask(BATCH, body + (struct.pack(">HI" if self.client.version >= 5 else ">HB", 1, 0))))


def answers(port, host="127.0.0.1", versions=(3, 4, 5)):
    for version in versions:
        for change, texts in CHANGES:
            client = Statements(port, host, version)
            for keyspace in ("{k}", "{k}b"):
                client.define(f"DROP KEYSPACE IF EXISTS {keyspace}")
            for text in BASE:
                client.define(text)
            client.define("USE {k}")
            for name, text, _ in STATEMENTS:
                said = client.prepare(name, text)
                assert said == "prepared", said
            other = Statements(port, host, version)
            for text in texts:
                other.define(text)
            where = f"v{version}\t{change}"
            for name, names in BATCHES:
                yield f"{where}\tBATCH of {name}\t{client.batch(names)}"
            for name, text, values in STATEMENTS:
                said = client.execute(name, values)
                yield f"{where}\t{name}\t{said}"
                if not said.startswith("UNPREPARED"):
                    continue
                said = client.prepare(name, text)
                yield f"{where}\t{name}, prepared again\t{said if said != 'prepared' else client.execute(name, values)}"
            for keyspace in ("{k}", "{k}b"):
                other.define(f"DROP KEYSPACE IF EXISTS {keyspace}")
            client.client.close()
            other.client.close()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--record":
        host, _, port = sys.argv[2].rpartition(":")
        lines = list(answers(int(port), host))
        with open(VECTORS, "w") as f:
            f.write("".join(line + "\n" for line in lines))
        print(f"{len(lines)} answers recorded")
        return 0
    with open(VECTORS) as f:
        wanted = dict(line.rsplit("\t", 1) for line in f.read().splitlines())
    with Server(None, "--loops", "2") as server:
        given = dict(line.rsplit("\t", 1) for line in answers(server.port))
        given["the server's end"] = str(server.stop())  # not 0 with a sanitizer's report
    wanted["the server's end"] = "0"
    failed = [what for what in {**wanted, **given} if wanted.get(what) != given.get(what)]
    for what in failed:
        print(f"FAILED {what}\n  Cassandra: {wanted.get(what)}\n  helenus:   {given.get(what)}")
    print(f"{len(wanted) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
