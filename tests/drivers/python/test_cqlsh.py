"""cqlsh, unchanged, in each version of the protocol: statements, DESCRIBE of everything, COPY, PAGING, EXPAND, SOURCE, CAPTURE, TRACING,
both CONSISTENCYs, LOGIN, errors."""
import csv
import os
import pathlib
import re
import subprocess
import sys

import pytest

from server import Helenus


@pytest.fixture(scope="module")
def cqlsh(target, tmp_path_factory):
    home = tmp_path_factory.mktemp("cqlsh-home")
    program = pathlib.Path(sys.executable).with_name("cqlsh")

    def run(text, code=0, options=(), port=None):
        done = subprocess.run([str(program), target.host, str(port or target.port), "--no-color", "--protocol-version",
                               str(target.version), *options], input=text,
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


def test_version(cqlsh, target):
    """The one asked for, also as the server sees it."""
    out = cqlsh("SHOW VERSION;\nSELECT driver_name, protocol_version FROM system_views.clients;\n").stdout
    assert f"Native protocol v{target.version}]" in out
    versions = [int(line.split("|")[1]) for line in out.splitlines() if re.search(r"\| +\d$", line)]
    assert target.version in versions


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


def test_consistency_levels(cqlsh, keyspace, session):
    session.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}.levels (k int PRIMARY KEY, v int)")
    out = cqlsh("".join(f"CONSISTENCY {level};\nSELECT * FROM {keyspace}.levels;\n" for level in
                        ("ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "LOCAL_ONE"))
                + "CONSISTENCY ANY;\n" + f"INSERT INTO {keyspace}.levels (k, v) VALUES (1, 1);\n").stdout
    assert out.count("(0 rows)") == 7 and out.count("Consistency level set to") == 8
    out = cqlsh("SERIAL CONSISTENCY;\nSERIAL CONSISTENCY LOCAL_SERIAL;\n"
                f"UPDATE {keyspace}.levels SET v = 2 WHERE k = 1 IF v = 1;\nSERIAL CONSISTENCY SERIAL;\n"
                f"UPDATE {keyspace}.levels SET v = 3 WHERE k = 1 IF v = 1;\n"
                f"CONSISTENCY SERIAL;\nSELECT v FROM {keyspace}.levels WHERE k = 1;\n").stdout
    assert "Current serial consistency level is SERIAL." in out and "Serial consistency level set to LOCAL_SERIAL." in out
    words = [line.split() for line in out.splitlines() if line.startswith(" ") and ("True" in line or "False" in line)]
    assert words == [["True"], ["False", "|", "2"]]
    session.execute(f"DROP TABLE {keyspace}.levels")


def test_tracing(cqlsh, table):
    out = cqlsh(f"TRACING;\nTRACING ON;\nSELECT name FROM {table} WHERE country = 'FR' LIMIT 1;\nTRACING OFF;\n"
                f"SELECT name FROM {table} WHERE country = 'PL' LIMIT 1;\n").stdout
    assert "TRACING is OFF" in out and "TRACING set to ON" in out
    assert len(re.findall(r"^Tracing session: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", out, re.M)) == 1
    assert re.search(r"^ activity +\| timestamp +\| source +\| source_elapsed +\| client$", out, re.M)
    assert "Execute CQL3 query" in out and "Request complete" in out
    session_id = re.search(r"Tracing session: (\S+)", out)[1]
    assert "Request complete" in cqlsh(f"SHOW SESSION {session_id};\n").stdout


def test_capture(cqlsh, table, tmp_path):
    """To the end: CAPTURE OFF of this cqlsh only says where the output goes."""
    path = tmp_path / "captured"
    out = cqlsh(f"CAPTURE;\nCAPTURE '{path}';\nSELECT age FROM {table} WHERE country = 'FR' AND name = 'name 002';\nCAPTURE;\n").stdout
    assert "Currently not capturing query output." in out and f"Now capturing query output to '{path}'." in out
    assert f"Currently capturing query output to '{path}'." in out
    assert [line.strip() for line in path.read_text().splitlines() if line.strip()] == ["age", "-----", "2", "(1 rows)"]
    assert not [line for line in out.splitlines() if line.strip() == "2"]


def test_describe_everything(cqlsh, table, keyspace, session):
    session.execute(f"CREATE TYPE IF NOT EXISTS {keyspace}.place (street text, number int)")
    out = cqlsh(f"DESCRIBE CLUSTER;\nUSE {keyspace};\nDESCRIBE CLUSTER;\n").stdout
    assert out.count("Cluster: Test Cluster") == 2 and out.count("Partitioner: Murmur3Partitioner") == 2
    assert out.count("Snitch: DynamicEndpointSnitch") == 2 and "Range ownership:" in out
    out = cqlsh(f"USE {keyspace};\nDESCRIBE TYPES;\nDESCRIBE TYPE place;\nDESC TYPE {keyspace}.place;\n").stdout
    assert out.count(f"CREATE TYPE {keyspace}.place (") == 2 and re.search(r"^place\s*$", out, re.M)
    out = cqlsh(f"USE {keyspace};\nDESCRIBE FUNCTIONS;\nDESCRIBE AGGREGATES;\nDESCRIBE TABLES;\nDESCRIBE KEYSPACE;\nDESCRIBE people;\nDESCRIBE {keyspace};\n").stdout
    assert out.count("CREATE TABLE " + table) >= 3 and out.count(f"CREATE KEYSPACE {keyspace} ") == 2
    out = cqlsh("DESCRIBE SCHEMA;\n").stdout
    assert f"CREATE KEYSPACE {keyspace} " in out and "CREATE TABLE " + table in out and "system_schema" not in out
    out = cqlsh("DESCRIBE FULL SCHEMA;\n").stdout
    assert "CREATE KEYSPACE system " in out and "CREATE KEYSPACE system_schema" in out and f"CREATE TABLE {table}" in out
    out = cqlsh("DESCRIBE TABLES;\nDESCRIBE KEYSPACE system_views;\nDESCRIBE TABLE system.local;\n").stdout
    assert "Keyspace system_schema" in out and "VIRTUAL TABLE system_views.clients" in out and "CREATE TABLE system.local" in out
    for text, words in ((f"DESCRIBE FUNCTION {keyspace}.f", "not found"), (f"DESCRIBE AGGREGATE {keyspace}.a", "not found"),
                        (f"DESCRIBE TYPE {keyspace}.t", "not found"), ("DESCRIBE KEYSPACE nowhere", "'nowhere' not found"),
                        (f"DESCRIBE INDEX {keyspace}.i", "not found"), (f"DESCRIBE MATERIALIZED VIEW {keyspace}.v", "not found")):
        assert words in cqlsh(text + ";\n", code=None).stderr, text


def test_login(cqlsh):
    server = Helenus(args=["--store", "memory", "--auth", "password"])
    server.start()
    try:
        done = cqlsh("SELECT key FROM system.local;\nLOGIN bea 'secret';\nSELECT key FROM system.local;\nSELECT username FROM system_views.clients;\n",
                     options=["-u", "ada", "-p", "secret"], port=server.cql_port)
        assert done.stdout.count("(1 rows)") == 2
        assert re.search(r"^ +ada$", done.stdout, re.M) and re.search(r"^ +bea$", done.stdout, re.M)
        done = cqlsh("SELECT key FROM system.local;\n", code=1, port=server.cql_port)
        assert "AuthenticationFailed" in done.stderr
    finally:
        assert server.stop() == 0
