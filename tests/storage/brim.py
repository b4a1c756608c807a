"""Rows until a disk is full: what the tests of full and broken disks share. They live in brim.t (k bigint PRIMARY KEY, v blob)."""
import os
import struct
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import EXECUTE, RESULT, Client, execute_body, frame, rows  # noqa: E402

WRITE_TIMEOUT, WRITE_FAILURE = 0x1100, 0x1500
INSERT = "INSERT INTO brim.t (k, v) VALUES (?, ?)"


class Disk:
    """A tmpfs of some MB at TOP/disk; a ballast fills it and goes again. Root only."""

    def __init__(self, top, size_mb, ballast_mb):
        self.path = os.path.join(top, "disk")
        os.mkdir(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", self.path], check=True)
        self.ballast, self.ballast_mb = os.path.join(self.path, "ballast"), ballast_mb

    def fill(self):
        with open(self.ballast, "wb") as f:
            f.write(bytes(self.ballast_mb << 20))

    def free(self):
        os.unlink(self.ballast)

    def close(self):
        subprocess.run(["umount", self.path], check=True)


def make_table(client):
    client.query("CREATE KEYSPACE brim WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TABLE brim.t (k bigint PRIMARY KEY, v blob)")


def key(n):
    return struct.pack(">q", n)


def write_until_refused(client, statement, start, acked, limit=40000):
    """Pipelines of 64; returns the codes of the refusals, and the next key."""
    codes = {}
    n = start
    while n < start + limit and not codes:
        batch = list(range(n, n + 64))
        client.send(b"".join(frame(EXECUTE, execute_body(statement, [key(k), os.urandom(2000)]), i) for i, k in enumerate(batch)))
        for _ in batch:
            stream, opcode, body = client.receive()
            if opcode == RESULT:
                acked.add(batch[stream])
            else:
                code, = struct.unpack_from(">I", body)
                codes[code] = body[6:200]
        n += 64
    return codes, n


def health(server):
    """The status of /health, and what it says."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/health", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def missing(port, keys):
    client = Client(port)
    statement = client.prepare("SELECT k FROM brim.t WHERE k = ?")
    lost, keys = [], sorted(keys)
    for at in range(0, len(keys), 128):
        chunk = keys[at:at + 128]
        client.send(b"".join(frame(EXECUTE, execute_body(statement, [key(k)]), i) for i, k in enumerate(chunk)))
        for _ in chunk:
            stream, opcode, body = client.receive()
            if opcode != RESULT or not rows(body):
                lost.append(chunk[stream])
    client.close()
    return lost
