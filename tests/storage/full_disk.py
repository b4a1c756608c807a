"""A full disk: writes are refused with a clear error, reads go on, nothing acknowledged is lost, writes come back without a restart.

A real tmpfs of 64 MB holds the data directory and a ballast file of 40 MB. Rows are written until the server refuses them; then reads are checked;
then three times kill -9 and a start on the disk that is still full; then the ballast goes and writes must be taken again within seconds; then kill -9, restart, and every acknowledged row must be there.
"""
import os
import re
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from brim import INSERT, WRITE_FAILURE, WRITE_TIMEOUT, Disk, health, key, make_table, missing, write_until_refused  # noqa: E402
from lib.native import QUERY, RESULT, Client, Server, ServerError, query_body  # noqa: E402


def metric(server, name, patience_s=5):
    """Once it is no longer 0."""
    end = time.time() + patience_s
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics", timeout=10) as reply:
            found = re.search(rf"^{name} (\S+)$", reply.read().decode(), re.M)
        if float(found[1]) or time.time() > end:
            return float(found[1])
        time.sleep(0.05)


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
    print(f"{len(passed)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
