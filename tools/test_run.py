#!/usr/bin/env python3
"""Runs test runners one after another and sums what they passed, failed and skipped.

    test_run.py all | fast | RUNNER... [-- arguments of the one runner]

Each runner is a command; its counts are read from its last line (ours and pytest's) or from cmocka's reports. A
runner that fails without saying what failed counts as one failure, and so does one that has nothing to say. The
output of each goes to build/logs; of one that failed, the end is shown, and its failed tests again before the sum.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
PYTHON = str(ROOT / "build" / "venv" / "bin" / "python")
JOBS = f"-j{os.cpu_count() or 1}"
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
FAILED = re.compile(r"^.*\bFAILED\b.*$", re.M)
CMOCKA = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) +\] (\d+) test\(s\)", re.M)


def unit_tests():
    names = subprocess.run(["make", "-s", "test-list"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return names.split()


def runners(words):
    """(title, command, seconds it may take)"""
    cql = [PYTHON, "tests/cql/run.py", "--check", "--helenus", "build/helenus"]
    switches = cql[:-1] + ["build/helenus-switches"]
    spread = ["--server-arg=--loops", "--server-arg=2", "--server-arg=--shards", "--server-arg=4"]
    asan = cql[:-1] + ["build/asan/helenus-switches", *spread, "--copies", "1"]
    tsan = ["env", f"TSAN_OPTIONS=suppressions={ROOT}/tools/tsan.supp ignore_noninstrumented_modules=1 exitcode=66",
            *cql[:-1], "build/tsan/helenus", *spread, "--copies", "1", "--mode", "concurrent"]
    table = {
        "build": [("build", ["make", "-s", JOBS, "build/helenus", "build/helenus-switches", "build/load"], 1200)],
        "clients": [("test clients", ["make", "-s", "deps-test"], 900)],
        "unit": [("unit tests, build", ["make", "-s", JOBS, "test-programs"], 1200), ("unit", None, 600)],
        "cql": [("cql on rocksdb", cql, 600),
                ("cql on 5 shards", cql + ["--server-arg=--shards", "--server-arg=5"], 600),
                ("cql on memory, protocol 5", cql + ["--protocol", "5+lz4", "--server-arg=--store", "--server-arg=memory"], 600)],
        "modes": [("cql, nothing is in memory", switches + ["--cold", "1"], 600),
                  ("cql on 3 shards, one in three reads is not", switches + ["--cold", "3", "--server-arg=--shards", "--server-arg=3"], 600),
                  ("cql at once, pipelined", cql + spread + ["--mode", "pipelined"], 600),
                  ("cql at once, concurrent", cql + spread + ["--mode", "concurrent"], 600),
                  ("build, sanitized", ["make", "-s", JOBS, "san-server", "tsan-server"], 1200),
                  ("cql at once, pipelined, addresses", asan + ["--mode", "pipelined"], 600),
                  ("cql at once, concurrent, cold, addresses", asan + ["--mode", "concurrent", "--cold", "3"], 600),
                  ("cql at once, concurrent, threads", tsan + ["batches", "conditions", "counters", "lwt", "lwt_batches", "lwt_static", "prepared"], 600)],
        "wire": [("wire", [PYTHON, "tests/wire/check_replies.py", "build/test/wire/native_test"], 120),
                 ("wire, conversation", [PYTHON, "tests/wire/conversation.py", "--check"], 120),
                 ("wire, schema changes", ["python3", "tests/wire/unprepared.py"], 120),
                 ("wire, lifetimes", ["python3", "tests/wire/lifetimes.py"], 120),
                 ("wire, schema events", [PYTHON, "tests/wire/events.py"], 120)],
        "drivers": [("drivers, python", [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                                         "tests/drivers/python"], 600),
                    ("drivers, the matrix", [PYTHON, "tests/drivers/matrix.py"], 900),
                    ("drivers, TLS", [PYTHON, "tests/drivers/secure.py"], 300),
                    ("drivers, Spring Boot", [PYTHON, "tests/drivers/spring.py"], 300)],
        "api": [("signatures", [PYTHON, "tests/api/sigv4.py"], 600),
                ("protocols", [PYTHON, "tests/api/protocols.py"], 300),
                ("models and their bounds", [PYTHON, "tests/api/model.py"], 600),
                ("APIs by boto3 and the aws CLI", [PYTHON, "tests/api/face.py"], 300),
                ("APIs over TLS", [PYTHON, "tests/api/secure.py"], 120),
                ("keyspaces by boto3 beside CQL", [PYTHON, "tests/api/keyspaces.py"], 120),
                ("identities by boto3", [PYTHON, "tests/api/iam.py"], 300),
                ("signatures that are checked", [PYTHON, "tests/api/gate.py"], 120),
                ("APIs by six clients, the table of cells", [PYTHON, "tests/api/cells.py"], 900),
                ("APIs as Terraform calls them", [PYTHON, "tests/api/terraform.py"], 300),
                ("two accounts", [PYTHON, "tests/api/accounts.py"], 300),
                ("APIs beside moto", [PYTHON, "tests/api/witness.py"], 300),
                ("policies beside moto", [PYTHON, "tests/api/policies.py"], 120)],
        "process": [("process", ["python3", "tests/process/process.py"], 300),
                    ("cold", ["python3", "tests/process/cold.py"], 300),
                    ("load generator", ["python3", "tests/process/load.py"], 60),
                    ("TLS", ["python3", "tests/process/tls.py"], 120),
                    ("thresholds", ["python3", "tests/process/thresholds.py"], 120),
                    ("operating", ["python3", "tests/process/operate.py"], 300)],
        "sim": [("simulation, build", ["make", "-s", JOBS, "build/sim"], 600),
                ("simulation, 200 seeds", ["build/sim", "--seeds", "200"], 120)],
        "hostile": [("hostile input", [PYTHON, "tests/hostile/hostile.py"], 600),
                    ("hostile beginnings of TLS", [PYTHON, "tests/hostile/tls.py"], 300),
                    ("hostile clients of the APIs", [PYTHON, "tests/hostile/apis.py"], 300)],
        "crash": [("kill -9, 10 rounds", ["python3", "tests/crash/kill.py", "--rounds", "10"], 300),
                  ("compare and set under kill -9, 10 rounds", ["python3", "tests/crash/cas.py", "--rounds", "10"], 300),
                  ("death at each step of a batch, 12 rounds", ["python3", "tests/crash/batch.py", "--rounds", "12"], 300),
                  ("definitions by the API under kill -9, 10 rounds", [PYTHON, "tests/crash/definitions.py", "--rounds", "10"], 300)],
        "state": [("README's state", ["python3", "tools/state.py", "--check"], 30),
                  ("sabotages fit", ["python3", "tools/mutants.py", "--fits"], 30)],
        "full_disk": [("full disk", ["python3", "tests/storage/full_disk.py"], 300),
                      ("one shard's disk", ["python3", "tests/storage/one_shard.py"], 300)],
        "check": [("helenus check", ["python3", "tests/storage/check.py"], 300)],
        "reshard": [("helenus reshard", [PYTHON, "tests/storage/reshard.py"], 600)],
        "forward": [("a directory of an older format", [PYTHON, "tests/storage/forward.py"], 300)],
        "plaintext": [("plaintext", ["python3", "tests/security/plaintext.py"], 300)],
        "roles": [("roles, as recorded", [PYTHON, "tests/cql/run.py", "--check", "--roles", "--helenus", "build/helenus"], 300),
                  ("roles, by the driver", [PYTHON, "tests/security/roles.py"], 300)],
        "cities": [("example cities", [PYTHON, "examples/cities/cities.py", "all"], 900)],
    }
    if words[0] == "all":
        order = ["build", "clients", "unit", "wire", "api", "process", "cql", "roles", "modes", "sim", "drivers", "hostile", "plaintext", "full_disk", "check", "reshard", "forward", "state", "crash", "cities"]
    elif words[0] == "fast":
        order = ["build", "clients", "unit", "cql"]
    else:
        order, files = ["build", "clients"] + words[:1], words[1:]
        if words[0] in ("wire", "api"):
            order.insert(2, "unit")
        out = [entry for name in order for entry in table[name]]
        return [(title, command + files if title.startswith("cql") else command, limit)
                for title, command, limit in out]
    return [entry for name in order for entry in table[name]]


def counts(output, code):
    passed = failed = skipped = 0
    reports = CMOCKA.findall(output)
    if reports:
        for kind, number in reports:
            passed += int(number) if kind == "PASSED" else 0
            failed += int(number) if kind == "FAILED" else 0
            skipped += int(number) if kind == "SKIPPED" else 0
    else:
        lines = [line for line in output.splitlines() if COUNT.search(line)]
        for number, kind in COUNT.findall(lines[-1]) if lines else []:
            passed += int(number) if kind == "passed" else 0
            failed += int(number) if kind in ("failed", "error", "errors") else 0
            skipped += int(number) if kind == "skipped" else 0
    if code != 0 and failed == 0:
        failed = 1
    return passed, failed, skipped


def run(command, limit, log):
    env = dict(os.environ, HELENUS=str(ROOT / "build" / "helenus"), CMOCKA_MESSAGE_OUTPUT="stdout",
               PYTHONDONTWRITEBYTECODE="1", MALLOC_PERTURB_="165")  # what is freed is not what it was
    with open(log, "ab") as out:
        start = out.tell()
        try:
            code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, timeout=limit, env=env,
                                  stdin=subprocess.DEVNULL).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nnot done in {limit} s\n".encode())
            code = -1
        except OSError as e:
            out.write(f"\n{e}\n".encode())
            code = -1
    with open(log, "rb") as f:
        f.seek(start)
        return code, f.read().decode(errors="replace")


def main():
    LOGS.mkdir(parents=True, exist_ok=True)
    total, failures = [0, 0, 0], []
    for title, command, limit in runners(sys.argv[1:] or ["all"]):
        log = LOGS / (re.sub(r"\W+", "-", title) + ".log")
        log.unlink(missing_ok=True)
        begin, sums, bad = time.time(), [0, 0, 0], []
        preparation = title in ("build", "test clients", "unit tests, build", "build, sanitized", "simulation, build")
        commands = [[program] for program in unit_tests()] if command is None else [command]
        for one in commands:
            code, output = run(one, limit, log)
            got = counts("" if preparation else output, code)
            if not preparation and code == 0 and sum(got) == 0:
                got = (1, 0, 0)  # a program that says nothing but succeeds is one test
            sums = [a + b for a, b in zip(sums, got)]
            if code != 0 or got[1]:
                bad.append((one, output))
        total = [a + b for a, b in zip(total, sums)]
        print(f"== {title}: {sums[0]} passed, {sums[1]} failed, {sums[2]} skipped, {time.time() - begin:.0f} s",
              flush=True)
        for one, output in bad:
            print(f"-- {' '.join(one)} failed; the end of {log.relative_to(ROOT)}:")
            print("\n".join("   " + line for line in output.splitlines()[-40:]), flush=True)
            names = list(dict.fromkeys(line.strip() for line in FAILED.findall(output) if not re.search(r"\d+ test", line)))
            failures += [f"failed: {title}: {one[-1]}: {name}" for name in names[:10] or ["it says not what"]]
        if bad and title == "build":
            break
    print("".join(line + "\n" for line in failures), end="")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
