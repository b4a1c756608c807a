"""Compare-and-set is linearizable, also over kill -9: every register's history is one chain.

Each round: several connections keep requests in flight on a few hot partitions of all shards: conditional updates, INSERT IF NOT EXISTS
of rows that are there and of rows that nobody made yet, and serial reads. A register is a cell, a static column, an element of a map, or
a row that a conditional batch replaces together with its shadow, another row of the partition. Every value is written by one request
only, and names the value it replaced, so that a register's values form a chain. Tickets are rows that are made once (IF NOT EXISTS) and
that several clients try to take (DELETE IF EXISTS). Then the server is killed and started again, and all of it is read. What must hold,
and fails otherwise:
  - a value has at most one successor: no two requests were told that they replaced the same one;
  - what was acknowledged as applied is in the chain that ends with the value now stored, each link as it was asked for;
  - what was refused is not in it; a request with an unknown outcome (the connection died) may be, but only until the restart;
  - a chain only grows: what a restart shows begins with what the one before showed;
  - real time: an answer never shows a value older than one that somebody knew before the request was sent, and a refusal never shows
    the very value it was asked to replace;
  - a shadow has the value of its register;
  - a ticket is taken at most once, by who was told so or whose outcome is unknown, and then stays away.
"""
import argparse
import os
import random
import select
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import EXECUTE, RESULT, Client, Server, execute_body, frame, rows  # noqa: E402

PARTITIONS, ROWS = 3, 2  # hot registers of each form
SHADOW = 1 << 40         # what a shadow's row has more than its register's
TICKETS = 6              # that are there to be taken
FRESH_AT_A_TIME = 4      # rows that several clients try to make at once
SERIAL = 8


def pack(n):
    return struct.pack(">q", n)


def unpack(raw):
    return None if raw is None else struct.unpack(">q", raw)[0]


def unpack_map(raw):
    """Of texts to bigints."""
    count, at, found = struct.unpack_from(">i", raw)[0] if raw else 0, 4, {}
    for _ in range(count):
        size, = struct.unpack_from(">i", raw, at)
        found[raw[at + 4:at + 4 + size].decode()] = unpack(raw[at + 8 + size:at + 16 + size])
        at += 16 + size
    return found


class Form:
    """A kind of register. `insert` binds what `made` gives, `update` what `changed` gives, both of key, value and expected."""

    def __init__(self, schema, insert, made, update, changed, read, where, shown=lambda row: unpack(row.get("v"))):
        self.schema, self.insert, self.made, self.update, self.changed = schema, insert, made, update, changed
        self.read, self.where, self.shown = read, where, shown


def row_of(key):
    return [pack(key[1]), pack(key[2])]


FORMS = {
    "cell": Form(
        "cas.t (k bigint, c bigint, v bigint, replaced bigint, PRIMARY KEY (k, c))",
        "INSERT INTO cas.t (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS", lambda key, value: row_of(key) + [value],
        "UPDATE cas.t SET v = ?, replaced = ? WHERE k = ? AND c = ? IF v = ?", lambda key, value, old: [value, old, *row_of(key), old],
        "SELECT v, replaced FROM cas.t WHERE k = ? AND c = ?", row_of),
    "static": Form(
        "cas.s (k bigint, c bigint, v bigint STATIC, replaced bigint STATIC, PRIMARY KEY (k, c))",
        "INSERT INTO cas.s (k, v) VALUES (?, ?) IF NOT EXISTS", lambda key, value: [pack(key[1]), value],
        "UPDATE cas.s SET v = ?, replaced = ? WHERE k = ? IF v = ?", lambda key, value, old: [value, old, pack(key[1]), old],
        "SELECT v, replaced FROM cas.s WHERE k = ?", lambda key: row_of(key)[:1]),
    "element": Form(
        "cas.m (k bigint, c bigint, m map<text, bigint>, PRIMARY KEY (k, c))",
        "INSERT INTO cas.m (k, c, m) VALUES (?, ?, {'v': ?}) IF NOT EXISTS", lambda key, value: row_of(key) + [value],
        "UPDATE cas.m SET m['v'] = ?, m['replaced'] = ? WHERE k = ? AND c = ? IF m['v'] = ?",
        lambda key, value, old: [value, old, *row_of(key), old],
        "SELECT m['v'], m['replaced'] FROM cas.m WHERE k = ? AND c = ?", row_of,
        lambda row: unpack_map(row.get("m")).get("v")),
    "batch": Form(
        "cas.b (k bigint, c bigint, v bigint, replaced bigint, PRIMARY KEY (k, c))",
        "BEGIN BATCH INSERT INTO cas.b (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS; UPDATE cas.b SET v = ? WHERE k = ? AND c = ?; APPLY BATCH",
        lambda key, value: [*row_of(key), value, value, *shadow_of(key)],
        "BEGIN BATCH UPDATE cas.b SET v = ?, replaced = ? WHERE k = ? AND c = ? IF v = ?; UPDATE cas.b SET v = ? WHERE k = ? AND c = ?; "
        "APPLY BATCH", lambda key, value, old: [value, old, *row_of(key), old, value, *shadow_of(key)],
        "SELECT v, replaced FROM cas.b WHERE k = ? AND c = ?", row_of),
}


def shadow_of(key):
    return [pack(key[1]), pack(key[2] + SHADOW)]


class Request:
    """One attempt to replace `expected` (None: make the row) by `value`; or a read: value None."""

    def __init__(self, key, expected, value, known):
        self.key, self.expected, self.value = key, expected, value
        self.known = known  # how many facts about the register were known when it was sent
        self.state = "sent"  # then applied, refused, or lost


class Register:
    def __init__(self):
        self.requests = {}  # value -> the request that writes it
        self.facts = []     # values in the order in which they became known
        self.seen = []      # (value shown, facts known at sending, expected or None)
        self.chain = []     # as the last restart showed it

    def latest(self):
        return self.facts[-1] if self.facts else None


class Ticket:
    """Each take's state, and its maker's, as a request's."""

    def __init__(self):
        self.made, self.takes, self.is_gone = "sent", [], False

    def may_be_taken(self):
        return self.made == "applied" and not self.is_gone and "applied" not in self.takes


class TicketRequest:
    def __init__(self, ticket, place=None):
        self.ticket, self.place = ticket, place  # among the takes; None: it makes it

    def set(self, state):
        if self.place is None:
            self.ticket.made = state
        else:
            self.ticket.takes[self.place] = state


class History:
    def __init__(self):
        self.registers, self.next_value, self.wrong, self.tickets = {}, 0, [], []
        self.applied = self.refused = self.read = self.lost = 0

    def register(self, key):
        return self.registers.setdefault(key, Register())

    def request(self, key, expected):
        self.next_value += 1
        register = self.register(key)
        request = Request(key, expected, self.next_value, len(register.facts))
        register.requests[request.value] = request
        return request

    def answer(self, request, found):
        """found: None (no row), or (applied, value or None)"""
        register = self.register(request.key)
        if request.value is None:
            self.read += 1
            self.show(register, request, found)
        elif found[0]:
            self.applied += 1
            request.state = "applied"
            register.seen.append((request.value, request.known, None))
            register.facts.append(request.value)
        else:
            self.refused += 1
            request.state = "refused"
            if found[1] == request.expected:
                self.wrong.append(f"{request.key}: refused to replace {request.expected}, and showed it")
            self.show(register, request, found[1])

    def show(self, register, request, value):
        register.seen.append((value, request.known, request.expected))
        if value is not None:
            register.facts.append(value)

    def forget(self, requests):
        """The server is dead: these may have been done or not."""
        for request in requests:
            if isinstance(request, TicketRequest):
                self.lost += 1
                request.set("lost")
            elif request.value is not None:
                self.lost += 1
                request.state = "lost"

    def settle_ticket(self, number, there):
        ticket = self.tickets[number]
        taken = ticket.takes.count("applied")
        if ticket.made == "refused" or taken > 1:
            self.wrong.append(f"ticket {number}: its making was {ticket.made}, {taken} took it")
        if there and (ticket.is_gone or set(ticket.takes) - {"lost"}):
            self.wrong.append(f"ticket {number}: it is there, but was {'gone' if ticket.is_gone else ticket.takes}")
        if not there and not ticket.is_gone and ticket.made == "applied" and not set(ticket.takes) & {"applied", "lost"}:
            self.wrong.append(f"ticket {number}: it was made, nobody took it, and it is not there")
        if there:
            ticket.made = "applied"
        # What was unknown has happened by now, or never will.
        ticket.is_gone = not there
        ticket.takes = ["applied"] * taken

    def settle(self, key, stored):
        """stored: the (value, replaced) of each row after a restart; None: no row."""
        register = self.register(key)
        chain, value, replaced = [], stored[0] if stored else None, stored[1] if stored else None
        while value is not None:
            request = register.requests.get(value)
            if not request or request.state == "refused" or len(chain) > len(register.requests):
                self.wrong.append(f"{key}: {value} is in the chain, but was {request.state if request else 'never sent'}")
                return
            chain.append(value)
            value = request.expected
        chain.reverse()
        if stored and replaced != register.requests[stored[0]].expected:
            self.wrong.append(f"{key}: {stored[0]} replaced {replaced}, but was asked to replace {register.requests[stored[0]].expected}")
        if chain[:len(register.chain)] != register.chain:
            self.wrong.append(f"{key}: the chain was ...{register.chain[-3:]} and is ...{chain[-3:]} of {len(chain)}")
        place = {v: i for i, v in enumerate(chain)}
        for request in register.requests.values():
            if request.state == "applied" and request.value not in place:
                self.wrong.append(f"{key}: {request.expected} -> {request.value} was acknowledged and is not in the chain of {len(chain)}")
            elif request.state == "lost":  # from now on it is either
                request.state = "applied" if request.value in place else "refused"
        newest, at = [-1], -1  # of the first n facts: the place of the newest
        for fact in register.facts:
            if fact not in place:
                self.wrong.append(f"{key}: {fact} was shown and is not in the chain")
            at = max(at, place.get(fact, -1))
            newest.append(at)
        for value, known, _ in register.seen:
            if place.get(value, -1) < newest[known]:
                self.wrong.append(f"{key}: shown {value} ({place.get(value, -1)}.) after somebody knew the {newest[known]}.")
        register.chain = chain
        # What was looked at needs no second look, and the newest fact is what is stored.
        register.facts, register.seen = chain[-1:], []
        for request in list(register.requests.values()):
            if request.state == "refused":
                del register.requests[request.value]


class Connection:
    def __init__(self, server, depth, history, fresh, rng):
        self.client = Client(server.port)
        self.update, self.insert, self.read = ({name: self.client.prepare(text(form)) for name, form in FORMS.items()} for text in (
            lambda form: form.update, lambda form: form.insert, lambda form: form.read))
        self.make = self.client.prepare("INSERT INTO cas.tickets (k) VALUES (?) IF NOT EXISTS")
        self.take_ticket = self.client.prepare("DELETE FROM cas.tickets WHERE k = ? IF EXISTS")
        self.client.socket.setblocking(False)
        self.depth, self.history, self.fresh, self.rng = depth, history, fresh, rng
        self.in_flight, self.free, self.out = {}, list(range(depth)), b""

    def send(self, request, statement, values, consistency=1):
        stream = self.free.pop()
        self.in_flight[stream] = request
        self.out += frame(EXECUTE, execute_body(statement, values, consistency), stream)

    def fill(self):
        h, rng = self.history, self.rng
        while self.free:
            dice, name = rng.random(), rng.choice(list(FORMS))
            key = (name, rng.randrange(PARTITIONS), 0 if name == "static" else rng.randrange(ROWS))
            register = h.register(key)
            if dice < 0.1:
                if rng.random() < 0.3:
                    self.fresh[0] += 1
                made = self.fresh[0] - rng.randrange(FRESH_AT_A_TIME)
                self.put(h.request((name, PARTITIONS + made, 0) if name == "static" else (name, rng.randrange(PARTITIONS), ROWS + made), None))
            elif dice < 0.2:
                self.send(Request(key, None, None, len(register.facts)), self.read[name], FORMS[name].where(key), SERIAL)
            elif dice < 0.3:
                self.want_ticket()
            elif register.latest() is None or dice < 0.35:
                self.put(h.request(key, None))
            else:
                self.put(h.request(key, register.latest()))

    def put(self, request):
        form, value = FORMS[request.key[0]], pack(request.value)
        if request.expected is None:
            self.send(request, self.insert[request.key[0]], form.made(request.key, value))
        else:
            self.send(request, self.update[request.key[0]], form.changed(request.key, value, pack(request.expected)))

    def want_ticket(self):
        """Takes one, if enough are there; else makes one."""
        tickets = self.history.tickets
        there = [n for n in range(max(0, len(tickets) - 50), len(tickets)) if tickets[n].may_be_taken()]
        if len(there) < TICKETS:
            tickets.append(Ticket())
            self.send(TicketRequest(tickets[-1]), self.make, [pack(len(tickets) - 1)])
            return
        number = self.rng.choice(there)
        tickets[number].takes.append("sent")
        self.send(TicketRequest(tickets[number], len(tickets[number].takes) - 1), self.take_ticket, [pack(number)])

    def flush(self):
        while self.out:
            try:
                n = self.client.socket.send(self.out)
            except BlockingIOError:
                return
            self.out = self.out[n:]

    def take(self, refused):
        try:
            self.client.read_some()
        except BlockingIOError:
            return
        for stream, opcode, body in self.client.frames():
            request = self.in_flight.pop(stream)
            self.free.append(stream)
            if opcode != RESULT:
                refused.append(body[4:200])
                self.history.forget([request])
            elif isinstance(request, TicketRequest):
                request.set("applied" if outcome(body)["[applied]"] == b"\1" else "refused")
            elif request.value is None:
                found = rows(body)
                self.history.answer(request, unpack(found[0][0]) if found else None)
            else:
                row = outcome(body)
                self.history.answer(request, (row["[applied]"] == b"\1", FORMS[request.key[0]].shown(row)))


def outcome(body):
    """The row of a conditional statement, whose columns come with it: {name: bytes}."""
    _, flags, columns = struct.unpack_from(">III", body)
    at, names = 12, []

    def string(at):
        size, = struct.unpack_from(">H", body, at)
        return body[at + 2:at + 2 + size].decode(), at + 2 + size

    assert flags & 1 and not flags & 6, flags
    _, at = string(at)
    _, at = string(at)
    for _ in range(columns):
        name, at = string(at)
        names.append(name)
        of_map, = struct.unpack_from(">H", body, at)
        at += 6 if of_map == 0x21 else 2  # of a map: of its keys and values, too
    count, = struct.unpack_from(">I", body, at)
    assert count == 1, count
    at, row = at + 4, {}
    for name in names:
        size, = struct.unpack_from(">i", body, at)
        row[name] = None if size < 0 else body[at + 4:at + 4 + size]
        at += 4 + max(size, 0)
    return row


def load_until_killed(server, args, history, fresh, rng):
    connections = [Connection(server, args.depth, history, fresh, rng) for _ in range(args.connections)]
    refused, end = [], time.time() + rng.uniform(0.02, args.round_seconds)
    while time.time() < end:
        for c in connections:
            c.fill()
            c.flush()
        ready, _, _ = select.select([c.client.socket for c in connections], [], [], 0.001)
        for c in connections:
            if c.client.socket in ready:
                c.take(refused)
    for c in connections:  # as many as may be are on their way when it dies
        c.fill()
        c.flush()
    in_flight = sum(len(c.in_flight) for c in connections)
    server.kill()
    for c in connections:  # replies already in our socket were given
        try:
            while True:
                c.take(refused)
        except (ConnectionError, OSError):
            pass
        history.forget(c.in_flight.values())
        c.client.close()
    if refused:
        raise AssertionError(f"{len(refused)} requests failed, first: {refused[0]!r}")
    return in_flight


def verify(server, history, keys, first_ticket=0):
    client = Client(server.port)
    statements = {name: client.prepare(form.read) for name, form in FORMS.items()}
    ticket = client.prepare("SELECT k FROM cas.tickets WHERE k = ?")
    for key in keys:
        found = client.execute(statements[key[0]], FORMS[key[0]].where(key))
        stored = (unpack(found[0][0]), unpack(found[0][1])) if found else None
        history.settle(key, stored)
        if key[0] == "batch":
            shadow = client.execute(statements["batch"], shadow_of(key))
            if (unpack(shadow[0][0]) if shadow else None) != (stored[0] if stored else None):
                history.wrong.append(f"{key}: it is {stored}, its shadow {shadow}")
    for number in range(first_ticket, len(history.tickets)):
        history.settle_ticket(number, bool(client.execute(ticket, [pack(number)])))
    client.close()


def is_hot(key):
    return key[1] < PARTITIONS and key[2] < ROWS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--connections", type=int, default=6)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--round-seconds", type=float, default=0.4)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    print(f"seed {args.seed}")
    history, fresh, failed, least = History(), [FRESH_AT_A_TIME], 0, None
    with tempfile.TemporaryDirectory(prefix="helenus-cas-") as top:
        server = Server(os.path.join(top, "data"), "--shards", str(args.shards)).start()
        client = Client(server.port)
        client.query("CREATE KEYSPACE cas WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE cas.tickets (k bigint PRIMARY KEY)")
        for form in FORMS.values():
            client.query("CREATE TABLE " + form.schema)
        client.close()
        before = 0
        for number in range(1, args.rounds + 1):
            first, ticket = fresh[0] - FRESH_AT_A_TIME, max(0, len(history.tickets) - 50)
            in_flight = load_until_killed(server, args, history, fresh, rng)
            least = in_flight if least is None else min(least, in_flight)
            server.start()
            recent = [key for key in history.registers if is_hot(key) or max(key[1] - PARTITIONS, key[2] - ROWS) >= first - FRESH_AT_A_TIME]
            verify(server, history, recent, ticket)
            if history.wrong:
                failed += 1
                for line in history.wrong[:5]:
                    print("WRONG round", number, line)
                history.wrong = []
                break  # what follows would be about a chain that is broken already
            if number % 10 == 0:
                print(f"round {number}/{args.rounds}: {history.applied} applied, {history.refused} refused", flush=True)
            if number % 10 == 0 and history.applied == before:  # a server that does nothing does nothing wrong
                failed += 1
                print(f"round {number}: nothing was applied in ten rounds\n{server.log_tail()}")
                break
            before = history.applied
        if not failed:
            verify(server, history, history.registers)
            for line in history.wrong[:5]:
                print("WRONG at the end", line)
            failed += bool(history.wrong)
        server.stop()
    longest = {name: max((len(r.chain) for key, r in history.registers.items() if key[0] == name), default=0) for name in FORMS}
    taken = sum("applied" in ticket.takes for ticket in history.tickets)
    print(f"{args.rounds} kills; {history.applied} applied, {history.refused} refused, {history.read} read, {history.lost} of unknown outcome; "
          f"{len(history.registers)} registers, the longest chains {longest}; {taken} of {len(history.tickets)} tickets taken; at least {least} in flight at a kill")
    if not failed and (not history.refused or not history.lost or not taken or min(longest.values()) < args.rounds):
        print("FAILED: too little happened to show anything")
        failed += 1
    print(f"{args.rounds + 1 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
