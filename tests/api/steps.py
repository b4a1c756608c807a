"""What each client of the table does, and what it must see: by what was asked, by AWS's model, and by what a CQL driver sees of it at once.

Cells come one after another and leave nothing: all work in the same keyspace, so that what they see can be compared word for word.
"""
import time

from sdk import REGION

ACCOUNT, KEYSPACE = "000000000000", "cells"
SETTLES_S = 20
TAGS = {"team": "blue", "stage": "test", "empty": "-"}
TYPES = {"address": {"street": "text", "zip": "int"}, "person": {"name": "text", "home": "frozen<address>", "phones": "frozen<list<text>>"}}
ORDERS = {
    "keyspaceName": KEYSPACE, "tableName": "orders",
    "schemaDefinition": {
        "allColumns": [{"name": name, "type": kind} for name, kind in {
            "customer": "text", "region": "text", "day": "date", "n": "int", "since": "timestamp", "home": "frozen<address>",
            "counts": "map<text, int>", "note": "text", "total": "decimal"}.items()],
        "partitionKeys": [{"name": "customer"}, {"name": "region"}],
        "clusteringKeys": [{"name": "day", "orderBy": "DESC"}, {"name": "n", "orderBy": "ASC"}],
        "staticColumns": [{"name": "since"}]},
    "comment": {"message": "what was ordered, \"by whom\" & when: größer"}, "ttl": {"status": "ENABLED"}, "defaultTimeToLive": 3600,
    "clientSideTimestamps": {"status": "ENABLED"}, "tags": [{"key": "of", "value": "orders"}, {"key": "team", "value": "red"}],
}
PLAIN = {"allColumns": [{"name": "id", "type": "uuid"}, {"name": "v", "type": "int"}], "partitionKeys": [{"name": "id"}]}
# Columns of a table that CQL makes, and the type that AWS's API must show of each.
KINDS = {
    "ascii": "ascii", "bigint": "bigint", "blob": "blob", "boolean": "boolean", "date": "date", "decimal": "decimal", "double": "double",
    "duration": "duration", "float": "float", "inet": "inet", "int": "int", "smallint": "smallint", "text": "text", "time": "time",
    "timestamp": "timestamp", "timeuuid": "timeuuid", "tinyint": "tinyint", "uuid": "uuid", "varchar": "text", "varint": "varint",
    "list<int>": "list<int>", "set<text>": "set<text>", "map<text,int>": "map<text, int>", "frozen<list<int>>": "frozen<list<int>>",
    "tuple<int,text>": "frozen<tuple<int, text>>", "frozen<one>": "frozen<one>", "one": "one",
    "map<text,frozen<list<frozen<one>>>>": "map<text, frozen<list<frozen<one>>>>",
}


def arn(table=None, keyspace=KEYSPACE):
    return f"arn:aws:cassandra:{REGION}:{ACCOUNT}:/keyspace/{keyspace}/" + (f"table/{table}" if table else "")


def pairs(tags):
    return [{"key": key, "value": value} for key, value in tags.items()]


def as_tags(found, key="key", value="value"):
    return {one[key]: one[value] for one in found}


def prepare(cql):
    """By CQL, before any cell: keyspaces that each cell finds."""
    replication = "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    cql.execute(f"CREATE KEYSPACE described {replication}")
    cql.execute("CREATE TYPE described.one (a int, b text)")
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(KINDS))
    cql.set_keyspace("described")
    cql.execute(f"CREATE TABLE kinds (k int, {columns}, PRIMARY KEY (k))")
    cql.execute('CREATE TABLE keys (a text, "B" int, c timeuuid, d inet, s text STATIC, PRIMARY KEY ((a, "B"), c, d)) '
                "WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'with keys' AND default_time_to_live = 86400")
    cql.execute("CREATE TABLE counted (k text PRIMARY KEY, n counter)")
    # With tags, and before the cells' keyspace in the order of names.
    cql.execute(f"CREATE KEYSPACE a_tagged {replication} AND tags = {{'of': 'CQL'}}")


# ---- sts ----

def who_am_i(cell, cql):
    answer = cell.ask("GetCallerIdentity")
    cell.check(answer == {"Account": ACCOUNT, "UserId": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}, "who am I", answer)


# ---- keyspaces ----

def table_when(cell, table, keyspace=KEYSPACE, status="ACTIVE"):
    """GetTable's answer once it has come to rest: AWS has nothing that tells."""
    deadline = time.monotonic() + SETTLES_S
    while True:
        answer = cell.ask("GetTable", service="keyspaces", quietly=True, keyspaceName=keyspace, tableName=table)
        if answer.get("status") == status or time.monotonic() > deadline or not answer:
            cell.check(answer.get("status") == status, f"{table} becomes {status}", answer)
            cell.heard("GetTable", answer)
            return answer
        time.sleep(0.05)


def gone(cell, operation, **input):
    """Asks until there is none."""
    deadline = time.monotonic() + SETTLES_S
    while True:
        said, _ = cell.say("keyspaces", operation, input)
        if said.get("fault") in ("ResourceNotFoundException", "Client") or time.monotonic() > deadline:
            cell.check(said.get("fault") == "ResourceNotFoundException", f"{operation} {input} is gone", said)
            return
        time.sleep(0.05)


def check_table(cell, made, answer, what):
    """What GetTable shows is what CreateTable was given; defaults where nothing was."""
    schema, shown = made["schemaDefinition"], answer.get("schemaDefinition", {})
    wanted = {one["name"]: one["type"] for one in schema["allColumns"]}
    got = {one["name"]: one["type"] for one in shown.get("allColumns", [])}
    cell.check(got == wanted and len(shown.get("allColumns", [])) == len(wanted), f"{what}: columns", (got, wanted))
    for part in ("partitionKeys", "clusteringKeys"):
        cell.check(shown.get(part, []) == schema.get(part, []), f"{what}: {part}", shown)
    statics = [sorted(one["name"] for one in of.get("staticColumns", [])) for of in (shown, schema)]
    cell.check(statics[0] == statics[1], f"{what}: static columns", shown)
    cell.check(answer.get("resourceArn") == arn(made["tableName"], made["keyspaceName"]), f"{what}: its ARN", answer)
    names = ("keyspaceName", "tableName")
    cell.check([answer.get(name) for name in names] == [made[name] for name in names], f"{what}: its name", answer)
    cell.check(answer.get("defaultTimeToLive") == made.get("defaultTimeToLive", 0), f"{what}: default TTL", answer)
    for name, of in (("ttl", "status"), ("clientSideTimestamps", "status")):
        cell.check(answer.get(name) == made.get(name), f"{what}: {name}, which is absent where it is not enabled", answer)
    cell.check(answer.get("comment", {}).get("message", "") == made.get("comment", {}).get("message", ""), f"{what}: comment", answer)
    for name, member, value in (("capacitySpecification", "throughputMode", "PAY_PER_REQUEST"), ("encryptionSpecification", "type", "AWS_OWNED_KMS_KEY"),
                                ("pointInTimeRecovery", "status", "DISABLED")):
        cell.check(answer.get(name, {}).get(member) == value, f"{what}: {name}", answer)


def is_now(seconds, begin):
    """Between the step's begin and now; clocks that tell milliseconds may say a little less."""
    return isinstance(seconds, (int, float)) and begin - 1 <= seconds <= time.time() + 1


def make_keyspace(cell, tags=None):
    more = {"tags": pairs(tags)} if tags else {}
    answer = cell.ask("CreateKeyspace", service="keyspaces", keyspaceName=KEYSPACE, replicationSpecification={"replicationStrategy": "SINGLE_REGION"},
                      **more)
    cell.check(answer == {"resourceArn": arn()}, "CreateKeyspace gives its ARN", answer)


def keyspace_is_made(cell):
    make_keyspace(cell, TAGS)
    answer = cell.ask("GetKeyspace", keyspaceName=KEYSPACE)
    wanted = {"keyspaceName": KEYSPACE, "resourceArn": arn(), "replicationStrategy": "SINGLE_REGION"}
    cell.check({name: answer.get(name) for name in wanted} == wanted, "GetKeyspace", answer)
    listed = {one["keyspaceName"]: one for one in cell.pages("ListKeyspaces", "keyspaces", "maxResults", 2)}
    cell.check({name: listed.get(KEYSPACE, {}).get(name) for name in wanted} == wanted and listed.get("described", {}).get("resourceArn") == arn(
        keyspace="described"), "ListKeyspaces", listed)
    tags = cell.pages("ListTagsForResource", "tags", "maxResults", 2, resourceArn=arn())
    cell.check(as_tags(tags) == TAGS and len(tags) == len(TAGS), "a keyspace's tags", tags)
    cell.refused("ConflictException", 409, "CreateKeyspace", keyspaceName=KEYSPACE)


def types_are_made(cell):
    begin = time.time()
    for name, fields in TYPES.items():
        answer = cell.ask("CreateType", keyspaceName=KEYSPACE, typeName=name,
                          fieldDefinitions=[{"name": field, "type": kind} for field, kind in fields.items()])
        cell.check(answer == {"keyspaceArn": arn(), "typeName": name}, "CreateType", answer)
    found = cell.pages("ListTypes", "types", "maxResults", 1, keyspaceName=KEYSPACE)
    cell.check(sorted(found) == sorted(TYPES), "ListTypes", found)
    for name, fields in TYPES.items():
        answer = cell.ask("GetType", keyspaceName=KEYSPACE, typeName=name)
        cell.check([(one["name"], one["type"]) for one in answer.get("fieldDefinitions", [])] == list(fields.items()), f"fields of {name}", answer)
        cell.check((answer.get("keyspaceName"), answer.get("typeName"), answer.get("keyspaceArn"), answer.get("status")) ==
                   (KEYSPACE, name, arn(), "ACTIVE"), f"names of {name}", answer)
        parents = ["person"] if name == "address" else []
        cell.check(answer.get("directParentTypes", []) == parents and answer.get("directReferringTables", []) == [], f"users of {name}", answer)
        cell.check(is_now(answer.get("lastModifiedTimestamp"), begin), f"{name} was changed now", answer)
    cell.refused("ConflictException", 409, "CreateType", keyspaceName=KEYSPACE, typeName="address", fieldDefinitions=[{"name": "a", "type": "int"}])


def quoted_name(cell):
    """Between quotes a type's name is kept as it is; what it is then called is answered."""
    here, field = {"keyspaceName": KEYSPACE}, [{"name": "a", "type": "int"}]
    for given, name in (('"With ""quotes"" in"', 'With "quotes" in'), ("Upper_1", "upper_1")):
        answer = cell.ask("CreateType", **here, typeName=given, fieldDefinitions=field)
        cell.check(answer == {"keyspaceArn": arn(), "typeName": name}, "CreateType answers what a type is called", answer)
        answer = cell.ask("GetType", **here, typeName=name)
        cell.check((answer.get("typeName"), answer.get("fieldDefinitions")) == (name, field), f"type {name}", answer)
        cell.ask("DeleteType", **here, typeName=name)
        gone(cell, "GetType", **here, typeName=name)
    for bad in ('"open', '"', '""', '"a"b"', "1st", "a-b"):
        cell.refused("ValidationException", 400, "CreateType", **here, typeName=bad, fieldDefinitions=field)


def table_is_made(cell):
    begin = time.time()
    answer = cell.ask("CreateTable", **ORDERS)
    cell.check(answer == {"resourceArn": arn("orders")}, "CreateTable gives its ARN", answer)
    answer = table_when(cell, "orders")
    check_table(cell, ORDERS, answer, "orders")
    cell.check(is_now(answer.get("creationTimestamp"), begin), "orders was made now", answer)
    cell.refused("ConflictException", 409, "CreateTable", **ORDERS)
    answer = cell.ask("GetType", keyspaceName=KEYSPACE, typeName="address")
    cell.check(answer.get("directReferringTables") == ["orders"], "a type knows the table that uses it", answer)
    tags = cell.pages("ListTagsForResource", "tags", "maxResults", 1, resourceArn=arn("orders"))
    cell.check(tags == sorted(ORDERS["tags"], key=lambda one: one["key"]) or as_tags(tags) == as_tags(ORDERS["tags"]), "a table's tags", tags)
    said = cell.refused("ValidationException", 400, "GetTableAutoScalingSettings", keyspaceName=KEYSPACE, tableName="orders")
    cell.check("PAY_PER_REQUEST" in said.get("message", ""), "a table on demand has nothing that scales", said)
    return table_when(cell, "orders").get("creationTimestamp")


def cql_uses_it(cell, cql):
    """Rows come back in the order of the clustering, statics are the partition's, the default TTL runs, a client's timestamp counts."""
    now = int(time.time() * 1e6)
    for day, n in (("2026-01-01", 2), ("2026-01-02", 1), ("2026-01-01", 1)):
        cql.execute(f"INSERT INTO {KEYSPACE}.orders (customer, region, day, n, home, counts, note, total) VALUES "
                    f"('ada', 'eu', '{day}', {n}, {{street: 'Main', zip: {n}}}, {{'a': {n}}}, 'new', 19.90) USING TIMESTAMP {now}")
    cql.execute(f"INSERT INTO {KEYSPACE}.orders (customer, region, since) VALUES ('ada', 'eu', '2026-01-01T00:00:00Z')")
    cql.execute(f"UPDATE {KEYSPACE}.orders USING TIMESTAMP {now - 1} SET note = 'too old' "
                "WHERE customer = 'ada' AND region = 'eu' AND day = '2026-01-02' AND n = 1")
    found = list(cql.execute(f"SELECT day, n, since, home, counts, note, total, ttl(note) AS left FROM {KEYSPACE}.orders "
                             "WHERE customer = 'ada' AND region = 'eu'"))
    seen = [(str(row.day), row.n, str(row.since), tuple(row.home), dict(row.counts), row.note, str(row.total)) for row in found]
    cell.check(seen == [(day, n, "2026-01-01 00:00:00", ("Main", n), {"a": n}, "new", "19.90") for day, n in
                        (("2026-01-02", 1), ("2026-01-01", 1), ("2026-01-01", 2))], "CQL writes and reads", seen)
    cell.check(all(0 < row.left <= 3600 for row in found), "the default TTL runs", found)
    row = cql.execute(f"SELECT comment, default_time_to_live FROM system_schema.tables WHERE keyspace_name = '{KEYSPACE}' AND table_name = 'orders'").one()
    cell.check((row.comment, row.default_time_to_live) == (ORDERS["comment"]["message"], 3600), "CQL's own description", row)


def tables_are_listed(cell):
    names = ["orders"]
    for i in range(4):
        names.append(f"t{i}")
        cell.ask("CreateTable", keyspaceName=KEYSPACE, tableName=names[-1], schemaDefinition=PLAIN)
        made = {"keyspaceName": KEYSPACE, "tableName": names[-1], "schemaDefinition": PLAIN}
        check_table(cell, made, table_when(cell, names[-1]), names[-1])
    found = cell.pages("ListTables", "tables", "maxResults", 2, keyspaceName=KEYSPACE)
    wanted = [{"keyspaceName": KEYSPACE, "tableName": name, "resourceArn": arn(name)} for name in names]
    cell.check(sorted(found, key=lambda one: one["tableName"]) == wanted, "ListTables", found)


def table_is_updated(cell, cql, created):
    """One change at a time, as AWS has it."""
    made = dict(ORDERS)
    added = [{"name": "extra", "type": "set<text>"}, {"name": "lines", "type": "list<frozen<address>>"}]
    for change in ({"addColumns": added}, {"defaultTimeToLive": 60}):
        answer = cell.ask("UpdateTable", keyspaceName=KEYSPACE, tableName="orders", **change)
        cell.check(answer == {"resourceArn": arn("orders")}, f"UpdateTable {list(change)}", answer)
        if "addColumns" in change:
            made["schemaDefinition"] = {**made["schemaDefinition"], "allColumns": made["schemaDefinition"]["allColumns"] + added}
        else:
            made.update(change)
        answer = table_when(cell, "orders")
        check_table(cell, made, answer, f"orders after {list(change)}")
        cell.check(answer.get("creationTimestamp") == created, "a change leaves the time of creation", answer)
    cql.execute(f"INSERT INTO {KEYSPACE}.orders (customer, region, day, n, extra, lines, note) VALUES ('bob', 'eu', '2026-01-01', 1, {{'x'}}, "
                "[{street: 'Main', zip: 2}], 'new')")
    row = cql.execute(f"SELECT extra, lines, ttl(note) AS left FROM {KEYSPACE}.orders WHERE customer = 'bob' AND region = 'eu'").one()
    cell.check((set(row.extra), [tuple(one) for one in row.lines]) == ({"x"}, [("Main", 2)]) and 0 < row.left <= 60, "CQL uses what was added", row)
    plain = {"keyspaceName": KEYSPACE, "tableName": "t0", "schemaDefinition": PLAIN}
    for change in ({"ttl": {"status": "ENABLED"}}, {"clientSideTimestamps": {"status": "ENABLED"}}):
        plain.update(change)
        cell.ask("UpdateTable", keyspaceName=KEYSPACE, tableName="t0", **change)
        check_table(cell, plain, table_when(cell, "t0"), f"t0 after {list(change)}")


def cql_changes_are_seen(cell, cql):
    """The other way round."""
    cql.execute(f"CREATE TABLE {KEYSPACE}.t9 (id uuid PRIMARY KEY, v int)")
    cql.execute(f"ALTER TABLE {KEYSPACE}.t9 ADD w frozen<person>")
    cql.execute(f"ALTER TABLE {KEYSPACE}.t9 WITH comment = 'by CQL' AND default_time_to_live = 7")
    # A default TTL brings TTLs with it, as AWS says of its own CQL.
    made = {"keyspaceName": KEYSPACE, "tableName": "t9", "comment": {"message": "by CQL"}, "defaultTimeToLive": 7, "ttl": {"status": "ENABLED"},
            "schemaDefinition": {**PLAIN, "allColumns": PLAIN["allColumns"] + [{"name": "w", "type": "frozen<person>"}]}}
    answer = table_when(cell, "t9")
    check_table(cell, made, answer, "t9, made by CQL")
    cql.execute(f"DROP TABLE {KEYSPACE}.t9")
    gone(cell, "GetTable", keyspaceName=KEYSPACE, tableName="t9")


def described(cell):
    """A table of all kinds of columns that CQL has made, as this SDK shows it."""
    made = {"keyspaceName": "described", "tableName": "kinds", "schemaDefinition": {
        "allColumns": [{"name": "k", "type": "int"}] + [{"name": f"c{i}", "type": kind} for i, kind in enumerate(KINDS.values())],
        "partitionKeys": [{"name": "k"}]}}
    check_table(cell, made, table_when(cell, "kinds", "described"), "a table of all kinds")
    answer = table_when(cell, "keys", "described")
    columns = {"a": "text", "B": "int", "c": "timeuuid", "d": "inet", "s": "text"}
    made = {"keyspaceName": "described", "tableName": "keys", "comment": {"message": "with keys"}, "defaultTimeToLive": 86400,
            "ttl": {"status": "ENABLED"}, "schemaDefinition": {
                "allColumns": [{"name": name, "type": kind} for name, kind in columns.items()], "partitionKeys": [{"name": "a"}, {"name": "B"}],
                "clusteringKeys": [{"name": "c", "orderBy": "DESC"}, {"name": "d", "orderBy": "ASC"}], "staticColumns": [{"name": "s"}]}}
    check_table(cell, made, answer, "a table with keys of all kinds")
    made = {"keyspaceName": "described", "tableName": "counted", "schemaDefinition": {
        "allColumns": [{"name": "k", "type": "text"}, {"name": "n", "type": "counter"}], "partitionKeys": [{"name": "k"}]}}
    check_table(cell, made, table_when(cell, "counted", "described"), "a table of counters")
    answer = cell.ask("GetType", keyspaceName="described", typeName="one")
    cell.check(answer.get("directReferringTables") == ["kinds"], "the type of a table that CQL made", answer)


def mistakes(cell):
    """What there is not, and what is not allowed: each an exception of a class of its own."""
    not_found, invalid, here = "ResourceNotFoundException", "ValidationException", {"keyspaceName": KEYSPACE}
    none = {"keyspaceName": "none"}
    for operation, input in (("GetKeyspace", none), ("DeleteKeyspace", none), ("ListTables", none), ("ListTypes", none),
                             ("GetTable", {**none, "tableName": "orders"}), ("GetTable", {**here, "tableName": "none"}),
                             ("GetTableAutoScalingSettings", {**here, "tableName": "none"}), ("DeleteTable", {**here, "tableName": "none"}),
                             ("UpdateTable", {**here, "tableName": "none", "defaultTimeToLive": 1}), ("GetType", {**here, "typeName": "none"}),
                             ("DeleteType", {**here, "typeName": "none"}), ("CreateTable", {**none, "tableName": "t", "schemaDefinition": PLAIN}),
                             ("CreateType", {**none, "typeName": "t", "fieldDefinitions": [{"name": "a", "type": "int"}]}),
                             ("ListTagsForResource", {"resourceArn": arn("none")}), ("TagResource", {"resourceArn": arn(keyspace="none"), "tags": pairs(TAGS)}),
                             ("UntagResource", {"resourceArn": arn("none"), "tags": pairs(TAGS)})):
        cell.refused(not_found, 404, operation, **input)
    wrong_type = {**PLAIN, "allColumns": PLAIN["allColumns"] + [{"name": "w", "type": "nothing"}]}
    no_such_key = {**PLAIN, "partitionKeys": [{"name": "none"}]}
    sideways = {**PLAIN, "clusteringKeys": [{"name": "v", "orderBy": "UP"}]}
    t0 = {**here, "tableName": "t0"}
    for operation, input in (("CreateKeyspace", {"keyspaceName": "k" * 49}), ("CreateKeyspace", {"keyspaceName": "a-b"}),
                             ("GetKeyspace", {"keyspaceName": "a b"}),
                             ("CreateTable", {**here, "tableName": "t", "schemaDefinition": wrong_type}),
                             ("CreateTable", {**here, "tableName": "t", "schemaDefinition": no_such_key}),
                             ("CreateTable", {**here, "tableName": "t", "schemaDefinition": sideways}),
                             ("CreateTable", {**here, "tableName": "t", "schemaDefinition": PLAIN, "defaultTimeToLive": 630720001}),
                             ("UpdateTable", {**t0, "addColumns": [{"name": "v", "type": "int"}]}), ("UpdateTable", t0),
                             ("UpdateTable", {**t0, "defaultTimeToLive": 5, "addColumns": [{"name": "z", "type": "int"}]}),
                             ("ListTables", {**here, "maxResults": 1001}), ("ListTables", {**here, "nextToken": "nothing"}),
                             ("TagResource", {"resourceArn": arn(), "tags": pairs({"k" * 129: "v"})}),
                             ("TagResource", {"resourceArn": "arn:aws:s3:::a-bucket-of-theirs", "tags": pairs(TAGS)})):
        cell.refused(invalid, 400, operation, **input)
    said = cell.refused(("ConflictException", "ValidationException"), None, "DeleteType", **here, typeName="address")
    cell.check("address" in said.get("message", ""), "a type that is used names itself", said)


def all_is_deleted(cell, cql):
    for name in ("orders", "t0"):
        cell.ask("DeleteTable", keyspaceName=KEYSPACE, tableName=name)
        gone(cell, "GetTable", keyspaceName=KEYSPACE, tableName=name)
    for name in reversed(TYPES):
        answer = cell.ask("DeleteType", keyspaceName=KEYSPACE, typeName=name)
        cell.check(answer == {"keyspaceArn": arn(), "typeName": name}, "DeleteType", answer)
        gone(cell, "GetType", keyspaceName=KEYSPACE, typeName=name)
    cell.ask("DeleteKeyspace", keyspaceName=KEYSPACE)  # with the tables that are left
    gone(cell, "GetKeyspace", keyspaceName=KEYSPACE)
    gone(cell, "GetTable", keyspaceName=KEYSPACE, tableName="t1")
    gone(cell, "ListTagsForResource", resourceArn=arn())
    left = [row.keyspace_name for row in cql.execute("SELECT keyspace_name FROM system_schema.keyspaces") if row.keyspace_name == KEYSPACE]
    cell.check(not left, "CQL sees it no more", left)


def life(cell, cql):
    keyspace_is_made(cell)
    types_are_made(cell)
    quoted_name(cell)
    created = table_is_made(cell)
    cql_uses_it(cell, cql)
    tables_are_listed(cell)
    table_is_updated(cell, cql, created)
    cql_changes_are_seen(cell, cql)
    described(cell)
    mistakes(cell)
    all_is_deleted(cell, cql)


# ---- tags: keyspaces' own operations and those for all services ----

def resources(cell, size=100, **filters):
    """{ARN: tags} of what GetResources shows of this cell; what CQL has tagged stands before it."""
    found = cell.pages("GetResources", "ResourceTagMappingList", "ResourcesPerPage", size, **filters)
    cell.check(len({one["ResourceARN"] for one in found}) == len(found), "each resource once", found)
    return {one["ResourceARN"]: as_tags(one.get("Tags", []), "Key", "Value") for one in found if one["ResourceARN"].startswith(arn())}


def own_tags(cell, of):
    return as_tags(cell.pages("ListTagsForResource", "tags", "maxResults", 1, service="keyspaces", resourceArn=of))


def keyspaces_tags(cell):
    """Same key, new value; taken away only as key and value."""
    cell.ask("TagResource", service="keyspaces", resourceArn=arn(), tags=pairs({"team": "green", "more": "größer & \"quoted\""}))
    wanted = {**TAGS, "team": "green", "more": "größer & \"quoted\""}
    cell.check(own_tags(cell, arn()) == wanted, "tagged", wanted)
    cell.ask("UntagResource", service="keyspaces", resourceArn=arn(), tags=pairs({"more": wanted.pop("more")}))
    cell.check(own_tags(cell, arn()) == wanted, "untagged", wanted)
    return wanted


def tags_of_all_services(cell, of_keyspace):
    tagged = {arn(): of_keyspace, arn("a"): {"of": "a", "team": "red"}, arn("b"): {"team": "red"}}
    cell.check(resources(cell, 1, ResourceTypeFilters=["cassandra"]) == tagged, "GetResources of a service", tagged)
    cell.check(resources(cell, ResourceTypeFilters=["s3"]) == {}, "GetResources of another service")
    found = cell.pages("GetResources", "ResourceTagMappingList", "ResourcesPerPage", 1, TagFilters=[{"Key": "of"}])
    cell.check([(one["ResourceARN"], one["Tags"]) for one in found][:1] == [(arn(keyspace="a_tagged"), [{"Key": "of", "Value": "CQL"}])] and
               len(found) == 2, "tags that CQL gave", found)
    cell.check(resources(cell, 1, TagFilters=[{"Key": "team", "Values": ["red"]}]) == {of: tagged[of] for of in (arn("a"), arn("b"))}, "by a value")
    cell.check(resources(cell, TagFilters=[{"Key": "team", "Values": ["red", "green"]}, {"Key": "of"}]) == {arn("a"): tagged[arn("a")]}, "by all filters")
    answer = cell.ask("GetResources", ResourceARNList=[arn("b"), arn("none")])
    cell.check([(one["ResourceARN"], one.get("Tags")) for one in answer.get("ResourceTagMappingList", [])] ==
               [(arn("b"), [{"Key": "team", "Value": "red"}])], "GetResources by ARN", answer)
    keys = cell.pages("GetTagKeys", "TagKeys")
    cell.check(sorted(keys) == sorted({key for tags in tagged.values() for key in tags}), "GetTagKeys", keys)
    values = cell.pages("GetTagValues", "TagValues", Key="team")
    cell.check(sorted(values) == ["green", "red"], "GetTagValues", values)
    return tagged


def tags_are_changed(cell, tagged):
    answer = cell.ask("TagResources", ResourceARNList=list(tagged) + [arn("c")], Tags={"all": "yes", "team": "white"})
    cell.check(answer.get("FailedResourcesMap", {}) == {}, "TagResources", answer)
    wanted = {of: {**tagged.get(of, {}), "all": "yes", "team": "white"} for of in [*tagged, arn("c")]}
    cell.check(resources(cell, 2) == wanted and own_tags(cell, arn("a")) == wanted[arn("a")], "all are tagged", wanted)
    answer = cell.ask("TagResources", ResourceARNList=[arn("a"), arn("none")], Tags={"one": "more"})
    failed = answer.get("FailedResourcesMap", {})
    cell.check(list(failed) == [arn("none")] and failed[arn("none")].get("ErrorCode") and 400 <= failed[arn("none")].get("StatusCode", 0) < 500
               and failed[arn("none")].get("ErrorMessage"), "what is not there fails alone", answer)
    cell.check(own_tags(cell, arn("a")).get("one") == "more", "and the other is tagged")
    answer = cell.ask("UntagResources", ResourceARNList=[arn("a"), arn("b")], TagKeys=["team", "all", "of", "never there"])
    cell.check(answer.get("FailedResourcesMap", {}) == {}, "UntagResources", answer)
    cell.check((own_tags(cell, arn("a")), own_tags(cell, arn("b"))) == ({"one": "more"}, {}), "untagged")
    cell.check(arn("b") not in resources(cell, TagFilters=[{"Key": "team"}]), "no filter finds what has no tag any more")


def mistakes_with_tags(cell):
    invalid = "InvalidParameterException"
    for operation, input in (("GetResources", {"ResourceARNList": [arn()], "TagFilters": [{"Key": "team"}]}),
                             ("GetResources", {"ResourceARNList": [arn()], "ResourceTypeFilters": ["cassandra"]}),
                             ("GetResources", {"ResourceARNList": [arn()], "ResourcesPerPage": 5}), ("GetResources", {"PaginationToken": "nothing"}),
                             ("GetResources", {"ResourcesPerPage": 101}), ("GetResources", {"TagFilters": [{"Values": ["red"]}]})):
        cell.refused(invalid, 400, operation, **input)
    # What breaks a bound of the model is refused before the service sees it, by an error that its model does not have.
    for operation, input in (("GetTagValues", {"Key": "k" * 129}), ("TagResources", {"ResourceARNList": [arn()], "Tags": {"k" * 129: "v"}})):
        cell.refused("ValidationException", 400, operation, **input)


def tags(cell, cql):
    make_keyspace(cell, TAGS)
    for name, given in (("a", {"of": "a", "team": "red"}), ("b", {"team": "red"}), ("c", None)):
        more = {"tags": pairs(given)} if given else {}
        cell.ask("CreateTable", service="keyspaces", keyspaceName=KEYSPACE, tableName=name, schemaDefinition=PLAIN, **more)
        table_when(cell, name)
    tagged = tags_of_all_services(cell, keyspaces_tags(cell))
    tags_are_changed(cell, tagged)
    mistakes_with_tags(cell)
    cell.ask("DeleteKeyspace", service="keyspaces", keyspaceName=KEYSPACE)
    gone(cell, "GetKeyspace", keyspaceName=KEYSPACE)
    cell.check(resources(cell) == {}, "what is deleted has no tags")


STEPS = {"keyspaces": life, "resourcegroupstaggingapi": tags, "sts": who_am_i}
