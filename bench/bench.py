#!/usr/bin/env python3
"""make bench: helenus, the floor below it and Apache Cassandra, one after another, under the same load.

For each server: start, time to first answer, load --rows rows, settle, then each workload at saturation (closed loop, depth 16 per
connection) and at fixed rates (open loop). Prints a table and writes every figure to --raw as JSON lines, with the machine and
the versions. Figures are the server's CPU per request (user + system, all threads), requests/s, p50/p99/p99.9, memory, bytes on disk.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOAD = ROOT / "build" / "load"
CASSANDRA = ROOT / "bench" / "cassandra" / "cassandra.py"


def wait_first_answer(port, begin, timeout=180):
    while time.time() < begin + timeout:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
                s.sendall(struct.pack(">BBhBI", 4, 0, 0, 1, 22) + b"\0\1\0\x0bCQL_VERSION\0\x053.0.0")
                s.settimeout(5)
                if s.recv(9)[4:5] == b"\x02":
                    return (time.time() - begin) * 1000
        except OSError:
            time.sleep(0.002)
    raise RuntimeError("no answer")


class Process:
    """One server under test."""

    def __init__(self, name, work, port):
        self.name, self.dir, self.port = name, work / name, port
        self.process = self.pid = None

    def start(self, fresh=True):
        if fresh:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True, exist_ok=True)
        begin = time.time()
        self.spawn()
        return wait_first_answer(self.port, begin)

    def run(self, *command, env=None):
        log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    def stop(self, how=signal.SIGTERM):
        os.kill(self.pid, how)
        self.process.wait()

    def status(self, field):
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(rf"{field}:\s+(\d+) kB", f.read()).group(1)) / 1024

    def cpu(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def settle(self, limit=240):
        """Until compaction is quiet: under 3 % of a core for 3 seconds."""
        quiet, end = 0, time.time() + limit
        while quiet < 3 and time.time() < end:
            before = self.cpu()
            time.sleep(1)
            quiet = quiet + 1 if self.cpu() - before < 0.03 else 0

    def disk_mb(self):
        return sum(p.stat().st_size for p in self.dir.rglob("*") if p.is_file() and p.name != "log") / 1e6


class Helenus(Process):
    def __init__(self, name, work, port, binary, shards):
        super().__init__(name, work, port)
        self.binary, self.shards = binary, shards

    def spawn(self):
        extra = ["--shards", str(self.shards)] if self.shards else []
        self.run(str(self.binary), "serve", "--data", str(self.dir / "data"), "--dev", "--cql-port", str(self.port), "--http-port",
                 str(self.port + 1), *extra)


class Floor(Process):
    def __init__(self, name, work, port, binary):
        super().__init__(name, work, port)
        self.binary = binary

    def spawn(self):
        self.run(str(self.binary), str(self.dir / "data"), str(self.port))


class Cassandra(Process):
    def __init__(self, name, work, port, config, commitlog, heap):
        super().__init__(name, work, port)
        self.config, self.commitlog, self.heap = config, commitlog, heap

    def call(self, action, *options):
        subprocess.run([sys.executable, str(CASSANDRA), action, "--dir", str(self.dir / "node"), *options], check=True)

    def spawn(self):
        self.call("start", "--port", str(self.port), "--config", self.config, "--commitlog", self.commitlog, "--heap", self.heap, "--fresh")
        self.pid = int((self.dir / "node" / "pid").read_text())

    def stop(self, how=None):
        self.call("stop")


def load(server, **options):
    command = [str(LOAD), "--port", str(server.port), "--pid", str(server.pid)]
    for name, value in options.items():
        if value is True:
            command.append("--" + name.replace("_", "-"))
        elif value is not None:
            command += ["--" + name.replace("_", "-"), str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    result = json.loads(done.stdout)
    if result["errors"] or result["wrong"]:
        print(f"  ! {server.name} {options.get('workload')}: {result['errors']} errors, {result['wrong']} wrong answers, {result.get('first_error')}")
    return result


def versions():
    def out(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]
        except (OSError, IndexError):
            return "?"
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return {"machine": cpu.group(1) if cpu else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30,
            "commit": out("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
            "gcc": out("gcc", "--version"), "java": subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.split("\n")[0]
            if shutil.which("java") else "?"}


def warm(server, workload, args, value_bytes):
    """Until three windows differ by less than 3 %, at most args.warm_windows windows."""
    rates = []
    for _ in range(args.warm_windows):
        r = load(server, workload=workload, rows=args.rows, seconds=args.warm_seconds, warm=0, depth=16, value_bytes=value_bytes, seed=len(rates) + 7)
        rates.append(r["per_second"])
        if len(rates) >= 3 and max(rates[-3:]) / min(rates[-3:]) < 1.03:
            break
    return rates


def measure(server, args, emit):
    start_ms = server.start()
    time.sleep(1)
    idle_mb = server.status("VmRSS")
    emit(server, {"figure": "start", "first_answer_ms": round(start_ms, 1), "idle_mb": round(idle_mb, 1)})
    for value_bytes in args.value_bytes:
        if value_bytes != args.value_bytes[0]:
            server.stop()
            server.start()
        r = load(server, workload="insert", setup=True, sequential=True, rows=args.rows, depth=64, value_bytes=value_bytes, warm=0)
        emit(server, {"figure": "load", **r})
        server.settle()
        emit(server, {"figure": "loaded", "value_bytes": value_bytes, "rss_mb": round(server.status("VmRSS"), 1), "disk_mb": round(server.disk_mb(), 1)})
        for workload in args.workloads:
            windows = warm(server, workload, args, value_bytes)
            cpu_before = server.cpu()
            r = load(server, workload=workload, rows=args.rows, seconds=args.seconds, warm=1, depth=args.depth, connections=args.connections,
                     value_bytes=value_bytes, seed=99)
            # All threads' CPU counts until compaction is quiet.
            after = server.cpu()
            server.settle(120)
            tail = server.cpu() - after
            r["server_cpu_us_settled"] = round(r["server_cpu_us"] + tail * 1e6 / max(1, r["requests"]), 2)
            r["warm_windows"] = [round(w) for w in windows]
            emit(server, {"figure": "saturation", **r, "cpu_cores_used": round((after - cpu_before) / (args.seconds + 1), 2)})
            for rate in args.rates:
                r = load(server, workload=workload, rows=args.rows, seconds=args.seconds, warm=1, depth=512, connections=args.connections, rate=rate,
                         value_bytes=value_bytes, seed=77)
                emit(server, {"figure": "rate", **r})
        emit(server, {"figure": "after", "value_bytes": value_bytes, "rss_mb": round(server.status("VmRSS"), 1), "disk_mb": round(server.disk_mb(), 1)})
    server.stop()


def latency(row):
    return row.get("read") or row.get("write")


def table(rows):
    """The figures as Markdown."""
    print("\n| server | workload | bytes | CPU us/request | and compaction | requests/s | p50 ms | p99 ms | p99 ms at a fixed rate |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for r in rows:
        if r["figure"] != "saturation":
            continue
        rates = [f"{latency(q)['p99_us'] / 1000:.2f} ({q['rate']:,.0f}/s)" for q in rows if q["figure"] == "rate" and q["server"] == r["server"]
                 and q["workload"] == r["workload"] and q["value_bytes"] == r["value_bytes"]]
        print(f"| {r['server']} | {r['workload']} | {r['value_bytes']} | {r['server_cpu_us']:.2f} | {r['server_cpu_us_settled']:.2f} | "
              f"{r['per_second']:,.0f} | {latency(r)['p50_us'] / 1000:.2f} | {latency(r)['p99_us'] / 1000:.2f} | {', '.join(rates)} |")
    print("\n| server | exec to first answer ms | memory idle MB | loaded MB | after all MB | on disk after load MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for start in (r for r in rows if r["figure"] == "start"):
        find = {r["figure"]: r for r in rows if r["server"] == start["server"] and r["figure"] in ("loaded", "after")}
        print(f"| {start['server']} | {start['first_answer_ms']:,.0f} | {start['idle_mb']:,.0f} | {find['loaded']['rss_mb']:,.0f} | "
              f"{find['after']['rss_mb']:,.0f} | {find['loaded']['disk_mb']:,.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", nargs="*", default=["helenus-native", "floor-native", "helenus-packaged", "cassandra-default-periodic",
                                                        "cassandra-default-group", "cassandra-latest-periodic", "cassandra-latest-group"])
    parser.add_argument("--workloads", nargs="*", default=["read", "slice", "mixed", "insert"])
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--value-bytes", type=int, nargs="*", default=[136, 1000])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--warm-seconds", type=float, default=30)
    parser.add_argument("--warm-windows", type=int, default=8)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--rates", type=float, nargs="*", default=[5000])
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--heap", default="8G")
    parser.add_argument("--work", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--raw", default=None)
    parser.add_argument("--table", default=None, help="only print the tables of an earlier run's raw file")
    args = parser.parse_args()
    if args.table:
        with open(args.table) as f:
            table([json.loads(line) for line in f])
        return
    work = pathlib.Path(args.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    makers = {"helenus-native": lambda: Helenus("helenus-native", work, 21042, ROOT / "build" / "native" / "helenus", args.shards),
              "helenus-packaged": lambda: Helenus("helenus-packaged", work, 21042, ROOT / "build" / "helenus", args.shards),
              "floor-native": lambda: Floor("floor-native", work, 21042, ROOT / "build" / "native" / "floor"),
              "floor-packaged": lambda: Floor("floor-packaged", work, 21042, ROOT / "build" / "floor")}
    for config in ("default", "latest"):
        for commitlog in ("periodic", "group"):
            name = f"cassandra-{config}-{commitlog}"
            makers[name] = lambda name=name, config=config, commitlog=commitlog: Cassandra(name, work, 21042, config, commitlog, args.heap)
    raw = pathlib.Path(args.raw) if args.raw else work / time.strftime("bench-%Y%m%d-%H%M%S.jsonl")
    rows, info = [], versions()
    with open(raw, "a") as out:
        out.write(json.dumps({"figure": "conditions", **info, "arguments": {k: v for k, v in vars(args).items() if k not in ("work", "raw")}}) + "\n")

        def emit(server, figures):
            row = {"server": server.name, **figures}
            rows.append(row)
            out.write(json.dumps(row) + "\n")
            out.flush()
            print("  " + ", ".join(f"{k} {v}" for k, v in row.items() if not isinstance(v, (dict, list))), flush=True)

        for name in args.servers:
            server = makers[name]()
            print(name, flush=True)
            try:
                measure(server, args, emit)
            finally:
                if server.pid and os.path.exists(f"/proc/{server.pid}") and (not server.process or server.process.poll() is None):
                    server.stop()
            shutil.rmtree(server.dir, ignore_errors=True)
    table(rows)
    print(f"\nraw figures: {raw}")


if __name__ == "__main__":
    main()
