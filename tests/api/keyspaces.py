#!/usr/bin/env python3
"""Keyspaces' control plane by boto3, beside CQL by the Python driver: two faces of the same definitions.

    keyspaces.py [--binary PATH]

Both are of one account, which the driver names by its user. What one face makes, changes and drops, the other uses, shows and misses at once, also prepared statements and the events that drivers go by;
errors are those that boto3 has classes for, after one request each; lists go on where they ended, also in another process of the server;
times of tables and types outlive it too.
"""
import argparse
import datetime
import decimal
import http.client
import json
import pathlib
import queue
import sys
from concurrent.futures import ThreadPoolExecutor

from cassandra import AlreadyExists, InvalidRequest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import sdk  # noqa: E402
from checks import check, finish  # noqa: E402
from sdk import REGION  # noqa: E402
from server import Helenus  # noqa: E402

ACCOUNT = "123456789012"
KEYSPACE = f"arn:aws:cassandra:{REGION}:{ACCOUNT}:/keyspace/"
DEFINITION = {"allColumns": [{"name": "customer", "type": "text"}, {"name": "day", "type": "date"}, {"name": "total", "type": "decimal"},
                             {"name": "since", "type": "timestamp"}, {"name": "parts", "type": "map<text, frozen<list<int>>>"}],
              "partitionKeys": [{"name": "customer"}], "clusteringKeys": [{"name": "day", "orderBy": "DESC"}],
              "staticColumns": [{"name": "since"}]}


def client(server, service="keyspaces", key=ACCOUNT, region=REGION):
    return sdk.client(server, service, key, region=region)


class Both:
    """A server with a client of each face."""

    def __init__(self, server):
        self.server = server
        self.api, self.tagging = client(server), client(server, "resourcegroupstaggingapi")
        self.cluster = Cluster([server.host], port=server.cql_port, auth_provider=PlainTextAuthProvider(f"alice-at-{ACCOUNT}", "any"))
        self.session = self.cluster.connect()
        self.events = queue.Queue()
        self.cluster.control_connection._connection.register_watcher("SCHEMA_CHANGE", self.events.put)

    def close(self):
        self.cluster.shutdown()

    def cql(self, text, *values):
        return list(self.session.execute(text, *values))

    def next_event(self):
        event = self.events.get(timeout=20)
        return event["change_type"], event["target_type"], event["keyspace"], event.get("table") or event.get("type")


def without_head(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def raises(name, call, **members):
    """The exception that boto3 makes of the error, after one request, with these members."""
    api = call.__self__
    try:
        call(**members)
    except getattr(api.exceptions, name) as error:
        check(error.response["ResponseMetadata"]["RetryAttempts"] == 0, f"{name} after one request", error)
        return error.response
    except Exception as error:  # noqa: BLE001 - anything else is what must not be
        check(False, f"{name} of {call.__name__}", repr(error))
    else:
        check(False, f"{name} of {call.__name__}", "no error")
    return {"Error": {"Message": ""}}


# ---- tests ----

def life_of_a_keyspace(both):
    api = both.api
    made = api.create_keyspace(keyspaceName="shop", tags=[{"key": "team", "value": "one"}])
    check(made["resourceArn"] == KEYSPACE + "shop/", "CreateKeyspace", made)
    check(both.next_event() == ("CREATED", "KEYSPACE", "shop", None), "drivers are told of the keyspace")
    check(both.cql("SELECT durable_writes FROM system_schema.keyspaces WHERE keyspace_name = 'shop'")[0][0] is True, "CQL shows it")
    check(without_head(api.get_keyspace(keyspaceName="shop")) == {
        "keyspaceName": "shop", "resourceArn": KEYSPACE + "shop/", "replicationStrategy": "SINGLE_REGION"}, "GetKeyspace")
    raises("ConflictException", api.create_keyspace, keyspaceName="shop")
    missing = raises("ResourceNotFoundException", api.get_keyspace, keyspaceName="none")
    check(missing.get("resourceArn") == KEYSPACE + "none/", "what is missing is named", missing)
    both.cql("CREATE KEYSPACE by_cql WITH replication = {'class': 'SingleRegionStrategy'}")
    check(api.get_keyspace(keyspaceName="by_cql")["resourceArn"] == KEYSPACE + "by_cql/", "the API shows CQL's")
    api.delete_keyspace(keyspaceName="by_cql")
    try:
        both.cql("CREATE TABLE by_cql.t (a int PRIMARY KEY)")
        check(False, "CQL misses it", "no error")
    except InvalidRequest as error:
        check("by_cql" in str(error), "CQL misses it", error)
    raises("AccessDeniedException", api.delete_keyspace, keyspaceName="system_schema")
    names = [keyspace["keyspaceName"] for page in api.get_paginator("list_keyspaces").paginate(PaginationConfig={"PageSize": 3})
             for keyspace in page["keyspaces"]]
    check(names == sorted(row[0] for table in ("system_schema", "system_virtual_schema")
                          for row in both.cql(f"SELECT keyspace_name FROM {table}.keyspaces")), "all keyspaces, in pages", names)


def life_of_a_table(both):
    api, before = both.api, datetime.datetime.now(datetime.timezone.utc)
    made = api.create_table(keyspaceName="shop", tableName="orders", schemaDefinition=DEFINITION, comment={"message": "it's ours"},
                            ttl={"status": "ENABLED"}, defaultTimeToLive=86400, tags=[{"key": "k", "value": "v"}],
                            capacitySpecification={"throughputMode": "PAY_PER_REQUEST"}, pointInTimeRecovery={"status": "DISABLED"})
    check(made["resourceArn"] == KEYSPACE + "shop/table/orders", "CreateTable", made)
    # Used at once.
    insert = both.session.prepare("INSERT INTO shop.orders (customer, day, total, parts) VALUES (?, ?, ?, ?)")
    both.session.execute(insert, ("ada", "2026-11-23", decimal.Decimal("19.90"), {"a": [1, 2]}))
    rows = both.cql("SELECT day, total, parts['a'], ttl(total) FROM shop.orders WHERE customer = 'ada'")
    check(str(rows[0][0]) == "2026-11-23" and list(rows[0][2]) == [1, 2] and 86000 < rows[0][3] <= 86400, "CQL uses it", rows)
    got = without_head(api.get_table(keyspaceName="shop", tableName="orders"))
    created = got.pop("creationTimestamp")
    check(before - datetime.timedelta(seconds=1) < created < datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1),
          "it knows when it was made", (before, created))
    check(got["capacitySpecification"].pop("lastUpdateToPayPerRequestTimestamp") == created, "and since when it is on demand", got)
    columns = sorted(got["schemaDefinition"].pop("allColumns"), key=lambda column: column["name"])
    check(columns == sorted(DEFINITION["allColumns"], key=lambda column: column["name"]), "its columns", columns)
    check(got == {"keyspaceName": "shop", "tableName": "orders", "resourceArn": KEYSPACE + "shop/table/orders", "status": "ACTIVE",
                  "schemaDefinition": {name: DEFINITION[name] for name in ("partitionKeys", "clusteringKeys", "staticColumns")},
                  "capacitySpecification": {"throughputMode": "PAY_PER_REQUEST"}, "encryptionSpecification": {"type": "AWS_OWNED_KMS_KEY"},
                  "pointInTimeRecovery": {"status": "DISABLED"}, "ttl": {"status": "ENABLED"}, "defaultTimeToLive": 86400,
                  "comment": {"message": "it's ours"}, "replicaSpecifications": []}, "GetTable", got)
    raises("ConflictException", api.create_table, keyspaceName="shop", tableName="orders", schemaDefinition=DEFINITION)
    try:
        both.cql("CREATE TABLE shop.orders (a int PRIMARY KEY)")
        check(False, "CQL knows that it is there", "no error")
    except AlreadyExists:
        check(True, "CQL knows that it is there")
    # Changed by each, seen by the other.
    api.update_table(keyspaceName="shop", tableName="orders", addColumns=[{"name": "note", "type": "text"}])
    both.cql("UPDATE shop.orders SET note = 'new' WHERE customer = 'ada' AND day = '2026-11-23'")
    api.update_table(keyspaceName="shop", tableName="orders", defaultTimeToLive=0)
    both.session.execute(insert, ("bob", "2026-11-23", None, None))
    check(both.cql("SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = 'shop' AND table_name = 'orders'")[0][0] == 0,
          "CQL shows the change")
    both.cql("ALTER TABLE shop.orders WITH comment = 'by CQL' AND custom_properties = {'client_side_timestamps': {'status': 'enabled'}}")
    got = api.get_table(keyspaceName="shop", tableName="orders")
    check(got["comment"]["message"] == "by CQL" and got["clientSideTimestamps"]["status"] == "ENABLED", "the API shows CQL's change", got)
    check(got["creationTimestamp"] == created, "a change does not make it anew", got)
    # Dropped: prepared statements miss it too.
    api.delete_table(keyspaceName="shop", tableName="orders")
    raises("ResourceNotFoundException", api.get_table, keyspaceName="shop", tableName="orders")
    try:
        both.session.execute(insert, ("ada", "2026-11-23", None, None))
        check(False, "a prepared statement misses it", "no error")
    except InvalidRequest as error:
        check("orders" in str(error), "a prepared statement misses it", error)
    events = [both.next_event()]
    while events[-1][0] != "DROPPED" or events[-1][2] != "shop":
        events.append(both.next_event())
    check([event for event in events if event[2:] == ("shop", "orders")] ==
          [("CREATED", "TABLE", "shop", "orders")] + 3 * [("UPDATED", "TABLE", "shop", "orders")] + [("DROPPED", "TABLE", "shop", "orders")],
          "drivers are told of each change", events)


def life_of_a_type(both):
    api = both.api
    made = api.create_type(keyspaceName="shop", typeName="Address", fieldDefinitions=[{"name": "street", "type": "text"}])
    check(made["typeName"] == "address" and made["keyspaceArn"] == KEYSPACE + "shop/", "CreateType", made)
    both.cql("CREATE TABLE shop.people (name text PRIMARY KEY, home frozen<address>)")
    both.cql("INSERT INTO shop.people (name, home) VALUES ('ada', {street: 'x'})")
    got = api.get_type(keyspaceName="shop", typeName="address")
    check(got["directReferringTables"] == ["people"] and got["status"] == "ACTIVE" and got["maxNestingDepth"] == 0, "GetType", got)
    both.cql("ALTER TYPE shop.address ADD town text")
    again = api.get_type(keyspaceName="shop", typeName="address")
    check(len(again["fieldDefinitions"]) == 2 and again["lastModifiedTimestamp"] > got["lastModifiedTimestamp"], "CQL altered it", again)
    check("people" in raises("ValidationException", api.delete_type, keyspaceName="shop", typeName="address")["Error"]["Message"],
          "who uses it is named")
    both.cql("DROP TABLE shop.people")
    api.delete_type(keyspaceName="shop", typeName="address")
    check(both.cql("SELECT * FROM system_schema.types WHERE keyspace_name = 'shop'") == [], "CQL misses it")


# As applications have them: types in types, statics, counters, orders, words of CQL and capitals as names.
SCHEMA = """
CREATE TYPE keyvalue (key text, value_type text, value_long bigint, value_binary blob);
CREATE TYPE "Log" (ts bigint, "Fields" list<frozen<keyvalue>>);
CREATE TABLE traces (trace_id blob, span_id bigint, tags list<frozen<keyvalue>>, logs list<frozen<"Log">>, process frozen<keyvalue>, at tuple<inet, int>,
                     PRIMARY KEY (trace_id, span_id)) WITH default_time_to_live = 172800;
CREATE TABLE duration_index (service text, bucket timestamp, duration bigint, start_time bigint, "Order" time,
                             PRIMARY KEY ((service, bucket), duration, start_time)) WITH CLUSTERING ORDER BY (duration DESC, start_time ASC);
CREATE TABLE repair_run (id timeuuid, state text STATIC, tables set<text> STATIC, segment smallint, replicas frozen<map<text, text>>, start varint,
                         PRIMARY KEY (id, segment));
CREATE TABLE ratings ("values" uuid PRIMARY KEY, "from" counter, total counter)
"""


def schemas(both):
    """What CQL made, made again by the API of what the driver tells of it, and once more of what GetTable tells."""
    api = both.api
    for keyspace in ("by_cql", "by_api"):
        api.create_keyspace(keyspaceName=keyspace)
    session = both.cluster.connect("by_cql")
    for statement in SCHEMA.split(";"):
        session.execute(statement)
    session.shutdown()
    both.cluster.refresh_schema_metadata()
    made = both.cluster.metadata.keyspaces["by_cql"]
    for name in ("keyvalue", "Log"):  # one uses the other
        fields = zip(made.user_types[name].field_names, made.user_types[name].field_types)
        api.create_type(keyspaceName="by_api", typeName=f'"{name}"', fieldDefinitions=[{"name": field, "type": kind} for field, kind in fields])
    for name, table in made.tables.items():
        told = api.get_table(keyspaceName="by_cql", tableName=name)
        definition = {"allColumns": [{"name": column.name, "type": column.cql_type} for column in table.columns.values()],
                      "partitionKeys": [{"name": column.name} for column in table.partition_key],
                      "clusteringKeys": [{"name": column.name, "orderBy": "DESC" if column.is_reversed else "ASC"} for column in table.clustering_key],
                      "staticColumns": [{"name": column.name} for column in table.columns.values() if column.is_static]}
        for again in (definition, told["schemaDefinition"]):
            api.create_table(keyspaceName="by_api", tableName=name, schemaDefinition=again, defaultTimeToLive=told["defaultTimeToLive"])
            got = api.get_table(keyspaceName="by_api", tableName=name)
            check(got["schemaDefinition"] == told["schemaDefinition"] and got.get("ttl") == told.get("ttl"), f"{name} as CQL made it", got)
            columns = [both.cql("SELECT column_name, clustering_order, column_name_bytes, kind, position, type FROM system_schema.columns "
                                "WHERE keyspace_name = %s AND table_name = %s", (keyspace, name)) for keyspace in ("by_cql", "by_api")]
            check(columns[0] and columns[0] == columns[1], f"columns of {name}", columns)
            api.delete_table(keyspaceName="by_api", tableName=name)
    for keyspace in ("by_cql", "by_api"):
        api.delete_keyspace(keyspaceName=keyspace)


def tags(both):
    api, table = both.api, KEYSPACE + "shop/table/tagged"
    both.cql("CREATE TABLE shop.tagged (a int PRIMARY KEY) WITH tags = {'env': 'dev'}")
    api.tag_resource(resourceArn=table, tags=[{"key": "env", "value": "prod"}, {"key": "n", "value": "1"}])
    check(api.list_tags_for_resource(resourceArn=table)["tags"] == [{"key": "env", "value": "prod"}, {"key": "n", "value": "1"}], "tags")
    found = both.tagging.get_resources(TagFilters=[{"Key": "env", "Values": ["prod"]}], ResourceTypeFilters=["cassandra:table"])
    check(found["PaginationToken"] == "" and found["ResourceTagMappingList"] == [
        {"ResourceARN": table, "Tags": [{"Key": "env", "Value": "prod"}, {"Key": "n", "Value": "1"}]}], "GetResources", found)
    failed = both.tagging.untag_resources(ResourceARNList=[table, KEYSPACE + "none/"], TagKeys=["n"])["FailedResourcesMap"]
    check(list(failed) == [KEYSPACE + "none/"], "UntagResources", failed)
    api.untag_resource(resourceArn=table, tags=[{"key": "env", "value": "prod"}])
    check(api.list_tags_for_resource(resourceArn=table)["tags"] == [], "no tags are left")
    check(both.tagging.get_tag_keys()["TagKeys"] == ["team"] and both.tagging.get_tag_values(Key="team")["TagValues"] == ["one"], "keys, values")
    raises("AccessDeniedException", client(both.server, key="210987654321").list_tags_for_resource, resourceArn=table)
    raises("ResourceNotFoundException", client(both.server, region="us-east-1").list_tags_for_resource, resourceArn=table)


def refused(both):
    api = both.api
    for members, part in [({"pointInTimeRecovery": {"status": "ENABLED"}}, "pointInTimeRecovery"),
                          ({"cdcSpecification": {"status": "ENABLED"}}, "cdcSpecification"),
                          ({"warmThroughputSpecification": {"readUnitsPerSecond": 1}}, "warmThroughputSpecification"),
                          ({"capacitySpecification": {"throughputMode": "PROVISIONED", "readCapacityUnits": 1, "writeCapacityUnits": 1}},
                           "capacitySpecification")]:
        error = raises("ValidationException", api.create_table, keyspaceName="shop", tableName="no", schemaDefinition=DEFINITION, **members)
        check(part in error["Error"]["Message"] and "not supported yet" in error["Error"]["Message"], f"{part} is refused by its name", error)
    raises("ResourceNotFoundException", api.get_table, keyspaceName="shop", tableName="no")
    raises("AccessDeniedException", api.create_keyspace, keyspaceName="system_traces")
    error = raises("ValidationException", api.create_type, keyspaceName="shop", typeName="int", fieldDefinitions=[{"name": "a", "type": "int"}])
    check("'int'" in error["Error"]["Message"], "the type's name is told", error)


def web_pages(both):
    """A request as boto3 signs it, as if a page had sent it."""
    sent = []

    def note(request, **_):
        sent.append(request)

    api = client(both.server)
    api.meta.events.register("before-send.keyspaces", note)
    api.list_tables(keyspaceName="shop")
    raises("ConflictException", api.create_keyspace, keyspaceName="shop")
    asked, refused = sent
    own = f"http://127.0.0.1:{both.server.http_port}"
    for request, origin, wanted in ((asked, "https://example.com", 200), (asked, own, 403), (refused, "https://example.com", 403)):
        connection = http.client.HTTPConnection("127.0.0.1", both.server.http_port, timeout=20)
        headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
        connection.request("POST", "/", request.body, {**headers, "Origin": origin})
        answer = connection.getresponse()
        body = answer.read()
        check(answer.status == wanted, f"Origin of {headers['X-Amz-Target']}", body)
        check(wanted == 200 or "AccessDeniedException" in json.loads(body)["__type"], "how it is refused", body)
        connection.close()


def at_once(both):
    """Both faces from many threads: nothing is lost, and of two that make the same table one is told that it is there."""
    definition = {"allColumns": [{"name": "a", "type": "int"}], "partitionKeys": [{"name": "a"}]}
    both.cql("CREATE KEYSPACE crowd WITH replication = {'class': 'SingleRegionStrategy'}")

    def make(i):
        if i % 3 == 0:
            both.cql(f"CREATE TABLE IF NOT EXISTS crowd.t{i // 2} (a int PRIMARY KEY)")
            return 0
        try:
            both.api.create_table(keyspaceName="crowd", tableName=f"t{i // 2}", schemaDefinition=definition)
            return 0
        except both.api.exceptions.ConflictException:
            return 1

    with ThreadPoolExecutor(8) as pool:
        conflicts = sum(pool.map(make, range(60)))
    names = {table["tableName"] for table in both.api.list_tables(keyspaceName="crowd")["tables"]}
    check(names == {f"t{i}" for i in range(30)} and conflicts >= 10, "made by many at once", (len(names), conflicts))
    both.api.delete_keyspace(keyspaceName="crowd")


def accounts(both):
    """The same names in another account are other things: neither face sees them."""
    other = client(both.server, key="210987654321")
    raises("ResourceNotFoundException", other.get_keyspace, keyspaceName="shop")
    made = other.create_keyspace(keyspaceName="shop", tags=[{"key": "whose", "value": "other"}])
    check(made["resourceArn"] == f"arn:aws:cassandra:{REGION}:210987654321:/keyspace/shop/", "another account's ARN", made)
    check(other.list_tables(keyspaceName="shop")["tables"] == [], "it is empty")
    other.create_keyspace(keyspaceName="only_there")
    check("only_there" not in {row[0] for row in both.cql("SELECT keyspace_name FROM system_schema.keyspaces")}, "CQL does not see it")
    found = client(both.server, "resourcegroupstaggingapi", key="210987654321").get_resources()["ResourceTagMappingList"]
    check([resource["ResourceARN"] for resource in found] == [made["resourceArn"]], "tags of its own", found)
    other.delete_keyspace(keyspaceName="shop")
    check(both.api.get_keyspace(keyspaceName="shop")["resourceArn"] == KEYSPACE + "shop/", "ours is there still")


def begin_pages(both):
    """The token of a page that ended between tables; and times, for after the restart."""
    for i in range(4):
        both.cql(f"CREATE TABLE shop.page{i} (a int PRIMARY KEY)")
    both.cql("CREATE TYPE shop.kept (a int)")
    token = both.api.list_tables(keyspaceName="shop", maxResults=2)["nextToken"]
    return token, both.api.get_table(keyspaceName="shop", tableName="page0")["creationTimestamp"], both.api.get_type(
        keyspaceName="shop", typeName="kept")["lastModifiedTimestamp"]


def end_pages(both, kept):
    both.cql("DROP TABLE shop.page1")
    rest = both.api.list_tables(keyspaceName="shop", nextToken=kept[0])
    names = [table["tableName"] for table in rest["tables"]]
    check(names == ["page2", "page3", "tagged"] and "nextToken" not in rest, "a page goes on after a restart", names)
    check(both.api.get_table(keyspaceName="shop", tableName="page0")["creationTimestamp"] == kept[1], "times of tables are kept")
    check(both.api.get_type(keyspaceName="shop", typeName="kept")["lastModifiedTimestamp"] == kept[2], "times of types are kept")
    both.api.delete_keyspace(keyspaceName="shop")
    raises("ResourceNotFoundException", both.api.list_tables, keyspaceName="shop")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    options = parser.parse_args()
    server = Helenus(options.binary, args=["--auth", "password"]).start()
    try:
        both = Both(server)
        for test in (life_of_a_keyspace, life_of_a_table, life_of_a_type, schemas, tags, refused, web_pages, at_once, accounts):
            test(both)
        kept = begin_pages(both)
        both.close()
        server.kill()
        server.start()
        both = Both(server)
        end_pages(both, kept)
        both.close()
    finally:
        code = server.stop()
    check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
