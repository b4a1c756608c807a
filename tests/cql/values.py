"""Prints one value from its raw bytes and its type, so that two printed values are equal only if their bytes are.

Every printer decodes strictly; bytes that are not the canonical form of what they mean are printed as 0xHEX.
Types are trees: ("int",), ("list", T), ("map", K, V), ("udt", "ks.name", [(field, T)...]), ("tuple", [T...]).
"""
import ipaddress
import json
import re
import struct
import uuid

SIMPLE = {0x01: "ascii", 0x02: "bigint", 0x03: "blob", 0x04: "boolean", 0x05: "counter", 0x06: "decimal",
          0x07: "double", 0x08: "float", 0x09: "int", 0x0B: "timestamp", 0x0C: "uuid", 0x0D: "text", 0x0E: "varint",
          0x0F: "timeuuid", 0x10: "inet", 0x11: "date", 0x12: "time", 0x13: "smallint", 0x14: "tinyint",
          0x15: "duration"}
INTEGERS = {"bigint": 8, "counter": 8, "int": 4, "timestamp": 8, "time": 8, "smallint": 2, "tinyint": 1}
MARSHAL = {"AsciiType": "ascii", "LongType": "bigint", "BytesType": "blob", "BooleanType": "boolean",
           "CounterColumnType": "counter", "DecimalType": "decimal", "DoubleType": "double", "FloatType": "float",
           "Int32Type": "int", "TimestampType": "timestamp", "UUIDType": "uuid", "UTF8Type": "text",
           "IntegerType": "varint", "TimeUUIDType": "timeuuid", "InetAddressType": "inet", "SimpleDateType": "date",
           "TimeType": "time", "ShortType": "smallint", "ByteType": "tinyint", "DurationType": "duration"}
FIXED = {"bigint": 8, "boolean": 1, "double": 8, "float": 4, "int": 4, "timestamp": 8, "uuid": 16, "timeuuid": 16}


class Malformed(Exception):
    """These bytes are not a value of that type."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise Malformed
        self.at += n
        return self.data[self.at - n:self.at]

    def int32(self):
        return struct.unpack(">i", self.take(4))[0]

    def sized(self):
        n = self.int32()
        if n < -1:
            raise Malformed
        return None if n == -1 else self.take(n)

    def done(self):
        if self.at != len(self.data):
            raise Malformed


def type_name(t):
    kind = t[0]
    if kind in ("list", "set"):
        return f"{kind}<{type_name(t[1])}>"
    if kind == "map":
        return f"map<{type_name(t[1])}, {type_name(t[2])}>"
    if kind == "tuple":
        return "tuple<" + ", ".join(type_name(e) for e in t[1]) + ">"
    if kind == "vector":
        return f"vector<{type_name(t[1])}, {t[2]}>"
    if kind == "udt":
        return t[1] + "(" + ", ".join(f"{n} {type_name(e)}" for n, e in t[2]) + ")"
    return kind if kind != "custom" else f"custom '{t[1]}'"


def from_class(name):
    """The type a custom class name stands for: vectors travel as one in protocol v4."""
    short = name.replace("org.apache.cassandra.db.marshal.", "").replace(" ", "")
    if short in MARSHAL:
        return (MARSHAL[short],)
    found = re.fullmatch(r"VectorType\((.*),(\d+)\)", short)
    if found:
        return ("vector", from_class(found.group(1)), int(found.group(2)))
    found = re.fullmatch(r"FrozenType\((.*)\)", short)
    if found:
        return from_class(found.group(1))
    found = re.fullmatch(r"(List|Set)Type\((.*)\)", short)
    if found:
        return (found.group(1).lower(), from_class(found.group(2)))
    return ("custom", name)


def text(data):
    try:
        decoded = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed
    out = json.dumps(decoded, ensure_ascii=False)[1:-1].replace("\\\"", '"').replace("'", "\\'").replace("\x7f", "\\x7f")
    return "'" + out.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\x85") + "'"


def real(data, form):
    if len(data) != struct.calcsize(form):
        raise Malformed
    value = struct.unpack(form, data)[0]
    if value != value:
        raise Malformed
    if form == ">d":
        return repr(value)
    for digits in range(1, 18):
        short = f"{value:.{digits}g}"
        try:
            if struct.pack(form, float(short)) == data:
                return repr(float(short))
        except OverflowError:  # rounded up past the largest float: take more digits
            pass
    raise Malformed


def varint(data):
    value = int.from_bytes(data, "big", signed=True)
    size = (value if value >= 0 else -value - 1).bit_length() // 8 + 1
    if not data or size != len(data):
        raise Malformed
    return str(value) if len(data) <= 4096 else "0x" + data.hex()


def vint(reader):
    first = reader.take(1)[0]
    extra = 8 - (first ^ 0xFF).bit_length()
    value = int.from_bytes(bytes([first & (0xFF >> extra if extra < 8 else 0)]) + reader.take(extra), "big")
    return (value >> 1) ^ -(value & 1)


def fixed_size(t):
    """Bytes of a value whose type says how many; None if each value says."""
    if t[0] == "vector":
        size = fixed_size(t[1])
        return None if size is None else size * t[2]
    return FIXED.get(t[0])


def vector(data, t):
    element, count = t[1], t[2]
    reader, out, size = Reader(data), [], fixed_size(element)
    for _ in range(count):
        if size is not None:
            out.append(show(reader.take(size), element))
        else:
            first = reader.take(1)[0]
            extra = 8 - (first ^ 0xFF).bit_length()
            length = int.from_bytes(bytes([first & (0xFF >> extra if extra < 8 else 0)]) + reader.take(extra), "big")
            out.append(show(reader.take(length), element))
    reader.done()
    return "[" + ", ".join(out) + "]"


def decode(data, t):
    kind = t[0]
    if kind in ("ascii", "text"):
        return text(data)
    if kind in INTEGERS:
        if len(data) != INTEGERS[kind]:
            raise Malformed
        return str(int.from_bytes(data, "big", signed=True))
    if kind == "date":
        if len(data) != 4:
            raise Malformed
        return f"day {int.from_bytes(data, 'big') - 2**31}"
    if kind == "boolean" and data in (b"\0", b"\1"):
        return "true" if data == b"\1" else "false"
    if kind == "double":
        return real(data, ">d")
    if kind == "float":
        return real(data, ">f")
    if kind == "varint":
        return varint(data)
    if kind == "decimal" and len(data) > 4:
        return f"{varint(data[4:])}e{-struct.unpack('>i', data[:4])[0]}"
    if kind in ("uuid", "timeuuid") and len(data) == 16:
        return str(uuid.UUID(bytes=bytes(data)))
    if kind == "inet" and len(data) in (4, 16):
        return str(ipaddress.ip_address(bytes(data)))
    if kind == "duration":
        reader = Reader(data)
        parts = [vint(reader) for _ in range(3)]
        reader.done()
        return "{}mo{}d{}ns".format(*parts)
    if kind == "vector":
        return vector(data, t)
    reader = Reader(data)
    if kind in ("list", "set"):
        out = [show(reader.sized(), t[1]) for _ in range(reader.int32())]
        reader.done()
        return ("[{}]" if kind == "list" else "{{{}}}").format(", ".join(out))
    if kind == "map":
        out = [show(reader.sized(), t[1]) + ": " + show(reader.sized(), t[2]) for _ in range(reader.int32())]
        reader.done()
        return "{" + ", ".join(out) + "}"
    if kind in ("tuple", "udt"):
        out = []
        for entry in t[1] if kind == "tuple" else t[2]:
            if reader.at == len(data):  # a shorter value than the type: fields added since
                break
            shown = show(reader.sized(), entry if kind == "tuple" else entry[1])
            out.append(shown if kind == "tuple" else f"{entry[0]}: {shown}")
        reader.done()
        return ("({})" if kind == "tuple" else "{{{}}}").format(", ".join(out))
    raise Malformed


def show(data, t):
    if data is None:
        return "null"
    try:
        return decode(bytes(data), t)
    except Malformed:
        return "0x" + bytes(data).hex()
