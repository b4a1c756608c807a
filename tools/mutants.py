#!/usr/bin/env python3
"""Sabotages the server one line at a time and demands that a named test turns red.

    mutants.py [--list FILE] [--fits] [NAME...]

The list is tests/mutants.toml: name, file, old text (once in the file), new text, test. A test is a unit test program
(`table/table_test`), one of its cases (`table/table_test:case`), a case of tests/process/operate.py (`operate:case`), an attack of
tests/hostile/hostile.py (`hostile:name`) or of its apis.py or tls.py (`hostile:apis:name`), a file of tests with the Python driver (`driver:test_clock`), a test of tests/process/process.py (`process:name`) or of its tls.py (`process:tls:name`), a test of AWS's APIs with official clients (`api:model`; one client of the table
of cells: `api:cells:boto3`), a test of disks (`storage:full_disk`), two rounds of a test under kill -9 (`crash:cas`), a file of recorded statements (`cql:batches`; with others going on: `pipelined:lwt`, `concurrent:lwt`; as if
nothing were in memory: `cold:lwt`) or a recorded conversation (`wire:conversation`), or so many seeds of the
simulation on one of the stores (`sim:memory:2000`, tests/sim); those of a server need the test clients of `make deps-test` and
are skipped without them. With `asan-` before any of those of recorded statements (`asan-pipelined:lwt`) the server is built with the
sanitizers: for what only they see. A sabotage that no test sees is a hole in the
tests; one that no longer fits the source must be rewritten. The tree is copied to build/mutants, so nothing here touches
the sources, and what is built there is kept for the next time.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "build" / "mutants"
UNFINISHED = TREE / "build" / "unfinished"
PYTHON = ROOT / "build" / "venv" / "bin" / "python"
TIMEOUT_S = 90
SIM_TIMEOUT_S = 600
BUILD_TIMEOUT_S = 900
JOBS = f"-j{os.cpu_count() or 1}"
SIM_SEED = re.compile(r"^FAILED seed \d+", re.M)
FAILED_CASE = re.compile(r"^\[  FAILED  \] (?:[\w ]+: )?(\w+)$", re.M)
BEGUN_CASE = re.compile(r"^\[ RUN      \] (\w+)$", re.M)
ENDED_CASE = re.compile(r"^\[ +(?:OK|FAILED|SKIPPED) +\] (\w+)$", re.M)


class Broken(Exception):
    """The list, the build or a test is not as it should be before anything was sabotaged."""


# -- the copy ---------------------------------------------------------------------------------------------------------

def copy_tree():
    """Brings TREE to the state of the working tree, keeping times, so that make rebuilds only what changed."""
    if UNFINISHED.exists():  # ended in the middle of a sabotage: what was built of it must not stay
        shutil.rmtree(TREE)
        TREE.mkdir()
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.splitlines()
    wanted = {name for name in names if (ROOT / name).is_file()}
    for name in wanted:
        source, target = ROOT / name, TREE / name
        if target.exists() and target.stat().st_mtime_ns == source.stat().st_mtime_ns \
                and target.stat().st_size == source.stat().st_size:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    for folder in (path for path in TREE.iterdir() if path.is_dir() and path.name != "build"):
        for path in folder.rglob("*"):
            if path.is_file() and str(path.relative_to(TREE)) not in wanted:
                path.unlink()


# -- building and running ---------------------------------------------------------------------------------------------

def run(command, timeout_s, cwd=TREE):
    """(exit code or None when out of time, output). The command has a session of its own, ended whole."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="stdout", PYTHONDONTWRITEBYTECODE="1", MALLOC_PERTURB_="165")
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        env.pop(name, None)
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout_s)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        code = None
    return code, output.decode(errors="replace")


RECORDED = {"cql": [], "pipelined": ["--mode", "pipelined", "--copies", "8"], "concurrent": ["--mode", "concurrent", "--copies", "8"],
            "cold": ["--cold", "1"]}


def kind_of(test):
    return test.split(":")[0].removeprefix("asan-")


def build_of(test):
    """Where it is built, as make is told."""
    if not test.startswith("asan-"):
        return ["BUILD=build", "OPT=-O1"]
    return ["BUILD=build/asan", "OPT=-O1 -g", "EXTRA_CPPFLAGS=-DHELENUS_DEBUG", "SAN=-fsanitize=address,undefined -fno-sanitize-recover=undefined"]


def folder_of(test):
    return build_of(test)[0].removeprefix("BUILD=")


def wants_server(test):
    return ":" in test and kind_of(test) in ("wire", "operate", "process", "storage", "crash", "hostile", "driver", "api", *RECORDED)


def program_of(test):
    """What is run for it, and so is red or green as a whole."""
    return test if wants_server(test) or kind_of(test) == "sim" else test.split(":")[0]


def target_of(test):
    if kind_of(test) == "sim":
        return "build/sim"
    if test in ("crash:batch", "operate:a_task_is_shown_to_its_account") or kind_of(test) == "cold":
        return folder_of(test) + "/helenus-switches"
    return folder_of(test) + "/helenus" if wants_server(test) else "build/test/" + program_of(test)


def build(tests):
    """None, or why it does not build. What the tests need."""
    for how in sorted({tuple(build_of(test)) for test in tests}):
        targets = sorted({target_of(test) for test in tests if tuple(build_of(test)) == how})
        code, output = run(["make", "-s", JOBS, *how, *targets], BUILD_TIMEOUT_S)
        if code != 0:
            return "\n".join(output.splitlines()[-15:])
    return None


def named(folder, usual, case):
    """The program of tests/FOLDER and the name of a test in it: of the usual program, unless another one is named."""
    program, _, name = case.rpartition(":")
    return [f"tests/{folder}/{program or usual}.py", name]


def run_test(test):
    """(red, why)"""
    program, _, case = test.partition(":")
    if wants_server(test):
        kind = kind_of(test)
        command = {"operate": ["tests/process/operate.py", case],
                   "process": named("process", "process", case),
                   "driver": ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/drivers/python/{case}.py"],
                   "hostile": named("hostile", "hostile", case),
                   "crash": [f"tests/crash/{case}.py", "--rounds", "2"],
                   "api": [f"tests/api/{case.partition(':')[0]}.py", *case.split(":")[1:]],
                   "storage": [f"tests/storage/{case}.py"],
                   "wire": [f"tests/wire/{case}.py", "--check"]}.get(kind)
        if kind in RECORDED:
            command = ["tests/cql/run.py", "--check", "--helenus", target_of(test), *RECORDED[kind], case]
        code, output = run([str(PYTHON), *command], TIMEOUT_S)
        last = output.splitlines()[-1] if output else ""
        return code != 0, "out of time" if code is None else last
    if kind_of(test) == "sim":
        store, seeds = case.split(":")
        code, output = run(["build/sim", "--store", store, "--seeds", seeds, "--as-it-is"], SIM_TIMEOUT_S)
        found = SIM_SEED.search(output)
        return code != 0, "out of time" if code is None else found[0] if found else output.splitlines()[-1] if output else ""
    code, output = run(["build/test/" + program], TIMEOUT_S)
    if code == 0:
        return False, "green"
    failed = set(FAILED_CASE.findall(output))
    begun, ended = BEGUN_CASE.findall(output), ENDED_CASE.findall(output)
    if len(begun) > len(ended):
        failed.add(begun[-1])  # died in it, or never came back
    why = ("out of time in " if code is None else "red: ") + (", ".join(sorted(failed)) or f"exit {code}")
    return not case or case in failed, why


# -- sabotage ---------------------------------------------------------------------------------------------------------

def check(mutant, tree):
    for field in ("name", "file", "old", "new", "test"):
        if not isinstance(mutant.get(field), str):
            raise Broken(f"{mutant.get('name')}: no {field}")
    count = (tree / mutant["file"]).read_text().count(mutant["old"])
    if count != 1:
        raise Broken(f"{mutant['name']}: its old text is {count} times in {mutant['file']}")
    case = mutant["test"].partition(":")[2]
    if kind_of(mutant["test"]) in RECORDED and not (tree / "tests/cql" / (case + ".cql")).exists():
        raise Broken(f"{mutant['name']}: no test {mutant['test']}")


def made_of(mutant):
    """What make writes of it, to be an included file: of a model of AWS's APIs."""
    file = pathlib.Path(mutant["file"])
    return TREE / folder_of(mutant["test"]) / "gen" / (str(file.relative_to("src")) + ".inc") if file.suffix == ".model" else None


def object_of(mutant):
    file, made = pathlib.Path(mutant["file"]), made_of(mutant)
    if made:
        file = next(path for path in sorted((TREE / file).parent.glob("*.c")) if f'{made.name}"' in path.read_text()).relative_to(TREE)
    return TREE / folder_of(mutant["test"]) / "obj" / file.relative_to("src").with_suffix(".o")


def sabotage(mutant):
    """(killed, why)"""
    source, target = TREE / mutant["file"], target_of(mutant["test"])
    text, stat = source.read_text(), source.stat()
    built = object_of(mutant)
    kept = built.with_suffix(".kept")
    shutil.copy2(built, kept)
    UNFINISHED.touch()
    try:
        source.write_text(text.replace(mutant["old"], mutant["new"]))
        broken = build([mutant["test"]])
        if broken:
            return False, "does not compile:\n" + broken
        red, why = run_test(mutant["test"])
        return red, why if red else f"SURVIVED {mutant['test']} ({why})"
    finally:
        source.write_text(text)
        os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        if made_of(mutant):
            made_of(mutant).unlink(missing_ok=True)  # it is as new as the sabotage was
        shutil.move(kept, built)  # with the time it had: nothing to compile again
        for stale in (folder_of(mutant["test"]) + "/libhelenus.a", target):
            (TREE / stale).unlink(missing_ok=True)
        UNFINISHED.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=pathlib.Path, default=ROOT / "tests" / "mutants.toml")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only those whose name contains this; | between several")
    parser.add_argument("--fits", action="store_true", help="only look whether each still fits its source; nothing is built")
    options = parser.parse_args()
    passed, failed, skipped = 0, 0, 0
    begin = time.time()

    def say(done, of, mark, mutant, why, seconds):
        print(f"[{done:2}/{of}] {mark:8} {seconds:4.0f} s  {mutant['name']}: {why}", flush=True)

    with open(options.list, "rb") as f:
        mutants = tomllib.load(f)["mutant"]
    if options.names:
        wanted = [name for argument in options.names for name in argument.split("|")]
        mutants = [m for m in mutants if any(name in m["name"] for name in wanted)]
    try:
        tree = ROOT if options.fits else TREE
        if not options.fits:
            TREE.mkdir(parents=True, exist_ok=True)
            copy_tree()
        todo, red = [], {}
        if len({m.get("name") for m in mutants}) != len(mutants):
            raise Broken("two sabotages have one name")
        for mutant in mutants:
            try:
                check(mutant, tree)
                todo.append(mutant)
            except (Broken, OSError) as e:
                failed += 1
                print(f"failed: {e}", flush=True)
        if options.fits:
            print(f"{len(todo)} passed, {failed} failed, 0 skipped")
            return 1 if failed else 0
        print(f"building {TREE.relative_to(ROOT)}, without sabotage", flush=True)
        broken = build(sorted({m["test"] for m in todo}))
        if broken:
            raise Broken("the tree does not build:\n" + broken)
        for test in sorted({program_of(m["test"]) for m in todo}):
            if wants_server(test) and not PYTHON.exists():
                continue
            red[test], why = run_test(test)
            if red[test]:
                print(f"not green before any sabotage: {test}: {why}", flush=True)
        print(f"{len(red)} tests are run, {sum(red.values())} of them red before any sabotage; {time.time() - begin:.0f} s",
              flush=True)
        for i, mutant in enumerate(todo, 1):
            test = program_of(mutant["test"])
            start = time.time()
            if test not in red:
                skipped += 1
                say(i, len(todo), "skipped", mutant, "the test clients are missing: make deps-test", 0)
                continue
            if red[test]:
                killed, why = False, f"{test} was red before"
            else:
                killed, why = sabotage(mutant)
            passed, failed = passed + killed, failed + (not killed)
            say(i, len(todo), "killed" if killed else "FAILED", mutant, why, time.time() - start)
    except Broken as e:
        print(f"failed: {e}", flush=True)
        failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
