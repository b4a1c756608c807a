#!/usr/bin/env python3
"""The drivers' own tests against a running server, with what Apache Cassandra 5.0.5 makes of them as the baseline.

    peers.py [SUITE...]

Cassandra is started from bench/cassandra, then a helenus in its place. The suites are taken from the packages as they are published (the Go
module's archive, the crates' archives hold their tests), built once in build/peers, and changed in one thing: the port. A test is what its
runner calls one; it runs on a single node. What fails on both is the suite's need (several nodes, a proxy, another server); what passes on
Cassandra alone is a difference, and stands with its reason in differences.txt, or fails this. So does what stands there and passes.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "peers"
ORACLE = ROOT / "bench" / "cassandra" / "cassandra.py"
PORT = 19542
TEST_S = 60
sys.path.insert(0, str(ROOT / "tests"))

from server import Helenus  # noqa: E402


def run(command, cwd, env=None, timeout_s=None):
    """(exit code or None when out of time, output)"""
    process = subprocess.Popen(command, cwd=cwd, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout_s)
        return process.returncode, output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return None, output.decode(errors="replace")


def must(command, cwd, env=None):
    code, output = run(command, cwd, env)
    if code != 0:
        sys.exit(f"{' '.join(map(str, command))} in {cwd}: code {code}\n{output[-4000:]}")
    return output


def copied(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for path in [target, *target.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


# -- the suites -------------------------------------------------------------------------------------------------------

class Program:
    """A built test program: how its tests are listed and run, and what it says of them."""

    def __init__(self, path, cwd, prefix=""):
        self.path, self.cwd, self.prefix = str(path), cwd, prefix


class GoProgram(Program):
    begun = re.compile(r"^=== RUN +(Test\w+)$", re.M)
    ended = re.compile(r"^--- (?P<what>PASS|FAIL|SKIP): (?P<name>Test\w+) ", re.M)
    words = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}

    def list(self):
        return re.findall(r"^(Test\w+)$", must([self.path, "-test.list", "."], self.cwd), re.M)

    def run(self, names, port, timeout_s):
        return run([self.path, "-test.v", "-test.run", "^(" + "|".join(names) + ")$", "-cluster", f"127.0.0.1:{port}", "-gocql.cversion=5.0.5",
                    "-proto=5", "-rf=1", "-clusterSize=1", "-gocql.timeout=10s"], self.cwd, timeout_s=timeout_s)


class RustProgram(Program):
    begun = re.compile(r"^test ([\w:]+)", re.M)
    ended = re.compile(r"^test (?P<name>[\w:]+)(?: - should panic)? \.\.\. (?:(?!^test ).*\n)*?.*?\b(?P<what>ok|FAILED|ignored)\b", re.M)
    words = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}

    def list(self):
        return re.findall(r"^([\w:]+): test$", must([self.path, "--list"], self.cwd), re.M)

    def run(self, names, port, timeout_s):
        return run([self.path, "--test-threads", "1", "--exact", *names], self.cwd, {"SCYLLA_URI": f"127.0.0.1:{port}", "RUST_BACKTRACE": "0"},
                   timeout_s)


def make_go(module, tags):
    def make(out):
        version = must(["go", "list", "-m", "-f", "{{.Version}}", module], HERE / "go").strip()
        must(["go", "mod", "download", module], HERE / "go")
        copied(pathlib.Path(must(["go", "list", "-m", "-f", "{{.Dir}}", module], HERE / "go").strip()), out / "tree")
        must(["go", "test", "-c", "-tags", tags, "-o", str(out / "tests"), "."], out / "tree", {"GOFLAGS": "-mod=mod"})
        return version, [GoProgram(out / "tests", out / "tree")]
    return make


def make_rust(crate, arguments, without=()):
    def make(out):
        fetched, tree = out / "fetched", out / "tree"
        (fetched / "src").mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "rust" / "Cargo.toml", fetched)
        (fetched / "src" / "lib.rs").touch()
        metadata = json.loads(must(["cargo", "metadata", "--quiet", "--format-version", "1"], fetched))
        package = next(package for package in metadata["packages"] if package["name"] == crate)
        copied(pathlib.Path(package["manifest_path"]).parent, tree)
        (tree / "Cargo.lock").unlink(missing_ok=True)
        for path in (tree / "tests").rglob("*.rs"):
            path.write_text(path.read_text().replace("127.0.0.1:9042", f"127.0.0.1:{PORT}"))
        for path, module in without:
            text = (tree / path).read_text()
            (tree / path).write_text(text.replace(f"mod {module};\n", ""))
        told = must(["cargo", "test", "--no-run", *arguments], tree, {"CARGO_TARGET_DIR": str(out / "target")})
        programs = re.findall(r"Executable tests/([\w/]+)\.rs \((.*?)\)", told)
        return package["version"], [RustProgram(tree / path, tree, name.removesuffix("/main") + "/") for name, path in programs]
    return make


SUITES = {"gocql": make_go("github.com/apache/cassandra-gocql-driver/v2", "cassandra integration"),
          "cdrs-tokio": make_rust("cdrs-tokio", ["--tests", "--features", "e2e-tests,derive"]),
          # Two of its modules do not compile with the versions that its package names; they need the proxy, that is several nodes, anyway.
          "scylla": make_rust("scylla", ["--test", "integration"], [("tests/integration/session/mod.rs", "caching_session"),
                                                                    ("tests/integration/statements/mod.rs", "consistency")])}


def play(program, port, log):
    """{test: passed, failed, skipped or died}: what follows one that takes its program along is run again without it."""
    results, left = {}, program.list()
    while left:
        code, output = program.run(left, port, TEST_S * 2 + 5 * len(left))
        log.write(output)
        found = {m["name"]: program.words[m["what"]] for m in program.ended.finditer(output)}
        for name in left:
            if name in found:
                results[program.prefix + name] = found[name]
        unfinished = [name for name in program.begun.findall(output) if name in left and name not in found]
        rest = [name for name in left if name not in found]
        if rest and not unfinished and not found:
            unfinished = rest  # it does not even begin
        for name in unfinished:
            results[program.prefix + name] = "out of time" if code is None else "died"
        left = [name for name in rest if name not in unfinished]
    return results


# -- the table --------------------------------------------------------------------------------------------------------

def known_differences():
    """{suite test: reason}"""
    lines = (HERE / "differences.txt").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def judge(suite, cassandra, helenus, known):
    """Prints what differs; returns (passed, failed, skipped)."""
    passed, failed, skipped = 0, 0, 0
    for test in cassandra:
        name, one, other = f"{suite} {test}", cassandra[test], helenus.get(test, "missing")
        if one != "passed" and other != "passed":
            skipped += 1
            continue
        if other == "passed" and name not in known:
            passed += 1
            if one == "passed":
                continue
        print(f"| {name} | {one} | {other} | {known.get(name, '')} |", flush=True)
        if other == "passed" and name in known:
            failed += 1
            print(f"FAILED {name}: passes now: take it out of differences.txt")
        elif other != "passed" and name in known:
            skipped += 1
        elif other != "passed":
            failed += 1
            print(f"FAILED {name}: {other}, and passes with Cassandra")
    return passed, failed, skipped


def results_of(made, port, who):
    out = {}
    for suite, (_, programs) in made.items():
        begin = time.time()
        with open(BUILD / f"{suite}.{who}.log", "w") as log:
            out[suite] = {name: result for program in programs for name, result in play(program, port, log).items()}
        counts = collections.Counter(out[suite].values())
        print(f"{suite} with {who}: {dict(counts)}, {time.time() - begin:.0f} s", flush=True)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(SUITES), metavar="SUITE")
    args = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    made = {}
    for suite in args.suites:
        (BUILD / suite).mkdir(exist_ok=True)
        made[suite] = SUITES[suite](BUILD / suite)
        print(f"{suite} {made[suite][0]}: {sum(len(program.list()) for program in made[suite][1])} tests", flush=True)
    oracle = [sys.executable, str(ORACLE), "start", "--fresh", "--features", "--dir", str(BUILD / "cassandra"), "--port", str(PORT)]
    must(oracle, ROOT)
    try:
        cassandra = results_of(made, PORT, "Cassandra")
    finally:
        must([sys.executable, str(ORACLE), "stop", "--dir", str(BUILD / "cassandra")], ROOT)
    server = Helenus()
    server.cql_port = PORT
    server.start()
    try:
        helenus = results_of(made, PORT, "helenus")
    finally:
        code = server.stop()
    known, sums = known_differences(), [0, 0, 0]
    print("| test | Cassandra 5.0.5 | helenus | why |\n|---|---|---|---|")
    for suite in made:
        sums = [a + b for a, b in zip(sums, judge(suite, cassandra[suite], helenus[suite], known))]
    if code != 0:
        sums[1] += 1
        print(f"FAILED helenus ended with code {code}")
    print(f"{sums[0]} passed, {sums[1]} failed, {sums[2]} skipped")
    return 1 if sums[1] or not sums[0] else 0


if __name__ == "__main__":
    sys.exit(main())
