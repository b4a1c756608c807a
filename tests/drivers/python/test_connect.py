"""Connecting: protocol versions, compression, schema agreement, events, many connections."""
import threading
import uuid

import pytest
from cassandra import ProtocolVersion
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.connection import locally_supported_compressions


def test_negotiates_v5(target):
    with target.cluster() as cluster:  # the driver begins with its newest version
        session = cluster.connect()
        assert session.execute("SELECT release_version FROM system.local").one().release_version.startswith("5.0.")
        if target.helenus:
            assert cluster.protocol_version == ProtocolVersion.V5


@pytest.mark.parametrize("version", [ProtocolVersion.V3, ProtocolVersion.V4])
def test_asks_for_a_version(target, version):
    with target.cluster(protocol_version=version) as cluster:
        session = cluster.connect()
        assert session.execute("SELECT key FROM system.local").one().key == "local"
        assert cluster.protocol_version == version


@pytest.mark.parametrize("compression", ["lz4", "snappy"])
def test_compression(target, keyspace, session, compression):
    assert compression in locally_supported_compressions, "the test environment lacks the compressor"
    session.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}.{compression} (k int PRIMARY KEY, v text, b blob)")
    with target.cluster(compression=compression, protocol_version=4) as cluster:
        own = cluster.connect(keyspace)
        connection = list(own.get_pools())[0].borrow_connection(5)[0]
        assert connection.compressor is not None
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
