#!/usr/bin/env python3
"""What Terraform does with aws_keyspaces_keyspace and aws_keyspaces_table: the calls that its provider makes, in its order, by boto3.

    terraform.py [--binary PATH]

Terraform itself and its provider are not to be had from a registry, so `Keyspace` and `Table` below copy the provider's four functions: create
and wait, read, update block by block and wait after each, delete and wait until it is gone. Waiting accepts only the states that the provider
accepts. After each apply the state is read again and must be what was configured: no drift. The cases are its own acceptance tests.
"""
import argparse
import pathlib
import re
import sys
import time

from botocore.exceptions import ClientError

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from checks import check, finish  # noqa: E402
from sdk import REGION, client  # noqa: E402
from server import Helenus  # noqa: E402

WAIT_S = 20
# The provider checks a column's type by this before it asks.
COLUMN_TYPE = re.compile(r"^[0-9a-z]+(<[0-9a-z]+(, *[0-9a-z]+)?>)?$")
NOT_FOUND = "ResourceNotFoundException"


def find(call, **input):
    """None: there is none."""
    try:
        return call(**input)
    except ClientError as error:
        if error.response["Error"]["Code"] == NOT_FOUND:
            return None
        raise


def wait(look, pending, target):
    """As the provider's state machine: any other state is an error. `target` None: until there is none."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = look()
        state = found and found.get("status", "ACTIVE")
        if state == target:
            return found
        if state not in pending or time.monotonic() > deadline:
            raise AssertionError(f"unexpected state {state}, wanted {target}")
        time.sleep(0.1)


def pairs(tags):
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


class Resource:
    """What both have: tags, which are taken away first and then given."""

    def __init__(self, api):
        self.api = api

    def tags(self, arn):
        pages = self.api.get_paginator("list_tags_for_resource").paginate(resourceArn=arn)
        return {tag["key"]: tag["value"] for page in pages for tag in page.get("tags", [])}

    def update_tags(self, arn, old, new):
        removed = {key: value for key, value in old.items() if key not in new}
        changed = {key: value for key, value in new.items() if old.get(key) != value}
        if removed:
            self.api.untag_resource(resourceArn=arn, tags=pairs(removed))
        if changed:
            self.api.tag_resource(resourceArn=arn, tags=pairs(changed))


class Keyspace(Resource):
    """aws_keyspaces_keyspace"""

    def create(self, config):
        tags = {"tags": pairs(config["tags"])} if config.get("tags") else {}
        self.api.create_keyspace(keyspaceName=config["name"], **tags)
        wait(lambda: find(self.api.get_keyspace, keyspaceName=config["name"]), (None,), "ACTIVE")

    def read(self, config):
        found = find(self.api.get_keyspace, keyspaceName=config["name"])
        if not found:
            return None
        return {"name": found["keyspaceName"], "arn": found["resourceArn"], "tags": self.tags(found["resourceArn"]),
                "replication_specification": found["replicationStrategy"]}

    def update(self, state, config):
        self.update_tags(state["arn"], state["tags"], config.get("tags", {}))

    def delete(self, config):
        self.api.delete_keyspace(keyspaceName=config["name"])
        wait(lambda: find(self.api.get_keyspace, keyspaceName=config["name"]), ("ACTIVE",), None)

    def wanted(self, config):
        return {"name": config["name"], "arn": f"arn:aws:cassandra:{REGION}:000000000000:/keyspace/{config['name']}/", "tags": config.get("tags", {}),
                "replication_specification": "SINGLE_REGION"}


class Table(Resource):
    """aws_keyspaces_table"""

    # A block of the configuration, and the member of UpdateTable: one call for each block that has changed, in this order.
    BLOCKS = {"capacity_specification": "capacitySpecification", "client_side_timestamps": "clientSideTimestamps",
              "default_time_to_live": "defaultTimeToLive", "encryption_specification": "encryptionSpecification",
              "point_in_time_recovery": "pointInTimeRecovery", "ttl": "ttl"}
    # What the configuration leaves out and the provider computes from what it reads.
    COMPUTED = {"capacity_specification": {"throughputMode": "PAY_PER_REQUEST"}, "encryption_specification": {"type": "AWS_OWNED_KMS_KEY"},
                "point_in_time_recovery": {"status": "DISABLED"}, "comment": "", "default_time_to_live": 0}

    def look(self, config):
        return find(self.api.get_table, keyspaceName=config["keyspace"], tableName=config["name"])

    def create(self, config):
        schema = config["schema"]
        input = {"keyspaceName": config["keyspace"], "tableName": config["name"], "schemaDefinition": {
            "allColumns": [{"name": name, "type": kind} for name, kind in schema["columns"].items()],
            "partitionKeys": [{"name": name} for name in schema["partition"]],
            "clusteringKeys": [{"name": name, "orderBy": order} for name, order in schema.get("clustering", [])],
            "staticColumns": [{"name": name} for name in schema.get("static", [])]}}
        input.update({member: config[block] for block, member in self.BLOCKS.items() if block in config})
        if "comment" in config:
            input["comment"] = {"message": config["comment"]}
        if config.get("tags"):
            input["tags"] = pairs(config["tags"])
        assert all(COLUMN_TYPE.match(kind) for kind in schema["columns"].values())
        self.api.create_table(**input)
        wait(lambda: self.look(config), ("CREATING",), "ACTIVE")

    def read(self, config):
        found = self.look(config)
        if not found or found["status"] == "DELETED":
            return None
        schema = found["schemaDefinition"]
        state = {"keyspace": found["keyspaceName"], "name": found["tableName"], "arn": found["resourceArn"], "tags": self.tags(found["resourceArn"]),
                 "schema": {"columns": {one["name"]: one["type"] for one in schema["allColumns"]},
                            "partition": [one["name"] for one in schema["partitionKeys"]],
                            "clustering": [(one["name"], one["orderBy"]) for one in schema.get("clusteringKeys", [])],
                            "static": sorted(one["name"] for one in schema.get("staticColumns", []))},
                 "comment": found.get("comment", {}).get("message", "")}
        for block, member in self.BLOCKS.items():
            if member in found:
                value = found[member]
                kept = ("throughputMode", "readCapacityUnits", "writeCapacityUnits", "type", "kmsKeyIdentifier", "status")
                state[block] = {name: one for name, one in value.items() if name in kept} if isinstance(value, dict) else value
        return state

    def update(self, state, config):
        where = {"keyspaceName": config["keyspace"], "tableName": config["name"]}
        changes = [{member: config[block]} for block, member in self.BLOCKS.items() if block in config and state.get(block) != config[block]]
        added = {name: kind for name, kind in config["schema"]["columns"].items() if name not in state["schema"]["columns"]}
        if added:
            changes.append({"addColumns": [{"name": name, "type": kind} for name, kind in added.items()]})
        for change in changes:
            self.api.update_table(**where, **change)
            wait(lambda: self.look(config), ("UPDATING",), "ACTIVE")
        self.update_tags(state["arn"], state["tags"], config.get("tags", {}))

    def delete(self, config):
        self.api.delete_table(keyspaceName=config["keyspace"], tableName=config["name"])
        wait(lambda: self.look(config), ("ACTIVE", "DELETING"), None)

    def wanted(self, config):
        schema = {"clustering": [], **config["schema"], "static": sorted(config["schema"].get("static", []))}
        arn = f"arn:aws:cassandra:{REGION}:000000000000:/keyspace/{config['keyspace']}/table/{config['name']}"
        return {**self.COMPUTED, "tags": {}, **config, "schema": schema, "arn": arn}


def apply(resource, config, what):
    """Create or change, read again, compare: nothing differs, and a second plan would be empty."""
    state = resource.read(config)
    if state:
        resource.update(state, config)
    else:
        resource.create(config)
    got, wanted = resource.read(config), resource.wanted(config)
    check(got == wanted, f"{what}: no drift", [(name, (got or {}).get(name), wanted.get(name)) for name in {*wanted, *(got or {})}
                                              if (got or {}).get(name) != wanted.get(name)])
    check(resource.read(config) == got, f"{what}: read once more", got)


def destroy(resource, config, what):
    resource.delete(config)
    check(resource.read(config) is None, f"{what}: destroyed")


# ---- the provider's acceptance tests ----

BASIC = {"keyspace": "tf", "name": "basic", "schema": {"columns": {"message": "ascii"}, "partition": ["message"]}}


def keyspaces(api):
    resource = Keyspace(api)
    for what, steps in (("keyspace basic", [{}]), ("keyspace tags", [{"tags": {"key1": "value1"}}, {"tags": {"key1": "value1updated", "key2": "value2"}},
                                                                    {"tags": {"key2": "value2"}}, {}])):
        for step in steps:
            apply(resource, {"name": "tf_of_its_own", **step}, what)
        destroy(resource, {"name": "tf_of_its_own"}, what)
    apply(resource, {"name": "tf_of_its_own"}, "keyspace disappears")
    api.delete_keyspace(keyspaceName="tf_of_its_own")  # by somebody else
    wait(lambda: find(api.get_keyspace, keyspaceName="tf_of_its_own"), ("ACTIVE",), None)
    apply(resource, {"name": "tf_of_its_own"}, "keyspace made again")
    destroy(resource, {"name": "tf_of_its_own"}, "keyspace made again")


def tables(api):
    resource = Table(api)
    many = {"columns": {"id": "text", "n": "int", "d": "decimal", "m": "map<text, int>", "l": "list<text>", "s": "set<uuid>", "t": "timeuuid", "u": "text"},
            "partition": ["id", "u"], "clustering": [("n", "DESC"), ("t", "ASC")], "static": ["d"]}
    updates = [{"capacity_specification": {"throughputMode": "PAY_PER_REQUEST"}, "comment": "TESTING", "default_time_to_live": 500000,
                "point_in_time_recovery": {"status": "DISABLED"}, "ttl": {"status": "ENABLED"}, "encryption_specification": {"type": "AWS_OWNED_KMS_KEY"}},
               {"comment": "TESTING", "default_time_to_live": 1500000, "ttl": {"status": "ENABLED"}, "client_side_timestamps": {"status": "ENABLED"}}]
    added = {**BASIC["schema"], "columns": {"message": "ascii", "ts": "timestamp", "amount": "decimal"}}
    for what, steps in (("basic", [{}]), ("tags", [{"tags": {"key1": "value1"}}, {"tags": {"key1": "value1updated", "key2": "value2"}},
                                                  {"tags": {"key2": "value2"}}]),
                        ("clientSideTimestamps", [{"client_side_timestamps": {"status": "ENABLED"}}]), ("multipleColumns", [{"schema": many}]),
                        ("update", updates), ("addColumns", [{}, {"schema": added}])):
        for number, step in enumerate(steps):
            apply(resource, {**BASIC, **step}, f"table {what}, step {number}")
        destroy(resource, BASIC, f"table {what}")
    apply(resource, BASIC, "table disappears")
    api.delete_table(keyspaceName="tf", tableName="basic")  # by somebody else
    wait(lambda: resource.look(BASIC), ("ACTIVE", "DELETING"), None)
    apply(resource, BASIC, "table made again")
    destroy(resource, BASIC, "table made again")
    # What is not built is refused when it is applied, never taken and then not there.
    for block, value in (("capacity_specification", {"throughputMode": "PROVISIONED", "readCapacityUnits": 200, "writeCapacityUnits": 100}),
                         ("point_in_time_recovery", {"status": "ENABLED"}),
                         ("encryption_specification", {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyIdentifier": "arn:aws:kms:eu-north-1:000000000000:key/k"})):
        try:
            resource.create({**BASIC, block: value})
            check(False, f"{block} {value} is refused", resource.read(BASIC))
        except ClientError as error:
            check(error.response["Error"]["Code"] == "ValidationException" and resource.read(BASIC) is None, f"{block} is refused", error)
    check(find(api.delete_table, keyspaceName="tf", tableName="basic") is None, "what is gone is gone for a second destroy too")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    options = parser.parse_args()
    server = Helenus(options.binary).start()
    try:
        api = client(server, "keyspaces", retries={"total_max_attempts": 1})
        keyspaces(api)
        parent = Keyspace(api)
        apply(parent, {"name": "tf"}, "the tables' keyspace")
        tables(api)
        destroy(parent, {"name": "tf"}, "the tables' keyspace")
    finally:
        code = server.stop()
    check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
