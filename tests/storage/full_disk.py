"""A full disk: writes are refused with a clear error, reads go on, nothing acknowledged is lost, writes come back without a restart.

A real tmpfs of 64 MB holds the data directory and a ballast file of 40 MB. Rows are written until the server refuses them; then reads are checked;
then three times kill -9 and a start on the disk that is still full; then the ballast goes and writes must be taken again within seconds; then kill -9, restart, and every acknowledged row must be there.

Then a smaller disk is filled and freed many times while three clients write over the same rows and small memtables are flushed: each shard
must take writes again each time, the server must end when it is told to, and each row must have what was acknowledged last, or something newer.
"""
import json
import os
import re
import sys
import struct
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from brim import INSERT, WRITE_FAILURE, WRITE_TIMEOUT, Disk, health, key, make_table, missing, write_until_refused  # noqa: E402
from lib.native import QUERY, RESULT, Client, Server, ServerError, query_body  # noqa: E402

ROUNDS, ROWS, VALUE_BYTES = 16, 300, 30000


def ask_api(server, operation, body):
    """Keyspaces' API: the status and the error's name."""
    head = {"X-Amz-Target": f"KeyspacesService.{operation}", "X-Amz-Date": "20260102T030405Z", "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=K/20260102/us-east-1/cassandra/aws4_request, "
                             "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + 64 * "0"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.http_port}/", body.encode(), head), timeout=20) as reply:
            return reply.status, None
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())["__type"].partition("#")[2]


def metric(server, name, patience_s=5):
    """Once it is no longer 0."""
    end = time.time() + patience_s
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics", timeout=10) as reply:
            found = re.search(rf"^{name} (\S+)$", reply.read().decode(), re.M)
        if float(found[1]) or time.time() > end:
            return float(found[1])
        time.sleep(0.05)


class Writer(threading.Thread):
    """Writes over its own rows, each time with the next number; knows of each row what was acknowledged last."""

    def __init__(self, port, first):
        super().__init__(daemon=True)
        self.client, self.first = Client(port), first
        self.acked, self.tried, self.ends, self.broke = {}, {}, False, None

    def run(self):
        insert, n = self.client.prepare(INSERT), 0
        try:
            while not self.ends:
                n += 1
                k = self.first + n % ROWS
                self.tried[k] = n
                try:
                    self.client.execute(insert, [key(k), struct.pack(">q", n) + os.urandom(VALUE_BYTES)])
                    self.acked[k] = n
                except ServerError as e:
                    if e.code not in (WRITE_FAILURE, WRITE_TIMEOUT):
                        raise
                    time.sleep(0.02)
        except Exception as e:  # noqa: BLE001 told by the test
            self.broke = e


def wrong_rows(port, writers):
    client = Client(port)
    select = client.prepare("SELECT v FROM brim.t WHERE k = ?")
    wrong = []
    for writer in writers:
        for k, n in writer.acked.items():
            found = client.execute(select, [key(k)])
            stored = struct.unpack_from(">q", found[0][0])[0] if found else None
            if stored is None or not n <= stored <= writer.tried[k]:
                wrong.append((k, n, stored))
    client.close()
    return wrong


def fill_but(disk, left_bytes):
    """Until the disk itself says that it is full, or that much is left."""
    with open(disk.ballast, "wb") as f:
        space = os.statvfs(disk.path)
        try:
            f.write(bytes(max(0, space.f_bavail * space.f_frsize - left_bytes)))
        except OSError:
            pass


def again_and_again(top, expect):
    disk, server = Disk(top, 64, 0), None
    try:
        server = Server(os.path.join(disk.path, "data"), "--shards", "2", "--write-buffer-bytes", "2m", log=os.path.join(top, "again.log")).start()
        client = Client(server.port)
        make_table(client)
        writers = [Writer(server.port, first) for first in (0, 10000, 20000)]
        for writer in writers:
            writer.start()
        well = refused = 0
        for i in range(ROUNDS):
            time.sleep(0.5)
            fill_but(disk, 100000 + i * 130000 % 1300000)
            time.sleep(1 + i % 4 * 0.3)
            refused += health(server)[0] != 200
            disk.free()
            end = time.time() + 30
            while health(server)[0] != 200 and time.time() < end:
                time.sleep(0.1)
            if health(server)[0] != 200:
                break
            well += 1
        expect(refused >= ROUNDS // 2, f"in {refused} of {ROUNDS} rounds writes were refused")
        expect(well == ROUNDS, f"after {well} of {ROUNDS} rounds all shards took writes again: {health(server)[1].strip()}")
        for writer in writers:
            writer.ends = True
            writer.join()
        expect(not any(writer.broke for writer in writers), f"clients saw only refusals: {[writer.broke for writer in writers]}")
        count = sum(len(writer.acked) for writer in writers)
        wrong = wrong_rows(server.port, writers)
        expect(count and not wrong, f"{len(wrong)} of {count} rows have not what was acknowledged last: {wrong[:5]}")
        expect(server.stop() == 0, "the server ends when it is told to")
        server.start()
        wrong = wrong_rows(server.port, writers)
        expect(not wrong, f"after a restart {len(wrong)} of {count}: {wrong[:5]}")
        server.stop()
    finally:
        if server and server.process and server.process.poll() is None:
            server.kill()
        disk.close()


def main():
    failures = []

    def expect(condition, what):
        print(("ok " if condition else "FAILED ") + what, flush=True)
        failures.append(what) if not condition else None
        passed.append(what) if condition else None

    passed = []
    with tempfile.TemporaryDirectory(prefix="helenus-full-") as top:
        disk, server = Disk(top, 64, 40), None
        try:
            disk.fill()
            server = Server(os.path.join(disk.path, "data"), log=os.path.join(top, "log")).start()
            client = Client(server.port)
            make_table(client)
            insert = client.prepare(INSERT)
            acked = set()
            expect(health(server) == (200, "ok\n"), "/health is well before")
            codes, n = write_until_refused(client, insert, 0, acked)
            expect(codes and set(codes) <= {WRITE_TIMEOUT, WRITE_FAILURE}, f"a full disk refuses writes by name: { {hex(c): m for c, m in codes.items()} }")
            expect(len(acked) > 1000, f"{len(acked)} rows were acknowledged before")
            try:
                client.execute(insert, [key(-1), b"x"])
                expect(False, "the next write is refused")
            except ServerError as e:
                expect(e.code == WRITE_FAILURE, f"the next write is refused for certain: {e}")
            flags, opcode, _, _ = client.exchange(QUERY, query_body("SELECT k FROM brim.t LIMIT 1"), 2)
            failed = metric(server, "helenus_traces_failed_total")
            expect((flags, opcode) == (2, RESULT) and failed >= 1, f"a traced read is answered, its trace is counted as lost: {failed:.0f}")
            status, text = health(server)
            expect(status == 503 and "refuses writes" in text, f"/health is 503 and says why: {text.strip()}")
            refused = ask_api(server, "CreateKeyspace", '{"keyspaceName": "api"}')
            expect(refused == (500, "InternalServerException"), f"Keyspaces' API says that the fault is ours: {refused}")
            expect(ask_api(server, "GetTable", '{"keyspaceName": "brim", "tableName": "t"}') == (200, None), "and tells what there is")
            lost = missing(server.port, acked)
            expect(not lost, f"reads go on, {len(lost)} of {len(acked)} acknowledged rows missing")
            for _ in range(3):
                server.kill()
                server.start()
                lost = missing(server.port, acked)
                expect(not lost, f"killed and started on the full disk: {len(lost)} of {len(acked)} acknowledged rows missing")
                client = Client(server.port)
                insert = client.prepare(INSERT)
                codes, n = write_until_refused(client, insert, n, acked, limit=4000)
                expect(codes and set(codes) <= {WRITE_TIMEOUT, WRITE_FAILURE}, f"and refuses writes by name: {sorted(map(hex, codes))}")
            expect(health(server)[0] == 503, "/health says so")
            disk.free()
            back, end = None, time.time() + 60
            while back is None and time.time() < end:
                try:
                    client.execute(insert, [key(-2), b"again"])
                    back = time.time()
                    acked.add(-2)
                except ServerError:
                    time.sleep(0.2)
            expect(back is not None, f"writes come back without a restart once there is room ({60 - (end - (back or end)):.1f} s)")
            expect(health(server) == (200, "ok\n"), "/health is well again")
            made = ask_api(server, "CreateKeyspace", '{"keyspaceName": "api"}')
            expect(made in ((200, None), (409, "ConflictException")), f"and Keyspaces' API takes changes again: {made}")
            codes, n = write_until_refused(client, insert, n, acked, limit=2000)
            expect(not codes, f"and stay: {codes}")
            lost = missing(server.port, acked)
            expect(not lost, f"after it came back {len(lost)} of {len(acked)} acknowledged rows missing")
            server.kill()
            server.start()
            lost = missing(server.port, acked)
            expect(not lost, f"after kill -9 {len(lost)} of {len(acked)} acknowledged rows missing")
            server.stop()
        finally:
            if server and server.process and server.process.poll() is None:
                server.kill()
            disk.close()
        os.rmdir(disk.path)
        again_and_again(top, expect)
    print(f"{len(passed)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
