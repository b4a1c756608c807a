"""Requests beside those that are compared: what they read and what they are made of comes and goes while they are under way.

Tables, columns, types and keyspaces of noise's own are made, altered, emptied and dropped, in the same writes as prepared statements, conditions,
batches over shards, counters and traces that use them; some go out on connections that are closed at once. Which of them finds its
table is nobody's to say, so an answer may be any result or an error of a client's; an error of the server's own is a failure.
"""
import random

from cassandra import protocol

from lib import native

KEYSPACE = "noise"
TABLES = 3
CLIENTS_ERRORS = {0x2000, 0x2200, 0x2300, 0x2400, 0x2500}
CREATE = ("CREATE TABLE IF NOT EXISTS noise.t{t} (k int, c int, s int STATIC, v text, m map<text, int>, l list<int>, f frozen<noise.y{t}>, "
          "PRIMARY KEY (k, c))")
CREATE_TYPE = "CREATE TYPE IF NOT EXISTS noise.y{t} (a int, b text)"
CREATE_COUNTERS = "CREATE TABLE IF NOT EXISTS noise.n{t} (k int, c int, n counter, PRIMARY KEY (k, c))"
# Text and how many of its markers are ints; {t} a table, {k} a key.
STATEMENTS = [
    ("INSERT INTO noise.t{t} (k, c, v) VALUES ({k}, ?, 'literal') IF NOT EXISTS", 1),
    ("INSERT INTO noise.t{t} (k, c, v, s) VALUES ({k}, 1, 'a literal', ?) IF NOT EXISTS", 1),
    ("INSERT INTO noise.t{t} (k, c, v, m, l, f) VALUES (?, ?, 'x', {{'a': 1, 'b': 2}}, [1, 2, 3], {{a: 1, b: 'b'}})", 2),
    ("INSERT INTO noise.t{t} JSON '{{\"k\": {k}, \"c\": 5, \"v\": \"of json\"}}'", 0),
    ("UPDATE noise.t{t} SET v = 'other', m['z'] = ? WHERE k = ? AND c = 1 IF v = 'literal' AND s IN (1, 2, 3)", 2),
    ("UPDATE noise.t{t} SET l = [7] + l, v = 'upd' WHERE k = {k} AND c IN (1, 2, ?)", 1),
    ("UPDATE noise.t{t} SET s = ? WHERE k = {k} IF s != 4", 1),
    ("DELETE FROM noise.t{t} WHERE k = {k} AND c > ? AND c < 90", 1),
    ("DELETE FROM noise.t{t} WHERE k = {k} AND c = ? IF EXISTS", 1),
    ("DELETE l[0], m['a'] FROM noise.t{t} WHERE k = {k} AND c = ?", 1),
    ("SELECT * FROM noise.t{t} WHERE k = {k} AND c >= ?", 1),
    ("SELECT v, m, l, f FROM noise.t{t} WHERE k IN (1, 2, 3, ?) ORDER BY c DESC LIMIT 3", 1),
    ("SELECT count(*), max(c) FROM noise.t{t} WHERE v = 'literal' GROUP BY k ALLOW FILTERING", 0),
    ("SELECT JSON * FROM noise.t{t} WHERE token(k) > token(?) LIMIT 4", 1),
    ("BEGIN BATCH INSERT INTO noise.t{t} (k, c, v) VALUES (1, 2, 'b'); INSERT INTO noise.t{t} (k, c, v) VALUES (?, 2, 'b'); UPDATE noise.t{t} SET s = 3 WHERE "
     "k = 17; DELETE FROM noise.t{t} WHERE k = 19 AND c > 3; APPLY BATCH", 1),
    ("BEGIN BATCH INSERT INTO noise.t0 (k, c, v) VALUES (?, 2, 'b'); INSERT INTO noise.t1 (k, c, v) VALUES (4, 2, 'literal'); UPDATE noise.t2 SET v = 'two' WHERE "
     "k = 5 AND c = 9; APPLY BATCH", 1),
    ("BEGIN BATCH INSERT INTO noise.t{t} (k, c, v) VALUES ({k}, 8, 'b') IF NOT EXISTS; UPDATE noise.t{t} SET v = 'c' WHERE k = {k} AND c = ?; APPLY BATCH", 1),
    ("UPDATE noise.n{t} SET n = n + 3 WHERE k = {k} AND c IN (1, 2, ?)", 1),
    ("BEGIN COUNTER BATCH UPDATE noise.n{t} SET n = n + 1 WHERE k = 1 AND c = 1; UPDATE noise.n{t} SET n = n - 1 WHERE k = ? AND c = 1; APPLY BATCH", 1),
    ("SELECT * FROM noise.n{t} WHERE k = {k} AND c < ?", 1),
]
CHANGES = [
    ("ALTER TABLE noise.t{t} ADD IF NOT EXISTS x{x} text", 4),
    ("ALTER TABLE noise.t{t} DROP IF EXISTS x{x}", 3),
    ("ALTER TABLE noise.t{t} WITH comment = 'changed {x}'", 3),
    ("ALTER TYPE noise.y{t} ADD IF NOT EXISTS z{x} int", 2),
    ("TRUNCATE noise.t{t}", 2),
    ("DROP TABLE IF EXISTS noise.t{t}", 2),
    (CREATE, 4),
    ("DROP TABLE IF EXISTS noise.n{t}", 1),
    (CREATE_COUNTERS, 2),
    (CREATE_TYPE, 1),
    ("CREATE KEYSPACE IF NOT EXISTS noise_k{t} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}", 1),
    ("CREATE TABLE IF NOT EXISTS noise_k{t}.t (k int PRIMARY KEY, v text)", 1),
    ("DROP KEYSPACE IF EXISTS noise_k{t}", 1),
]


def begin():
    """What is there before anything is compared."""
    yield f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    for t in range(TABLES):
        for text in (CREATE_TYPE, CREATE, CREATE_COUNTERS):
            yield text.format(t=t)


class Noise:
    def __init__(self, seed, port):
        self.random = random.Random(f"{seed}/noise")
        self.port = port
        self.prepared = {}  # text: (id, the id of its result's metadata)
        self.failed = []
        self.sent = self.left = 0

    def answered(self, message):
        def look(answer):
            if isinstance(answer, protocol.ErrorMessage) and answer.code not in CLIENTS_ERRORS:
                text = getattr(message, "query", None) or getattr(message, "text", "")
                self.failed.append(f"noise: {answer.code:#06x} {answer.message}: {text}")
            elif isinstance(message, protocol.PrepareMessage) and not isinstance(answer, protocol.ErrorMessage):
                self.prepared[message.query] = answer.query_id, getattr(answer, "result_metadata_id", None)
        return look

    def change(self):
        text = self.random.choices([c[0] for c in CHANGES], [c[1] for c in CHANGES])[0]
        return protocol.QueryMessage(text.format(t=self.random.randrange(TABLES), x=self.random.randrange(4)), 1)

    def execute(self, text, markers):
        values = [self.random.randrange(12).to_bytes(4, "big") for _ in range(markers)]
        message = protocol.ExecuteMessage(self.prepared[text][0], values, 1, result_metadata_id=self.prepared[text][1] or bytes(16))
        message.text = text
        return message

    def use(self):
        """A statement in one of its ways; the middle one with what may take its plan away."""
        form, markers = self.random.choice(STATEMENTS)
        text = form.format(t=self.random.randrange(TABLES), k=self.random.randrange(4))
        prepare = protocol.PrepareMessage(text)
        if text not in self.prepared:
            return [prepare]
        messages = [self.execute(text, markers)]
        if self.random.random() < 0.5:
            messages += [prepare, self.execute(text, markers)]
        if self.random.random() < 0.2:
            messages.append(self.change())
        for message in messages:
            message.tracing = self.random.random() < 0.3 and not isinstance(message, protocol.PrepareMessage)
        return messages

    def burst(self):
        return [self.change()] if self.random.random() < 0.2 else self.use()

    def add(self, link):
        for message in self.burst():
            link.send(message, self.answered(message))
            self.sent += 1

    def leave(self, link):
        """A connection that asks and is gone, before the answers or with some of them unread."""
        client = native.Client(self.port, version=link.version)
        messages = [message for _ in range(self.random.randrange(1, 8)) for message in self.burst()]
        client.send(b"".join(link.encode(message, stream) for stream, message in enumerate(messages)))
        if self.random.random() < 0.3:
            client.receive()
        client.close()
        self.left += 1
