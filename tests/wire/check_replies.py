"""Decodes the replies that wire/ encodes with the Python driver, unchanged.

    python tests/wire/check_replies.py build/test/wire/native_test

Needs cassandra-driver, lz4 and python-snappy. Exits 1 at the first reply that the driver reads otherwise than it was meant.
"""
import struct
import subprocess
import sys

import cassandra
import lz4.block
import snappy
from cassandra import protocol
from cassandra.protocol import (AuthenticateMessage, AuthSuccessMessage, ErrorMessage,
                                ReadyMessage, ResultMessage, SupportedMessage)


def lz4_decompress(data):
    return lz4.block.decompress(data[4:], uncompressed_size=struct.unpack(">I", data[:4])[0])


def decode(name, frame, metadata):
    version, flags, stream, opcode, length = struct.unpack(">BBhBi", frame[:9])
    assert version == 0x84 and length == len(frame) - 9, name
    assert stream == (-1 if name.startswith("event") else 3), name
    decompressor = lz4_decompress if name.endswith("lz4") else snappy.decompress if name.endswith("snappy") else None
    if decompressor:
        assert flags & 1, name
    return protocol.ProtocolHandler.decode_message(4, {}, stream, flags, opcode, frame[9:], decompressor, metadata)


def check(name, condition):
    if not condition:
        print(f"FAILED {name}")
        sys.exit(1)


lines = subprocess.run([sys.argv[1], "--emit"], check=True, capture_output=True, text=True).stdout.splitlines()
replies = {}
for line in lines:
    name, data = line.split(" ")
    # a reply without metadata is read with that of the prepared statement
    metadata = replies["rows"].column_metadata if name == "rows_no_metadata" else []
    replies[name] = decode(name, bytes.fromhex(data), metadata)

r = replies
check("ready", isinstance(r["ready"], ReadyMessage))
check("authenticate", isinstance(r["authenticate"], AuthenticateMessage)
      and r["authenticate"].authenticator == "org.apache.cassandra.auth.PasswordAuthenticator")
check("auth_success", isinstance(r["auth_success"], AuthSuccessMessage) and not r["auth_success"].token)
check("supported", isinstance(r["supported"], SupportedMessage) and r["supported"].cql_versions == ["3.4.7"]
      and r["supported"].options["COMPRESSION"] == ["snappy", "lz4"])

codes = {"server": 0x0000, "protocol": 0x000A, "credentials": 0x0100, "unavailable": 0x1000, "overloaded": 0x1001,
         "bootstrapping": 0x1002, "truncate": 0x1003, "write_timeout": 0x1100, "read_timeout": 0x1200, "read_failure": 0x1300,
         "function_failure": 0x1400, "write_failure": 0x1500, "syntax": 0x2000, "unauthorized": 0x2100, "invalid": 0x2200,
         "config": 0x2300, "already_exists": 0x2400, "unprepared": 0x2500}
info = {"unavailable": {"consistency": 4, "required_replicas": 2, "alive_replicas": 1},
        "write_timeout": {"consistency": 4, "received_responses": 1, "required_responses": 2, "write_type": 1},
        "read_timeout": {"consistency": 4, "received_responses": 1, "required_responses": 2, "data_retrieved": True},
        "read_failure": {"consistency": 4, "received_responses": 1, "required_responses": 2, "failures": 3, "data_retrieved": True},
        "write_failure": {"consistency": 4, "received_responses": 1, "required_responses": 2, "failures": 3, "write_type": 1},
        "function_failure": {"keyspace": "fks", "function": "fn", "arg_types": ["int", "text"]},
        "already_exists": {"keyspace": "ks1", "table": "t1"}}
for word, code in codes.items():
    reply = r["error_" + word]
    check(word, isinstance(reply, ErrorMessage) and reply.code == code and reply.message == f"message of {word}")
    for key, value in info.get(word, {}).items():
        check(f"{word}.{key}: {reply.info}", reply.info[key] == value)
check("unprepared id", r["error_unprepared"].info == b"0123456789abcdef")

check("void", r["void"].kind == protocol.RESULT_KIND_VOID)
check("set_keyspace", r["set_keyspace"].new_keyspace == "ks1")
for name in ("rows", "rows_paged", "rows_decorated"):
    reply = r[name]
    check(name, isinstance(reply, ResultMessage) and reply.column_names == ["k", "v"]
          and [tuple(row) for row in reply.parsed_rows] == [(1, "one"), (2, None)])
check("paging", r["rows"].paging_state is None and r["rows_paged"].paging_state == b"page2")
check("warnings", r["rows_decorated"].warnings == ["careful", "very"])
check("payload", r["rows_decorated"].custom_payload == {"units": b"\1\2"})
check("tracing", str(r["rows_decorated"].trace_id) == "01020304-0506-1108-890a-0b0c0d0e0f10")
for name in ("rows_lz4", "rows_snappy"):
    check(name, len(r[name].parsed_rows) == 100 and tuple(r[name].parsed_rows[99]) == (1, "the same again"))
check("no metadata", [tuple(row) for row in r["rows_no_metadata"].parsed_rows] == [(1, "one"), (2, None)])
types = [t.cql_parameterized_type() for t in r["rows_all_types"].column_types]
expected = ["ascii", "bigint", "blob", "boolean", "counter", "decimal", "double", "float", "int", "timestamp", "uuid", "varchar",
            "varint", "timeuuid", "inet", "date", "time", "smallint", "tinyint", "duration", "list<int>", "set<varchar>",
            "map<int, list<varchar>>", "frozen<tuple<int, varchar>>", "frozen<udt>", "org.apache.cassandra.db.marshal.VectorType<float, 3>"]
check(f"types: {types}", types == expected)
prepared = r["prepared"]
check("prepared", prepared.query_id == b"0123456789abcdef" and prepared.pk_indexes == [1, 0]
      and [c.name for c in prepared.bind_metadata] == ["k", "v"] and [c[2] for c in prepared.column_metadata] == ["k", "v"])
check("prepared_insert", r["prepared_insert"].pk_indexes == [1] and not r["prepared_insert"].column_metadata)

targets = {"keyspace": "CREATED", "table": "UPDATED", "type": "DROPPED", "function": "CREATED", "aggregate": "UPDATED"}
for target, change in targets.items():
    for reply in (r["schema_" + target].schema_change_event, r["event_schema_" + target].event_args):
        check(f"schema {target} {reply}", reply["change_type"] == change and reply["target_type"] == target.upper()
              and reply["keyspace"] == "ks1")
check("schema table", r["schema_table"].schema_change_event["table"] == "thing")
function = r["schema_function"].schema_change_event["function"]
check("schema function", function.name == "thing" and list(function.argument_types) == ["int", "text"])
print(f"{len(replies)} replies read by cassandra-driver {cassandra.__version__}")
