"""Records request frames as the Python driver encodes them, as a C header: src/wire/driver_frames.h.

    python tests/wire/record_requests.py tests/corpus > src/wire/driver_frames.h

With a directory, the fuzzers' seeds are written there too.

Needs cassandra-driver, lz4 and python-snappy. The recorded bytes are what src/wire/native_test.c decodes, so that our decoder is
held to another's encoder.
"""
import io
import os
import struct
import sys

import cassandra
import lz4.block
import snappy
from cassandra import ConsistencyLevel as CL
from cassandra import protocol
from cassandra.protocol import (BatchMessage, ExecuteMessage, OptionsMessage, PrepareMessage, QueryMessage, RegisterMessage,
                                StartupMessage, AuthResponseMessage, _UNSET_VALUE)
from cassandra.query import BatchType
from cassandra.segment import SegmentCodec

frames = []


def record(name, message, version=4, stream=7, compressor=None, beta=False):
    data = protocol.ProtocolHandler.encode_message(message, stream, version, compressor, beta)
    frames.append((name, bytes(data)))


def lz4_compress(data):  # as cassandra.connection does it
    return struct.pack(">I", len(data)) + lz4.block.compress(bytes(data), store_size=False)


record("startup", StartupMessage(cqlversion="3.4.7", options={"DRIVER_NAME": "Python", "COMPRESSION": "lz4"}))
record("options", OptionsMessage())
record("auth_response", AuthResponseMessage(b"\0cassandra\0secret"))
record("register", RegisterMessage(["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"]))
record("query_simple", QueryMessage("SELECT * FROM system.local", CL.LOCAL_ONE))
record("query_full", QueryMessage("SELECT v FROM t WHERE k = ?", CL.QUORUM, serial_consistency_level=CL.LOCAL_SERIAL,
                                  fetch_size=100, paging_state=b"state", timestamp=1234567890123456))
values = QueryMessage("INSERT INTO t (a, b, c) VALUES (?, ?, ?)", CL.ONE)
values.query_params = [b"\0\0\0\1", None, _UNSET_VALUE]
record("query_values", values)
prepare = PrepareMessage("SELECT * FROM t WHERE k = ?")
record("prepare", prepare)
execute = ExecuteMessage(b"0123456789abcdef", [b"\0\0\0\1", None, b"", _UNSET_VALUE], CL.LOCAL_QUORUM,
                         fetch_size=5000, skip_meta=True, timestamp=5)
record("execute", execute)
record("execute_v3", ExecuteMessage(b"0123456789abcdef", [b"\1", None], CL.ONE, fetch_size=10), version=3)
execute_v5 = ExecuteMessage(b"0123456789abcdef", [b"\1"], CL.ONE, skip_meta=True, result_metadata_id=b"fedcba9876543210")
execute_v5_data = execute_v5
record("batch", BatchMessage(BatchType.UNLOGGED, [(False, "INSERT INTO t (a) VALUES (1)", []),
                                                  (True, b"0123456789abcdef", [b"\0\0\0\2", None])],
                             CL.TWO, serial_consistency_level=CL.SERIAL, timestamp=42))
record("batch_empty", BatchMessage(BatchType.COUNTER, [], CL.ONE))
tracing = QueryMessage("SELECT now() FROM system.local", CL.ONE)
tracing.tracing = True
tracing.custom_payload = {"key": b"value"}
record("query_payload", tracing)
long_query = QueryMessage("SELECT * FROM t WHERE k = '" + "x" * 1000 + "'", CL.ONE)
record("query_lz4", long_query, compressor=lz4_compress)
record("query_snappy", long_query, compressor=snappy.compress)
record("query_v5", QueryMessage("SELECT * FROM t", CL.ONE, keyspace="ks"), version=5)
record("execute_v5", execute_v5, version=5)

# Segments, by the driver's own codec: the envelope of query_v5 alone and three times; a large one, of which only what stands around
# its three parts is kept: its body is 300 000 bytes, byte i being i % 251.


def in_segments(data, codec):
    out = io.BytesIO()
    codec.encode(out, data)
    return out.getvalue()


plain = SegmentCodec()
packing = SegmentCodec(lz4_compress, lambda data: lz4.block.decompress(data[4:], uncompressed_size=struct.unpack(">I", data[:4])[0]))
query_v5 = next(data for name, data in frames if name == "query_v5")
long_v5 = protocol.ProtocolHandler.encode_message(long_query, 7, 5, None, False)
segments = [("query", in_segments(query_v5, plain)), ("three", in_segments(query_v5 * 3, plain)),
            ("query_lz4", in_segments(query_v5, packing)), ("long_lz4", in_segments(long_v5, packing))]
large = in_segments(struct.pack(">BBhBI", 5, 0, 7, 7, 300000) + bytes(i % 251 for i in range(300000)), plain)
marks, at = b"", 0
while at < len(large):
    size = int.from_bytes(large[at:at + 3], "little") & 0x1FFFF
    marks += large[at:at + 6] + large[at + 6 + size:at + 10 + size]
    at += 10 + size
segments.append(("large_marks", marks))
frames += [("segment_" + name, data) for name, data in segments]

print(f"/* Request frames as the Python driver {cassandra.__version__} encodes them (tests/wire/record_requests.py). */")
print("#ifndef WIRE_DRIVER_FRAMES_H\n#define WIRE_DRIVER_FRAMES_H\n\n#include <stdint.h>\n")
for name, data in frames:
    print(f"static const uint8_t driver_{name}[] = {{")
    for i in range(0, len(data), 20):
        print("    " + ", ".join(f"0x{b:02x}" for b in data[i:i + 20]) + ",")
    print("};")
print("\n#endif")

for name, data in frames if len(sys.argv) > 1 else []:
    if name.startswith("segment_"):
        seeds = {"segment": bytes([name.endswith("lz4")]) + data}
    else:
        seeds = {"frame": data}
    if name.startswith("segment_"):
        pass
    elif data[1] & 1:
        seeds["decompress"] = bytes([1 if name.endswith("lz4") else 2]) + data[9:]
    else:
        seeds["message"] = bytes([data[0] - 3, data[1], data[4]]) + data[9:]
    for kind, seed in seeds.items():
        os.makedirs(os.path.join(sys.argv[1], kind), exist_ok=True)
        with open(os.path.join(sys.argv[1], kind, name), "wb") as out:
            out.write(seed)
