"""The disk of one shard fails while those of the others work: it alone refuses writes, its rows are read, the others serve, and it comes
back without a restart.

Shard 1 of three lies on a disk of its own:

    full     a tmpfs of 160 MB, filled by a ballast and by its rows: writing fails
    broken   a file system on a loop device whose backing is full: write() succeeds, fdatasync fails with EIO and the kernel forgets
             the pages, so the store of the shard is closed and opened again

Through it all a second client writes to the other shards, and not one of its requests may fail. Root only: it mounts.
"""
import glob
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from brim import INSERT, WRITE_FAILURE, WRITE_TIMEOUT, Disk, health, key, make_table, missing, write_until_refused  # noqa: E402
from lib.native import Client, Server, ServerError  # noqa: E402

SHARDS = 3
SMALL_KEYS = 300
passed, failures = [], []


def expect(condition, what):
    print(("ok " if condition else "FAILED ") + what, flush=True)
    (passed if condition else failures).append(what)


def shard_of(token):
    return ((token + (1 << 63)) * SHARDS) >> 64


# ---- disks ----

def shell(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Full(Disk):
    """Where a shard lies is a tmpfs."""

    def __init__(self, top):
        super().__init__(top, 160, 120)
        self.home = os.path.join(self.path, "shard")
        os.mkdir(self.home)
        self.mounts = []  # of what lies on it

    def unmount(self):
        while self.mounts:
            shell("umount", self.mounts.pop())

    def close(self):
        self.unmount()
        super().close()


class NoLoop(Exception):
    """The kernel has none to give."""


class Broken(Full):
    """Where a shard lies is a file system without a journal on a loop device; what backs that is full."""

    def __init__(self, top):
        super().__init__(top)
        image = os.path.join(self.path, "image")
        with open(image, "wb") as f:
            f.truncate(300 << 20)
        shell("mkfs.ext2", "-q", "-F", "-E", "nodiscard", image)
        if not os.path.exists("/dev/loop-control"):
            os.mknod("/dev/loop-control", 0o600 | 0o020000, os.makedev(10, 237))
        for n in range(8):
            if not os.path.exists(f"/dev/loop{n}"):
                os.mknod(f"/dev/loop{n}", 0o600 | 0o060000, os.makedev(7, n))
        try:
            self.loop = shell("losetup", "--find", "--show", image).strip()
        except (OSError, subprocess.CalledProcessError) as e:
            super().close()
            raise NoLoop(f"no loop device: {getattr(e, 'stderr', None) or e}") from e
        self.home = os.path.join(top, "home")
        os.mkdir(self.home)
        shell("mount", "-t", "ext2", "-o", "errors=continue", self.loop, self.home)
        self.mounts.append(self.home)

    def close(self):
        self.unmount()
        shell("losetup", "--detach", self.loop)
        super().close()


# ---- the others ----

class Others(threading.Thread):
    """Writes to keys of the other shards until it is told to stop; keeps what was acknowledged and what was not."""

    def __init__(self, port, keys):
        super().__init__()
        self.client, self.keys = Client(port), keys
        self.insert = self.client.prepare(INSERT)
        self.done, self.failed, self.stops = 0, [], False

    def run(self):
        while not self.stops:
            for k in self.keys:
                try:
                    self.client.execute(self.insert, [key(k), b"other"])
                    self.done += 1
                except (ServerError, OSError) as e:
                    self.failed.append(f"{k}: {e}")
                    if isinstance(e, OSError):
                        return
        self.client.close()

    def take_turns(self, count=200):
        """Until it has done so many more."""
        goal, end = self.done + count, time.time() + 60
        while self.done < goal and time.time() < end and self.is_alive():
            time.sleep(0.01)
        return self.done >= goal


# ---- one case ----

def tokens(client):
    statement = client.prepare("SELECT token(k) FROM brim.t WHERE k = ?")
    return {k: struct.unpack(">q", client.execute(statement, [key(k)])[0][0])[0] for k in range(SMALL_KEYS)}


def code_of(client, statement, values):
    try:
        client.execute(statement, values)
        return None
    except ServerError as e:
        return e.code


def has(client, statement, k):
    return bool(client.execute(statement, [key(k)]))


def while_it_fails(server, client, insert, own, others, acked):
    codes = {code_of(client, insert, [key(k), b"own"]) for k in own[:50]}
    expect(codes == {WRITE_FAILURE}, f"it refuses writes for certain: {codes}")
    status, text = health(server)
    expect(status == 503 and re.findall(r"shard (\d+) refuses writes", text) == ["1"], f"/health names it alone: {text.strip()}")
    expect(others.take_turns(), f"the others take writes: {others.done}")
    lost = missing(server.port, acked)
    expect(not lost, f"its rows and theirs are read: {len(lost)} of {len(acked)} missing")
    count = count_rows(server.port)
    expect(count >= len(acked), f"and scanned: {count}")


def count_rows(port):
    client = Client(port, timeout=60)
    body = client.query("SELECT count(*) FROM brim.t")
    client.close()
    return struct.unpack(">q", body[-8:])[0]


def comes_back(client, insert, k):
    end = time.time() + 60
    while time.time() < end:
        if code_of(client, insert, [key(k), b"again"]) is None:
            return True
        time.sleep(0.1)
    return False


def settles(client, select, pair):
    """Of an unfinished batch all or nothing is there in the end."""
    end = time.time() + 60
    while time.time() < end:
        there = [has(client, select, k) for k in pair]
        if there in ([True, True], [False, False]):
            return True
        time.sleep(0.1)
    return False


def case(name, disk, data, log):
    print(f"-- {name}")
    server = Server(data, "--shards", str(SHARDS), log=log).start()
    try:
        client = Client(server.port)
        make_table(client)
        insert = client.prepare(INSERT)
        acked = set()
        for k in range(SMALL_KEYS):
            client.execute(insert, [key(k), b"small"])
            acked.add(k)
        of = tokens(client)
        server.stop()
        shard, = glob.glob(os.path.join(data, "**", "shard-0001*"), recursive=True)
        shutil.copytree(shard, disk.home, dirs_exist_ok=True)
        shutil.rmtree(shard)
        os.mkdir(shard)
        shell("mount", "--bind", disk.home, shard)
        disk.mounts.append(shard)
        disk.fill()
        server.start()
        client = Client(server.port)
        insert = client.prepare(INSERT)
        select = client.prepare("SELECT k FROM brim.t WHERE k = ?")
        both = client.prepare("BEGIN BATCH INSERT INTO brim.t (k, v) VALUES (?, ?); INSERT INTO brim.t (k, v) VALUES (?, ?); APPLY BATCH")
        own = [k for k in of if shard_of(of[k]) == 1]
        others = Others(server.port, [k for k in of if shard_of(of[k]) != 1])
        others.start()
        codes, _ = write_until_refused(client, insert, SMALL_KEYS, acked, limit=100000)
        expect(codes and set(codes) <= {WRITE_TIMEOUT, WRITE_FAILURE}, f"writes are refused by name: {sorted(map(hex, codes))}")
        expect(len(acked) > 1000, f"{len(acked)} rows were acknowledged before")
        while_it_fails(server, client, insert, own, others, acked)
        pairs = [(200000 + 2 * i, 200001 + 2 * i) for i in range(30)]
        codes = [code_of(client, both, [key(a), b"batch", key(b), b"batch"]) for a, b in pairs]
        expect(any(codes) and set(codes) <= {None, WRITE_TIMEOUT, WRITE_FAILURE}, f"logged batches over shards: {codes.count(None)} of {len(codes)} taken")
        acked |= {k for pair, code in zip(pairs, codes) if code is None for k in pair}
        disk.free()
        expect(comes_back(client, insert, own[0]), "it takes writes again")
        expect(health(server) == (200, "ok\n"), "/health is well again")
        expect(all(settles(client, select, pair) for pair in pairs), "every batch is there whole or not at all")
        codes = {code_of(client, insert, [key(k), b"own"]) for k in own}
        expect(codes == {None}, f"and goes on taking them: {codes}")
        expect(others.take_turns(), "the others went on")
        others.stops = True
        others.join()
        expect(others.done > 0 and not others.failed, f"not one of the others' {others.done} writes failed: {others.failed[:3]}")
        lost = missing(server.port, acked)
        expect(not lost, f"{len(lost)} of {len(acked)} acknowledged rows missing")
        server.kill()
        server.start()
        lost = missing(server.port, acked)
        expect(not lost, f"after kill -9 {len(lost)} of {len(acked)} acknowledged rows missing")
        expect(server.stop() == 0, "it stops as asked")
    finally:
        if server.process and server.process.poll() is None:
            server.kill()


def main():
    skipped = 0
    for kind in (Full, Broken):
        with tempfile.TemporaryDirectory(prefix="helenus-shard-") as top:
            try:
                disk = kind(top)
            except NoLoop as e:
                print(f"skipped: {e}")
                skipped += 1
                continue
            try:
                case(kind.__name__.lower(), disk, os.path.join(top, "data"), os.path.join(top, "log"))
                with open(os.path.join(top, "log")) as f:
                    text = f.read()
                expect(set(re.findall(r"shard (?:refuses writes|takes writes again) shard=(\d+)", text)) == {"1"}, "the log names it")
            except BaseException:
                if os.path.exists(os.path.join(top, "log")):
                    sys.stdout.write(open(os.path.join(top, "log")).read()[-3000:])
                raise
            finally:
                disk.close()
    print(f"{len(passed)} passed, {len(failures)} failed, {skipped} skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
