"""Schema metadata as the driver sees it, field by field, against what it saw of Cassandra (metadata.json).

RECORD=1 with CQL_TARGET pointing at Cassandra writes metadata.json; nothing else does.
"""
import json
import os
import pathlib

RECORDED = pathlib.Path(__file__).with_name("metadata.json")
KEYSPACE = "d_metadata"
STATEMENTS = """
CREATE TYPE address (street text, zip int)
CREATE TYPE person (name text, home frozen<address>, phones set<text>, "Quoted" vector<float, 2>)
CREATE TABLE simple (k int PRIMARY KEY, v text)
CREATE TABLE wide (a int, b text, c timestamp, d uuid, s text STATIC, v list<int>, w frozen<map<text, int>>, p frozen<person>, t tuple<int, text>, e vector<float, 3>, n address, PRIMARY KEY ((a, b), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s wide' AND default_time_to_live = 86400 AND gc_grace_seconds = 3600 AND compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 200} AND compression = {'enabled': false} AND caching = {'keys': 'NONE', 'rows_per_partition': '10'} AND speculative_retry = '50p'
CREATE TABLE "Quoted" ("Key" int, "select" text, "with space" int, PRIMARY KEY ("Key", "select"))
CREATE TABLE all_types (a ascii PRIMARY KEY, b bigint, bl blob, bo boolean, d date, de decimal, dbl double, du duration, f float, i inet, n int, s smallint, t text, ti time, ts timestamp, tu timeuuid, ty tinyint, u uuid, v varchar, vi varint)
CREATE TABLE altered (k int PRIMARY KEY, gone int, v int)
ALTER TABLE altered DROP gone
ALTER TABLE altered ADD added set<int>
""".strip().split("\n")


def column(c):
    return {"name": c.name, "type": c.cql_type, "static": c.is_static, "reversed": c.is_reversed}


def table(t):
    options = {k: (dict(v) if hasattr(v, "items") else v) for k, v in t.options.items() if k not in ("id",)}
    return {"name": t.name, "partition_key": [c.name for c in t.partition_key],
            "clustering_key": [c.name for c in t.clustering_key], "columns": [column(c) for c in t.columns.values()],
            "options": options, "indexes": sorted(t.indexes), "triggers": sorted(t.triggers), "views": sorted(t.views),
            "virtual": t.virtual, "comparator": t.comparator, "compact": t.is_compact_storage,
            "cql": t.as_cql_query(formatted=True)}


def view(cluster):
    """All the driver knows of the keyspace, as JSON."""
    meta = cluster.metadata.keyspaces[KEYSPACE]
    return json.loads(json.dumps({
        "durable_writes": meta.durable_writes, "strategy": meta.replication_strategy.export_for_schema(),
        "user_types": {n: {"fields": list(t.field_names), "types": list(t.field_types), "cql": t.as_cql_query()}
                       for n, t in sorted(meta.user_types.items())},
        "tables": {n: table(t) for n, t in sorted(meta.tables.items())},
        "functions": sorted(meta.functions), "aggregates": sorted(meta.aggregates), "views": sorted(meta.views),
        "virtual": meta.virtual, "cql": meta.as_cql_query(),
        "system_tables": {k: sorted(t for t in cluster.metadata.keyspaces[k].tables)
                          for k in ("system_schema", "system_virtual_schema")},
        "local": [column(c) for c in cluster.metadata.keyspaces["system"].tables["local"].columns.values()],
        "peers": [column(c) for c in cluster.metadata.keyspaces["system"].tables["peers"].columns.values()],
        "peers_v2": [column(c) for c in cluster.metadata.keyspaces["system"].tables["peers_v2"].columns.values()],
    }, default=str))


def differences(got, wanted, path=""):
    if isinstance(got, dict) and isinstance(wanted, dict):
        for key in sorted(set(got) | set(wanted)):
            yield from differences(got.get(key), wanted.get(key), f"{path}/{key}")
    elif isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        for i, (a, b) in enumerate(zip(got, wanted)):
            yield from differences(a, b, f"{path}/{i}")
    elif got != wanted:
        yield f"{path}: {got!r}, Cassandra: {wanted!r}"


def test_metadata_is_cassandras(target, session):
    session.execute(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    session.execute(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', "
                    "'replication_factor': 1}")
    with target.cluster() as cluster:
        own = cluster.connect(KEYSPACE)
        for statement in STATEMENTS:
            own.execute(statement)
        followed = view(cluster)
    with target.cluster() as cluster:  # read from nothing, not followed by events
        cluster.connect()
        fresh = view(cluster)
    session.execute(f"DROP KEYSPACE {KEYSPACE}")
    assert list(differences(followed, fresh)) == []
    if os.environ.get("RECORD"):
        assert not target.helenus
        RECORDED.write_text(json.dumps(fresh, indent=1, sort_keys=True) + "\n")
    assert list(differences(fresh, json.loads(RECORDED.read_text()))) == []


def test_dropped_things_are_gone(target, session):
    session.execute(f"DROP KEYSPACE IF EXISTS {KEYSPACE}_gone")
    session.execute(f"CREATE KEYSPACE {KEYSPACE}_gone WITH replication = {{'class': 'SimpleStrategy', "
                    "'replication_factor': 1}")
    with target.cluster() as cluster:
        own = cluster.connect(f"{KEYSPACE}_gone")
        own.execute("CREATE TYPE t (a int)")
        own.execute("CREATE TABLE u (k int PRIMARY KEY)")
        assert "u" in cluster.metadata.keyspaces[f"{KEYSPACE}_gone"].tables
        own.execute("DROP TABLE u")
        own.execute("DROP TYPE t")
        assert cluster.metadata.keyspaces[f"{KEYSPACE}_gone"].tables == {}
        assert cluster.metadata.keyspaces[f"{KEYSPACE}_gone"].user_types == {}
        own.execute(f"DROP KEYSPACE {KEYSPACE}_gone")
        assert f"{KEYSPACE}_gone" not in cluster.metadata.keyspaces
