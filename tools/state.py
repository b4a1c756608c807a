#!/usr/bin/env python3
"""Writes what README.md and docs/apis.md have between their markers from the tests; --check only says whether it is up to date.

What is recorded from Cassandra and replayed is counted in tests/cql/*.expected; statements of tests/cql/later.txt are known to
be answered otherwise yet. The rest of the tests are counted where they are defined.
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "api"))

import kinds as cells  # noqa: E402


def statements(path):
    """The lines of a statement stand together, and an answer follows."""
    lines = path.read_text().splitlines()
    return sum(1 for before, line in zip([""] + lines, lines) if line.startswith("> ") and not before.startswith("> "))


def count(pattern, *globs):
    return sum(len(re.findall(pattern, p.read_text(), re.M)) for g in globs for p in sorted(ROOT.glob(g)))


def table():
    later = set((ROOT / "tests/cql/later.txt").read_text().split())
    lines = ["| recorded from Apache Cassandra 5.0.5 and replayed | answers | |", "| --- | --- | --- |"]
    total = 0
    for path in sorted((ROOT / "tests/cql").glob("*.expected")):
        n = statements(path)
        differ = sum(name.rpartition(":")[0] == path.stem for name in later)
        total += n - differ
        lines.append(f"| {path.stem.replace('_', ' ')} | {n} | {f'{n - differ} answers the same' if differ else 'all answers the same'} |")
    lines.append(f"| **replayed on both stores** | **{total}** | |")
    units = count(r"cmocka_unit_test", "src/**/*_test.c")
    drivers = count(r"^def test_", "tests/drivers/python/test_*.py")
    grammar = count(r"^[^#\n]", "tests/vectors/cql_statements.txt")
    types = json.loads((ROOT / "tests/drivers/types.json").read_text())["types"]
    kinds, values = len(types), sum(len(t["cases"]) for t in types)
    matrix = len(subprocess.run([sys.executable, "tests/drivers/matrix.py", "--list"], cwd=ROOT, capture_output=True,
                                text=True, check=True).stdout.split())
    facts = count(r'^    "[^"]+": "[^"]*",$', "tests/drivers/spring.py")
    sabotages = count(r"^\[\[", "tests/mutants.toml")
    lines += ["", "| also tested | tests |", "| --- | --- |", f"| unit tests | {units} |",
              f"| Python driver and cqlsh, unchanged | {drivers} functions |",
              f"| driver matrix: {matrix} modes of the Python, Node, Go, Java and Rust drivers, unchanged | each with {values} values of {kinds} types |",
              f"| a Spring Boot application on its defaults, unchanged, with a password and without | {facts} facts each |",
              f"| AWS's APIs: the aws CLI and the SDKs for Python, Java, Go and JavaScript, unchanged | {len(cells.KINDS)} clients on {len(cells.AREAS)} APIs |",
              f"| statements of Cassandra's grammar, accepted or refused as it does | {grammar} |",
              f"| sabotages that a named test must see | {sabotages} |"]
    return "\n".join(lines) + "\n"


def main():
    stale = []
    for path, mark, new in (("README.md", "state", table()), ("docs/apis.md", "cells", cells.table())):
        begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        head, rest = (ROOT / path).read_text().split(begin)
        old, tail = rest.split(end)
        stale += [path] if old != new else []
        if "--check" not in sys.argv:
            (ROOT / path).write_text(head + begin + new + end + tail)
    if "--check" in sys.argv:
        print("".join(f"{path} is not what the tests say: run make state\n" for path in stale) + f"{2 - len(stale)} passed, {len(stale)} failed, 0 skipped")
        return bool(stale)
    return 0


if __name__ == "__main__":
    sys.exit(main())
