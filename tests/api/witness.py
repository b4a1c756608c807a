#!/usr/bin/env python3
"""The same calls, by the same boto3, to moto's server and to ours: what is answered otherwise is listed here with its reason.

    witness.py [--binary PATH]

moto (PyPI) imitates AWS in memory. It has sts and resourcegroupstaggingapi, not keyspaces, so what is tagged there are tables of DynamoDB, here
tables of a keyspace. Ids, times and ARNs are masked, and lists that AWS gives no order are sorted. moto is a witness, not the truth: where the
two differ, the reason says whom we follow. A difference that is not listed fails, and one that is listed and no longer there fails too.
"""
import argparse
import pathlib
import select
import subprocess
import sys
import time

from botocore.exceptions import ClientError

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from checks import check, finish  # noqa: E402
from lib.ports import free_port  # noqa: E402
from sdk import REGION, client  # noqa: E402
from server import Helenus  # noqa: E402

START_S = 60
TABLES = {"one": {"team": "red", "of": "one"}, "two": {"team": "blue"}, "three": {}}

# By step: why moto answers otherwise.
ONCE_EACH = "moto lists a key or value once for each resource; it is one key, as AWS's model says"
NOT_BOTH = "AWS's model: an ARN together with filters or pages is an InvalidParameterException; moto takes them"
DIFFERENCES = {
    "who am I": "moto makes up a user; here who asks is the root of the key's account",
    "by ARN and filter": NOT_BOTH, "by ARN and type": NOT_BOTH, "by ARN and pages": NOT_BOTH,
    "a token of nothing": "moto calls it expired, which AWS's model has for one that was valid for a while; this one never was",
    "keys": ONCE_EACH, "keys then": ONCE_EACH, "values then": ONCE_EACH,
    "tag what there is not": "moto does not look whether there is such a resource; AWS's model has FailedResourcesMap for it",
}


class Moto:
    """moto_server on a port of its own."""

    def start(self):
        self.http_port = free_port()
        program = str(pathlib.Path(sys.executable).parent / "moto_server")
        self.process = subprocess.Popen([sys.executable, program, "-H", "127.0.0.1", "-p", str(self.http_port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, deadline = b"", time.monotonic() + START_S
        while b"Running on" not in said:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = self.process.stdout.read1() if ready else b""
            if not chunk:
                self.stop()
                raise RuntimeError(f"moto did not start: {said.decode(errors='replace')}")
            said += chunk
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()


class Side:
    """A server with three resources, two of them tagged, and clients for the two services."""

    def __init__(self, server, make):
        self.sts, self.tagging = (client(server, service, "123456789012", retries={"total_max_attempts": 1})
                                  for service in ("sts", "resourcegroupstaggingapi"))
        self.arns = make(server)
        self.names = {arn: name for name, arn in self.arns.items()}

    def masked(self, value):
        if isinstance(value, dict):
            return {self.masked(name): self.masked(one) for name, one in sorted(value.items())
                    if name not in ("ResponseMetadata", "ErrorMessage") and (name, one) != ("PaginationToken", "")}  # "" is that there is none
        if isinstance(value, list):
            return sorted((self.masked(one) for one in value), key=repr)
        return self.names.get(value, value.replace(REGION, "REGION")) if isinstance(value, str) else value

    def ask(self, step):
        try:
            return self.masked(step(self))
        except ClientError as error:
            return {"error": error.response["Error"]["Code"], "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}


def make_here(server):
    api = client(server, "keyspaces", "123456789012")
    api.create_keyspace(keyspaceName="k")
    schema = {"allColumns": [{"name": "id", "type": "int"}], "partitionKeys": [{"name": "id"}]}
    return {name: api.create_table(keyspaceName="k", tableName=name, schemaDefinition=schema, **(
        {"tags": [{"key": key, "value": value} for key, value in tags.items()]} if tags else {}))["resourceArn"] for name, tags in TABLES.items()}


def make_there(server):
    api = client(server, "dynamodb", "123456789012")
    return {name: api.create_table(TableName=name, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
                                   AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                                   Tags=[{"Key": key, "Value": value} for key, value in tags.items()])["TableDescription"]["TableArn"]
            for name, tags in TABLES.items()}


def pages(at, operation, **input):
    return at.tagging.get_paginator(operation).paginate(**input).build_full_result()


def tag(at, *names, **tags):
    return at.tagging.tag_resources(ResourceARNList=[at.arns[name] for name in names], Tags=tags)


def untag(at, keys, *names):
    return at.tagging.untag_resources(ResourceARNList=[at.arns[name] for name in names], TagKeys=keys)


def none_of(at):
    """An ARN like the others', of what there is not."""
    return at.arns["one"].rpartition("/")[0] + "/none"


STEPS = {
    "who am I": lambda at: at.sts.get_caller_identity(),
    "all": lambda at: at.tagging.get_resources(),
    "all, by pages": lambda at: pages(at, "get_resources", PaginationConfig={"PageSize": 1}),
    "by a key": lambda at: at.tagging.get_resources(TagFilters=[{"Key": "team"}]),
    "by a value": lambda at: at.tagging.get_resources(TagFilters=[{"Key": "team", "Values": ["red"]}]),
    "by one of two values": lambda at: at.tagging.get_resources(TagFilters=[{"Key": "team", "Values": ["red", "blue"]}]),
    "by two keys": lambda at: at.tagging.get_resources(TagFilters=[{"Key": "team"}, {"Key": "of"}]),
    "by what nothing has": lambda at: at.tagging.get_resources(TagFilters=[{"Key": "team", "Values": ["green"]}]),
    "of another service": lambda at: at.tagging.get_resources(ResourceTypeFilters=["s3"]),
    "by ARN": lambda at: at.tagging.get_resources(ResourceARNList=[at.arns["two"]]),
    "by an ARN of nothing": lambda at: at.tagging.get_resources(ResourceARNList=[none_of(at)]),
    "by ARN and filter": lambda at: at.tagging.get_resources(ResourceARNList=[at.arns["two"]], TagFilters=[{"Key": "team"}]),
    "by ARN and type": lambda at: at.tagging.get_resources(ResourceARNList=[at.arns["two"]], ResourceTypeFilters=["s3"]),
    "by ARN and pages": lambda at: at.tagging.get_resources(ResourceARNList=[at.arns["two"]], ResourcesPerPage=1),
    "a token of nothing": lambda at: at.tagging.get_resources(PaginationToken="nothing"),
    "keys": lambda at: at.tagging.get_tag_keys(),
    "values": lambda at: at.tagging.get_tag_values(Key="team"),
    "values of no key": lambda at: at.tagging.get_tag_values(Key="none"),
    "tag": lambda at: tag(at, "one", "two", team="white", more="yes"),
    "tagged": lambda at: at.tagging.get_resources(),
    "tag what has none": lambda at: tag(at, "three", late="yes"),
    "tagged too": lambda at: at.tagging.get_resources(TagFilters=[{"Key": "late"}]),
    "tag what there is not": lambda at: at.tagging.tag_resources(ResourceARNList=[none_of(at)], Tags={"a": "b"}),
    "untag": lambda at: untag(at, ["team", "never there"], "one", "two"),
    "untagged": lambda at: at.tagging.get_resources(TagFilters=[{"Key": "more"}]),
    "keys then": lambda at: at.tagging.get_tag_keys(),
    "values then": lambda at: at.tagging.get_tag_values(Key="more"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    options = parser.parse_args()
    server, moto = Helenus(options.binary).start(), Moto().start()
    try:
        here, there = Side(server, make_here), Side(moto, make_there)
        for name, step in STEPS.items():
            ours, theirs = here.ask(step), there.ask(step)
            if name in DIFFERENCES:
                print(f"{name}: moto says {theirs}, we {ours}: {DIFFERENCES[name]}")
                check(ours != theirs, f"{name}: the difference that is listed", ours)
            else:
                check(ours == theirs, name, (ours, theirs))
        check(not set(DIFFERENCES) - set(STEPS), "only steps have differences", DIFFERENCES)
    finally:
        moto.stop()
        code = server.stop()
    check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
