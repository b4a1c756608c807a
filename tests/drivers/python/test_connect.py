"""Connecting: protocol versions, compression, schema agreement, events, many connections."""
import threading
import uuid

import cassandra
import pytest
from cassandra import DriverException, ProtocolVersion
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.connection import locally_supported_compressions

from lib.native import ERROR, STARTUP, Client, frame, string_map


def test_negotiates_v5(anywhere):
    """Nobody says which: the driver begins with its newest version and steps down."""
    with Cluster([anywhere.host], port=anywhere.port) as cluster:
        session = cluster.connect()
        assert session.execute("SELECT release_version FROM system.local").one().release_version.startswith("5.0.")
        assert cluster.protocol_version == ProtocolVersion.V5


def test_server_counts_as_we_asked(target, cluster, session):
    """What the server says of our connections: a driver that stepped down silently would be seen."""
    connections = [cluster.control_connection._connection]
    connections += [c for pool in session.get_pools() for c in pool.get_connections()]
    ports = {c._socket.getsockname()[1] for c in connections}
    rows = {row.port: row for row in session.execute("SELECT * FROM system_views.clients")}
    assert len(ports) >= 2 and ports <= set(rows)
    for port in ports:
        row = rows[port]
        assert row.protocol_version == target.version
        assert (row.client_options.get("COMPRESSION") or "") == target.compression
        assert (row.driver_name, row.driver_version) == ("Apache Cassandra Python Driver", cassandra.__version__)
        assert row.connection_stage == "ready" and row.request_count > 0 and row.username == "anonymous"
        assert not row.ssl_enabled
    assert all(c.compressor is not None for c in connections) or not target.compression or target.version >= 5


@pytest.mark.parametrize("version", [6, 2])
def test_unspoken_versions_are_refused(anywhere, version):
    with Cluster([anywhere.host], port=anywhere.port, protocol_version=version, allow_beta_protocol_version=True) as cluster:
        with pytest.raises((NoHostAvailable, ValueError, DriverException)):
            cluster.connect()


def test_snappy(target, session):
    """v5 has none: the server says so, and the driver does not connect."""
    if target.version >= 5:
        c = Client(target.port, host=target.host, startup=False, version=5)
        c.send(frame(STARTUP, string_map({"CQL_VERSION": "3.0.0", "COMPRESSION": "snappy"}), version=5))
        _, opcode, body = c.receive()
        c.close()
        assert opcode == ERROR and b"Snappy compression is not supported in protocol V5" in body
        return
    with target.cluster(compression="snappy") as cluster:
        own = cluster.connect()
        assert list(own.get_pools())[0].borrow_connection(5)[0].compressor is not None
        assert own.execute("SELECT key FROM system.local").one().key == "local"


@pytest.mark.parametrize("compression", ["lz4", "snappy"])
def test_compression(target, keyspace, session, compression):
    assert compression in locally_supported_compressions, "the test environment lacks the compressor"
    session.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}.{compression} (k int PRIMARY KEY, v text, b blob)")
    if target.version >= 5 and compression == "snappy":
        return
    with target.cluster(compression=compression) as cluster:
        own = cluster.connect(keyspace)
        values = {0: ("", b""), 1: ("a" * 1_000_000, bytes(500_000)), 2: ("é🐘" * 1000, uuid.uuid4().bytes * 999)}
        insert = own.prepare(f"INSERT INTO {compression} (k, v, b) VALUES (?, ?, ?)")
        for k, (v, b) in values.items():
            own.execute(insert, (k, v, b))
        rows = {row.k: (row.v, row.b) for row in own.execute(f"SELECT * FROM {compression}")}
        assert rows == values


def test_unknown_keyspace(target):
    with target.cluster() as cluster:
        with pytest.raises(NoHostAvailable, match="nonsense"):
            cluster.connect("nonsense")


def test_host_metadata(cluster, session):
    host = session.hosts[0] if hasattr(session, "hosts") else list(cluster.metadata.all_hosts())[0]
    assert host.datacenter == "datacenter1"
    assert host.rack == "rack1"
    assert host.release_version.startswith("5.0.")
    assert isinstance(host.host_id, uuid.UUID)
    assert len(cluster.metadata.all_hosts()) == 1
    assert cluster.metadata.cluster_name == "Test Cluster"
    assert cluster.metadata.partitioner.endswith("Murmur3Partitioner")
    assert cluster.metadata.token_map is not None
    tokens = session.execute("SELECT tokens FROM system.local").one().tokens
    assert tokens and all(-2**63 <= int(token) < 2**63 for token in tokens)


def test_replicas_of_a_key(cluster, session, keyspace):
    session.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}.routed (k int PRIMARY KEY)")
    prepared = session.prepare(f"SELECT * FROM {keyspace}.routed WHERE k = ?")
    assert prepared.routing_key_indexes == [0]
    bound = prepared.bind((1,))
    assert len(cluster.metadata.get_replicas(keyspace, bound.routing_key)) == 1


def test_schema_events_reach_other_clients(target, session, keyspace):
    with target.cluster() as cluster:
        cluster.connect()
        before = session.execute("SELECT schema_version FROM system.local").one().schema_version
        seen = threading.Event()
        names = []

        def changed(event):
            names.append(event)
            if event.get("table") == "announced":
                seen.set()
        cluster.control_connection._connection.register_watcher("SCHEMA_CHANGE", changed)
        session.execute(f"CREATE TABLE {keyspace}.announced (k int PRIMARY KEY)")
        assert seen.wait(10), names
        event = [e for e in names if e.get("table") == "announced"][0]
        assert event["change_type"] == "CREATED" and event["target_type"] == "TABLE" and event["keyspace"] == keyspace
        after = session.execute("SELECT schema_version FROM system.local").one().schema_version
        assert after != before
        session.execute(f"DROP TABLE {keyspace}.announced")


def test_other_clients_metadata_follows(target, session, keyspace):
    with target.cluster(schema_event_refresh_window=0) as cluster:
        cluster.connect()
        session.execute(f"CREATE TABLE {keyspace}.follows (k int PRIMARY KEY)")
        done = threading.Event()
        for _ in range(100):
            if "follows" in cluster.metadata.keyspaces[keyspace].tables:
                break
            done.wait(0.1)
        assert "follows" in cluster.metadata.keyspaces[keyspace].tables
        session.execute(f"ALTER TABLE {keyspace}.follows ADD v int")
        for _ in range(100):
            if "v" in cluster.metadata.keyspaces[keyspace].tables["follows"].columns:
                break
            done.wait(0.1)
        assert "v" in cluster.metadata.keyspaces[keyspace].tables["follows"].columns


def test_many_connections(target):
    clusters = [target.cluster() for _ in range(20)]
    try:
        for cluster in clusters:
            assert cluster.connect().execute("SELECT key FROM system.local").one().key == "local"
    finally:
        for cluster in clusters:
            cluster.shutdown()


def test_connection_refused_elsewhere():
    with pytest.raises(NoHostAvailable):
        Cluster(["127.0.0.1"], port=1, connect_timeout=2).connect()
