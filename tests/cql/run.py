#!/usr/bin/env python3
"""Runs tests/cql/*.cql and compares every answer with the one Apache Cassandra gave, byte for byte.

    run.py --check [--mode MODE] [--protocol 3|4|5[+lz4]] [--target HOST:PORT | --helenus build/helenus [--server-arg ARG]...] [NAME...]
    run.py --record [NAME...]        (make golden: starts Cassandra, writes the .expected files)
    run.py --check --roles ...       the files of roles/, of a server with roles: who connects is cassandra; so --record --roles

The driver is the unmodified one from PyPI, used at the level of its Connection: statements go out as written and
answers are kept as raw bytes with their types. README.md describes the files.
"""
import argparse
import functools
import pathlib
import re
import subprocess
import sys
import threading
import time
import uuid
from decimal import Decimal

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(ROOT / "tests"))

from cassandra import cqltypes, protocol  # noqa: E402
from cassandra import AuthenticationFailed  # noqa: E402
from cassandra.auth import PlainTextAuthProvider  # noqa: E402
from cassandra.cluster import Cluster  # noqa: E402
from cassandra.connection import ConnectionException  # noqa: E402
from cassandra.util import Duration  # noqa: E402

import values  # noqa: E402

CONNECTION = Cluster.connection_class
CODES = {0x0000: "SERVER_ERROR", 0x000A: "PROTOCOL_ERROR", 0x0100: "BAD_CREDENTIALS", 0x1000: "UNAVAILABLE",
         0x1001: "OVERLOADED", 0x1002: "IS_BOOTSTRAPPING", 0x1003: "TRUNCATE_ERROR", 0x1100: "WRITE_TIMEOUT",
         0x1200: "READ_TIMEOUT", 0x1300: "READ_FAILURE", 0x1400: "FUNCTION_FAILURE", 0x1500: "WRITE_FAILURE",
         0x2000: "SYNTAX_ERROR", 0x2100: "UNAUTHORIZED", 0x2200: "INVALID", 0x2300: "CONFIG_ERROR",
         0x2400: "ALREADY_EXISTS", 0x2500: "UNPREPARED"}
LEVELS = {"ANY": 0, "ONE": 1, "TWO": 2, "THREE": 3, "QUORUM": 4, "ALL": 5, "LOCAL_QUORUM": 6, "EACH_QUORUM": 7,
          "SERIAL": 8, "LOCAL_SERIAL": 9, "LOCAL_ONE": 10}
TIMEOUT_S = 30
PASSWORD = "pw"  # of all roles that files make, but where they say another one


# -- answers, raw -------------------------------------------------------------------------------------------------

class RawResult(protocol.ResultMessage):
    """A RESULT whose rows stay bytes and whose types are also kept as the trees values.py prints."""

    @classmethod
    def read_type(cls, f, user_type_map):
        code = protocol.read_short(f)
        if code in values.SIMPLE:
            return (values.SIMPLE[code],)
        if code == 0x00:
            return values.from_class(protocol.read_string(f))
        if code in (0x20, 0x22):
            return ("list" if code == 0x20 else "set", cls.read_type(f, user_type_map))
        if code == 0x21:
            key = cls.read_type(f, user_type_map)
            return ("map", key, cls.read_type(f, user_type_map))
        if code == 0x30:
            name = protocol.read_string(f) + "." + protocol.read_string(f)
            return ("udt", name, [(protocol.read_string(f), cls.read_type(f, user_type_map))
                                  for _ in range(protocol.read_short(f))])
        if code == 0x31:
            return ("tuple", [cls.read_type(f, user_type_map) for _ in range(protocol.read_short(f))])
        raise ValueError(f"type code {code:#x}")

    def recv_results_rows(self, f, protocol_version, user_type_map, result_metadata, column_encryption_policy):
        self.recv_results_metadata(f, user_type_map)
        self.column_metadata = self.column_metadata or result_metadata
        self.rows = [self.recv_row(f, len(self.column_metadata)) for _ in range(protocol.read_int(f))]


class RawHandler(protocol._ProtocolHandler):
    message_types_by_opcode = {**protocol._ProtocolHandler.message_types_by_opcode, 0x08: RawResult}


class Lost(Exception):
    """The connection died or the server did not answer in time."""


class Refused(Exception):
    """The password was not right, or the role may not log in."""


class Client:
    def __init__(self, host, port, protocol="4", user=None, password=None):
        self.address = (host, port)
        self.user, self.password = user, password
        self.others = {}  # clients that are other roles
        version, _, compression = protocol.partition("+")
        self.version, self.compression = int(version), compression or False
        self.keyspace = None
        self.paging_state = None
        self.connection = None

    def open(self):
        from cassandra.connection import DefaultEndPoint
        if not getattr(CONNECTION, "_helenus_started", False):
            CONNECTION.initialize_reactor()
            CONNECTION._helenus_started = True
        who = PlainTextAuthProvider(self.user, self.password).new_authenticator(self.address[0]) if self.user else None
        self.connection = CONNECTION.factory(DefaultEndPoint(*self.address), TIMEOUT_S, protocol_version=self.version,
                                             compression=self.compression, cql_version="3.4.7", authenticator=who)
        if self.keyspace:
            self.send(protocol.QueryMessage(f'USE "{self.keyspace}"', 1))

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def as_role(self, user, password=PASSWORD):
        """The client that is this role: it logs in with its first message, and stays as long as the file."""
        if (user, password) not in self.others:
            other = self.others[user, password] = Client(*self.address, user=user, password=password)
            other.version, other.compression, other.keyspace = self.version, self.compression, self.keyspace
        return self.others[user, password]

    def forget_roles(self):
        for other in self.others.values():
            other.close()
        self.others = {}

    def send(self, message):
        if self.connection is None or self.connection.is_closed or self.connection.is_defunct:
            try:
                self.open()
            except AuthenticationFailed as e:
                raise Refused(re.sub(r"^Failed to authenticate to \S+ ", "", str(e)))
            except Exception as e:
                raise Lost(f"cannot connect: {e}")
        connection, event, box = self.connection, threading.Event(), []

        def answered(response):
            with connection.lock:
                connection.in_flight -= 1
            box.append(response)
            event.set()
        try:
            with connection.lock:
                stream = connection.get_request_id()
                connection.in_flight += 1
            connection.send_msg(message, stream, answered, decoder=RawHandler.decode_message)
        except ConnectionException as e:
            self.connection = None
            raise Lost(str(e))
        if not event.wait(TIMEOUT_S):
            self.close()
            raise Lost(f"no answer in {TIMEOUT_S} s")
        response = box[0]
        if isinstance(response, Exception) and not isinstance(response, protocol.ErrorMessage):
            self.close()
            raise Lost(str(response))
        return response


# -- the .cql files -----------------------------------------------------------------------------------------------

class Statement:
    def __init__(self, name, text, directives, line):
        self.name, self.text, self.directives, self.line = name, text, directives, line

    def get(self, name):
        return next((value for key, value in self.directives if key == name), None)

    def has(self, name):
        return any(key == name for key, _ in self.directives)


DIRECTIVES = {"unordered", "page", "bind", "values", "error", "timestamp", "consistency", "serial", "mask", "sleep",
              "own", "no-warnings", "warning-counts", "resume", "stop", "as", "again"}
TOKEN = re.compile(r"""--[^\n]*|//[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|;|\w+|\s+|.""", re.S)


def parse_file(path):
    """Splits a file into statements; '--!' lines before a statement are its directives."""
    source = path.read_text()
    statements, directives, text, line, start, words = [], [], "", 1, 1, []
    for found in TOKEN.finditer(source):
        token = found.group()
        if token.startswith("--!") and not text.strip():
            name, _, value = token[3:].strip().partition(" ")
            if name not in DIRECTIVES:
                sys.exit(f"{path.name}:{line}: unknown directive {name}")
            directives.append((name, value.strip()))
        elif token.startswith(("--", "//")) and not text.strip():
            pass
        else:
            if token.strip() and not text.strip():
                start = line
            if re.match(r"\w", token):
                words.append(token.upper())
            batch = words[:1] == ["BEGIN"] and "BATCH" in words[:3]
            if token == ";" and (not batch or words[-2:] == ["APPLY", "BATCH"]):
                statements.append(Statement(path.stem, text.strip(), directives, start))
                directives, text, words = [], "", []
            else:
                text += token
        line += token.count("\n")
    if text.strip():
        sys.exit(f"{path.name}:{start}: the last statement has no ';'")
    return statements


# -- running one statement ------------------------------------------------------------------------------------------

class Raw(bytes):
    """Bytes that are sent as they are, whatever the column's type."""


def raw_int(number, size=4):
    return Raw(number.to_bytes(size, "big", signed=True))


def raw_parts(parts):
    return b"".join(raw_int(-1) if part is None else raw_int(len(part)) + part for part in parts)


UNSET = protocol._UNSET_VALUE
NAMES = {"x": lambda s: Raw(bytes.fromhex(s.replace(" ", ""))), "unset": UNSET, "null": None, "Decimal": Decimal,
         "uuid": uuid.UUID, "duration": Duration, "true": True, "false": False,
         # what drivers would bring into order: of elements, of keys and values, of fields
         "i": raw_int, "t": lambda s: Raw(s.encode()), "items": lambda *of: Raw(raw_int(len(of)) + raw_parts(of)),
         "entries": lambda *of: Raw(raw_int(len(of) // 2) + raw_parts(of)), "fields": lambda *of: Raw(raw_parts(of))}


def driver_type(t):
    """The driver's class for a type tree, to serialize bound values with."""
    kind = t[0]
    if kind in ("list", "set"):
        base = cqltypes.ListType if kind == "list" else cqltypes.SetType
        return base.apply_parameters((driver_type(t[1]),))
    if kind == "map":
        return cqltypes.MapType.apply_parameters((driver_type(t[1]), driver_type(t[2])))
    if kind == "tuple":
        return cqltypes.TupleType.apply_parameters(tuple(driver_type(e) for e in t[1]))
    if kind == "udt":
        keyspace, name = t[1].split(".", 1)
        return cqltypes.UserType.make_udt_class(keyspace, name, tuple(n for n, _ in t[2]),
                                                tuple(driver_type(e) for _, e in t[2]))
    if kind == "vector":
        return cqltypes.VectorType.apply_parameters((driver_type(t[1]), t[2]), None)
    return cqltypes.lookup_casstype({"text": "UTF8Type", **{v: k for k, v in values.MARSHAL.items()}}[kind])


def encode(value, t):
    if value is None or value is UNSET or isinstance(value, Raw):
        return value
    return driver_type(t).to_binary(value, 4)


def typed(text):
    """(int, 1) pairs of '--! values': a simple statement's values carry no types, so we name them."""
    pairs = eval(text, {"__builtins__": {}}, dict(NAMES, **{n: n for n in values.SIMPLE.values()}))
    return [encode(value, (kind,)) for kind, value in pairs]


def warnings_of(response):
    # Cassandra warns of USE with prepared statements once in a while, by the clock: not an answer to compare.
    return [f"warning: {w}" for w in response.warnings or [] if not w.startswith("`USE <keyspace>`")]


def sort_signatures(message):
    """Cassandra lists the signatures of a function in the order of a hash table, another one at each start."""
    return re.sub(r"((?:known type|by following) signatures: )(.*)(\))", lambda m: m[1] + ", ".join(sorted(re.split(r", (?=system\.)", m[2]))) + m[3], message)


def describe(response, statement):
    """The printed answer: a list of lines."""
    lines = []
    if not statement.has("no-warnings"):
        lines += warnings_of(response)
    if statement.has("warning-counts"):  # Cassandra writes the query anew from its plan; we show what was sent
        lines = [re.sub(r" for query .*; token ", " for query ...; token ", line) for line in lines]
    if isinstance(response, protocol.ErrorMessage):
        line = f"error: {CODES.get(response.code, hex(response.code))}"
        message = sort_signatures(response.message).replace("\\", "\\\\").replace("\n", "\\n")
        # Where a parser stumbles, and how it says so, is its own affair; such words are kept as a remark.
        stumbled = response.code == 0x2000 and re.match(r"line \d+:|Failed parsing|Invalid syntax", response.message)
        if stumbled or statement.get("error") == "code only":
            lines += [line, f"# {message}"]
        else:
            lines.append(f"{line} {message}")
        if response.info:
            # Cassandra says of from_json the name by which it was first called for a type.
            lines.append("info: " + ", ".join(f"{k}={'from_json' if v == 'fromjson' else v}"
                                              for k, v in sorted(response.info.items()) if k != "query_id"))
        return lines
    if response.kind == protocol.RESULT_KIND_VOID:
        return lines + ["ok"]
    if response.kind == protocol.RESULT_KIND_SET_KEYSPACE:
        return lines + [f"keyspace: {response.new_keyspace}"]
    if response.kind == protocol.RESULT_KIND_SCHEMA_CHANGE:
        event = response.schema_change_event
        name = event.get(event["target_type"].lower(), "")
        return lines + [f"schema: {event['change_type']} {event['target_type']} {event['keyspace']} {name}".rstrip()]
    masked = set((statement.get("mask") or "").split())
    where = sorted({f"{m[0]}.{m[1]}" for m in response.column_metadata})
    lines.append(f"columns of {', '.join(where)}: " + ", ".join(
        f"{m[2]} {values.type_name(m[3])}" for m in response.column_metadata))
    answer = response.rows
    if statement.has("own"):  # of all the server has, what this file made
        answer = [row for row in answer if (row[0] or b"").decode().startswith(statement.name)]
    rows = ["row: " + " | ".join("***" if m[2] in masked and v is not None else values.show(v, m[3])
                                 for v, m in zip(row, response.column_metadata)) for row in answer]
    return lines + (sorted(rows) if statement.has("unordered") else rows)


class Session:
    """Where a file's statements stand: the keyspace that the last USE named, where the last page ended that had more behind it."""

    def __init__(self, keyspace):
        self.keyspace = keyspace
        self.paging_state = None


def run_statement(session, statement):
    """Yields each message, or seconds to sleep, and is sent its answer; returns what is printed of them."""
    level = LEVELS[statement.get("consistency") or "ONE"]
    common = {"serial_consistency_level": LEVELS[statement.get("serial")] if statement.get("serial") else None,
              "timestamp": int(statement.get("timestamp")) % 2**64 if statement.get("timestamp") else None}  # packed unsigned
    page = int(statement.get("page")) if statement.get("page") else None
    if statement.get("sleep"):
        yield float(statement.get("sleep"))
    lines, messages = [], []
    if statement.has("bind"):
        prepared = yield protocol.PrepareMessage(statement.text)
        if isinstance(prepared, protocol.ErrorMessage):
            return ["prepare"] + describe(prepared, statement)
        lines.append("prepared: " + ", ".join(f"{m.name} {values.type_name(m.type)}" for m in prepared.bind_metadata) +
                     "; partition key " + str(list(prepared.pk_indexes)))
        lines += warnings_of(prepared)
        if prepared.column_metadata:
            lines.append("result: " + ", ".join(f"{m[2]} {values.type_name(m[3])}" for m in prepared.column_metadata))
        for text in [value for key, value in statement.directives if key == "bind"]:
            bound = eval(text, {"__builtins__": {}}, NAMES)
            markers = prepared.bind_metadata
            raw = [encode(v, markers[i].type) if i < len(markers) else v for i, v in enumerate(bound)]
            messages.append((f"bind {text}", functools.partial(protocol.ExecuteMessage, prepared.query_id, raw, level,
                                                               result_metadata_id=getattr(prepared, "result_metadata_id", None),
                                                               **common)))
    else:
        def query(fetch_size=None, paging_state=None):
            message = protocol.QueryMessage(statement.text, level, fetch_size=fetch_size, paging_state=paging_state,
                                            **common)
            if statement.has("values"):
                message.query_params = typed(statement.get("values"))
            return message
        messages.append((None, query))
    for title, make in messages:
        if title:
            lines.append(title)
        state, number = None, 0
        if statement.has("resume"):
            state = bytes.fromhex(statement.get("resume")) or session.paging_state
        while True:
            number += 1
            response = yield make(fetch_size=page, paging_state=state)
            if page:
                lines.append(f"page {number}")
            lines += describe(response, statement)
            state = getattr(response, "paging_state", None)
            session.paging_state = state or session.paging_state
            if state is None:
                break
            if not page or statement.get("stop") == str(number):
                lines.append("more pages")
                break
            if number > 200:
                lines.append("endless pages")
                break
        if isinstance(response, RawResult) and response.kind == protocol.RESULT_KIND_SET_KEYSPACE:
            session.keyspace = response.new_keyspace
    return lines


def run_as(client, statement):
    """A statement, as whom it says: what a login is answered is an answer too."""
    who = client.as_role(*statement.get("as").split()) if statement.has("as") else client
    if statement.has("again"):
        who.close()
    try:
        return run_alone(who, run_statement(who, statement))
    except Refused as e:
        return [f"refused: {e}"]


def run_alone(client, steps):
    """Each message of a generator sent by itself, in order."""
    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            return end.value
        answer = time.sleep(step) if isinstance(step, float) else client.send(step)


# -- files ----------------------------------------------------------------------------------------------------------

def own_keyspaces(client, name):
    """Keyspaces of this file: its name, or its name and an underscore and more."""
    answer = client.send(protocol.QueryMessage("SELECT keyspace_name FROM system_schema.keyspaces", 1))
    if isinstance(answer, protocol.ErrorMessage):
        return [name]
    found = [row[0].decode() for row in answer.rows]
    return [k for k in found if k == name or k.startswith(name + "_")]


def clean(client, name):
    client.keyspace = None
    if client.user:  # roles: a file has the server for itself
        client.forget_roles()
        answer = client.send(protocol.QueryMessage("SELECT role FROM system_auth.roles", 1))
        for row in answer.rows:
            if row[0] != client.user.encode():
                client.send(protocol.QueryMessage(f"DROP ROLE '{row[0].decode()}'", 1))
    for keyspace in own_keyspaces(client, name):
        client.send(protocol.QueryMessage(f'DROP KEYSPACE IF EXISTS "{keyspace}"', 1))


def run_file(client, path):
    """Runs a file in a keyspace of its own name; yields each statement with its printed answer."""
    name = path.stem
    client.close()
    clean(client, name)
    client.send(protocol.QueryMessage(
        f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}", 1))
    client.send(protocol.QueryMessage(f"USE {name}", 1))
    client.keyspace = name
    for statement in parse_file(path):
        try:
            yield statement, run_as(client, statement)
        except Lost as e:
            yield statement, [f"LOST: {e}"]
        except Exception as e:  # an answer the driver cannot read, or values it cannot encode
            yield statement, [f"LOST: {type(e).__name__}: {e}"]
    client.close()
    clean(client, name)


def heading(statement):
    lines = [f"--! {name} {value}".rstrip() for name, value in statement.directives]
    return [f"> {line}".rstrip() for line in lines + statement.text.split("\n")]


def read_expected(path):
    """[(heading lines, answer lines)] in order."""
    blocks, head, body = [], [], []
    if not path.exists():
        return blocks
    for line in path.read_text().split("\n"):
        if line.startswith("#") or not line:
            continue
        if line.startswith(">"):
            if body:
                blocks.append((head, body))
                head, body = [], []
            head.append(line)
        else:
            body.append(line)
    if head:
        blocks.append((head, body))
    return blocks


def record(client, path, header):
    out = [f"# {line}" for line in header]
    count = 0
    for statement, answer in run_file(client, path):
        if any(line.startswith("LOST") for line in answer):
            sys.exit(f"{path.name}:{statement.line}: {answer[-1]}")
        out += [""] + heading(statement) + answer
        count += 1
    path.with_suffix(".expected").write_text("\n".join(out) + "\n")
    return count


def compare(path, answers, show, later, late=frozenset(), title=""):
    """What was answered to each statement of a file beside what was recorded: (passed, what failed, how many of those that may differ do).
    late: indexes of those that may, and with the first that does all that follow."""
    passed, failed, differ, is_late = 0, [], 0, False
    expected = read_expected(path.with_suffix(".expected"))
    for index, (statement, answer) in enumerate(answers):
        where = f"{path.name}:{statement.line}{title}"
        head = heading(statement)
        want_head, want = expected[index] if index < len(expected) else ([], [])
        if head != want_head:
            failed.append(f"{where}: not what was recorded; run make golden")
            continue
        # What a line break in a message would look like in the file is what it looks like here.
        got = [line for entry in answer for line in entry.split("\n") if line and not line.startswith("#")]
        known = f"{path.stem}:{statement.line}" in later
        if got == want and not known:
            passed += 1
            continue
        if got != want and (known or is_late or index in late):
            is_late |= not known
            differ += 1
            continue
        if known:
            failed.append(f"{where}: is answered as recorded now: take it out of later.txt")
            continue
        failed.append(where)
        if show:
            print(f"--- {where}")
            print("\n".join("    " + line for line in head))
            missing, extra = [w for w in want if w not in got], [g for g in got if g not in want]
            if not missing and not extra:
                missing, extra = want, got
            for sign, lines in (("-", missing), ("+", extra)):
                for line in lines[:show]:
                    print(f"  {sign} {line[:1000]}")
                if len(lines) > show:
                    print(f"  {sign} ... {len(lines) - show} more lines")
    return passed, failed, differ


def said(name, passed, failed, differ):
    print(f"{name}: {passed} passed, {len(failed)} failed" + (f", {differ} known to differ" if differ else ""), flush=True)


def check_alone(host, port, paths, args, later):
    """File after file, one statement at a time."""
    client = Client(host, port, args.protocol, *(["cassandra", "cassandra"] if args.roles else []))
    for path in paths:
        result = compare(path, run_file(client, path), args.show, later)
        said(path.stem, *result)
        yield result


def check_together(host, port, paths, args, later):
    """All files at once: together.py."""
    import together
    game = together.Game(host, port, args.mode, args.seed, noise=args.noise)
    missing = 0
    for sequence in game.play(paths, args.copies):
        answers = list(zip(sequence.statements, sequence.answers))
        missing += len(sequence.statements) - len(answers)
        passed, failed, differ = compare(sequence.path, answers, args.show, later, sequence.late, f" of {sequence.own}")
        if failed:
            said(sequence.own, passed, failed, differ)
        yield passed, failed, differ
    print(game.sum())
    yield 0, ([f"{missing} statements were not answered"] if missing else []) + game.failed(), 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--target", help="HOST:PORT of a running server")
    parser.add_argument("--helenus", help="binary to start on a fresh directory")
    parser.add_argument("--mode", default="alone", choices=["alone", "pipelined", "concurrent"],
                        help="file after file, one statement at a time; or all at once, on one connection, or on one each: together.py")
    parser.add_argument("--copies", type=int, default=2, help="of each file, where they are played at once")
    parser.add_argument("--seed", default="1", help="what is drawn where they are played at once")
    parser.add_argument("--noise", type=float, default=0.3, help="how often something goes out beside what is compared")
    parser.add_argument("--cold", type=int, metavar="N", help="one in N reads that memory could answer is sent to the disk (a binary with switches)")
    parser.add_argument("--protocol", default="4", help="version to speak, and compression: 3, 4, 5, 5+lz4 (with --check)")
    parser.add_argument("--server-arg", action="append", default=[], help="passed to helenus serve")
    parser.add_argument("--show", type=int, default=12, help="lines of a difference to show; 0 shows none")
    parser.add_argument("--roles", action="store_true", help="the files of roles/, of a server with roles")
    parser.add_argument("--later", action="store_true", help="as if later.txt were empty")
    parser.add_argument("names", nargs="*", help="files without .cql; all by default")
    args = parser.parse_args()
    if args.record == args.check:
        parser.error("one of --record and --check")
    home = HERE / "roles" if args.roles else HERE
    paths = [home / f"{name}.cql" for name in args.names] or sorted(home.glob("*.cql"))
    who = {"user": "cassandra", "password": "cassandra"} if args.roles else {}
    later = set() if args.record or args.later else set((HERE / "later.txt").read_text().split())

    if args.record:
        oracle = ROOT / "bench" / "cassandra" / "cassandra.py"
        checksum = subprocess.run([sys.executable, str(oracle), "checksum"], check=True, capture_output=True,
                                  text=True).stdout.strip()
        header = [f"Apache Cassandra 5.0.5, configuration default{', with roles' if args.roles else ''}; {checksum}.",
                  "Recorded by make golden; nothing else writes this file."]
        directory = ROOT / "build" / "cassandra" / ("roles" if args.roles else "golden")
        port = 19342 if args.roles else 19142
        if args.target:
            port = int(args.target.rsplit(":", 1)[1])
        else:
            subprocess.run([sys.executable, str(oracle), "start", "--fresh", "--features"] + ["--roles"] * args.roles + ["--port", str(port), "--dir",
                            str(directory)], check=True)
        try:
            client = Client("127.0.0.1", port, **who)
            total = 0
            for path in paths:
                count = record(client, path, header)
                total += count
                print(f"{path.stem}: {count}")
            print(f"{total} statements recorded")
        finally:
            if not args.target:
                subprocess.run([sys.executable, str(oracle), "stop", "--dir", str(directory)], check=True)
        return 0

    server = None
    if args.target:
        host, port = args.target.rsplit(":", 1)
    else:
        from server import Helenus
        server = Helenus(binary=args.helenus, args=args.server_arg + ["--auth", "roles"] * args.roles, env={"HELENUS_TEST_COLD": str(args.cold)} if args.cold else None)
        server.start()
        host, port = "127.0.0.1", server.cql_port
    passed, failed, skipped = 0, [], 0
    try:
        for good, bad, differ in (check_alone if args.mode == "alone" else check_together)(host, int(port), paths, args, later):
            passed += good
            failed += bad
            skipped += differ
    finally:
        if server:
            code = server.stop()
            if code != 0 or server.reported:  # leaks are reported at the end
                failed.append(f"the server ended with code {code}; its log: {server.log_path}")
                failed += server.reported
    for line in failed[:200]:
        print("FAILED", line)
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
