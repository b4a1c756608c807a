#!/usr/bin/env python3
"""make bench: helenus, the floor below it and Apache Cassandra, one after another, under the same load.

For each server, the steps asked for:

    start      exec to the first query answered, memory when idle
    workloads  --rows rows; then each workload at saturation (closed loop, --depth per connection), in windows of --seconds until three
               in a row differ by less than 3 %, at most --windows (the first workload, in which a JVM warms up: --first-windows): the
               last three are the measurement, its figures their medians; then --rates (open loop) three times for --rate-seconds each, the
               middle one of which counts
    memory     --memory-rows rows: memory when they are loaded, bytes on disk after everything was flushed and compacted (the same compressor
               on both sides), and exec to the first query answered after kill -9 under a load of inserts
    cold       --cold-rows rows of 1 000 bytes, the server in a cgroup of --cold-mb: reads of a data set that does not fit
    long       --long-seconds of mixed at saturation, and a figure every 10 s: requests/s, CPU, p99, memory, bytes on disk; where compaction
               stalls a server is seen. --picture FILE draws it (SVG), all servers of the raw file in one
    neighbour  what a steady client at --neighbour-rate mixed requests/s sees (p50, p99), alone and beside one bad neighbour: each shape of
               neighbour.py, --windows times alone and beside in turn, the medians; helenus only
    apis       what mixed at its rate of --rates sees (requests/s, p99), alone and beside --apis-rate calls/s of AWS's APIs (apis.py), --windows
               times in turn, the medians; and how long a GetTable takes when nothing else is asked; helenus only

--set usual (start, workloads, memory), --set neighbour, --set apis, --set tls (plain and TLS in turn) or --set modes: conditional writes, counters, batches, depth 1 and 256, 1 000 connections, cold, long. A
workload is a name of load.c's, `logged10` or `logged100` (a LOGGED batch over partitions), or one of them with connections x depth of its
own: read@1000x1. A name with tls- before it (tls-read@8x1) is the same over TLS, where helenus alone is asked. Reads do not depend on Cassandra's commit log, so cassandra-*-periodic gets only the writing ones unless --workloads is given.

Every figure is appended to --raw as a JSON line, with the machine and the versions, so that servers can be measured in several
invocations with one --raw; --table RAW prints the tables from it, and says of each target whether it was met. Figures are the
server's CPU per request (user + system, all threads), requests/s, latencies, memory, bytes on disk. --dry-run tells how long it takes.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

import neighbour

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOAD = ROOT / "build" / "load"
CASSANDRA = ROOT / "bench" / "cassandra" / "cassandra.py"
NEIGHBOUR = ROOT / "bench" / "neighbour.py"
APIS = ROOT / "bench" / "apis.py"
STEPS = ["start", "workloads", "memory", "cold", "long", "neighbour", "apis"]
SETS = {
    "usual": (["start", "workloads", "memory"], ["read", "slice", "mixed", "insert"], [136, 1000]),
    "neighbour": (["neighbour"], [], [136]),
    "apis": (["apis"], [], [136]),
    "tls": (["workloads"], ["read", "tls-read", "slice", "tls-slice", "insert", "tls-insert", "read@8x1", "tls-read@8x1", "read@8x256", "tls-read@8x256"], [136, 1000]),
    "modes": (["workloads", "cold", "long"],
              ["lwt", "counter", "batch10", "batch100", "logged10", "read@8x1", "insert@8x1", "read@8x256", "insert@8x256", "read@1000x1",
               "insert@1000x1"], [136]),
}
COLD_VALUE_BYTES = 1000
TLS_PORT = 2  # so far behind the plain one
INTERVAL_SECONDS = 10
RATE_RUNS = 3
SETTLE_SECONDS_MAX = 45
NEIGHBOUR_RATIO_MAX = 3


def receive(s, count):
    data = b""
    while len(data) < count:
        more = s.recv(count - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def wait_first_answer(port, begin, timeout=300):
    """Milliseconds from begin until a query was answered with rows."""
    query = b"SELECT key FROM system.local"
    while time.time() < begin + timeout:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
                s.settimeout(10)
                s.sendall(struct.pack(">BBhBI", 4, 0, 0, 1, 22) + b"\0\1\0\x0bCQL_VERSION\0\x053.0.0")
                if receive(s, 9)[4] != 2:
                    raise RuntimeError("STARTUP was not answered with READY")
                s.sendall(struct.pack(">BBhBI", 4, 0, 0, 7, 4 + len(query) + 3) + struct.pack(">I", len(query)) + query + b"\0\1\0")
                if receive(s, 9)[4] == 8:
                    return (time.time() - begin) * 1000
                raise RuntimeError("the query was not answered with a result")
        except OSError:
            time.sleep(0.002)
    raise RuntimeError("no answer")


class Cgroup:
    """A limit of memory, page cache included, for processes started by command(). Version 2, or the memory controller of version 1."""

    def __init__(self, megabytes):
        unified, old = pathlib.Path("/sys/fs/cgroup/cgroup.controllers"), pathlib.Path("/sys/fs/cgroup/memory")
        if unified.exists() and "memory" in unified.read_text().split():
            self.dir, names = pathlib.Path("/sys/fs/cgroup"), ("memory.max", "memory.swap.max", "0")
        elif (old / "memory.limit_in_bytes").exists():
            self.dir, names = old, ("memory.limit_in_bytes", "memory.swappiness", "0")
        else:
            raise OSError("no cgroup that limits memory is mounted")
        self.dir = self.dir / f"helenus-bench-{os.getpid()}"
        self.dir.mkdir()
        try:
            (self.dir / names[0]).write_text(str(megabytes << 20))
            if (self.dir / names[1]).exists():
                (self.dir / names[1]).write_text(names[2])
        except OSError:
            self.dir.rmdir()
            raise

    def command(self, command):
        return ["/bin/sh", "-c", f"echo $$ > {self.dir}/cgroup.procs && exec \"$@\"", "sh", *map(str, command)]

    def close(self):
        for _ in range(100):
            try:
                self.dir.rmdir()
                return
            except OSError:  # the last process is not gone yet
                time.sleep(0.1)
        print(f"  ! {self.dir} is left", flush=True)


class Process:
    """One server under test."""

    def __init__(self, name, work, port):
        self.name, self.dir, self.port = name, work / name, port
        self.process = self.pid = None
        self.idle_cores = 0.0
        self.cgroup = None  # of the next start

    def confined(self, command):
        return self.cgroup.command(command) if self.cgroup else command

    def start(self, fresh=True):
        if fresh:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True, exist_ok=True)
        begin = time.time()
        self.spawn(fresh)
        return wait_first_answer(self.port, begin)

    def run(self, *command, env=None):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(self.confined(command), stdout=log, stderr=log, env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    def stop(self, how=signal.SIGTERM):
        os.kill(self.pid, how)
        self.process.wait()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def status(self, field):
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(rf"{field}:\s+(\d+) kB", f.read()).group(1)) / 1024

    def cpu(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cores(self, seconds=2):
        before = self.cpu()
        time.sleep(seconds)
        return (self.cpu() - before) / seconds

    def measure_idle(self):
        """What it takes when nobody asks for anything: a JVM is never quiet."""
        self.idle_cores = min(self.cores() for _ in range(3))

    def settle(self, limit=SETTLE_SECONDS_MAX):
        """Until flush and compaction are done: three windows in a row near what it takes when idle. Returns what to say of it in the raw file."""
        begin, quiet, cores = time.time(), 0, 0.0
        while quiet < 3 and time.time() < begin + limit:
            cores = self.cores()
            quiet = quiet + 1 if cores < self.idle_cores * 1.5 + 0.03 else 0
        return {"settle_seconds": round(time.time() - begin), "settled": quiet == 3, "settle_cores": round(cores, 3)}

    def compact(self):
        """Everything written is flushed and compacted. False: it can't be asked to."""
        return False

    def disk_mb(self):
        return sum(p.stat().st_size for p in self.data_dir().rglob("*") if p.is_file()) / 1e6

    def data_dir(self):
        return self.dir / "data"


class Helenus(Process):
    def __init__(self, name, work, port, binary, shards):
        super().__init__(name, work, port)
        self.binary, self.shards, self.with_tls = binary, shards, False

    def spawn(self, fresh):
        extra = ["--shards", str(self.shards)] if self.shards else []
        certificates = self.dir / "tls"
        if self.with_tls and not certificates.exists():
            subprocess.run([str(self.binary), "tls", "init", str(certificates), "--name", "127.0.0.1"], check=True, stdout=subprocess.DEVNULL)
        if self.with_tls:
            extra += ["--tls-certificate", str(certificates / "server.crt"), "--tls-key", str(certificates / "server.key"), "--cql-tls-port",
                      str(self.port + TLS_PORT), "--http-tls-port", "0"]
        self.run(str(self.binary), "serve", "--data", str(self.dir / "data"), "--dev", "--cql-port", str(self.port), "--http-port",
                 str(self.port + 1), *extra)

    def compact(self):
        for word in ("flush", "compact"):
            subprocess.run([str(self.binary), word, str(self.dir / "data")], check=True, stderr=subprocess.DEVNULL, timeout=600)
        return True


class Floor(Process):
    def __init__(self, name, work, port, binary):
        super().__init__(name, work, port)
        self.binary = binary

    def spawn(self, fresh):
        self.run(str(self.binary), str(self.dir / "data"), str(self.port))


class Cassandra(Process):
    def __init__(self, name, work, port, config, commitlog, heap):
        super().__init__(name, work, port)
        self.config, self.commitlog, self.heap = config, commitlog, heap

    def call(self, action, *options):
        command = [sys.executable, str(CASSANDRA), action, *options, "--dir", str(self.dir / "node"), "--port", str(self.port)]
        subprocess.run(self.confined(command) if action == "start" else command, check=True)

    def spawn(self, fresh):
        self.call("start", "--config", self.config, "--commitlog", self.commitlog, "--heap", self.heap, *(["--fresh"] if fresh else []))
        self.pid = int((self.dir / "node" / "pid").read_text())

    def is_running(self):
        return self.pid is not None and os.path.exists(f"/proc/{self.pid}")

    def stop(self, how=signal.SIGTERM):
        if how == signal.SIGKILL:
            os.kill(self.pid, how)
            while self.is_running():
                time.sleep(0.05)
        else:
            self.call("stop")

    def compact(self):
        self.call("nodetool", "flush")
        self.call("nodetool", "compact", "bench")
        return True

    def data_dir(self):
        return self.dir / "node" / "data" / "data" / "bench"


def load_command(server, **options):
    command = [str(LOAD), "--port", str(server.port + (TLS_PORT if options.get("tls") else 0)), "--pid", str(server.pid)]
    for name, value in options.items():
        if value is True:
            command.append("--" + name.replace("_", "-"))
        elif value is not None and value is not False:
            command += ["--" + name.replace("_", "-"), str(value)]
    return command


def load(server, **options):
    command = load_command(server, **options)
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return checked(server, options.get("workload"), json.loads(done.stdout))


def checked(server, workload, result):
    if result["errors"] or result["wrong"]:
        print(f"  ! {server.name} {workload}: {result['errors']} errors, {result['wrong']} wrong answers, {result.get('first_error')}")
    return result


def workload_options(workload, args):
    """lwt, logged10, read@1000x1: as options of load.c."""
    name, _, shape = workload.removeprefix("tls-").partition("@")
    connections, depth = map(int, shape.split("x")) if shape else (args.connections, args.depth)
    logged = name.startswith("logged")
    return {"workload": name.replace("logged", "batch") if logged else name, "logged": logged, "tls": workload.startswith("tls-"), "connections": connections, "depth": depth}


def workloads_of(args, server):
    """Only writes wait for the commit log."""
    workloads = [w for w in args.workloads if server.startswith("helenus") or not w.startswith("tls-")]
    if args.chosen_workloads or not server.endswith("-periodic"):
        return workloads
    return [w for w in workloads if w.partition("@")[0] not in ("read", "slice")]


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


class Clock:
    """Says how far the run is, and how long the rest will take at most."""

    def __init__(self, args):
        self.args, self.begin = args, time.time()
        self.left = sum(self.of_server(name) for name in args.servers)

    def of_workload(self, workload, windows=None):
        return (windows or self.args.windows) * (self.args.seconds + 1) + SETTLE_SECONDS_MAX + RATE_RUNS * (self.args.rate_seconds + 1) * len(rates_of(self.args, workload))

    def of_server(self, name):
        java = name.startswith("cassandra")
        seconds = 30 if java else 10
        if "workloads" in self.args.steps:
            seconds += (self.args.first_windows - self.args.windows) * (self.args.seconds + 1)
            seconds += len(self.args.value_bytes) * (SETTLE_SECONDS_MAX + (60 if java else 20) + sum(self.of_workload(w) for w in workloads_of(self.args, name)))
        if "memory" in self.args.steps:
            seconds += 240 if java else 90
        if "cold" in self.args.steps and not name.startswith("floor"):
            seconds += self.args.cold_rows / (8000 if java else 40000) + 300 + 3 * (self.args.seconds + 1)
        if "neighbour" in self.args.steps and name.startswith("helenus"):
            seconds += 60 + len(self.args.shapes) * self.args.windows * (2 * self.args.neighbour_seconds + 4)
        if "apis" in self.args.steps and name.startswith("helenus"):
            seconds += 60 + self.args.rows / 10000 + self.args.windows * 2 * (self.args.rate_seconds + 2)
        if "long" in self.args.steps and not name.startswith("floor"):
            seconds += self.args.long_seconds + self.args.rows / 10000 + SETTLE_SECONDS_MAX
        return seconds

    def done(self, seconds, what):
        self.left -= seconds
        print(f"  [{(time.time() - self.begin) / 60:.0f} min, at most {max(0, self.left) / 60:.0f} left] {what}", flush=True)


def rates_of(args, workload):
    """--rates 5000 read=30000: the plain ones for all workloads."""
    return [float(r.split("=")[-1]) for r in args.rates if "=" not in r or r.split("=")[0] == workload]


def saturate(server, workload, args, value_bytes, windows_max):
    """Windows until the last three differ by less than 3 %; their medians."""
    windows = []
    while len(windows) < windows_max:
        windows.append(load(server, **workload_options(workload, args), rows=args.rows, seconds=args.seconds, warm=0.5, value_bytes=value_bytes,
                            seed=len(windows) + 7))
        rates = [w["per_second"] for w in windows[-3:]]
        steady = len(rates) == 3 and max(rates) / min(rates) < 1.03
        if steady:
            break
    last, after = windows[-3:], server.cpu()
    settled = server.settle()
    tail = max(0.0, server.cpu() - after - server.idle_cores * settled["settle_seconds"])
    result = {**last[-1], "workload": workload, "steady": steady, "windows": [{k: w[k] for k in ("per_second", "server_cpu_us")} for w in windows], **settled}
    result["errors"], result["wrong"] = (sum(w[key] for w in windows) for key in ("errors", "wrong"))
    for key in ("per_second", "server_cpu_us", "client_cpu_us"):
        result[key] = round(statistics.median(w[key] for w in last), 2)
    if "rows" in result:
        result["server_cpu_us_per_row"] = round(result["server_cpu_us"] / result["rows"], 3)
    for kind in ("read", "write"):
        if kind in result:
            result[kind] = {key: statistics.median(w[kind][key] for w in last) for key in result[kind]}
    # What compaction owes is owed by all windows.
    result["server_cpu_us_settled"] = round(result["server_cpu_us"] + tail * 1e6 / sum(w["requests"] for w in windows), 2)
    return result


def at_rate(server, workload, args, value_bytes, rate):
    """The middle one of three: a machine that others share stands still now and then, and a p99 is made of that."""
    options = {**workload_options(workload, args), "depth": 512, "rows": args.rows, "seconds": args.rate_seconds, "warm": 1, "rate": rate,
               "value_bytes": value_bytes}
    runs = [load(server, **options, seed=77 + n) for n in range(RATE_RUNS)]
    runs.sort(key=worst_p99)
    return {**runs[RATE_RUNS // 2], "workload": workload, "p99s_us": [worst_p99(run) for run in runs]}


def worst_p99(run):
    return max(run[kind]["p99_us"] for kind in ("read", "write") if kind in run)


def measure_workloads(server, args, emit, clock):
    windows_max = args.first_windows
    for value_bytes in args.value_bytes:  # in a new table, but in the same process: a JVM that is warm stays so
        r = load(server, workload="insert", setup=True, sequential=True, rows=args.rows, depth=64, value_bytes=value_bytes, warm=0)
        emit(server, {"figure": "load", **r, **server.settle()})
        for workload in workloads_of(args, server.name):
            if isinstance(server, Floor) and not floor_knows(workload):
                clock.done(clock.of_workload(workload), f"{server.name} has no {workload}")
                continue
            emit(server, {"figure": "saturation", **saturate(server, workload, args, value_bytes, windows_max)})
            windows_max = args.windows
            for rate in rates_of(args, workload):
                emit(server, {"figure": "rate", **at_rate(server, workload, args, value_bytes, rate)})
            clock.done(clock.of_workload(workload), f"{server.name} {workload} {value_bytes} bytes")


def floor_knows(workload):
    """It has no conditions and no counters, nor a batch log."""
    return workload.partition("@")[0] in ("read", "slice", "mixed", "insert", "batch10", "batch100")


def pay_debts(server, window):
    """CPU us/request of what a window left to flush and compact, waited for: else the other server's window, or the next one, pays."""
    if "write" not in window:
        return 0.0
    before = server.cpu()
    settled = server.settle()
    return max(0.0, server.cpu() - before - server.idle_cores * settled["settle_seconds"]) * 1e6 / window["requests"]


def measure_pair(servers, args, emit):
    """Both up at once, loaded in turn, the one and the other first: what the machine does in a minute, it does to both."""
    options = {"rows": args.rows, "value_bytes": args.value_bytes[0]}
    for server in servers:
        server.start()
        server.measure_idle()
        load(server, workload="insert", setup=True, sequential=True, depth=64, warm=0, **options)
    for server in servers:
        server.settle()
    for workload in args.workloads:
        costs = [[], []]
        for n in range(args.windows):
            for i in (0, 1) if n % 2 == 0 else (1, 0):
                window = load(servers[i], **workload_options(workload, args), seconds=args.seconds, warm=0.3, seed=n + 7, **options)
                costs[i].append(round(window["server_cpu_us"] + pay_debts(servers[i], window), 2))
        ratios = [round(a / b, 2) for a, b in zip(*costs)]
        emit(servers[0], {"figure": "pair", "workload": workload, "other": servers[1].name, **options, "cpu_us": costs[0], "other_cpu_us": costs[1],
                          "ratios": ratios, "ratio": statistics.median(ratios)})


def measure_cold(server, args, emit):
    """Reads of far more than the memory given holds, page cache included."""
    try:
        server.cgroup = Cgroup(args.cold_mb)
    except OSError as e:
        print(f"  ! {server.name}: cold reads are not measured: {e}", flush=True)
        return
    heap, server.heap = getattr(server, "heap", None), f"{args.cold_mb // 3}M"  # with half of it the kernel ends Cassandra: it takes much outside the heap
    options = {"rows": args.cold_rows, "value_bytes": COLD_VALUE_BYTES}
    try:
        server.start()
        server.measure_idle()
        load(server, workload="insert", setup=True, sequential=True, depth=64, warm=0, **options)
        server.compact()
        settled = server.settle(300)
        windows = [load(server, **workload_options("read", args), seconds=args.seconds, warm=0.5, seed=n + 7, **options) for n in range(3)]
        middle = sorted(windows, key=lambda w: w["per_second"])[1]
        emit(server, {"figure": "cold", "memory_mb": args.cold_mb, "disk_mb": round(server.disk_mb(), 1), **settled, **options, **middle,
                      "windows": [w["per_second"] for w in windows]})
        server.stop()
    except RuntimeError as e:  # a server that the kernel ends for want of memory is a finding
        emit(server, {"figure": "cold", "memory_mb": args.cold_mb, **options, "failed": str(e).rsplit(": ", 1)[-1]})
    finally:
        if server.is_running():
            server.stop(signal.SIGKILL)
        server.cgroup.close()
        server.cgroup, server.heap = None, heap


def measure_long(server, args, emit):
    """A line every ten seconds; p99 and the longest wait within them."""
    server.start()
    server.measure_idle()
    options = {"rows": args.rows, "value_bytes": args.value_bytes[0]}
    load(server, workload="insert", setup=True, sequential=True, depth=64, warm=0, **options)
    server.settle()
    command = load_command(server, **workload_options("mixed", args), seconds=args.long_seconds, warm=0, interval=INTERVAL_SECONDS, **options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        last = None
        for line in client.stdout:
            last = json.loads(line)
            if "at_s" in last:
                emit(server, {"figure": "long", **last, "rss_mb": round(server.status("VmRSS"), 1), "disk_mb": round(server.disk_mb(), 1)})
    if last is None or "workload" not in last:
        raise RuntimeError(f"{' '.join(command)}: ended with {client.returncode}")
    emit(server, {"figure": "long_whole", **checked(server, "mixed", last), **server.settle(300)})


def measure_neighbour(server, args, emit):
    """Alone and beside in turn: what the machine does in a minute, it does to both."""
    command = [sys.executable, str(NEIGHBOUR), str(server.port)]
    options = {"rows": args.neighbour_rows, "value_bytes": args.value_bytes[0]}
    server.start()
    server.measure_idle()
    load(server, workload="insert", setup=True, sequential=True, depth=64, warm=0, **options)
    subprocess.run([*command, "prepare"], check=True)
    server.settle()

    def steady(seed):
        return load(server, workload="mixed", connections=4, depth=512, rate=args.neighbour_rate, seconds=args.neighbour_seconds, warm=0.5, seed=seed, **options)
    for shape in args.shapes:
        windows = []
        for n in range(args.windows):
            alone = steady(n + 7)
            # A neighbour has processors of its own: here it takes those that nobody else wants.
            with subprocess.Popen(["nice", "-n", "19", *command, shape], stdout=subprocess.PIPE, text=True) as client:
                time.sleep(1)
                beside = steady(n + 7)
                client.terminate()
                did = json.loads(client.communicate()[0])
            server.settle()
            windows.append((alone, beside, did))
        row = {"figure": "neighbour", "shape": shape, "rate": args.neighbour_rate, "per_second": statistics.median(d["requests"] / d["seconds"] for *_, d in windows),
               "errors": sum(w[i]["errors"] + w[i].get("wrong", 0) for w in windows for i in (0, 1)),
               "neighbour_errors": sum(d["errors"] for *_, d in windows), "neighbour_first_error": windows[-1][2]["first_error"]}
        for kind in ("read", "write"):
            for i, when in enumerate(("alone", "beside")):
                row[f"{kind}_{when}"] = {key: statistics.median(w[i][kind][key] for w in windows) for key in ("p50_us", "p99_us", "max_us")}
            row[f"{kind}_ratio"] = round(statistics.median(w[1][kind]["p99_us"] / w[0][kind]["p99_us"] for w in windows), 2)
        emit(server, row)


def measure_apis(server, args, emit):
    """Alone and beside in turn, as with a neighbour. A pair of runs begins with the one and the next with the other."""
    command = [sys.executable, str(APIS), str(server.port + 1)]
    options = {"rows": args.rows, "value_bytes": args.value_bytes[0]}
    steady = {**options, **workload_options("mixed", args), "depth": 512, "rate": rates_of(args, "mixed")[0], "seconds": args.rate_seconds, "warm": 1}
    server.start()
    server.measure_idle()
    load(server, workload="insert", setup=True, sequential=True, depth=64, warm=0, **options)
    server.settle()
    probe = json.loads(subprocess.run([*command, "probe", str(args.apis_probes)], check=True, stdout=subprocess.PIPE, text=True).stdout)

    def beside(seed):
        # As a bad neighbour, it has processors of its own.
        with subprocess.Popen(["nice", "-n", "19", *command, str(args.apis_rate)], stdout=subprocess.PIPE, text=True) as client:
            time.sleep(1)
            seen = load(server, **steady, seed=seed)
            client.terminate()
            return seen, json.loads(client.communicate()[0])
    windows = []
    for n in range(args.windows):
        if n % 2:
            seen, calls = beside(n + 7)
        alone = load(server, **steady, seed=n + 7)
        if n % 2 == 0:
            seen, calls = beside(n + 7)
        windows.append((alone, seen, calls))
    row = {"figure": "apis", "workload": "mixed", "value_bytes": args.value_bytes[0], "rate": steady["rate"], "calls_per_second_wanted": args.apis_rate,
           "calls_per_second": statistics.median(c["calls"] / c["seconds"] for *_, c in windows), "call_p50_us": statistics.median(c["p50_us"] for *_, c in windows),
           "call_p99_us": statistics.median(c["p99_us"] for *_, c in windows), "get_table_p50_us": probe["p50_us"], "get_table_p99_us": probe["p99_us"],
           "errors": sum(w[i]["errors"] + w[i].get("wrong", 0) for w in windows for i in (0, 1)),
           "call_errors": probe["errors"] + sum(c["errors"] for *_, c in windows), "call_first_error": probe["first_error"] or windows[-1][2]["first_error"]}
    for i, when in enumerate(("alone", "beside")):
        row[f"per_second_{when}"] = statistics.median(w[i]["per_second"] for w in windows)
        for kind in ("read", "write"):
            row[f"{kind}_{when}"] = {key: statistics.median(w[i][kind][key] for w in windows) for key in ("p50_us", "p99_us", "max_us")}
    for kind in ("read", "write"):
        row[f"{kind}_ratio"] = round(statistics.median(w[1][kind]["p99_us"] / w[0][kind]["p99_us"] for w in windows), 2)
    emit(server, row)


def measure_memory(server, args, emit):
    """With many rows: memory, disk, and the first answer after kill -9 under load."""
    server.start()
    server.measure_idle()
    options = {"workload": "insert", "rows": args.memory_rows, "depth": 64, "value_bytes": args.value_bytes[0], "warm": 0}
    load(server, setup=True, sequential=True, compressor="ZstdCompressor", **options)
    settled = server.settle()
    emit(server, {"figure": "memory", "rows": args.memory_rows, "rss_mb": round(server.status("VmRSS"), 1), "peak_mb": round(server.status("VmHWM"), 1), **settled})
    if server.compact():
        server.settle()
        emit(server, {"figure": "disk", "rows": args.memory_rows, "compressor": "zstd", "disk_mb": round(server.disk_mb(), 1),
                      "raw_mb": round(args.memory_rows * (args.value_bytes[0] + 12) / 1e6, 1)})
    if isinstance(server, Floor):
        return
    with subprocess.Popen(load_command(server, seconds=60, **options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        time.sleep(5)
        server.stop(signal.SIGKILL)
        client.wait()
    emit(server, {"figure": "after_kill", "rows": args.memory_rows, "first_answer_ms": round(server.start(fresh=False), 1)})


def measure(server, args, emit, clock):
    server.with_tls = any(workload.startswith("tls-") for workload in args.workloads)
    total, left = clock.of_server(server.name), clock.left
    for step, run in (("cold", measure_cold), ("long", measure_long), ("neighbour", measure_neighbour), ("apis", measure_apis)):
        if step in args.steps and not isinstance(server, Floor) and (step not in ("neighbour", "apis") or isinstance(server, Helenus)):
            run(server, args, emit)
            if server.is_running():
                server.stop()
    if not {"start", "workloads", "memory"} & set(args.steps):
        clock.done(total, server.name)
        return
    start_ms = server.start()
    time.sleep(1)
    if "start" in args.steps:
        emit(server, {"figure": "start", "first_answer_ms": round(start_ms, 1), "idle_mb": round(server.status("VmRSS"), 1)})
    server.measure_idle()
    if "workloads" in args.steps:
        measure_workloads(server, args, emit, clock)
    server.stop()
    if "memory" in args.steps:
        measure_memory(server, args, emit)
        server.stop()
    clock.done(total - (left - clock.left), server.name)


# ---- tables ----

def latency(row):
    return row.get("read") or row.get("write")


def latest(rows):
    """Of figures measured several times the last."""
    kept = {}
    for r in rows:
        if "server" in r and r["figure"] != "long":
            kept[(r["server"], r["figure"], r.get("workload"), r.get("shape"), r.get("value_bytes"), r.get("rate") if r["figure"] == "rate" else None)] = r
    return list(kept.values())


def print_saturation(rows):
    print("\n| server | workload | bytes | CPU us/request | and compaction | requests/s | us/row of a batch | p50 ms | p99 ms | p99 ms at a fixed rate |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for r in rows:
        if r["figure"] != "saturation":
            continue
        rates = [f"{latency(q)['p99_us'] / 1000:.2f} ({q['rate']:,.0f}/s)" for q in rows if q["figure"] == "rate" and q["server"] == r["server"]
                 and q["workload"] == r["workload"] and q["value_bytes"] == r["value_bytes"]]
        note = ("" if r.get("steady", True) else " (not steady)") + ("" if r.get("settled", True) else " (not settled)")
        print(f"| {r['server']}{note} | {r['workload']} | {r['value_bytes']} | {r['server_cpu_us']:.2f} | {r['server_cpu_us_settled']:.2f} | "
              f"{r['per_second']:,.0f} | {r.get('server_cpu_us_per_row', '')} | {latency(r)['p50_us'] / 1000:.2f} | {latency(r)['p99_us'] / 1000:.2f} | {', '.join(rates)} |")


def print_single(rows):
    columns = [("start", "first_answer_ms", "exec to first answer ms"), ("after_kill", "first_answer_ms", "after kill -9 ms"), ("start", "idle_mb", "idle MB"),
               ("memory", "rss_mb", "loaded MB"), ("disk", "disk_mb", "on disk MB")]
    print("\n| server | " + " | ".join(text for _, _, text in columns) + " |")
    print("| --- |" + " --- |" * len(columns))
    for name in dict.fromkeys(r["server"] for r in rows):
        cells = [next((f"{r[key]:,.1f}" for r in rows if r["server"] == name and r["figure"] == figure), "") for figure, key, _ in columns]
        if any(cells):
            print(f"| {name} | " + " | ".join(cells) + " |")


def print_cold(rows):
    cold = [r for r in rows if r["figure"] == "cold"]
    if cold:
        print("\n| server | memory MB | on disk MB | cold reads/s | CPU us/request | p50 ms | p99 ms |\n| --- | --- | --- | --- | --- | --- | --- |")
    for r in cold:
        if "failed" in r:
            print(f"| {r['server']} | {r['memory_mb']} | it ended: {r['failed']} | | | | |")
            continue
        print(f"| {r['server']} | {r['memory_mb']} | {r['disk_mb']:,.0f} | {r['per_second']:,.0f} | {r['server_cpu_us']:.2f} | "
              f"{r['read']['p50_us'] / 1000:.2f} | {r['read']['p99_us'] / 1000:.2f} |")


def print_neighbours(rows):
    rows = [r for r in rows if r["figure"] == "neighbour"]
    if rows:
        print("\n| server | neighbour | its requests/s | reads alone: p50, p99 ms | beside it | median of the p99s' ratios | writes alone | beside it | ratio |")
        print("| --- |" + " --- |" * 8)
    for r in rows:
        cells = []
        for kind in ("read", "write"):
            cells += [f"{r[f'{kind}_{when}']['p50_us'] / 1000:.2f}, {r[f'{kind}_{when}']['p99_us'] / 1000:.2f}" for when in ("alone", "beside")]
            cells.append(f"{r[f'{kind}_ratio']:.1f}" + ("" if r[f"{kind}_ratio"] <= NEIGHBOUR_RATIO_MAX else " **missed**"))
        print(f"| {r['server']} | {r['shape']} | {r['per_second']:,.1f} | " + " | ".join(cells) + " |")


def print_apis(rows):
    rows = [r for r in rows if r["figure"] == "apis"]
    if rows:
        print("\n| server | calls/s | a call's p50, p99 ms | GetTable alone: p50 ms | mixed requests/s, alone | beside | reads alone: p99 ms | beside | ratio | writes alone | beside | ratio |")
        print("| --- |" + " --- |" * 11)
    for r in rows:
        cells = []
        for kind in ("read", "write"):
            cells += [f"{r[f'{kind}_{when}']['p99_us'] / 1000:.2f}" for when in ("alone", "beside")] + [f"{r[f'{kind}_ratio']:.2f}"]
        failed = f" ({r['call_errors']} calls failed: {r['call_first_error']})" if r["call_errors"] else ""
        print(f"| {r['server']}{failed} | {r['calls_per_second']:,.0f} | {r['call_p50_us'] / 1000:.2f}, {r['call_p99_us'] / 1000:.2f} | {r['get_table_p50_us'] / 1000:.2f} | "
              f"{r['per_second_alone']:,.0f} | {r['per_second_beside']:,.0f} | " + " | ".join(cells) + " |")


def print_pairs(rows):
    pairs = [r for r in rows if r["figure"] == "pair"]
    if pairs:
        print("\n| both up, loaded in turn: CPU us/request | bytes | the one | the other | median of the ratios | ratio of the sums |\n| --- | --- | --- | --- | --- | --- |")
    for r in pairs:
        one, other = (" ".join(f"{cost:.1f}" for cost in r[key]) for key in ("cpu_us", "other_cpu_us"))
        print(f"| {r['server']} / {r['other']}, {r['workload']} | {r['value_bytes']} | {one} | {other} | {r['ratio']:.2f} | {sum(r['cpu_us']) / sum(r['other_cpu_us']):.2f} |")


def draw_long(rows):
    """The long run as SVG: a panel a figure, a line a server. A server measured twice: its last run."""
    series = {}
    for r in rows:
        if r.get("figure") == "long":
            line = series.setdefault(r["server"], [])
            if line and r["at_s"] < line[-1]["at_s"]:
                line.clear()
            line.append(r)
    series = dict(sorted(series.items(), key=lambda entry: not entry[0].startswith("helenus")))  # ours in one colour in every picture
    panels = [("requests/s", lambda r: r["per_second"]), ("CPU us/request", lambda r: r["server_cpu_us"]),
              ("read p99, ms", lambda r: r["read_p99_us"] / 1000), ("write p99, ms", lambda r: r["write_p99_us"] / 1000),
              ("memory, MB", lambda r: r["rss_mb"]), ("on disk, MB", lambda r: r["disk_mb"])]
    colours = ["#1f6f43", "#b3341f", "#2b5fa8", "#8a6d00", "#6a3d9a"]
    width, height, left, top = 800, 110, 90, 40
    end = max((r["at_s"] for line in series.values() for r in line), default=1)
    bottom = top + len(panels) * (height + 25)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 20}" height="{bottom + 25}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>']
    for i, name in enumerate(series):
        out.append(f'<text x="{left + i * 200}" y="20" fill="{colours[i % len(colours)]}">{name}</text>')
    for p, (title, value) in enumerate(panels):
        y = top + p * (height + 25)
        most = max((value(r) for line in series.values() for r in line), default=0) or 1
        out.append(f'<rect x="{left}" y="{y}" width="{width}" height="{height}" fill="none" stroke="#bbb"/>'
                   f'<text x="{left}" y="{y - 4}">{title}</text><text x="{left - 6}" y="{y + 10}" text-anchor="end">{most:{",.0f" if most >= 100 else ".3g"}}</text>'
                   f'<text x="{left - 6}" y="{y + height}" text-anchor="end">0</text>')
        for i, line in enumerate(series.values()):
            points = " ".join(f"{left + r['at_s'] / end * width:.1f},{y + height - value(r) / most * height:.1f}" for r in line)
            out.append(f'<polyline fill="none" stroke="{colours[i % len(colours)]}" stroke-width="1.5" points="{points}"/>')
    out.append(f'<text x="{left}" y="{bottom + 5}">0</text><text x="{left + width}" y="{bottom + 5}" text-anchor="end">{end / 60:.1f} min</text></svg>')
    return "\n".join(out) + "\n"


def verdict(value, limit):
    return f"{value:.2f}, at most {limit:g}: " + ("met" if value <= limit else "**missed**")


def print_targets(rows):
    """Of helenus-native; against the better Cassandra that waits for the disk as helenus does (group), and against the floor."""
    unsteady = sorted({r["server"] for r in rows if r["figure"] == "saturation" and not r.get("steady", True)})
    if unsteady:
        print(f"\nNot steady when the windows were used up, so the verdicts are provisional: {', '.join(unsteady)}.")
    def find(server, figure, **keys):
        return next((r for r in rows if r["server"] == server and r["figure"] == figure and all(r.get(k) == v for k, v in keys.items())), None)

    def best(figure, key, better=min, **keys):
        found = [r for r in rows if r["server"].startswith("cassandra") and r["server"].endswith("-group") and r["figure"] == figure
                 and all(r.get(k) == v for k, v in keys.items())]
        return better((key(r) for r in found), default=None)

    def line(text, ours, theirs, limit):
        print(f"| {text} | {verdict(ours / theirs, limit) if ours is not None and theirs else 'not measured'} |")

    print("\n| target: helenus-native / other | measured |\n| --- | --- |")
    for r in (r for r in rows if r["server"] == "helenus-native" and r["figure"] == "saturation"):
        keys = {"workload": r["workload"], "value_bytes": r["value_bytes"]}
        text, floor = f"{r['workload']}, {r['value_bytes']} bytes", find("floor-native", "saturation", **keys)
        share = {"read": 1 / 10, "insert": 1 / 8}.get(r["workload"])
        theirs = best("saturation", lambda q: q["server_cpu_us"], **keys)
        if share:
            line(f"CPU, {text}, Cassandra", r["server_cpu_us"], theirs, round(share, 3))
            line(f"CPU, {text}, floor", r["server_cpu_us"], floor and floor["server_cpu_us"], 1.4)
        elif theirs or floor:
            print(f"| CPU, {text} (no target) | {f'{r_of(r, theirs)} of Cassandra; ' if theirs else ''}"
                  f"{r_of(r, floor['server_cpu_us']) + ' of the floor' if floor else ''} |")
        most = best("saturation", lambda q: q["per_second"], max, **keys)
        line(f"time per request at saturation, {text}, Cassandra", most, r["per_second"], 0.2)
        for q in (q for q in rows if q["server"] == "helenus-native" and q["figure"] == "rate" and all(q.get(k) == v for k, v in keys.items())):
            line(f"p99 at {q['rate']:,.0f}/s, {text}, Cassandra", latency(q)["p99_us"], best("rate", lambda c: latency(c)["p99_us"], rate=q["rate"], **keys), 0.2)
    for text, figure, key, limit in (("memory with rows", "memory", "rss_mb", 0.333), ("bytes on disk", "disk", "disk_mb", 1.0)):
        ours = find("helenus-native", figure)
        line(f"{text}, Cassandra", ours and ours[key], ours and best(figure, lambda r: r[key], rows=ours["rows"]), limit)
    for text, figure, key, limit in (("memory idle, MB", "start", "idle_mb", 32), ("exec to first answer, ms", "start", "first_answer_ms", 50),
                                     ("exec to first answer after kill -9 under load, ms", "after_kill", "first_answer_ms", 1000)):
        ours = find("helenus-native", figure)
        print(f"| {text} | {verdict(ours[key], limit) if ours else 'not measured'} |")


def r_of(row, other):
    return f"{row['server_cpu_us'] / other:.2f}"


def table(rows):
    """The figures as Markdown."""
    rows = latest(rows)
    has_more = any(r["figure"] not in ("neighbour", "apis") for r in rows)
    if has_more:
        print_saturation(rows)
        print_single(rows)
    print_cold(rows)
    print_neighbours(rows)
    print_apis(rows)
    print_pairs(rows)
    if has_more:
        print_targets(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", nargs="*", default=["helenus-native", "floor-native", "helenus-packaged", "cassandra-default-periodic",
                                                        "cassandra-default-group", "cassandra-latest-periodic", "cassandra-latest-group"])
    parser.add_argument("--set", default="usual", choices=SETS, help="what --steps, --workloads and --value-bytes are unless given")
    parser.add_argument("--pair", nargs=2, default=None, metavar="SERVER", help="instead: two of them up at once and loaded in turn, --windows times each")
    parser.add_argument("--other", metavar="FILE", default=str(ROOT / "build" / "other" / "helenus"),
                        help="the server helenus-other: of another commit, to be paired with this one")
    parser.add_argument("--steps", nargs="*", default=None, choices=STEPS)
    parser.add_argument("--workloads", nargs="*", default=None)
    parser.add_argument("--cold-mb", type=int, default=1536, help="memory of a server in the cold step")
    parser.add_argument("--cold-rows", type=int, default=7500000)
    parser.add_argument("--long-seconds", type=float, default=1200)
    parser.add_argument("--shapes", nargs="*", default=neighbour.SHAPES, choices=neighbour.SHAPES, help="of the bad neighbour")
    parser.add_argument("--neighbour-rate", type=float, default=500, help="mixed requests/s of who lives beside it")
    parser.add_argument("--neighbour-rows", type=int, default=100000)
    parser.add_argument("--neighbour-seconds", type=float, default=5)
    parser.add_argument("--apis-rate", type=float, default=200, help="calls/s of AWS's APIs beside the load")
    parser.add_argument("--apis-probes", type=int, default=2000, help="GetTable one by one, of which the p50 is told")
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--memory-rows", type=int, default=2000000)
    parser.add_argument("--value-bytes", type=int, nargs="*", default=None)
    parser.add_argument("--seconds", type=float, default=30, help="a window at saturation")
    parser.add_argument("--windows", type=int, default=8, help="at most this many")
    parser.add_argument("--first-windows", type=int, default=12, help="of the first workload, at most this many")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--rates", nargs="*", default=["read=30000", "insert=10000", "mixed=12000", "slice=2000"],
                        help="requests/s, or workload=requests/s: about half of Cassandra's saturation")
    parser.add_argument("--rate-seconds", type=float, default=15)
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--heap", default="8G")
    parser.add_argument("--port", type=int, default=21042)
    parser.add_argument("--work", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--raw", default=None, help="append to this file; default: a new one")
    parser.add_argument("--table", default=None, metavar="RAW", help="only print the tables of a raw file")
    parser.add_argument("--dry-run", action="store_true", help="only say how long it takes at most")
    parser.add_argument("--picture", default=None, metavar="FILE", help="with --table: draw the long run there, too")
    args = parser.parse_args()
    if args.table:
        with open(args.table) as f:
            rows = [json.loads(line) for line in f]
        table(rows)
        if args.picture:
            pathlib.Path(args.picture).write_text(draw_long(rows))
        return
    args.chosen_workloads = args.workloads is not None
    for name, default in zip(("steps", "workloads", "value_bytes"), SETS[args.set]):
        if getattr(args, name) is None:
            setattr(args, name, default)
    clock = Clock(args)
    if args.pair:
        seconds = 2 * (120 + args.windows * (args.seconds + 1) * len(args.workloads))
        print(f"about {seconds / 60:.0f} minutes: " + " and ".join(args.pair), flush=True)
    else:
        print(f"at most {clock.left / 60:.0f} minutes: " + ", ".join(f"{name} {clock.of_server(name) / 60:.0f}" for name in args.servers), flush=True)
    if args.dry_run:
        return
    work = pathlib.Path(args.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    makers = {"helenus-native": lambda: Helenus("helenus-native", work, args.port, ROOT / "build" / "native" / "helenus", args.shards),
              "helenus-packaged": lambda: Helenus("helenus-packaged", work, args.port, ROOT / "build" / "helenus", args.shards),
              "helenus-other": lambda: Helenus("helenus-other", work, args.port, pathlib.Path(args.other), args.shards),
              "floor-native": lambda: Floor("floor-native", work, args.port, ROOT / "build" / "native" / "floor"),
              "floor-packaged": lambda: Floor("floor-packaged", work, args.port, ROOT / "build" / "floor")}
    for config in ("default", "latest"):
        for commitlog in ("periodic", "group"):
            name = f"cassandra-{config}-{commitlog}"
            makers[name] = lambda name=name, config=config, commitlog=commitlog: Cassandra(name, work, args.port, config, commitlog, args.heap)
    raw = pathlib.Path(args.raw) if args.raw else work / time.strftime("bench-%Y%m%d-%H%M%S.jsonl")
    with open(raw, "a") as out:
        out.write(json.dumps({"figure": "conditions", **versions(), "arguments": {k: v for k, v in vars(args).items() if k not in ("work", "raw")}}) + "\n")

        def emit(server, figures):
            row = {"server": server.name, **figures}
            out.write(json.dumps(row) + "\n")
            out.flush()
            print("  " + ", ".join(f"{k} {v}" for k, v in row.items() if not isinstance(v, (dict, list))), flush=True)

        def run(names, what):
            servers = [makers[name]() for name in names]
            print(" and ".join(names), flush=True)
            for i, server in enumerate(servers):
                server.port += 10 * i
            try:
                what(servers)
            finally:
                for server in servers:
                    if server.is_running():
                        server.stop()
                    shutil.rmtree(server.dir, ignore_errors=True)

        if args.pair:
            run(args.pair, lambda servers: measure_pair(servers, args, emit))
        for name in [] if args.pair else args.servers:
            run([name], lambda servers: measure(servers[0], args, emit, clock))
    with open(raw) as f:
        table([json.loads(line) for line in f])
    print(f"\nraw figures: {raw}")


if __name__ == "__main__":
    main()
