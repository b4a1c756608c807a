"""A small raw client of the native protocol v4, and a server to talk to.

It exists for what drivers hide: frames of any shape, requests whose answers never come, acknowledgements counted one by one.
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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("HELENUS", os.path.join(ROOT, "build", "helenus"))

ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED, QUERY, RESULT, PREPARE, EXECUTE, REGISTER, EVENT, BATCH = (
    0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D)


class ServerError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code:#06x} {message}")
        self.code, self.message = code, message


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f"the server did not start: {seen.decode()} {self.log_tail()}")
            seen += chunk
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


def query_body(text, consistency=1, values=None):
    body = long_string(text) + struct.pack(">HB", consistency, 1 if values else 0)
    if values:
        body += struct.pack(">H", len(values)) + b"".join(map(value, values))
    return body


def execute_body(statement_id, values, consistency=1):
    return (short_string(statement_id) + struct.pack(">HBH", consistency, 0x03, len(values)) + b"".join(map(value, values)))


class Client:
    def __init__(self, port, host="127.0.0.1", startup=True, timeout=30, compression=None):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""
        if startup:
            options = {"CQL_VERSION": "3.4.5"}
            if compression:
                options["COMPRESSION"] = compression
            self.send(frame(STARTUP, string_map(options)))
            _, opcode, body = self.receive()
            assert opcode in (READY, AUTHENTICATE), (opcode, body)

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

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
        self.pending += chunk

    def receive(self):
        while True:
            if len(self.pending) >= 9:
                _, _, stream, opcode, size = struct.unpack_from(">BBhBI", self.pending)
                if len(self.pending) - 9 >= size:
                    body, self.pending = self.pending[9:9 + size], self.pending[9 + size:]
                    return stream, opcode, body
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

    def call(self, opcode, body):
        self.send(frame(opcode, body))
        _, opcode, body = self.receive()
        if opcode == ERROR:
            code, size = struct.unpack_from(">IH", body)
            raise ServerError(code, body[6:6 + size].decode(errors="replace"))
        return opcode, body

    def query(self, text, values=None):
        return self.call(QUERY, query_body(text, values=values))[1]

    def prepare(self, text):
        body = self.call(PREPARE, long_string(text))[1]
        size, = struct.unpack_from(">H", body, 4)
        return body[6:6 + size]

    def execute(self, statement_id, values):
        return rows(self.call(EXECUTE, execute_body(statement_id, values))[1])


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
