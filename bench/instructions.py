#!/usr/bin/env python3
"""make instructions: what a request costs the server in instructions, counted by callgrind.

    instructions.py [--seconds S] [--workload NAME]... NAME=BINARY [NAME=BINARY]...

Seconds differ by half from one run to the next on a busy machine; the count of instructions of the same work does not, so two
builds can be compared while something else runs. It is user code only: the kernel's network and sync are not in it, nor is what a
cache misses. How many commands share a write depends on the machine still: compare what was counted in one run.

Each server: one loop, one shard, a new directory; one connection with 4 requests in flight, 2 000 rows of 136 bytes, warmed by the
same workload before counting. Workloads are load.c's, and logged10. The first server is what the others are compared with.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

LOAD = pathlib.Path(__file__).resolve().parent.parent / "build" / "load"
WORKLOADS = ["read", "insert", "lwt", "slice", "counter", "logged10", "batch10"]
ROWS = 2000


def load(port, **options):
    command = [str(LOAD), "--port", str(port), "--connections", "1", "--depth", "4", "--rows", str(ROWS), "--value-bytes", "136"]
    for name, value in options.items():
        command += ["--" + name] + ([] if value is True else [str(value)])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    if result["errors"] or result["wrong"]:
        raise RuntimeError(f"{' '.join(command)}: {result['errors']} errors, {result['wrong']} wrong: {result.get('first_error')}")
    return result


def started(binary, directory, out):
    """A server below callgrind that does not count yet, and its port."""
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}", binary, "serve", "--dev", "--data",
               str(directory), "--cql-port", "0", "--http-port", "0", "--loops", "1", "--shards", "1"]
    log = directory.with_suffix(".log")
    with log.open("w") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    for _ in range(600):
        found = re.search(r"127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return server, int(found.group(1))
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{binary} did not start: {log.read_text()}")


def count(binary, workload, seconds, keep):
    """Instructions for each request."""
    with tempfile.TemporaryDirectory(prefix="helenus-instructions-") as temporary:
        directory, out = pathlib.Path(temporary) / "data", pathlib.Path(keep or temporary) / f"callgrind.{pathlib.Path(binary).parent.name}.{workload}"
        server, port = started(binary, directory, out)
        options = {"workload": workload.replace("logged", "batch")} | ({"logged": True} if workload.startswith("logged") else {})
        try:
            load(port, workload="insert", setup=True, sequential=True, seconds=1, protocol=4)
            load(port, seconds=seconds, **options)
            subprocess.run(["callgrind_control", "-i", "on", str(server.pid)], check=True, capture_output=True)
            requests = load(port, seconds=seconds, warm=0, **options)["requests"]
            subprocess.run(["callgrind_control", "-i", "off", str(server.pid)], check=True, capture_output=True)
        finally:
            server.terminate()
            server.wait()
        return int(re.search(r"^totals: (\d+)", out.read_text(), re.M).group(1)) / requests


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("servers", nargs="+", metavar="NAME=BINARY")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--workload", action="append", choices=WORKLOADS)
    parser.add_argument("--keep", help="a directory for what callgrind wrote: callgrind_annotate tells the functions")
    options = parser.parse_args()
    servers = dict(server.split("=", 1) for server in options.servers)
    for tool in ("valgrind", "callgrind_control"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed")
    print("| |", " | ".join(servers), "|")
    print("| --- |" + " --- |" * len(servers))
    for workload in options.workload or WORKLOADS:
        counted = [count(binary, workload, options.seconds, options.keep) for binary in servers.values()]
        cells = [f"{counted[0]:,.0f}"] + [f"{n:,.0f} ({100 * (n / counted[0] - 1):+.1f} %)" for n in counted[1:]]
        print(f"| {workload} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
