"""kill -9 while definitions are changed by AWS's API: what was answered is there, what was not is there whole or not at all.

Each round several threads of boto3 make, change, tag, untag and delete keyspaces, types and tables, each in a keyspace of its own: columns, TTLs,
client-side timestamps, comments, several tags at once, a keyspace with all that is in it; types are altered by CQL, as the API cannot. At a random
moment the server is killed with SIGKILL and started again on the same directory. Then everything of each keyspace, as the API shows it, is what
was answered last or what the one change on its way would have made of it, and nothing between; times of creation and of types' last changes are
those that were seen before; CQL's own tables say the same.
"""
import argparse
import copy
import os
import random
import struct
import sys
import tempfile
import threading
import time

import botocore.exceptions

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from lib.native import Client, Server, ServerError  # noqa: E402
from sdk import REGION, client  # noqa: E402

ACCOUNT = "000000000000"
TABLES, TYPES = ("a", "b"), ("t", "u")
ENABLED = {"status": "ENABLED"}


def pairs(tags):
    return [{"key": key, "value": value} for key, value in tags.items()]


class Owner:
    """One keyspace: what was answered, and what the change on its way would make of it.

    None: there is no keyspace. Else its tags, tables and types by name; of a table all that the API was told, of a type its fields.
    """

    def __init__(self, name, server, seed):
        self.name, self.server, self.rng = name, server, random.Random(seed)
        self.now = self.then = None
        # The times that were seen of what is there, by "table a" or "type t"; what the change is about, whose time it may change.
        self.times, self.touched, self.answered, self.unsure, self.refused = {}, None, 0, 0, []

    def open(self):
        self.api, self.cql = client(self.server, "keyspaces", retries={"total_max_attempts": 1}), Client(self.server.port)

    def arn(self, table=None):
        return f"arn:aws:cassandra:{REGION}:{ACCOUNT}:/keyspace/{self.name}/" + (f"table/{table}" if table else "")

    # ---- changes: each gives a call, and has changed `then` to what comes of it ----

    def some_tags(self):
        return {f"k{self.rng.randrange(6)}": f"v{self.rng.randrange(1000)}" for _ in range(self.rng.randrange(1, 6))}

    def make_keyspace(self):
        tags = self.some_tags()
        self.then = {"tags": tags, "tables": {}, "types": {}}
        return self.api.create_keyspace, {"keyspaceName": self.name, "tags": pairs(tags)}

    def drop_keyspace(self):
        self.then = None
        return self.api.delete_keyspace, {"keyspaceName": self.name}

    def make_type(self, name):
        self.then["types"][name] = fields = {f"f{i}": self.rng.choice(("int", "text", "frozen<list<uuid>>")) for i in range(self.rng.randrange(1, 5))}
        return self.api.create_type, {"keyspaceName": self.name, "typeName": name, "fieldDefinitions": [{"name": f, "type": k} for f, k in fields.items()]}

    def alter_type(self, name):
        fields = self.then["types"][name]
        fields[f"f{len(fields)}"] = "int"
        return lambda text: self.cql.query(text), {"text": f"ALTER TYPE {self.name}.{name} ADD f{len(fields) - 1} int"}

    def drop_type(self, name):
        del self.then["types"][name]
        return self.api.delete_type, {"keyspaceName": self.name, "typeName": name}

    def make_table(self, name):
        table = {"columns": {"id": "uuid", "c": "int", "v": "text"}, "tags": self.some_tags(), "comment": f"number {self.rng.randrange(1000)}"}
        more = {"comment": {"message": table["comment"]}, "tags": pairs(table["tags"])}
        for member in ("ttl", "clientSideTimestamps"):
            if self.rng.random() < 0.5:
                table[member] = more[member] = ENABLED
        if "ttl" in table:
            table["defaultTimeToLive"] = more["defaultTimeToLive"] = self.rng.randrange(1000, 2000)
        self.then["tables"][name] = table
        schema = {"allColumns": [{"name": c, "type": k} for c, k in table["columns"].items()], "partitionKeys": [{"name": "id"}],
                  "clusteringKeys": [{"name": "c", "orderBy": "DESC"}]}
        return self.api.create_table, {"keyspaceName": self.name, "tableName": name, "schemaDefinition": schema, **more}

    def drop_table(self, name):
        del self.then["tables"][name]
        return self.api.delete_table, {"keyspaceName": self.name, "tableName": name}

    def change_table(self, name):
        table = self.then["tables"][name]
        missing = [member for member in ("ttl", "clientSideTimestamps") if member not in table]
        if missing and self.rng.random() < 0.3:
            change = {self.rng.choice(missing): ENABLED}
            table.update(change)
        elif "ttl" in table and self.rng.random() < 0.4:
            change = {"defaultTimeToLive": self.rng.randrange(1000, 2000)}
            table.update(change)
        else:
            first = len(table["columns"])
            added = {f"x{i}": self.rng.choice(("int", "map<text, int>")) for i in range(first, first + self.rng.randrange(1, 4))}
            table["columns"].update(added)
            change = {"addColumns": [{"name": c, "type": k} for c, k in added.items()]}
        return self.api.update_table, {"keyspaceName": self.name, "tableName": name, **change}

    def tag(self, name):
        kept = self.then["tables"][name]["tags"] if name else self.then["tags"]
        if kept and self.rng.random() < 0.4:
            chosen = {key: kept[key] for key in self.rng.sample(sorted(kept), self.rng.randrange(1, len(kept) + 1))}
            for key in chosen:
                del kept[key]
            return self.api.untag_resource, {"resourceArn": self.arn(name), "tags": pairs(chosen)}
        given = self.some_tags()
        kept.update(given)
        return self.api.tag_resource, {"resourceArn": self.arn(name), "tags": pairs(given)}

    def draw(self):
        self.then, self.touched = copy.deepcopy(self.now), None
        if self.now is None:
            return self.make_keyspace()
        if self.rng.random() < 0.04:
            return self.drop_keyspace()
        name, kind = self.rng.choice(TABLES), self.rng.choice(TYPES)
        there, draw = name in self.now["tables"], self.rng.random()
        if draw < 0.2:
            self.touched = "type " + kind
            if kind not in self.now["types"]:
                return self.make_type(kind)
            return self.drop_type(kind) if self.rng.random() < 0.4 else self.alter_type(kind)
        if draw < 0.3:
            return self.tag(None)
        if not there or draw < 0.4:
            self.touched = "table " + name
        if not there:
            return self.make_table(name)
        return self.drop_table(name) if draw < 0.4 else self.change_table(name) if draw < 0.7 else self.tag(name)

    def keep_time(self):
        """Of what was just made or changed; what is gone has none."""
        there = {f"{kind} {name}" for kind in ("table", "type") for name in self.now[kind + "s"]} if self.now else set()
        self.times = {key: seen for key, seen in self.times.items() if key in there}
        if self.touched in there:
            kind, name = self.touched.split()
            self.times[self.touched] = self.table(name)[1] if kind == "table" else self.type(name)[1]

    def work(self):
        """Until the server is gone. What is on its way then stays in `then`."""
        while True:
            call, input = self.draw()
            try:
                call(**input)
                self.now, self.then = self.then, copy.deepcopy(self.then)
                self.answered += 1
                self.keep_time()
            except (botocore.exceptions.ClientError, ServerError) as error:
                self.refused.append(f"{self.name}: {input}: {error}")
                self.then = copy.deepcopy(self.now)
                return
            except (botocore.exceptions.BotoCoreError, OSError):
                return

    # ---- what is there ----

    def tags(self, arn):
        return {tag["key"]: tag["value"] for tag in self.api.list_tags_for_resource(resourceArn=arn).get("tags", [])}

    def table(self, name):
        answer = self.api.get_table(keyspaceName=self.name, tableName=name)
        found = {"columns": {one["name"]: one["type"] for one in answer["schemaDefinition"]["allColumns"]}, "tags": self.tags(self.arn(name)),
                 "comment": answer.get("comment", {}).get("message")}
        for member in ("ttl", "clientSideTimestamps"):
            if member in answer:
                found[member] = answer[member]
        if answer.get("defaultTimeToLive"):
            found["defaultTimeToLive"] = answer["defaultTimeToLive"]
        return found, answer["creationTimestamp"]

    def type(self, name):
        answer = self.api.get_type(keyspaceName=self.name, typeName=name)
        return {one["name"]: one["type"] for one in answer["fieldDefinitions"]}, answer["lastModifiedTimestamp"]

    def look(self):
        """The keyspace as the API shows it, and the times of what is in it."""
        times = {}
        try:
            self.api.get_keyspace(keyspaceName=self.name)
        except self.api.exceptions.ResourceNotFoundException:
            return None, times
        found = {"tags": self.tags(self.arn()), "tables": {}, "types": {}}
        for one in self.api.list_tables(keyspaceName=self.name).get("tables", []):
            found["tables"][one["tableName"]], times["table " + one["tableName"]] = self.table(one["tableName"])
        for name in self.api.list_types(keyspaceName=self.name)["types"]:
            found["types"][name], times["type " + name] = self.type(name)
        return found, times

    def verify(self):
        """Texts of what is wrong; what is there is the truth from here on."""
        found, times = self.look()
        wrong = []
        if found not in (self.now, self.then):
            wrong.append(f"{self.name}: is {found}, neither {self.now} nor {self.then}")
        self.unsure += self.now != self.then and found == self.then
        wrong += [f"{self.name}: the time of {key} is {times[key]}, and was {seen}" for key, seen in self.times.items()
                  if key != self.touched and times.get(key, seen) != seen]
        again, same = self.look()
        if (again, same) != (found, times):
            wrong.append(f"{self.name}: shows {again} {same} after {found} {times}")
        self.now, self.then, self.times = found, copy.deepcopy(found), times
        return wrong

    def verify_times(self):
        """A start later, nothing else having happened."""
        found, times = self.look()
        return [] if (found, times) == (self.now, self.times) else [f"{self.name}: {found} {times} after {self.now} {self.times}"]


def text(raw):
    return raw.decode() if raw is not None else None


def verify_cql(server, owners):
    """CQL's description of the same: which tables there are, their comments and default TTLs."""
    connection = Client(server.port)
    found = connection.execute(connection.prepare("SELECT keyspace_name, table_name, comment, default_time_to_live FROM system_schema.tables"), [])
    connection.close()
    names = {owner.name for owner in owners}
    got = {(text(k), text(t)): (text(c), struct.unpack(">i", ttl)[0]) for k, t, c, ttl in found if text(k) in names}
    wanted = {(owner.name, name): (table["comment"], table.get("defaultTimeToLive", 0)) for owner in owners if owner.now
              for name, table in owner.now["tables"].items()}
    return [] if got == wanted else [f"CQL says {got}, the API {wanted}"]


def run_round(server, owners, rng, seconds):
    """Gives what is wrong after it, in texts."""
    threads = [threading.Thread(target=owner.work) for owner in owners]
    for owner in owners:
        owner.open()
    for thread in threads:
        thread.start()
    time.sleep(rng.uniform(0.02, seconds))
    server.kill()
    for thread in threads:
        thread.join()
    server.start()
    wrong = [line for owner in owners for line in owner.refused]
    for owner in owners:
        owner.refused = []
        owner.open()
        wrong += owner.verify()
    wrong += verify_cql(server, owners)
    if rng.random() < 0.3:  # once more, with nothing on its way
        server.kill()
        server.start()
        for owner in owners:
            owner.open()
            wrong += owner.verify_times()
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--round-seconds", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    rng, failed = random.Random(args.seed), 0
    with tempfile.TemporaryDirectory(prefix="helenus-definitions-") as top, Server(os.path.join(top, "data"), "--shards", "2") as server:
        owners = [Owner(f"k{i}", server, args.seed + i) for i in range(args.threads)]
        for number in range(1, args.rounds + 1):
            wrong = run_round(server, owners, rng, args.round_seconds)
            failed += bool(wrong)
            for line in wrong[:5]:
                print("WRONG round", number, line[:1500])
        answered, unsure = sum(owner.answered for owner in owners), sum(owner.unsure for owner in owners)
    print(f"{args.rounds} kills, {answered} changes answered, {unsure} not answered and there all the same")
    if answered < args.rounds:
        print("FAILED: hardly a change was answered")
        failed += 1
    print(f"{args.rounds + 1 - min(failed, args.rounds + 1)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
