"""What Amazon Keyspaces has besides system_schema: system_schema_mcs and system_multiregion_info, as programs made for it read them."""
import datetime
import pathlib
import subprocess
import sys

import pytest
from cassandra import InvalidRequest, Unauthorized

ARN = "arn:aws:cassandra:us-east-1:000000000000:/keyspace/"
TABLES = {"system_schema_mcs": ["autoscaling", "columns", "keyspaces", "tables", "tables_history", "tags", "types"],
          "system_multiregion_info": ["autoscaling", "keyspaces", "tables", "types"]}
MUST = "must restrict with =: "


@pytest.fixture(scope="module")
def mcs(session):
    session.execute("DROP KEYSPACE IF EXISTS d_mcs")
    session.execute("CREATE KEYSPACE d_mcs WITH replication = {'class': 'SingleRegionStrategy'} AND TAGS = {'z': '1', 'a': '2'}")
    session.execute("CREATE TYPE d_mcs.inner (a int)")
    session.execute("CREATE TYPE d_mcs.outer (i frozen<inner>, l frozen<list<text>>)")
    session.execute("CREATE TABLE d_mcs.plain (k int PRIMARY KEY, o frozen<outer>)")
    session.execute("CREATE TABLE d_mcs.rich (k int PRIMARY KEY) WITH default_time_to_live = 60 AND cdc = true AND TAGS = {'t': 'u'} AND "
                    "CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 5, 'write_capacity_units': 6}, "
                    "'point_in_time_recovery': {'status': 'enabled'}, 'client_side_timestamps': {'status': 'enabled'}, "
                    "'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': 'arn:aws:kms:x'}, "
                    "'warm_throughput': {'read_units_per_second': 13000, 'write_units_per_second': 5000}}")
    yield session
    session.execute("DROP KEYSPACE d_mcs")


def rows(session, query, *values):
    return [row._asdict() for row in session.execute(query, values)]


def table(session, name):
    row, = rows(session, "SELECT * FROM system_schema_mcs.tables WHERE keyspace_name = %s AND table_name = %s", "d_mcs", name)
    return row


def in_force(row, **more):
    """What holds of every table, and more."""
    made_ms = round(row["creation_time"].replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
    return {"capacity_mode": {"last_update_to_pay_per_request_timestamp": str(made_ms), "throughput_mode": "PAY_PER_REQUEST"},
            "encryption_specification": {"encryption_type": "AWS_OWNED_KMS_KEY"}, "point_in_time_recovery": {"status": "disabled"}, **more}


def plain(properties):
    return {name: dict(value) for name, value in properties.items()}


def test_the_driver_knows_them(mcs):
    for keyspace, names in TABLES.items():
        meta = mcs.cluster.metadata.keyspaces[keyspace]
        assert sorted(meta.tables) == names and not meta.virtual
        assert meta.export_as_string()
    mcs.cluster.refresh_schema_metadata()


def test_tables_have_the_columns_of_system_schema_and_more(mcs):
    row = table(mcs, "plain")
    same, = rows(mcs, "SELECT * FROM system_schema.tables WHERE keyspace_name = 'd_mcs' AND table_name = 'plain'")
    more = {name: value for name, value in row.items() if name not in same}
    assert {name: value for name, value in row.items() if name in same} == {**same, "cdc": False}
    made = more.pop("creation_time")
    assert abs(datetime.datetime.utcnow() - made) < datetime.timedelta(minutes=10)
    assert plain(more.pop("custom_properties")) == in_force(row)
    assert more == {"cdc_specification": None, "latest_stream_arn": None, "status": "ACTIVE"}


def test_custom_properties_are_those_in_force(mcs):
    """What can be asked for and is not built yet is not among them, nor in the API's GetTable."""
    row = table(mcs, "rich")
    assert row["cdc"] is True
    assert plain(row["custom_properties"]) == in_force(row, client_side_timestamps={"status": "enabled"}, ttl={"status": "enabled"})


def test_keyspaces_and_columns_are_system_schemas(mcs):
    for name in ("keyspaces", "columns"):
        assert rows(mcs, f"SELECT * FROM system_schema_mcs.{name} WHERE keyspace_name = 'd_mcs'") == rows(
            mcs, f"SELECT * FROM system_schema.{name} WHERE keyspace_name = 'd_mcs'")


def test_types_tell_who_uses_them(mcs):
    found = {row["type_name"]: row for row in rows(mcs, "SELECT * FROM system_schema_mcs.types WHERE keyspace_name = 'd_mcs'")}
    inner, outer = found.pop("inner"), found.pop("outer")
    assert not found
    assert (inner["direct_parent_types"], inner["direct_referring_tables"], inner["max_nesting_depth"]) == (["outer"], [], 0)
    assert (outer["direct_parent_types"], outer["direct_referring_tables"], outer["max_nesting_depth"]) == ([], ["plain"], 1)
    assert (outer["field_names"], outer["field_types"], outer["status"]) == (["i", "l"], ["frozen<inner>", "frozen<list<text>>"], "ACTIVE")
    assert abs(datetime.datetime.utcnow() - inner["last_modified_timestamp"]) < datetime.timedelta(minutes=10)


def test_tags_by_arn_or_by_name(mcs):
    keyspace = {"resource_id": f"{ARN}d_mcs/", "keyspace_name": "d_mcs", "resource_name": "d_mcs", "resource_type": "keyspace",
                "tags": {"a": "2", "z": "1"}}
    rich = {"resource_id": f"{ARN}d_mcs/table/rich", "keyspace_name": "d_mcs", "resource_name": "rich", "resource_type": "table", "tags": {"t": "u"}}
    query = "SELECT * FROM system_schema_mcs.tags WHERE "
    for where, values, wanted in [("resource_id = %s", [f"{ARN}d_mcs/"], keyspace), ("resource_id = %s", [f"{ARN}d_mcs/table/rich"], rich),
                                  ("keyspace_name = %s AND resource_type = 'keyspace'", ["d_mcs"], keyspace),
                                  ("keyspace_name = %s AND resource_name = 'rich'", ["d_mcs"], rich)]:
        found = rows(mcs, query + where, *values)
        assert [{**row, "tags": dict(row["tags"])} for row in found] == [wanted], where
    untagged, = rows(mcs, query + "resource_id = %s", f"{ARN}d_mcs/table/plain")
    assert untagged["tags"] is None
    prepared = mcs.prepare(query + "resource_id = ?")
    assert [row.resource_name for row in mcs.execute(prepared, [f"{ARN}d_mcs/table/rich"])] == ["rich"]
    for where in ("", " WHERE keyspace_name = 'd_mcs' ALLOW FILTERING", " WHERE resource_name = 'rich' ALLOW FILTERING",
                  f" WHERE resource_id IN ('{ARN}d_mcs/')", " WHERE token(resource_id) > 0"):
        with pytest.raises(InvalidRequest, match=MUST + "resource_id, or keyspace_name and resource_name, or keyspace_name and resource_type"):
            mcs.execute("SELECT * FROM system_schema_mcs.tags" + where)


def test_what_is_told_of_one_table_alone(mcs):
    for name in ("system_schema_mcs.autoscaling", "system_multiregion_info.autoscaling", "system_multiregion_info.tables"):
        assert rows(mcs, f"SELECT * FROM {name} WHERE keyspace_name = 'd_mcs' AND table_name = 'rich'") == []
        with pytest.raises(InvalidRequest, match=MUST + "keyspace_name and table_name"):
            mcs.execute(f"SELECT * FROM {name} WHERE keyspace_name = 'd_mcs'")
    for name in ("keyspaces", "types"):
        assert rows(mcs, f"SELECT * FROM system_multiregion_info.{name} WHERE keyspace_name = 'd_mcs'") == []


def test_history_tells_when_tables_were_made(mcs):
    row, = rows(mcs, "SELECT * FROM system_schema_mcs.tables_history WHERE keyspace_name = 'd_mcs' AND table_name = 'rich'")
    assert row["event"] == "CREATE" and row["event_time"] == row["creation_time"] == table(mcs, "rich")["creation_time"]
    assert dict(row["custom_properties"]["point_in_time_recovery"]) == {"status": "disabled"}
    assert table(mcs, "rich")["creation_time"] is not None
    system, = rows(mcs, "SELECT creation_time FROM system_schema_mcs.tables WHERE keyspace_name = 'system' AND table_name = 'local'")
    assert system == {"creation_time": None}


def test_filters_need_permission_as_elsewhere(mcs):
    with pytest.raises(InvalidRequest, match="ALLOW FILTERING"):
        mcs.execute("SELECT * FROM system_schema_mcs.tables WHERE status = 'ACTIVE'")
    assert rows(mcs, "SELECT table_name FROM system_schema_mcs.tables WHERE keyspace_name = 'd_mcs' AND status = 'ACTIVE' ALLOW FILTERING") == [
        {"table_name": "plain"}, {"table_name": "rich"}]


def test_nobody_changes_them(mcs):
    for statement in ("DROP TABLE system_schema_mcs.tags", "ALTER TABLE system_multiregion_info.tables ADD a int", "DROP KEYSPACE system_schema_mcs",
                      "CREATE TABLE system_schema_mcs.mine (a int PRIMARY KEY)"):
        with pytest.raises(Unauthorized, match="is not user-modifiable"):
            mcs.execute(statement)
    for statement in ("INSERT INTO system_schema_mcs.keyspaces (keyspace_name) VALUES ('x')", "TRUNCATE system_schema_mcs.tables"):
        with pytest.raises((InvalidRequest, Unauthorized)):
            mcs.execute(statement)


def test_they_are_described(mcs, anywhere):
    assert {row.keyspace_name for row in mcs.execute("DESCRIBE KEYSPACES")} >= set(TABLES)
    text = mcs.execute("DESCRIBE TABLE system_schema_mcs.tags").one().create_statement
    assert text.startswith("CREATE TABLE system_schema_mcs.tags (\n    resource_id text PRIMARY KEY,")
    cqlsh = pathlib.Path(sys.executable).parent / "cqlsh"
    run = subprocess.run([sys.executable, str(cqlsh), anywhere.host, str(anywhere.port), "-e",
                          "DESCRIBE KEYSPACE system_schema_mcs; SELECT resource_name, tags FROM system_schema_mcs.tags WHERE keyspace_name = 'd_mcs' "
                          "AND resource_type = 'keyspace'; SELECT custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = 'd_mcs'"],
                         capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "Traceback" not in run.stderr, run.stderr
    assert "CREATE TABLE system_schema_mcs.tables_history (" in run.stdout and "{'a': '2', 'z': '1'}" in run.stdout
    assert "'throughput_mode': 'PAY_PER_REQUEST'" in run.stdout
