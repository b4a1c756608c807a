"""A small raw client of the native protocol v3, v4 and v5, and a server to talk to.

It exists for what drivers hide: frames and segments of any shape, requests whose answers never come, acknowledgements counted one by
one.
"""
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid
import zlib

from lib.ports import free_port

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("HELENUS", os.path.join(ROOT, "build", "helenus"))

ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED, QUERY, RESULT, PREPARE, EXECUTE, REGISTER, EVENT, BATCH = (
    0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D)
AUTH_RESPONSE, AUTH_SUCCESS = 0x0F, 0x10


class ServerError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code:#06x} {message}")
        self.code, self.message = code, message


class Server:
    """build/helenus in a data directory, on ports of its own."""

    def __init__(self, data=None, *options, log=None, env=None, binary=None, cql_port=None):
        self.own = tempfile.TemporaryDirectory(prefix="helenus-test-") if data is None else None
        self.data = data or os.path.join(self.own.name, "data")
        self.options, self.env, self.binary = options, env, binary or BINARY
        self.port, self.http_port = cql_port or free_port(), free_port()
        self.log_path = log or (self.data.rstrip("/") + ".log")
        self.process = None

    def start(self, timeout=60):
        os.makedirs(os.path.dirname(os.path.abspath(self.data)), exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data, "--dev", "--cql-port", str(self.port),
                 "--http-port", str(self.http_port), *self.options],
                stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(self.env or {})})
        end, seen = time.time() + timeout, b""
        fd = self.process.stdout.fileno()
        while b"Starting listening for CQL clients" not in seen:
            ready, _, _ = select.select([fd], [], [], max(0, end - time.time()))
            chunk = os.read(fd, 65536) if ready else b""
            if not chunk:
                self.kill()
                raise RuntimeError(f"the server did not start: {seen.decode()} {self.log_tail()}")
            seen += chunk
        self.said = seen.decode()
        return self

    def log_tail(self):
        with open(self.log_path, "rb") as log:
            return log.read()[-4000:].decode(errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self, timeout=30):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.stop()
        if self.own:
            self.own.cleanup()

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def frame(opcode, body=b"", stream=0, version=4, flags=0):
    return struct.pack(">BBhBI", version, flags, stream, opcode, len(body)) + body


def long_string(text):
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(">I", len(raw)) + raw


def short_string(text):
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(raw)) + raw


def string_map(pairs):
    return struct.pack(">H", len(pairs)) + b"".join(short_string(k) + short_string(v) for k, v in pairs.items())


def value(raw):
    return struct.pack(">i", -1) if raw is None else struct.pack(">I", len(raw)) + raw


def query_body(text, consistency=1, values=None, version=4):
    body = long_string(text) + struct.pack(">HI" if version >= 5 else ">HB", consistency, 1 if values else 0)
    if values:
        body += struct.pack(">H", len(values)) + b"".join(map(value, values))
    return body


def execute_body(statement_id, values, consistency=1, metadata_id=None):
    """With the id of the result's metadata: v5."""
    known = short_string(metadata_id) if metadata_id is not None else b""
    return (short_string(statement_id) + known + struct.pack(">HIH" if known else ">HBH", consistency, 0x03, len(values)) +
            b"".join(map(value, values)))


# -- segments of v5 -------------------------------------------------------------------------------------------------

PAYLOAD_MAX = (128 << 10) - 1


def crc24(data):
    crc = 0x875060
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1974F0B
    return crc.to_bytes(3, "little")


def crc32(data):
    return zlib.crc32(data, zlib.crc32(b"\xfa\x2d\x55\xca")).to_bytes(4, "little")


def segment(payload, self_contained=True, lz4=False, packed=None, unpacked_length=0):
    """One segment. With lz4 its payload is sent as it is, unless `packed` is a block of it."""
    body = payload if packed is None else packed
    lengths = len(body) | (unpacked_length << 17 | self_contained << 34 if lz4 else self_contained << 17)
    header = lengths.to_bytes(5 if lz4 else 3, "little")
    return header + crc24(header) + body + crc32(body)


def lz4_segment(payload, self_contained=True):
    from lz4 import block
    return segment(payload, self_contained, lz4=True, packed=block.compress(payload, store_size=False),
                   unpacked_length=len(payload))


def segments(envelopes, lz4=False):
    """Envelopes (already concatenated), or one large one, in as many segments as needed."""
    if len(envelopes) <= PAYLOAD_MAX:
        return segment(envelopes, lz4=lz4)
    return b"".join(segment(envelopes[i:i + PAYLOAD_MAX], False, lz4=lz4) for i in range(0, len(envelopes), PAYLOAD_MAX))


def open_segment(data, lz4=False):
    """(payload, is self-contained, bytes taken) of the first whole segment, or None. Checksums are asserted."""
    header = 5 if lz4 else 3
    if len(data) < header + 3:
        return None
    lengths = int.from_bytes(data[:header], "little")
    assert data[header:header + 3] == crc24(data[:header]), "CRC24"
    size, at = lengths & PAYLOAD_MAX, header + 3
    if len(data) < at + size + 4:
        return None
    body = data[at:at + size]
    assert data[at + size:at + size + 4] == crc32(body), "CRC32"
    unpacked = lengths >> 17 & PAYLOAD_MAX if lz4 else 0
    if unpacked:
        from lz4 import block
        body = block.decompress(body, uncompressed_size=unpacked)
    return body, bool(lengths >> (34 if lz4 else 17) & 1), at + size + 4


class Client:
    """With version 5, what is sent after STARTUP goes into segments unless raw=True; `segment_count` counts what came. tls: a context, and
    then the server is asked for as localhost."""

    def __init__(self, port, host="127.0.0.1", startup=True, timeout=30, compression=None, version=4, options=None, user=None, tls=None):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.pending, self.raw, self.version, self.in_segments = b"", b"", version, False
        self.lz4, self.segment_count = compression == "lz4", 0
        if startup:
            options = {"CQL_VERSION": "3.4.5", **(options or {})}
            if compression:
                options["COMPRESSION"] = compression
            self.send(frame(STARTUP, string_map(options), version=version))
            _, opcode, body = self.receive()
            assert opcode in (READY, AUTHENTICATE), (opcode, body)
            self.in_segments = version >= 5
            if user:
                opcode, body = self.call(AUTH_RESPONSE, long_string(f"\0{user}\0password"))
                assert opcode == AUTH_SUCCESS, (opcode, body)

    def close(self):
        self.socket.close()

    def send(self, data, raw=False):
        self.socket.sendall(segments(data, self.lz4) if self.in_segments and not raw else data)

    def frames(self):
        """The complete frames received so far: (stream, opcode, body)."""
        at, out = 0, []
        while len(self.pending) - at >= 9:
            _, _, stream, opcode, size = struct.unpack_from(">BBhBI", self.pending, at)
            if len(self.pending) - at - 9 < size:
                break
            out.append((stream, opcode, self.pending[at + 9:at + 9 + size]))
            at += 9 + size
        self.pending = self.pending[at:]
        return out

    def read_some(self):
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise ConnectionError("closed by the server")
        if not self.in_segments:
            self.pending += chunk
            return
        self.raw += chunk
        while True:
            opened = open_segment(self.raw, self.lz4)
            if not opened:
                return
            self.pending += opened[0]
            self.raw = self.raw[opened[2]:]
            self.segment_count += 1

    def receive_frame(self):
        """(version byte, flags, stream, opcode, body)"""
        while True:
            if len(self.pending) >= 9:
                version, flags, stream, opcode, size = struct.unpack_from(">BBhBI", self.pending)
                if len(self.pending) - 9 >= size:
                    body, self.pending = self.pending[9:9 + size], self.pending[9 + size:]
                    return version, flags, stream, opcode, body
            self.read_some()

    def exchange(self, opcode, body, flags=0, version=4):
        """One request with frame flags, and its reply."""
        self.send(frame(opcode, body, flags=flags, version=version))
        return self.next_reply()

    def next_reply(self):
        """A reply's flags, opcode, body, and what the flags put before the body."""
        while len(self.pending) < 9 or len(self.pending) - 9 < struct.unpack_from(">I", self.pending, 5)[0]:
            self.read_some()
        flags = self.pending[1]
        _, opcode, body = self.receive()
        extra, at = {}, 0
        if flags & 1:
            return flags, opcode, body, extra
        if flags & 2:
            extra["tracing"], at = uuid.UUID(bytes=body[:16]), 16
        if flags & 8:
            count, = struct.unpack_from(">H", body, at)
            at, extra["warnings"] = at + 2, []
            for _ in range(count):
                size, = struct.unpack_from(">H", body, at)
                extra["warnings"].append(body[at + 2:at + 2 + size].decode())
                at += 2 + size
        return flags, opcode, body[at:], extra
    def receive(self):
        return self.receive_frame()[2:]

    def call(self, opcode, body):
        self.send(frame(opcode, body, version=self.version))
        _, opcode, body = self.receive()
        if opcode == ERROR:
            code, size = struct.unpack_from(">IH", body)
            raise ServerError(code, body[6:6 + size].decode(errors="replace"))
        return opcode, body

    def query(self, text, values=None):
        return self.call(QUERY, query_body(text, values=values, version=self.version))[1]

    def prepare(self, text):
        body = self.call(PREPARE, long_string(text) + (b"\0\0\0\0" if self.version >= 5 else b""))[1]
        size, = struct.unpack_from(">H", body, 4)
        if self.version >= 5:
            self.metadata_id = body[8 + size:24 + size]
        return body[6:6 + size]

    def execute(self, statement_id, values):
        return rows(self.call(EXECUTE, execute_body(statement_id, values, metadata_id=self.metadata_id if self.version >= 5 else None))[1])


def rows(body):
    """The rows of a RESULT whose metadata was skipped: lists of raw values; None for a void result."""
    kind, = struct.unpack_from(">I", body)
    if kind != 2:
        return None
    flags, columns = struct.unpack_from(">II", body, 4)
    at = 12
    if flags & 2:
        size, = struct.unpack_from(">i", body, at)
        at += 4 + max(size, 0)
    assert flags & 4, "metadata was sent though it was to be skipped"
    count, = struct.unpack_from(">I", body, at)
    at += 4
    out = []
    for _ in range(count):
        row = []
        for _ in range(columns):
            size, = struct.unpack_from(">i", body, at)
            at += 4
            row.append(None if size < 0 else body[at:at + size])
            at += max(size, 0)
        out.append(row)
    return out
