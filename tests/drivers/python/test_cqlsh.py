"""cqlsh, unchanged: statements, DESCRIBE, COPY, PAGING, EXPAND, SOURCE, errors."""
import csv
import os
import pathlib
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def cqlsh(target, tmp_path_factory):
    home = tmp_path_factory.mktemp("cqlsh-home")
    program = pathlib.Path(sys.executable).with_name("cqlsh")

    def run(text, code=0, options=()):
        done = subprocess.run([str(program), target.host, str(target.port), "--no-color", *options], input=text,
                              text=True, capture_output=True, timeout=120, cwd=home,
                              env={**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8"})
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done
    return run


@pytest.fixture(scope="module")
def table(session, keyspace):
    session.execute(f"CREATE TABLE {keyspace}.people (country text, name text, age int, tags set<text>, "
                    "seen timestamp, PRIMARY KEY (country, name))")
    for i in range(250):
        session.execute(f"INSERT INTO {keyspace}.people (country, name, age, tags, seen) VALUES (%s, %s, %s, %s, %s)",
                        ("PL" if i % 2 else "FR", f"name {i:03}", i, {"a", f"t{i}"}, i * 1000))
    return f"{keyspace}.people"


def test_greets(cqlsh):
    out = cqlsh("SHOW VERSION;\nSHOW HOST;\n").stdout
    assert "Cassandra 5.0." in out and "CQL spec 3.4.7" in out and "Native protocol v" in out
    assert "Connected to Test Cluster" in out


def test_statements(cqlsh, table, keyspace):
    out = cqlsh(f"USE {keyspace};\nSELECT name, age FROM people WHERE country = 'FR' AND name <= 'name 004';\n").stdout
    assert " name     | age" in out
    assert [line.split("|")[1].strip() for line in out.splitlines() if line.startswith(" name 0")] == ["0", "2", "4"]
    assert "(3 rows)" in out


def test_expand(cqlsh, table):
    out = cqlsh(f"EXPAND ON;\nSELECT * FROM {table} WHERE country = 'FR' LIMIT 1;\n").stdout
    assert "@ Row 1" in out and "| name 000" in out


def test_paging(cqlsh, table):
    out = cqlsh(f"PAGING 10;\nSELECT name FROM {table};\n").stdout
    assert sum("name " in line and not line.startswith(" name\n") for line in out.splitlines()) >= 250
    assert "(250 rows)" in out or "rows)" in out
    out = cqlsh(f"PAGING OFF;\nSELECT name FROM {table};\n").stdout
    assert "(250 rows)" in out


def test_describe(cqlsh, table, keyspace):
    out = cqlsh(f"DESCRIBE KEYSPACES;\nDESCRIBE KEYSPACE {keyspace};\nDESCRIBE TABLE {table};\n"
                f"USE {keyspace};\nDESCRIBE TABLES;\n").stdout
    assert f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': '1'}}" in out
    assert f"CREATE TABLE {table} (" in out
    assert "PRIMARY KEY (country, name)" in out and "CLUSTERING ORDER BY (name ASC)" in out
    assert "system_schema" in out
    assert "Table 'nonsense' not found" in cqlsh(f"USE {keyspace};\nDESCRIBE TABLE nonsense;\n", code=None).stderr


def test_described_table_can_be_made_again(cqlsh, table, keyspace):
    out = cqlsh(f"DESCRIBE TABLE {table};\n").stdout
    text = out[out.index("CREATE TABLE"):out.rindex(";") + 1]
    cqlsh(text.replace(f"{keyspace}.people", f"{keyspace}.again") + "\n")
    again = cqlsh(f"DESCRIBE TABLE {keyspace}.again;\n").stdout
    assert again.replace(f"{keyspace}.again", f"{keyspace}.people") == out


def test_errors(cqlsh, table):
    done = cqlsh(f"SELECT nonsense FROM {table};\n", code=2)
    assert "InvalidRequest: Error from server: code=2200 [Invalid query] message=\"Undefined column name nonsense" \
        in done.stderr
    done = cqlsh("SELEC;\n", code=2)
    assert "SyntaxException" in done.stderr


def test_source(cqlsh, table, tmp_path, keyspace):
    script = tmp_path / "script.cql"
    script.write_text(f"INSERT INTO {keyspace}.people (country, name, age) VALUES ('XX', 'sourced', 1);\n"
                      f"SELECT age FROM {keyspace}.people WHERE country = 'XX';\n")
    assert "(1 rows)" in cqlsh(f"SOURCE '{script}';\n").stdout
    cqlsh(f"DELETE FROM {keyspace}.people WHERE country = 'XX';\n")
    assert "(1 rows)" in cqlsh("", options=["-e", "SELECT key FROM system.local"]).stdout


def test_copy_out_and_in(cqlsh, table, tmp_path, keyspace, session):
    path = tmp_path / "people.csv"
    out = cqlsh(f"COPY {table} (country, name, age, tags, seen) TO '{path}' WITH HEADER = true;\n").stdout
    assert "250 rows exported" in out
    with open(path, newline="") as f:
        rows = list(csv.reader(f))
    assert rows[0] == ["country", "name", "age", "tags", "seen"] and len(rows) == 251
    session.execute(f"CREATE TABLE {keyspace}.copied (country text, name text, age int, tags set<text>, "
                    "seen timestamp, PRIMARY KEY (country, name))")
    out = cqlsh(f"COPY {keyspace}.copied (country, name, age, tags, seen) FROM '{path}' WITH HEADER = true;\n").stdout
    assert "250 rows imported" in out
    wanted = {tuple(str(x) for x in r) for r in session.execute(f"SELECT * FROM {table}")}
    got = {tuple(str(x) for x in r) for r in session.execute(f"SELECT * FROM {keyspace}.copied")}
    assert got == wanted


def test_unicode(cqlsh, keyspace, session):
    session.execute(f"CREATE TABLE {keyspace}.u (k text PRIMARY KEY)")
    cqlsh(f"INSERT INTO {keyspace}.u (k) VALUES ('zażółć 🐘');\n")
    assert "zażółć 🐘" in cqlsh(f"SELECT * FROM {keyspace}.u;\n").stdout


def test_consistency_and_tracing_off(cqlsh):
    out = cqlsh("CONSISTENCY;\nCONSISTENCY QUORUM;\nSELECT key FROM system.local;\n").stdout
    assert "Current consistency level is ONE." in out and "Consistency level set to QUORUM." in out
    assert "(1 rows)" in out
