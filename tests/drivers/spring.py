#!/usr/bin/env python3
"""A Spring Boot application, as its users write it, on its defaults: entities, repositories, optimistic locking, pages, batches, TTLs, health.

    spring.py                      against a helenus of its own
    spring.py --target HOST:PORT   against another server, Cassandra itself for one, with one replica

spring/shop is the application. Its keyspace is there before it, in three replicas of datacenter1; its table and its type it makes itself
(schema-action). It logs in as people are used to, asked for a password, as a role of the server's, and not asked. What it says it saw is judged here, and what it left
is read by another driver.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from cassandra.auth import PlainTextAuthProvider  # noqa: E402
from cassandra.cluster import Cluster  # noqa: E402
from lib.clients import run_once  # noqa: E402
from matrix import BUILD  # noqa: E402
from server import Helenus  # noqa: E402

FACTS = {
    "health": "UP",
    "version of a new one": "0",
    "total": "19.90",
    "placed": "2023-11-14T22:13:20.001Z",
    "tags": "[n1, new]",
    "notes": "[one, two, one]",
    "lines": "{apple=1, pear=2}",
    "address": "Main 1",
    "exists": "true",
    "version of a changed one": "1",
    "a stale one": "was refused",
    "a second one": "was refused",
    "total after both": "20.00",
    "pages": "[100, 100, 50]",
    "newest and oldest": "2026-09-07 2026-01-01",
    "count": "250",
    "sum": "375.00",
    "from a day on": "3",
    "filtered": "1",
    "of everybody": "251",
    "seconds left": "true",
    "after a delete": "1",
}
COLUMNS = {
    "customer": "text", "day": "date", "id": "uuid", "total": "decimal", "placed": "timestamp", "tags": "set<text>",
    "notes": "list<text>", "lines": "map<text, int>", "address": "frozen<address>", "version": "bigint",
}
SECONDS = 120
passed, failures = [], []


def expect(condition, what):
    print(("ok " if condition else "FAILED ") + what, flush=True)
    (passed if condition else failures).append(what)


def build():
    here, out = HERE / "spring", BUILD / "spring"
    run_once(out / "fetched", [here / "pom.xml"],
             [["mvn", "-q", "-B", "-f", str(here / "pom.xml"), "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies",
               f"-DoutputDirectory={out / 'lib'}", "-DincludeScope=runtime"]], here)
    sources = sorted((here / "shop").glob("*.java"))
    run_once(out / "built", [here / "pom.xml", *sources],
             [["javac", "-parameters", "-cp", f"{out / 'lib'}/*", "-d", str(out / "classes"), *map(str, sources)]], here)
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{out / 'classes'}:{out / 'lib'}/*", "shop.Shop"]


def application(command, host, port):
    """What it said: {fact: value}."""
    settings = {"contact-points": host, "port": port, "local-datacenter": "datacenter1", "keyspace-name": "shop",
                "schema-action": "create-if-not-exists", "username": "cassandra", "password": "cassandra"}
    done = subprocess.run(command + [f"--spring.cassandra.{name}={value}" for name, value in settings.items()], capture_output=True, text=True,
                          timeout=SECONDS, stdin=subprocess.DEVNULL, cwd=BUILD)
    if done.returncode:
        print((done.stdout + done.stderr)[-4000:])
    expect(done.returncode == 0, f"the application ends with {done.returncode}")
    return dict(re.findall(r"^fact (.*?) = (.*)$", done.stdout, re.M))


def judge(command, host, port, replicas=3):
    with Cluster([host], port=port, auth_provider=PlainTextAuthProvider("cassandra", "cassandra")) as cluster:
        session = cluster.connect()
        session.execute("DROP KEYSPACE IF EXISTS shop")
        session.execute("CREATE KEYSPACE shop WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': %d}" % replicas)
        saw = application(command, host, port)
        for fact, value in FACTS.items():
            expect(saw.get(fact) == value, f"{fact}: {saw.get(fact)}")
        expect(saw.keys() == FACTS.keys(), "and no other facts")
        cluster.refresh_schema_metadata()
        table = cluster.metadata.keyspaces["shop"].tables["orders"]
        expect({name: column.cql_type for name, column in table.columns.items()} == COLUMNS, "the table is as Spring made it")
        expect(([c.name for c in table.partition_key], [(c.name, c.is_reversed) for c in table.clustering_key]) ==
               (["customer"], [("day", True), ("id", False)]), "and its key")
        row = session.execute("SELECT * FROM shop.orders WHERE customer = 'bob' AND day = '2026-01-08'").one()
        read = (str(row.total), set(row.tags), row.notes, dict(row.lines), row.address.street, row.address.number)
        expect(read == ("1.50", {"new", "n7"}, ["one", "two", "one"], {"apple": 7, "pear": 2}, "Main", 7), f"another driver reads what it wrote: {read}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", metavar="HOST:PORT")
    args = parser.parse_args()
    command = build()
    if args.target:
        host, port = args.target.rsplit(":", 1)
        judge(command, host, int(port), 1)  # who counts replicas has one node here
    else:
        for options in ([], ["--auth", "password"], ["--auth", "roles"]):
            print("-- " + (" ".join(options) or "as it is"))
            server = Helenus(args=options)
            server.start()
            try:
                judge(command, server.host, server.cql_port)
            finally:
                expect(server.stop() == 0, "the server stops as asked")
    print(f"{len(passed)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
