#!/usr/bin/env python3
"""Two accounts on one server, by AWS's APIs and by CQL: neither ever sees a name of the other.

    accounts.py [--binary PATH]

Each has keyspaces, types, tables, columns, comments and tags whose names are its own, and a keyspace of the same name as the other's. Then each
calls every operation, with its own names and with the other's; reads every table of every system keyspace; describes, uses, changes and deletes
by CQL what the other has. No answer's bytes may hold a word of the other's that was not asked for, and what the other has must be answered
exactly as what nobody has. In the end everything of both is as it was.
"""
import argparse
import json
import pathlib
import struct
import sys

from botocore.exceptions import ClientError

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from checks import check, finish  # noqa: E402
from lib.native import ERROR, EVENT, EXECUTE, QUERY, REGISTER, RESULT, STARTUP, Client, execute_body, query_body, \
    short_string, string_map, value  # noqa: E402
from sdk import REGION, client  # noqa: E402
from server import Helenus  # noqa: E402

AUTH_RESPONSE = 0x0F
SERVICES = ("keyspaces", "resourcegroupstaggingapi", "sts")
PARTS = ("keyspace", "table", "type", "column", "field", "comment", "tagkey", "tagvalue", "row", "added")


class Names:
    """The words of one: each is found by its bytes, and no word is part of another's."""

    def __init__(self, stem, account):
        self.stem, self.account = stem, account
        for part in PARTS:
            setattr(self, part, f"{stem}{part}")

    def words(self):
        return [getattr(self, part) for part in PARTS] + [self.account]

    def arn(self, table=None, keyspace=None):
        return f"arn:aws:cassandra:{REGION}:{self.account}:/keyspace/{keyspace or self.keyspace}/" + (f"table/{table}" if table else "")


def neutral(text, names):
    """Names taken out, so that two answers about different names can be the same."""
    if isinstance(text, bytes):
        return text.replace(names.stem.encode(), b"*")
    return text.replace(names.stem, "*")


# ---- the API ----

class Api:
    """All clients of an account, and the bytes of what they were answered last."""

    def __init__(self, server, names):
        self.names, self.seen = names, b""
        self.clients = {service: client(server, service, names.account, retries={"total_max_attempts": 1}) for service in SERVICES}
        for one in self.clients.values():
            one.meta.events.register("after-call", self.keep)

    def keep(self, http_response, **_):
        self.seen = http_response.content

    def call(self, service, operation, input):
        """(fault or None, answer without what differs each time)"""
        try:
            answer = getattr(self.clients[service], operation)(**input)
            answer.pop("ResponseMetadata")
            return None, answer
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]

    def must(self, service, operation, **input):
        fault, answer = self.call(service, operation, input)
        check(fault is None, f"{self.names.account}: {operation} {input}", (fault, answer))
        return answer


def tags(names):
    return [{"key": names.tagkey, "value": names.tagvalue}]


def schema(names):
    return {"allColumns": [{"name": "id", "type": "text"}, {"name": names.column, "type": f"frozen<{names.type}>"}], "partitionKeys": [{"name": "id"}]}


def make(api):
    names = api.names
    api.must("keyspaces", "create_keyspace", keyspaceName=names.keyspace, tags=tags(names))
    api.must("keyspaces", "create_type", keyspaceName=names.keyspace, typeName=names.type, fieldDefinitions=[{"name": names.field, "type": "text"}])
    api.must("keyspaces", "create_table", keyspaceName=names.keyspace, tableName=names.table, schemaDefinition=schema(names),
             comment={"message": names.comment}, tags=tags(names))
    api.must("keyspaces", "create_keyspace", keyspaceName="of_both", tags=[{"key": "whose", "value": names.tagvalue}])


def questions(names):
    """Every operation, about what these names name: what only looks first, what changes or deletes last."""
    keyspace, table = {"keyspaceName": names.keyspace}, {"keyspaceName": names.keyspace, "tableName": names.table}
    kind, arns = {"keyspaceName": names.keyspace, "typeName": names.type}, [names.arn(), names.arn(names.table)]
    looks = [("sts", "get_caller_identity", {}), ("keyspaces", "list_keyspaces", {}), ("keyspaces", "get_keyspace", keyspace),
             ("keyspaces", "list_tables", keyspace), ("keyspaces", "list_types", keyspace), ("keyspaces", "get_table", table),
             ("keyspaces", "get_type", kind), ("keyspaces", "get_table_auto_scaling_settings", table)]
    looks += [("keyspaces", "list_tags_for_resource", {"resourceArn": arn}) for arn in arns]
    looks += [("resourcegroupstaggingapi", "get_resources", {}), ("resourcegroupstaggingapi", "get_resources", {"ResourceARNList": arns}),
              ("resourcegroupstaggingapi", "get_resources", {"TagFilters": [{"Key": names.tagkey}]}),
              ("resourcegroupstaggingapi", "get_resources", {"TagFilters": [{"Key": "whose", "Values": [names.tagvalue]}]}),
              ("resourcegroupstaggingapi", "get_tag_keys", {}), ("resourcegroupstaggingapi", "get_tag_values", {"Key": names.tagkey}),
              ("resourcegroupstaggingapi", "get_tag_values", {"Key": "whose"})]
    changes = [("keyspaces", "create_table", {**keyspace, "tableName": names.added, "schemaDefinition": schema(names)}),
               ("keyspaces", "create_type", {**keyspace, "typeName": names.added, "fieldDefinitions": [{"name": "a", "type": "int"}]}),
               ("keyspaces", "update_keyspace", {**keyspace, "replicationSpecification": {"replicationStrategy": "SINGLE_REGION"}}),
               ("keyspaces", "update_table", {**table, "addColumns": [{"name": names.added, "type": "int"}]}),
               ("keyspaces", "update_table", {**table, "defaultTimeToLive": 5}),
               ("keyspaces", "restore_table", {"sourceKeyspaceName": names.keyspace, "sourceTableName": names.table,
                                               "targetKeyspaceName": names.keyspace, "targetTableName": names.added})]
    for arn in arns:
        changes += [("keyspaces", "tag_resource", {"resourceArn": arn, "tags": [{"key": names.added, "value": "x"}]}),
                    ("keyspaces", "untag_resource", {"resourceArn": arn, "tags": tags(names)})]
    changes += [("resourcegroupstaggingapi", "tag_resources", {"ResourceARNList": arns, "Tags": {names.added: "x"}}),
                ("resourcegroupstaggingapi", "untag_resources", {"ResourceARNList": arns, "TagKeys": [names.tagkey]}),
                ("keyspaces", "delete_type", kind), ("keyspaces", "delete_table", table), ("keyspaces", "delete_keyspace", keyspace)]
    return looks, changes


def words_in(seen, names, asked=b""):
    return [word for word in names.words() if word.encode() in seen and word.encode() not in asked]


def ask_about_others(me, others, nobody):
    """By their names and ARNs, also under one's own account's number: as if there were none."""
    for asked_account in (others.account, me.names.account):
        theirs, none = Names(others.stem, asked_account), Names(nobody.stem, asked_account)
        for (service, operation, input), (_, _, same) in zip(sum(questions(theirs), []), sum(questions(none), [])):
            got = me.call(service, operation, input)
            found = words_in(me.seen, others, json.dumps(input).encode())
            check(not found, f"{me.names.account}: {operation} {input} tells nothing of the other", (found, me.seen))
            wanted = me.call(service, operation, same)
            check(neutral(repr(got), theirs) == neutral(repr(wanted), none), f"{me.names.account}: {operation} {input}, as of what nobody has",
                  (got, wanted))


def ask_about_mine(me, others):
    for service, operation, input in questions(me.names)[0]:
        fault, answer = me.call(service, operation, input)
        wanted = "ValidationException" if operation == "get_table_auto_scaling_settings" else None  # of a table on demand there are none
        check(fault == wanted, f"{me.names.account}: {operation} {input}", answer)
        check(not words_in(me.seen, others), f"{me.names.account}: {operation} of one's own", me.seen)
    for word in (me.names.keyspace, "of_both"):
        me.call("keyspaces", "list_keyspaces", {})
        check(word.encode() in me.seen, f"{me.names.account} sees its own {word}", me.seen)


def take_others_names(me, others):
    """Names are free in each account: what the other has stands in nobody's way."""
    me.must("keyspaces", "create_keyspace", keyspaceName=others.keyspace)
    me.must("keyspaces", "create_table", keyspaceName=others.keyspace, tableName=others.table, schemaDefinition={
        "allColumns": [{"name": "id", "type": "int"}], "partitionKeys": [{"name": "id"}]})
    answer = me.must("keyspaces", "get_table", keyspaceName=others.keyspace, tableName=others.table)
    mine = Names(others.stem, me.names.account)
    check(answer["resourceArn"] == mine.arn(mine.table) and len(answer["schemaDefinition"]["allColumns"]) == 1,
          f"{me.names.account}: one's own of the same names", answer)
    check(me.must("keyspaces", "list_tags_for_resource", resourceArn=mine.arn()).get("tags", []) == [], f"{me.names.account}: without the other's tags")
    me.must("keyspaces", "delete_keyspace", keyspaceName=others.keyspace)


def state_of(me):
    """All that the API shows of what is one's own."""
    return [me.call(service, operation, input) for service, operation, input in questions(me.names)[0]]


# ---- CQL ----

class Session(Client):
    """Of a user NAME-at-ACCOUNT; keeps the bytes of all answers."""

    def __init__(self, server, account):
        super().__init__(server.cql_port, startup=False)
        self.call(STARTUP, string_map({"CQL_VERSION": "3.4.5"}))
        self.call(AUTH_RESPONSE, value(f"\0app-at-{account}\0any".encode()))
        self.seen = b""

    def ask(self, text):
        """(kind of answer, its bytes)"""
        return self.exchange(QUERY, query_body(text))[1:3]

    def must(self, text):
        opcode, body = self.ask(text)
        check(opcode != ERROR, text, body)
        return body

    def rows_of(self, text):
        return self.execute(self.prepare(text), [])


def make_by_cql(session, names):
    session.must(f"INSERT INTO {names.keyspace}.{names.table} (id, {names.column}) VALUES ('{names.row}', {{{names.field}: '{names.row}'}})")
    session.must(f"CREATE TABLE of_both.t (id text PRIMARY KEY, v text) WITH comment = '{names.comment}'")
    session.must(f"INSERT INTO of_both.t (id, v) VALUES ('one', '{names.row}')")


# Tables that are only read of something, as in Keyspaces.
OF_A_TABLE = ["keyspace_name = '{0.keyspace}' AND table_name = '{0.table}'"]
READ_OF = {("system_schema_mcs", "autoscaling"): OF_A_TABLE, ("system_multiregion_info", "autoscaling"): OF_A_TABLE,
           ("system_multiregion_info", "tables"): OF_A_TABLE,
           ("system_schema_mcs", "tags"): ["keyspace_name = '{0.keyspace}' AND resource_name = '{0.table}'", "resource_id = '{1}'"]}


def read_of(session, keyspace, table, me, others, nobody):
    """Of one's own without the other's words; of the other's as of what nobody has."""
    for where in READ_OF[(keyspace, table)]:
        answers = []
        for names in (me, others, nobody):
            text = f"SELECT * FROM {keyspace}.{table} WHERE " + where.format(names, names.arn(names.table))
            opcode, body = session.ask(text)
            check(opcode == RESULT and not words_in(body, others, text.encode()), f"{me.account}: {text}", body)
            answers.append(neutral(body, names))
        check(answers[1] == answers[2] and (table != "tags" or answers[0] != answers[2]), f"{me.account}: {keyspace}.{table} of the other's", answers)


def walk(session, me, others, nobody):
    """Every table that there is to read, whole."""
    listed = session.rows_of("SELECT keyspace_name, table_name FROM system_schema.tables") + \
        session.rows_of("SELECT keyspace_name, table_name FROM system_virtual_schema.tables")
    tables = sorted({(keyspace.decode(), table.decode()) for keyspace, table in listed})
    check(len(tables) > 40 and (me.keyspace, me.table) in tables, f"{me.account}: all tables", tables)
    for keyspace, table in tables:
        if (keyspace, table) in READ_OF:
            read_of(session, keyspace, table, me, others, nobody)
            continue
        opcode, body = session.ask(f'SELECT * FROM "{keyspace}"."{table}"')
        check(opcode == RESULT, f"{me.account}: SELECT * FROM {keyspace}.{table}", body)
        found = words_in(body, others)
        check(not found, f"{me.account}: {keyspace}.{table} has nothing of the other's", (found, body))
    for text in ("DESCRIBE CLUSTER", "DESCRIBE FULL SCHEMA", "DESCRIBE SCHEMA", "DESCRIBE KEYSPACES", "DESCRIBE TABLES", "DESCRIBE TYPES",
                 "DESCRIBE KEYSPACE of_both", "SELECT * FROM of_both.t"):
        body = session.must(text)
        check(not words_in(body, others), f"{me.account}: {text}", body)
    check(me.row.encode() in session.must("SELECT * FROM of_both.t"), f"{me.account}: a keyspace of the same name is one's own")


def statements(names):
    of = f"{names.keyspace}.{names.table}"
    return [f"USE {names.keyspace}", f"SELECT * FROM {of}", f"SELECT {names.column} FROM {of} WHERE id = '{names.row}'", f"INSERT INTO {of} (id) VALUES ('x')",
            f"UPDATE {of} SET {names.column} = null WHERE id = '{names.row}'", f"DELETE FROM {of} WHERE id = '{names.row}'",
            f"BEGIN BATCH INSERT INTO {of} (id) VALUES ('x'); APPLY BATCH", f"TRUNCATE {of}", f"DESCRIBE KEYSPACE {names.keyspace}",
            f"DESCRIBE TABLE {of}", f"DESCRIBE TYPE {names.keyspace}.{names.type}", f"CREATE TABLE {names.keyspace}.{names.added} (id int PRIMARY KEY)",
            f"CREATE TYPE {names.keyspace}.{names.added} (a int)", f"CREATE TABLE of_both.{names.added} (id int PRIMARY KEY, v {names.type})",
            f"ALTER TABLE {of} ADD {names.added} int", f"ALTER TYPE {names.keyspace}.{names.type} ADD {names.added} int",
            f"ALTER KEYSPACE {names.keyspace} WITH durable_writes = true", f"DROP TYPE {names.keyspace}.{names.type}", f"DROP TABLE {of}",
            f"DROP KEYSPACE {names.keyspace}", f"DROP TABLE IF EXISTS {of}", f"DROP KEYSPACE IF EXISTS {names.keyspace}"]


def use_others_names(session, me, others, nobody):
    for text, same in zip(statements(others), statements(nobody)):
        got, wanted = session.ask(text), session.ask(same)
        check((got[0], neutral(got[1], others)) == (wanted[0], neutral(wanted[1], nobody)), f"{me.account}: {text}, as of what nobody has", (got, wanted))
        check(not words_in(got[1], others, text.encode()), f"{me.account}: {text} tells nothing", got)


def kept_statements(mine, theirs, me, others):
    """What the other has prepared is nobody's here, though its text be the same."""
    known = theirs.prepare(f"SELECT * FROM {others.keyspace}.{others.table}")
    opcode, body = mine.exchange(EXECUTE, execute_body(known, []))[1:3]
    check(opcode == ERROR and struct.unpack_from(">I", body)[0] == 0x2500, f"{me.account}: a statement that the other has prepared", body)
    both = [session.prepare("SELECT v FROM of_both.t WHERE id = ?") for session in (mine, theirs)]
    for session, names, kept in ((mine, me, both[0]), (theirs, others, both[1])):
        found = session.execute(kept, [b"one"])
        check(found == [[names.row.encode()]], f"{names.account}: the same text reads one's own", found)


def events(server, me, mine, others, theirs):
    """Who watches hears of its own account's changes alone; its own comes last, so all before it has come."""
    watching = Session(server, me.account)
    watching.call(REGISTER, struct.pack(">H", 1) + short_string("SCHEMA_CHANGE"))
    theirs.must(f"CREATE TABLE {others.keyspace}.{others.added} (id int PRIMARY KEY)")
    theirs.must(f"DROP TABLE {others.keyspace}.{others.added}")
    mine.must(f"CREATE TABLE {me.keyspace}.{me.added} (id int PRIMARY KEY)")
    mine.must(f"DROP TABLE {me.keyspace}.{me.added}")
    heard = []
    while not heard or b"DROPPED" not in heard[-1]:
        opcode, body = watching.next_reply()[1:3]
        heard.append(body if opcode == EVENT else b"no event " + body + b"DROPPED")
    check(len(heard) == 2 and all(me.added.encode() in body for body in heard), f"{me.account}: hears of its own changes", heard)
    watching.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    options = parser.parse_args()
    names, nobody = [Names("alpha", "111122223333"), Names("gamma", "444455556666")], Names("delta", "777788889999")
    server = Helenus(options.binary, args=["--auth", "password", "--region", REGION]).start()
    try:
        apis = [Api(server, one) for one in names]
        sessions = [Session(server, one.account) for one in names]
        for api, session in zip(apis, sessions):
            make(api)
            make_by_cql(session, api.names)
        before = [state_of(api) for api in apis]
        for (api, mine), (other, theirs) in (list(zip(apis, sessions)), list(zip(apis, sessions))[::-1]):
            me, others = api.names, other.names
            ask_about_mine(api, others)
            ask_about_others(api, others, nobody)
            take_others_names(api, others)
            use_others_names(mine, me, others, nobody)
            kept_statements(mine, theirs, me, others)
            events(server, me, mine, others, theirs)
            walk(mine, me, others, nobody)
        check([state_of(api) for api in apis] == before, "everything of both is as it was")
        for session, one in zip(sessions, names):
            body = session.must(f"SELECT * FROM {one.keyspace}.{one.table}")
            check(one.row.encode() in body, f"{one.account}: its rows too", body)
    finally:
        code = server.stop()
    check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
