#!/usr/bin/env python3
"""Holds bench/load.c against latte, another load generator for Cassandra (the crate latte-cli): do both measure the same?

One helenus, loaded once with bench/load.c. Then, in turn and several times: load.c and latte send the same prepared statement to the
same table, at the same rate, over as many connections. Compared are the server's CPU per request and the median latency; the
figures are medians over the pairs of runs, and should agree within 10 %. latte is built into build/latte (a few minutes, once).

latte's driver does not cache the metadata of results, so load.c asks for it as well (--metadata); its timers (tokio's) tick every
millisecond, so that requests come in bursts, and load.c sends as many at a time (--tick-us), each over a connection drawn at random (--scatter). What latte costs the server by
connecting and preparing is measured by a run of one request, and taken off.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

import bench

VERSION = "0.29.0"
LATTE = bench.ROOT / "build" / "latte" / "bin" / "latte"
SCRIPT = pathlib.Path(__file__).resolve().parent / "latte.rn"


def fetch():
    """latte of the pinned version, a crate, with the versions of its lock file."""
    if LATTE.exists() and VERSION in subprocess.run([LATTE, "--version"], capture_output=True, text=True).stdout:
        return
    subprocess.run(["cargo", "install", "latte-cli", "--version", VERSION, "--locked", "--quiet", "--root", str(LATTE.parent.parent)],
                   check=True)


def latte(server, args, workload, duration):
    """The server's CPU seconds, and latte's own report."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        before = server.cpu()
        subprocess.run([LATTE, "run", "--quiet", "--functions", workload, "--rate", f"{args.rate:.0f}", "--duration", duration,
                        "--warmup", "1", "--threads", "1", "--connections", str(args.connections), "--concurrency", "128",
                        "--consistency", "ONE", "-P", f"rows={args.rows}", "--output", report.name, str(SCRIPT),
                        f"127.0.0.1:{server.port}"], check=True, capture_output=True, cwd=tempfile.gettempdir())
        return server.cpu() - before, json.load(open(report.name))["result"]


def latte_percentile(result, wanted):
    """latte writes percentiles as a list; the names are those of its Percentile enumeration."""
    names = [0, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.9, 99.99, 100]
    return result["request_latency"]["percentiles"][names.index(wanted)]["value"] * 1000


def with_latte(server, args, workload):
    idle, _ = latte(server, args, workload, "1")
    cpu, result = latte(server, args, workload, f"{args.seconds:.0f}s")
    if result["error_count"]:
        sys.exit(f"latte: {result['error_count']} errors")
    return {"cpu_us": (cpu - idle) * 1e6 / result["request_count"], "p50_us": latte_percentile(result, 50),
            "p99_us": latte_percentile(result, 99), "per_second": result["request_count"] / result["elapsed_time_s"]}


def with_load(server, args, workload, seed):
    r = bench.load(server, workload=workload, rows=args.rows, seconds=args.seconds, warm=0.5, rate=args.rate, depth=128 // args.connections,
                   connections=args.connections, metadata=True, scatter=True, tick_us=args.tick_us or None, seed=seed)
    latency = bench.latency(r)
    return {"cpu_us": r["server_cpu_us"], "p50_us": latency["p50_us"], "p99_us": latency["p99_us"], "per_second": r["per_second"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(bench.ROOT / "build" / "native" / "helenus"))
    parser.add_argument("--port", type=int, default=21042)
    parser.add_argument("--rows", type=int, default=200000)
    parser.add_argument("--rate", type=float, default=8000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--tick-us", type=float, default=1000, help="load.c: requests are due together, this often")
    parser.add_argument("--workloads", nargs="*", default=["read", "insert"], choices=["read", "insert"])
    args = parser.parse_args()
    fetch()
    with tempfile.TemporaryDirectory(prefix="helenus-check-load-") as work:
        server = bench.Helenus("helenus", pathlib.Path(work), args.port, args.binary, 0)
        server.start()
        try:
            bench.load(server, workload="insert", setup=True, sequential=True, rows=args.rows, depth=64, warm=0)
            server.settle()
            print(f"{args.rate:,.0f} requests/s, {args.connections} connections, {args.runs} pairs of {args.seconds:.0f} s, latte {VERSION}, "
                  f"commit {bench.versions()['commit']}\n")
            print("| workload | figure | load.c | latte | load.c / latte: median of the pairs | of each pair |")
            print("| --- | --- | --- | --- | --- | --- |")
            for workload in args.workloads:
                pairs = [(with_load(server, args, workload, run + 1), with_latte(server, args, workload)) for run in range(args.runs)]
                for figure, text in (("cpu_us", "server CPU us/request"), ("p50_us", "p50 us"), ("p99_us", "p99 us"), ("per_second", "requests/s")):
                    ours, theirs = ([pair[i][figure] for pair in pairs] for i in (0, 1))
                    ratios = [a / b for a, b in zip(ours, theirs)]
                    print(f"| {workload} | {text} | {statistics.median(ours):,.1f} | {statistics.median(theirs):,.1f} | {statistics.median(ratios):.2f} | "
                          f"{' '.join(f'{r:.2f}' for r in ratios)} |", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
