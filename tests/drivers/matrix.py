#!/usr/bin/env python3
"""The driver matrix: every client, in every protocol version, plain and with every compression it knows.

    matrix.py [LANGUAGE...]                          against a helenus of its own
    matrix.py --target HOST:PORT [--record] ...      against another server; --record writes metadata.expected.json and changes.expected.json

A client is a small program in its language's ordinary idiom. It takes commands on standard input and says what it
saw on standard output, a JSON object per line; what should have been seen is decided here and in types.json, so a
client can't agree with itself. Each mode of the table below goes through

    run      writes and reads every type, bound and as a literal; pages, batches, conditions, errors, schema events;
             what system_views.clients says of its own connections; the schema as the driver reads it
    read     reads what every other mode of every client has written
    change   reads and writes with statements that it keeps while others change, drop and make again what they are about: changes.json
    prepare, survive    a session that lives through kill -9 of the server and goes on with its prepared statements
"""
import argparse
import json
import os
import pathlib
import queue
import re
import shutil
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "drivers"
sys.path.insert(0, str(HERE.parent))

from lib.clients import Talk, make_go, make_java, make_node, run_once  # noqa: E402
from server import Helenus  # noqa: E402

PLAIN, LZ4, SNAPPY = "none", "lz4", "snappy"
# Protocol v5 compresses with LZ4 only. The Node driver knows no compression and speaks up to v4;
# scylla's, of crate scylla 1.2.0, speaks v4 and calls itself by the version of its crate scylla-cql.
OLD = {3: (PLAIN, LZ4, SNAPPY), 4: (PLAIN, LZ4, SNAPPY)}
ALL = {**OLD, 5: (PLAIN, LZ4)}
MATRIX = {
    "python": ("Apache Cassandra Python Driver", "3.30.1", ALL),
    "go": ("github.com/apache/cassandra-gocql-driver", "v2.1.2", ALL),
    "java": ("Apache Cassandra Java Driver", "4.19.0", ALL),
    "node": ("DataStax Node.js Driver for Apache Cassandra", "4.8.0", {3: (PLAIN,), 4: (PLAIN,)}),
    "rust": ("ScyllaDB Rust Driver", "1.3.1", {4: (PLAIN, LZ4, SNAPPY)}),
}
TYPES = json.loads((HERE / "types.json").read_text())
CHANGES = json.loads((HERE / "changes.json").read_text())
EXPECTED_PATH = HERE / "changes.expected.json"
EXPECTED_CHANGES = json.loads(EXPECTED_PATH.read_text()) if EXPECTED_PATH.exists() else {}
SECONDS_PER_COMMAND = 120

SETUP = [
    "CREATE TABLE d.pages (writer text, n int, v text, PRIMARY KEY (writer, n))",
    "CREATE TABLE d.batches (writer text, n int, v text, PRIMARY KEY (writer, n))",
    "CREATE TABLE d.conditions (writer text PRIMARY KEY, v int)",
    "CREATE TABLE d.large (writer text PRIMARY KEY, v blob)",
    "CREATE TABLE d.many (writer text, n int, v int, PRIMARY KEY (writer, n))",
]


def replication(factor):
    return f"WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {factor}}}"


# ---- what a client is made of ----

def build_rust():
    here, out = HERE / "rust", BUILD / "rust"
    inputs = [here / "Cargo.toml"] + sorted((here / "src").glob("*.rs"))
    (out / "src").mkdir(parents=True, exist_ok=True)
    for path in inputs:
        shutil.copy(path, out / path.relative_to(here))
    run_once(out / "built", inputs, [["cargo", "build", "--quiet"]], out, {"CARGO_TARGET_DIR": str(out / "target")})
    return [str(out / "target" / "debug" / "client")]


BUILDERS = {
    "python": lambda: [sys.executable, str(HERE / "python" / "client.py")],
    "node": lambda: make_node(HERE / "node", BUILD / "node"),
    "go": lambda: make_go(HERE / "go", BUILD / "go"),
    "java": lambda: make_java(HERE / "java", BUILD / "java"),
    "rust": build_rust,
}


# ---- a client that runs ----

class Client:
    """One process; commands in, facts out."""

    def __init__(self, language, command, host, port):
        self.language, self.host, self.port = language, host, port
        self.talk = Talk(command + [str(HERE / "types.json")], BUILD / f"{language}.log", BUILD)

    def say(self, do, mode, version, compression, **more):
        """Returns what the client saw: {fact: value}, and {fact: error}."""
        facts, errors = {}, {}
        command = {"do": do, "mode": mode, "version": version, "compression": compression, "host": self.host,
                   "port": self.port, "skip": skipped(mode), **more}
        deadline = time.time() + SECONDS_PER_COMMAND
        try:
            self.talk.send(command)
            while True:
                said = self.talk.line(deadline)
                if said is None:
                    errors[do] = f"the client ended with code {self.talk.process.wait()}"
                    return facts, errors
                if said.get("done"):
                    return facts, errors
                if "error" in said:
                    errors[said["fact"]] = said["error"]
                else:
                    facts[said["fact"]] = said["value"]
        except queue.Empty:
            errors[do] = f"nothing more in {SECONDS_PER_COMMAND} s"
            self.talk.process.kill()
        except (OSError, ValueError) as e:
            errors[do] = f"the client is gone: {e}"
        return facts, errors

    def close(self):
        self.talk.close()


# ---- what should have been seen ----

def ordered(value, cql_type):
    """Sets and maps have an order in the server but not in every language: sort them by their written form."""
    inner = re.fullmatch(r"frozen<(.*)>", cql_type)
    if inner:
        return ordered(value, inner[1])
    if value is None or "<" not in cql_type and cql_type not in UDTS:
        return value
    name = cql_type.split("<")[0]
    if name in UDTS:
        return [ordered(v, t) for v, t in zip(value, UDTS[name])]
    of = split(cql_type[len(name) + 1:-1])
    if name == "tuple":
        return [ordered(v, t) for v, t in zip(value, of)]
    if name == "map":
        return sorted(([ordered(k, of[0]), ordered(v, of[1])] for k, v in value), key=json.dumps)
    out = [ordered(v, of[0]) for v in value]
    return sorted(out, key=json.dumps) if name == "set" else out


def split(text):
    """The types between the angle brackets, at their depth."""
    out, depth = [""], 0
    for c in text:
        depth += (c == "<") - (c == ">")
        if c == "," and depth == 0:
            out.append("")
        else:
            out[-1] += c
    return [t.strip() for t in out]


UDTS = {m[1]: [f.strip().split(" ", 1)[1] for f in split(m[2])]
        for m in (re.fullmatch(r"CREATE TYPE (\w+) \((.*)\)", s) for s in TYPES["setup"])}


def cases(mode):
    """What a mode can write and read: `not` names clients ("node") or their versions ("node-v3") that can't, and why."""
    names = mode.rsplit("-", 2)[0], mode.rsplit("-", 1)[0]
    for entry in TYPES["types"]:
        for case in entry["cases"]:
            if not set(names) & set(entry.get("not", {})) | set(names) & set(case.get("not", {})):
                yield entry, case


def skipped(mode):
    can = {(e["table"], c["name"]) for e, c in cases(mode)}
    return [f"{e['table']}.{c['name']}" for e in TYPES["types"] for c in e["cases"] if (e["table"], c["name"]) not in can]


EVENTS = ["created keyspace", "created type u", "created table t", "updated table t", "updated type u",
          "updated keyspace", "dropped table t", "dropped type u", "dropped keyspace"]
STEPS = {
    "page.sizes": [7] * 14 + [2], "page.rows": [str(n) for n in range(100)],
    "page.resumed": [str(n) for n in range(7, 14)],
    "batch.logged": [["1", "one"], ["2", "two"], ["3", "three"]], "batch.unlogged": [["4", "four"], ["5", "five"]],
    "lwt.insert": [True], "lwt.insert.refused": [False, "1"], "lwt.update": [True], "lwt.update.refused": [False, "2"],
    "lwt.batch": [True], "lwt.batch.refused": [False], "lwt.delete": [True], "lwt.read": None,
    "error.syntax": 0x2000, "error.invalid": 0x2200, "error.exists": 0x2400,
    "large": [1000000, True], "many": "500", "events": EVENTS,
}


def expected_of_run(mode, version):
    wanted = dict(STEPS)
    for entry, case in cases(mode):
        for how in ("bound", "literal"):
            wanted[f"{how}.{entry['table']}.{case['name']}"] = (entry["type"], case["value"])
    for entry in TYPES["types"]:
        wanted[f"null.{entry['table']}"] = None
    if version >= 4:
        wanted["unset"] = "7"
    return wanted


def differences(got, wanted, path=""):
    if isinstance(got, dict) and isinstance(wanted, dict):
        for key in sorted(set(got) | set(wanted)):
            yield from differences(got.get(key), wanted.get(key), f"{path}/{key}")
    elif isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        for i, (a, b) in enumerate(zip(got, wanted)):
            yield from differences(a, b, f"{path}/{i}")
    elif got != wanted:
        yield f"{path}: {json.dumps(got)}, not {json.dumps(wanted)}"


class Score:
    """What passed and what did not, of all threads."""

    def __init__(self):
        self.lock, self.passed, self.failed = threading.Lock(), 0, 0

    def one(self, name, wrong):
        with self.lock:
            if wrong:
                self.failed += 1
                print(f"FAILED {name}: {wrong}", flush=True)
            else:
                self.passed += 1


def check_counted(score, mode, rows, version, compression, minimum):
    """The server's own count: all connections of this driver, and nothing but what was asked for."""
    name, release, _ = MATRIX[mode.split("-")[0]]
    own = [r for r in rows or [] if r[0] == name]
    want = (release, version, None if compression == PLAIN else compression)
    wrong = [r for r in own if (r[1], r[2], (r[3] or {}).get("COMPRESSION")) != want]
    score.one(f"{mode} counted", f"{rows}" if len(own) < minimum or wrong else None)


def check_survivors(score, language, rows, rows_of_table):
    """After the restart every session is back as it was: no mode is missing, none is new."""
    name, release, _ = MATRIX[language]
    got = {(r[1], r[2], (r[3] or {}).get("COMPRESSION")) for r in rows or [] if r[0] == name}
    want = {(release, version, None if c == PLAIN else c) for _, version, c in rows_of_table}
    score.one(f"{language} counted after the restart", f"{got}, not {want}" if got != want else None)


def check_run(score, mode, version, compression, facts, errors, record):
    wanted = expected_of_run(mode, version)
    for fact, error in errors.items():
        if fact not in wanted:
            score.one(f"{mode} {fact}", error)
    for fact, value in wanted.items():
        got = facts.get(fact)
        if isinstance(value, tuple):
            cql_type, value = value
            got, value = ordered(got, cql_type), ordered(value, cql_type)
        wrong = errors.get(fact) or ("not said" if fact not in facts else None)
        if not wrong and got != value:
            wrong = f"{json.dumps(got, ensure_ascii=False)[:300]}, not {json.dumps(value, ensure_ascii=False)[:300]}"
        score.one(f"{mode} {fact}", wrong)
    # The Node driver watches and asks over one connection.
    check_counted(score, mode, facts.get("clients"), version, compression, 1 if mode.startswith("node") else 2)
    check_metadata(score, mode, facts.get("metadata"), record)


def check_metadata(score, mode, got, record):
    language = mode.split("-")[0]
    path = HERE / language / "metadata.expected.json"
    if got and record is not None and record.setdefault(language, got) is got:
        path.write_text(json.dumps(got, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    wrong = list(differences(got, json.loads(path.read_text()))) if path.exists() else [f"{path} is missing"]
    score.one(f"{mode} metadata", "\n    ".join(wrong[:20]))


def check_read(score, mode, facts, errors, writers):
    """Each type: the rows of all writers, and no others."""
    can = {(e["table"], c["name"]) for e, c in cases(mode)}
    for entry in TYPES["types"]:
        fact = f"read.{entry['table']}"
        wanted = {(w, case["name"]): ordered(case["value"], entry["type"]) for w in writers
                  for e, case in cases(w) if e is entry and (e["table"], case["name"]) in can}
        got = {(w, n): ordered(v, entry["type"]) for w, n, v in facts.get(fact, [])}
        wrong = errors.get(fact) or errors.get("read")
        if not wrong and got != wanted:
            wrong = "; ".join(f"{k}: {got.get(k, 'no row')}, not {wanted.get(k, 'a row')}"
                              for k in sorted(set(got) | set(wanted)) if got.get(k, ()) != wanted.get(k, ()))[:600]
        score.one(f"{mode} {fact}", wrong)


# ---- statements that are kept ----

def use_kept(client, mode, version, compression, keyspace, use):
    """What a client reads with a statement of its own, or its error, without what is another each time."""
    facts, errors = client.say("keep", mode, version, compression, statement=use[0].replace("KS", keyspace), values=use[1:])
    if not errors:
        return facts["kept"]
    text = next(iter(errors.values())).split("\n")[0].replace(keyspace, "KS").replace(f"{client.host}:{client.port}", "HOST")
    return "error: " + re.sub(r"(0x)?[0-9a-f]{32}", "ID", text)


def change_and_use(session, client, mode, version, compression):
    """{change: what each of its uses read, before it and twice after it}"""
    seen = {}
    for number, change in enumerate(CHANGES):
        keyspace = f"c{number}_" + mode.replace("-", "_")
        session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
        session.execute(f"CREATE KEYSPACE {keyspace} {replication(1)}")
        for statement in change["setup"]:
            session.execute(statement.replace("KS", keyspace))
        read = [[use_kept(client, mode, version, compression, keyspace, use) for use in change["uses"]]]
        for statements in change["changes"]:
            for statement in statements:
                session.execute(statement.replace("KS", keyspace).replace("REPLICATION", replication(1)))
            read += [[use_kept(client, mode, version, compression, keyspace, use) for use in change["uses"]] for _ in range(2)]
        seen[change["name"]] = read
        session.execute(f"DROP KEYSPACE {keyspace}")
    return seen


def check_changes(score, mode, seen, record):
    """As Cassandra let the same driver read: the compression changes nothing."""
    known = mode.rsplit("-", 1)[0]
    wanted = EXPECTED_CHANGES.setdefault(known, seen) if record else EXPECTED_CHANGES.get(known, {})
    for change in CHANGES:
        name = change["name"]
        score.one(f"{mode} kept: {name}", "\n    ".join(differences(seen[name], wanted.get(name))))


# ---- the phases ----

def modes(languages):
    return {language: [(f"{language}-v{v}-{c}", v, c) for v, known in MATRIX[language][2].items() for c in known]
            for language in languages}


def cluster_of(host, port):
    from cassandra.cluster import Cluster, EXEC_PROFILE_DEFAULT, ExecutionProfile
    from cassandra.policies import RoundRobinPolicy

    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60)
    return Cluster([host], port=port, protocol_version=4, execution_profiles={EXEC_PROFILE_DEFAULT: profile})


def prepare_server(host, port):
    with cluster_of(host, port) as cluster:
        session = cluster.connect()
        for keyspace in ("d", "meta"):
            session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
            session.execute(f"CREATE KEYSPACE {keyspace} {replication(1)}")
        session.set_keyspace("d")
        for statement in TYPES["setup"] + SETUP:
            session.execute(statement)
        for entry in TYPES["types"]:
            session.execute(f"CREATE TABLE d.{entry['table']} (how text, writer text, name text, v {entry['type']}, "
                            "PRIMARY KEY (how, writer, name))")
        session.set_keyspace("meta")
        for statement in (HERE / "schema.cql").read_text().strip().split("\n"):
            session.execute(statement)


def in_parallel(languages, work):
    threads = [threading.Thread(target=work, args=(language,)) for language in languages]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("languages", nargs="*", default=list(MATRIX), metavar="LANGUAGE")
    parser.add_argument("--target", metavar="HOST:PORT")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", help="one phase: run, read, change")
    parser.add_argument("--build", action="store_true", help="only make the clients")
    parser.add_argument("--list", action="store_true", help="only name the modes")
    args = parser.parse_args()
    if args.list:
        print("\n".join(mode for rows in modes(args.languages).values() for mode, _, _ in rows))
        return 0
    if args.record and not args.target:
        parser.error("--record needs the --target that is recorded")
    BUILD.mkdir(parents=True, exist_ok=True)
    score, commands, begin = Score(), {}, time.time()

    def make(language):
        try:
            commands[language] = BUILDERS[language]()
            print(f"{language}: made at {time.time() - begin:.0f} s", flush=True)
        except (RuntimeError, OSError) as e:
            score.one(f"{language}: made", e)

    in_parallel(args.languages, make)
    if args.build:
        return 1 if score.failed else 0
    server = None
    host, port = args.target.rsplit(":", 1) if args.target else ("127.0.0.1", None)
    if not args.target:
        server = Helenus(args=["--prepared-bytes", "64m"])
        server.start()
        port = server.cql_port
    port = int(port)
    table = modes(commands)
    writers = [mode for rows in table.values() for mode, _, _ in rows]
    record = {} if args.record else None
    prepare_server(host, port)
    clients = {language: Client(language, command, host, port) for language, command in commands.items()}

    def run(language):
        for mode, version, compression in table[language]:
            facts, errors = clients[language].say("run", mode, version, compression)
            check_run(score, mode, version, compression, facts, errors, record)

    def read(language):
        for mode, version, compression in table[language]:
            check_read(score, mode, *clients[language].say("read", mode, version, compression), writers)

    def change(language):
        with cluster_of(host, port) as cluster:
            session = cluster.connect()
            for mode, version, compression in table[language]:
                check_changes(score, mode, change_and_use(session, clients[language], mode, version, compression), args.record)

    def prepare(language):
        for mode, version, compression in table[language]:
            facts, errors = clients[language].say("prepare", mode, version, compression)
            score.one(f"{mode} before the restart", errors or (facts.get("before") != "1" and facts))

    def survive(language):
        for mode, version, compression in table[language]:
            facts, errors = clients[language].say("survive", mode, version, compression)
            score.one(f"{mode} after the restart", errors or (facts.get("after") != ["1", "2"] and facts))
        check_survivors(score, language, facts.get("clients"), table[language])

    def phase(name, work):
        if args.only not in (None, name):
            return
        started = time.time()
        in_parallel(clients, work)
        print(f"{name}: {time.time() - started:.0f} s", flush=True)

    phase("run", run)
    phase("read", read)
    if args.record:
        for mode in writers:
            EXPECTED_CHANGES.pop(mode.rsplit("-", 1)[0], None)
    phase("change", change)
    if args.record:
        EXPECTED_PATH.write_text("{" + ",\n".join(f'"{known}": {{\n' + ",\n".join(
            f' "{name}": {json.dumps(read, ensure_ascii=False)}' for name, read in EXPECTED_CHANGES[known].items()) + "}"
            for known in sorted(EXPECTED_CHANGES)) + "}\n")
    if server and not args.only:
        phase("prepare", prepare)
        server.kill()
        server.start()
        phase("survive", survive)
    for client in clients.values():
        client.close()
    if server:
        code = server.stop()
        score.one("helenus ended", None if code == 0 else f"code {code}\n{server.tail()}")
    print(f"{score.passed} passed, {score.failed} failed, 0 skipped")
    return 1 if score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
