"""Two accounts on one server: users NAME-at-ACCOUNT make the same names, and neither sees anything of the other's, with the driver unchanged;
what drivers hide (ids of prepared statements, events) with frames. Everything is there again after kill -9.
"""
import pathlib
import struct
import subprocess
import sys

import pytest
from cassandra import AlreadyExists, InvalidRequest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile

from server import Helenus

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from lib.native import EVENT, QUERY, READY, REGISTER, Client, ServerError, frame, query_body, short_string  # noqa: E402

USERS = {"alice": "alice-at-111122223333", "bob": "bob-at-444455556666", "carol": "carol"}  # carol: of the default account
UNPREPARED = 0x2500


class World:
    """The server, and a session of the driver for each user."""

    def __init__(self):
        self.server = Helenus(args=["--auth", "password", "--loops", "2", "--shards", "2"])
        self.clusters, self.sessions = {}, {}

    def start(self):
        self.server.start()
        for name, user in USERS.items():
            self.clusters[name] = Cluster(["127.0.0.1"], port=self.server.cql_port, auth_provider=PlainTextAuthProvider(user, "any"),
                                          execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(request_timeout=30)})
            self.sessions[name] = self.clusters[name].connect()

    def shut(self):
        for cluster in self.clusters.values():
            cluster.shutdown()

    def client(self, name, version=4):
        return Client(self.server.cql_port, user=USERS[name], version=version)


@pytest.fixture(scope="module")
def world():
    world = World()
    world.start()
    for name, session in world.sessions.items():
        session.execute("CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        session.execute("CREATE TYPE shop.address (street text)")
        session.execute(f"CREATE TABLE shop.orders (id int PRIMARY KEY, who text, of_{name} frozen<address>)")
        session.execute("INSERT INTO shop.orders (id, who) VALUES (1, %s)", [name])
    yield world
    world.shut()
    assert world.server.stop() == 0, world.server.tail()


def all_of(session, statement):
    return [tuple(row) for row in session.execute(statement)]


def names_of(session):
    """All that the system's tables say of user keyspaces."""
    return {table: sorted(all_of(session, f"SELECT * FROM system_schema.{table} WHERE keyspace_name = 'shop'"), key=repr)
            for table in ("keyspaces", "tables", "columns", "types", "dropped_columns")}


def check_own(world):
    for name, session in world.sessions.items():
        assert all_of(session, "SELECT who FROM shop.orders") == [(name,)]
        columns = {row[2] for row in names_of(session)["columns"]}
        assert columns == {"id", "who", f"of_{name}"}
        assert {row[0] for row in all_of(session, "SELECT keyspace_name FROM system_schema.keyspaces")
                if not row[0].startswith("system")} == {"shop"} | ({"own"} if name == "alice" else set())
        assert f"of_{name}" in session.execute("DESCRIBE TABLE shop.orders").one().create_statement
        assert set(world.clusters[name].metadata.keyspaces["shop"].tables["orders"].columns) == columns


def test_the_same_names_are_each_ones_own(world):
    with pytest.raises(AlreadyExists):
        world.sessions["alice"].execute("CREATE TABLE shop.orders (id int PRIMARY KEY)")
    world.sessions["alice"].execute("CREATE KEYSPACE own WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    for name in ("bob", "carol"):
        for statement in ("USE own", "DROP KEYSPACE own", "SELECT * FROM own.t", "DESCRIBE KEYSPACE own", "TRUNCATE own.t",
                          "CREATE TABLE own.t (k int PRIMARY KEY)", "ALTER KEYSPACE own WITH durable_writes = false"):
            with pytest.raises(Exception) as refused:
                world.sessions[name].execute(statement)
            assert "own" in str(refused.value) and ("not" in str(refused.value) or "n't" in str(refused.value)), refused.value
    check_own(world)
    ids = {name: session.execute("SELECT id FROM system_schema.tables WHERE keyspace_name = 'shop' AND table_name = 'orders'").one()[0]
           for name, session in world.sessions.items()}
    assert len(set(ids.values())) == len(ids)
    versions = {session.execute("SELECT schema_version FROM system.local").one()[0] for session in world.sessions.values()}
    assert len(versions) == len(ids)


def test_estimates_name_ones_own_tables(world):
    for session in world.sessions.values():
        estimated = {row for row in all_of(session, "SELECT keyspace_name, table_name FROM system.size_estimates")
                     if not row[0].startswith("system")}
        assert estimated == {("shop", "orders")}


def test_arns_have_ones_account(world):
    for name, session in world.sessions.items():
        account = USERS[name].rpartition("-at-")[2] if name != "carol" else "000000000000"
        for other in ("000000000000", *(user[-12:] for user in USERS.values() if "-at-" in user)):
            arn = f"arn:aws:cassandra:us-east-1:{other}:/keyspace/shop/table/orders"
            found = all_of(session, f"SELECT resource_name FROM system_schema_mcs.tags WHERE resource_id = '{arn}'")
            assert found == ([("orders",)] if other == account else [])


def test_a_change_is_ones_own(world):
    alice, bob = world.sessions["alice"], world.sessions["bob"]
    before = names_of(bob), bob.execute("SELECT schema_version FROM system.local").one()[0]
    alice.execute("CREATE TABLE shop.more (k int PRIMARY KEY)")
    alice.execute("ALTER TABLE shop.orders ADD added int")
    alice.execute("ALTER TABLE shop.orders DROP added")
    alice.execute("ALTER KEYSPACE system_auth WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
    alice.execute("DROP TABLE shop.more")
    assert (names_of(bob), bob.execute("SELECT schema_version FROM system.local").one()[0]) == before
    assert bob.execute("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'").one()[0][
        "replication_factor"] == "1"
    bob.execute("CREATE TABLE shop.more (k int PRIMARY KEY)")
    bob.execute("INSERT INTO shop.more (k) VALUES (1)")
    alice.execute("CREATE TABLE shop.more (k int PRIMARY KEY)")
    alice.execute("TRUNCATE shop.more")
    alice.execute("DROP TABLE shop.more")
    assert all_of(bob, "SELECT k FROM shop.more") == [(1,)]
    bob.execute("DROP TABLE shop.more")


def test_clients_are_listed_for_their_account(world):
    others = [world.client("bob") for _ in range(3)]
    for name, session in world.sessions.items():
        listed = all_of(session, "SELECT username FROM system_views.clients")
        assert {user for user, in listed} == {USERS[name]}
    for one in others:
        one.close()


def test_traces_are_ones_own(world):
    ids = {}
    for name, session in world.sessions.items():
        done = session.execute("SELECT * FROM shop.orders WHERE id = 1", trace=True)
        ids[name] = done.get_query_trace().trace_id
    for name, session in world.sessions.items():
        for table in ("sessions", "events"):
            seen = {row[0] for row in all_of(session, f"SELECT session_id FROM system_traces.{table}")}
            assert ids[name] in seen and not seen & (set(ids.values()) - {ids[name]})
    world.sessions["alice"].execute("TRUNCATE system_traces.sessions")
    assert all_of(world.sessions["alice"], "SELECT session_id FROM system_traces.sessions") == []
    assert (ids["bob"],) in all_of(world.sessions["bob"], "SELECT session_id FROM system_traces.sessions")


def test_prepared_ids_are_ones_own(world):
    text, key = "SELECT who FROM shop.orders WHERE id = ?", [struct.pack(">i", 1)]
    for version in (4, 5):
        clients = {name: world.client(name, version) for name in USERS}
        alices = clients["alice"].prepare(text)
        for name in ("bob", "carol"):
            with pytest.raises(ServerError) as refused:
                clients[name].metadata_id = clients["alice"].__dict__.get("metadata_id")
                clients[name].execute(alices, key)
            assert refused.value.code == UNPREPARED
        ids = {name: client.prepare(text) for name, client in clients.items()}
        assert len(set(ids.values())) == len(ids) and ids["alice"] == alices
        for name, client in clients.items():
            assert client.execute(ids[name], key) == [[name.encode()]]
            for other in set(ids) - {name}:
                with pytest.raises(ServerError) as refused:
                    client.execute(ids[other], key)
                assert refused.value.code == UNPREPARED
        # What one account changes leaves the others' statements alone.
        world.sessions["alice"].execute("ALTER TABLE shop.orders WITH gc_grace_seconds = %d" % (100 + version))
        with pytest.raises(ServerError) as refused:
            clients["alice"].execute(alices, key)
        assert refused.value.code == UNPREPARED
        assert clients["bob"].execute(ids["bob"], key) == [[b"bob"]]
        for client in clients.values():
            client.close()


def test_the_driver_prepares_in_its_account(world):
    statements = {name: session.prepare("SELECT who FROM shop.orders WHERE id = ?") for name, session in world.sessions.items()}
    for name, session in world.sessions.items():
        assert session.execute(statements[name], [1]).one().who == name


def test_events_are_of_ones_own_account(world):
    clients = {(name, number): world.client(name) for name in USERS for number in range(3)}  # on both loops
    for client in clients.values():
        client.send(frame(REGISTER, struct.pack(">H", 1) + short_string("SCHEMA_CHANGE")))
        assert client.receive()[1] == READY
    for name in USERS:
        world.sessions[name].execute(f"CREATE TABLE shop.for_{name} (k int PRIMARY KEY)")
    for (name, _), client in clients.items():
        _, opcode, body = client.receive()
        assert opcode == EVENT and f"for_{name}".encode() in body
    for name in USERS:
        world.sessions[name].execute(f"DROP TABLE shop.for_{name}")
    # The next that each hears is the DROP, and nothing came between; then it is answered.
    for (name, _), client in clients.items():
        _, opcode, body = client.receive()
        assert opcode == EVENT and b"DROPPED" in body and f"for_{name}".encode() in body
        client.send(frame(QUERY, query_body("SELECT who FROM shop.orders")))
        assert client.receive()[1] != EVENT
        client.close()


def test_operators_name_another_accounts_tables(world):
    def compact(name):
        return subprocess.run([world.server.binary, "compact", world.server.data, name], capture_output=True, text=True, timeout=60)
    for name in ("111122223333/shop", "111122223333/shop.orders", "shop.orders", "000000000000/shop"):
        done = compact(name)
        assert done.returncode == 0, done
        assert f"compacted: {name} tables=1" in done.stdout
    for name, said in (("444455556666/own", "no keyspace own"), ("own", "no keyspace own"), ("999999999999/shop", "no account 999999999999"),
                       ("x/shop", "no account x"), ("111122223333/shop.t", "no table shop.t")):
        done = compact(name)
        assert done.returncode == 1 and said in done.stderr, done


def test_all_is_there_after_kill_9(world):
    versions = {name: session.execute("SELECT schema_version FROM system.local").one()[0] for name, session in world.sessions.items()}
    world.shut()
    world.server.kill()
    checked = subprocess.run([world.server.binary, "check", world.server.data], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked
    world.start()
    check_own(world)
    for name, session in world.sessions.items():
        assert session.execute("SELECT schema_version FROM system.local").one()[0] == versions[name]
    world.sessions["alice"].execute("DROP KEYSPACE shop")
    with pytest.raises(InvalidRequest):
        world.sessions["alice"].execute("SELECT * FROM shop.orders")
    assert all_of(world.sessions["bob"], "SELECT who FROM shop.orders") == [("bob",)]
