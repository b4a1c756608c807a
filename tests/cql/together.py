"""Plays many files at once, so that requests meet which one after another never do, and holds each answer to its recording.

helenus, as Cassandra, gives no order among the requests of a connection that are in flight together. So what depends on one another is not:
each file, and each copy of one (its keyspaces are called otherwise), is a sequence of its own with one statement in flight, and all
sequences go on side by side, on one connection (--mode pipelined) or on one each (--mode concurrent). What they say to the server is not
what was recorded word for word:

    a statement goes out as it is, or prepared and executed; in the same write as an EXECUTE its text is prepared again, before and after it
    a SELECT goes out several times in one write, and its answers are alike
    some are traced
    what noise.py makes up goes out in the same writes

All that is drawn from --seed; what the server makes of it is its own affair.
"""
import collections
import copy
import math
import random
import re
import selectors
import socket
import time

from cassandra import protocol

import run
from lib import native
from noise import Noise, begin

ANSWER_S = 60
SEGMENT_BYTES = (1 << 17) - 1
ENDED = (ConnectionError, socket.timeout)
SHORT_TTL_S = 10
TTL = re.compile(r"\bTTL\s+(\d+)", re.I)
UNTRACED = "The request was not traced: too many traces are being written"
CHANGED = "The schema has changed since the previous page of the DESCRIBE statement result"
PREPARABLE = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|BEGIN)\b", re.I)


class Link:
    """A connection with many requests in flight: each has a callback, which is handed its answer."""

    def __init__(self, port, version):
        self.version = version
        self.client = native.Client(port, version=version, timeout=ANSWER_S)
        self.streams = collections.deque(range(32768))
        self.waiting, self.out, self.sent = {}, [], 0

    def encode(self, message, stream):
        return run.RawHandler.encode_message(message, stream, self.version, None, False)

    def send(self, message, answered):
        stream = self.streams.popleft()
        self.waiting[stream] = answered
        self.out.append(self.encode(message, stream))
        self.sent += 1

    def flush(self):
        """In one write; with v5 as many messages as a segment holds, since one that holds more of them may not go on in the next."""
        writes, self.out = self.out, []
        while writes:
            size, count = len(writes[0]), 1
            while count < len(writes) and (self.version < 5 or size + len(writes[count]) <= SEGMENT_BYTES):
                size += len(writes[count])
                count += 1
            self.client.send(b"".join(writes[:count]))
            writes = writes[count:]

    def read(self):
        self.client.read_some()
        while len(self.client.pending) >= 9 and len(self.client.pending) - 9 >= int.from_bytes(self.client.pending[5:9], "big"):
            _, flags, stream, opcode, body = self.client.receive_frame()
            answered = self.waiting.pop(stream)
            self.streams.append(stream)
            answered(run.RawHandler.decode_message(self.version, {}, stream, flags, opcode, body, None, None))


class Sequence:
    """A file, or a copy of it, played statement by statement."""

    def __init__(self, number, path, game):
        self.path, self.game, self.name = path, game, path.stem
        self.own, self.keyspace, self.paging_state = f"c{number}_{path.stem}", None, None
        self.statements = run.parse_file(path)
        # What DESCRIBE takes for granted is the connection's keyspace, also where a request names one. And a v5 connection ends, as
        # Cassandra's does, after two envelopes in a row that are no requests: those of several files would be, on a shared one.
        describes = any(statement.text.upper().startswith("DESC") for statement in self.statements)
        self.link = game.link(own=describes or "\nerror: PROTOCOL_ERROR" in path.with_suffix(".expected").read_text())
        self.random = random.Random(f"{game.seed}/{self.own}")
        self.answers, self.wakes_at, self.done = [], None, False
        self.expires_at, self.late = math.inf, set()
        self.steps = self.play()
        self.go_on(None)

    def renamed(self, text):
        return re.sub(rf"(?<![A-Za-z0-9_])({self.name}(?![A-Za-z0-9])|(?i:{self.name})(?=\.))", self.own, text)

    def unnamed(self, line):
        return line.replace(self.own, self.name)

    def play(self):
        create = f"CREATE KEYSPACE {self.own} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        yield protocol.QueryMessage(create, 1)
        self.keyspace = self.own
        if self.link.version < 5:
            yield protocol.QueryMessage(f"USE {self.own}", 1)
        for statement in self.statements:
            copied = copy.copy(statement)
            copied.text, copied.name = self.renamed(statement.text), self.own
            copied.directives = [(word, self.renamed(value)) for word, value in statement.directives]
            self.mind_ttl(statement)
            try:
                lines = yield from self.asked(copied, run.run_statement(self, copied))
                while any(CHANGED in line for line in lines):  # by others: to be asked again, it says
                    lines = yield from self.asked(copied, run.run_statement(self, copied))
            except Exception as e:  # an answer that the driver cannot read, or values that it cannot encode
                lines = [f"LOST: {type(e).__name__}: {e}"]
            self.mind_ttl(statement)
            self.answers.append([self.unnamed(line) for line in lines])

    def mind_ttl(self, statement):
        """Minds where a value may have expired before its time because so much else was to be done: what differs then says nothing."""
        now = time.monotonic()
        if now > self.expires_at:
            self.late.add(len(self.answers))
        for seconds in map(int, TTL.findall(statement.text)):
            if 0 < seconds <= SHORT_TTL_S:  # whole seconds are counted, so the last of them may be none
                self.expires_at = min(self.expires_at, now + seconds - 1)

    def asked(self, statement, steps):
        """The statement's steps, each message in one of its ways."""
        answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, float):
                answer = yield step
            else:
                answer = yield from self.one(statement, step)

    def one(self, statement, message):
        if isinstance(message, protocol.PrepareMessage):
            return (yield [message, copy.copy(message)])[0]
        prepare = protocol.PrepareMessage(statement.text)
        if isinstance(message, protocol.QueryMessage) and not message.query_params and PREPARABLE.match(statement.text) and self.random.random() < 0.5:
            prepared = (yield [prepare])[0]
            if isinstance(prepared, protocol.ErrorMessage):
                if not message.paging_state:
                    return prepared  # else the statement itself: a PREPARE brings no state that could be refused first
            elif not prepared.bind_metadata:
                message = protocol.ExecuteMessage(prepared.query_id, [], message.consistency_level, message.serial_consistency_level, message.fetch_size,
                                                  message.paging_state, message.timestamp, result_metadata_id=getattr(prepared, "result_metadata_id", None))
        messages = [message]
        if statement.text.lstrip()[:6].upper() == "SELECT":
            messages += [copy.copy(message) for _ in range(self.random.randrange(3))]
        for one in messages:
            one.tracing = self.random.random() < self.game.traced
        count = len(messages)
        if isinstance(message, protocol.ExecuteMessage):
            messages = messages + [prepare]
            if self.random.random() < 0.5:
                messages = [prepare] + messages
        answers = yield messages
        answers = answers[1:] if messages[0] is prepare else answers
        for answer in answers[:count]:
            answer.warnings = [warning for warning in answer.warnings or [] if warning != UNTRACED]
        printed = [run.describe(answer, statement) for answer in answers[:count]]
        for other in printed[1:]:
            if other != printed[0]:
                raise run.Lost(f"two answers to one statement: {printed[0]} and {other}")
        return answers[0]

    def go_on(self, answer):
        """To the next thing that has to be waited for."""
        try:
            step = self.steps.send(answer)
        except StopIteration:
            self.done = True
            return
        if isinstance(step, float):
            self.wakes_at = time.monotonic() + step
            return
        answers = [None] * (1 if not isinstance(step, list) else len(step))
        missing = [len(answers)]

        def answered(i, answer):
            answers[i] = answer
            missing[0] -= 1
            if not missing[0]:
                self.go_on(answers if isinstance(step, list) else answers[0])
        for i, message in enumerate(step if isinstance(step, list) else [step]):
            if self.link.version >= 5 and not isinstance(message, protocol.ExecuteMessage):
                message.keyspace = self.keyspace
            self.game.ask(self.link, message, lambda answer, i=i: answered(i, answer))

    def wake(self):
        self.wakes_at = None
        self.expires_at = math.inf  # it has, as it was to
        self.go_on(None)


class Game:
    """All sequences, their connections, and the noise."""

    def __init__(self, host, port, mode, seed, traced=0.1, noise=0.3):
        self.host, self.port, self.seed, self.traced, self.loud = host, port, seed, traced, noise
        self.pipelined = mode == "pipelined"
        self.random = random.Random(f"{seed}/game")
        self.noise = Noise(seed, port)
        self.links, self.shared = [], None

    def failed(self):
        return list(dict.fromkeys(self.noise.failed))[:20]

    def sum(self):
        return (f"{sum(link.sent for link in self.links)} requests on {len(self.links)} connections, {self.noise.sent} of them noise; "
                f"{self.noise.left} connections left at once; seed {self.seed}")

    def ask(self, link, message, answered):
        if self.random.random() < self.loud:
            self.noise.add(link)
        link.send(message, answered)

    def link(self, own):
        """One for all, v5, where each request names its keyspace; or one each."""
        if not self.pipelined or own:
            self.links.append(Link(self.port, 4))
            return self.links[-1]
        if not self.shared:
            self.shared = Link(self.port, 5)
            self.links.append(self.shared)
        return self.shared

    def play(self, paths, copies):
        """All the sequences, played as far as they came."""
        first = run.Client(self.host, self.port)
        for text in begin():
            answer = first.send(protocol.QueryMessage(text, 1))
            if isinstance(answer, protocol.ErrorMessage):
                raise run.Lost(f"{text}: {answer.message}")
        first.close()
        sequences = [Sequence(number, path, self) for number, path in enumerate(paths * copies)]  # no name begins another's
        try:
            self.loop(sequences)
        except ENDED as e:
            self.noise.failed.append(f"the connection: {type(e).__name__}: {e}")
        return sequences

    def loop(self, sequences):
        selector = selectors.DefaultSelector()
        for link in self.links:
            selector.register(link.client.socket, selectors.EVENT_READ, link)
        while not all(sequence.done for sequence in sequences):
            for link in self.links:
                # Now and then what is there to be said waits for more of it, so that a write holds much.
                if len(link.waiting) == len(link.out) or not self.pipelined or self.random.random() < 0.3:
                    link.flush()
            if self.random.random() < self.loud / 10:
                self.noise.leave(self.links[0])
            asleep = [sequence.wakes_at for sequence in sequences if sequence.wakes_at]
            busy = any(len(link.waiting) > len(link.out) for link in self.links)
            timeout = max(0, min(asleep) - time.monotonic()) if asleep else ANSWER_S
            ready = selector.select(timeout)
            if not ready and busy and timeout == ANSWER_S:
                raise socket.timeout(f"no answer in {ANSWER_S} s")
            for key, _ in ready:
                key.data.read()
            for sequence in sequences:
                if sequence.wakes_at and sequence.wakes_at <= time.monotonic():
                    sequence.wake()
