"""Data that memory does not hold, end to end: a disk that stands still under one shard, a data set four times the memory, and who answers
what the system has in memory. By counts and order, never by time.

    python3 tests/process/cold.py [NAME]
"""
import faulthandler
import glob
import os
import random
import re
import select
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import BINARY, EXECUTE, Client, Server, execute_body, frame, rows  # noqa: E402
from lib.runner import run_tests  # noqa: E402

SWITCHES = os.path.join(os.path.dirname(BINARY), "helenus-switches")
SMALL = ("--cache-bytes", "1m", "--row-cache-percent", "0", "--shards", "2")
MIB = 1 << 20


def metrics(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics", timeout=30) as reply:
        return {name: float(number) for name, number in re.findall(r"^(\w+) (\S+)$", reply.read().decode(), re.M)}


def flush(server):
    subprocess.run([BINARY, "flush", server.data], check=True, capture_output=True, timeout=600)


def drop_from_page_cache(directory):
    """What is written back is forgotten by the system: the next read of it is the disk's. While files are compacted, once more: what takes
    their place was written just now."""
    vanished = True
    while vanished:
        vanished = False
        for path in glob.glob(os.path.join(directory, "**", "*.sst"), recursive=True):
            try:
                fd = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                vanished = True
                continue
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def content(k, size):
    """Bytes that no compression makes smaller, known from the key."""
    return random.Random(k).randbytes(size)


class Requests:
    """Executes on one connection, so many at once."""

    def __init__(self, client, statement, depth=64):
        self.client, self.statement, self.depth = client, statement, depth

    def run(self, values_of, keys, check=lambda k, body: None):
        sent = done = 0
        keys = list(keys)
        while done < len(keys):
            while sent < len(keys) and sent - done < self.depth:
                self.client.send(frame(EXECUTE, execute_body(self.statement, values_of(keys[sent])), stream=sent % 32768))
                sent += 1
            stream, opcode, body = self.client.receive()
            assert opcode == 8, (opcode, body[:200])
            check(keys[sent - 1 - (sent - 1 - stream) % 32768], body)
            done += 1


def key(k):
    return [struct.pack(">i", k)]


def make_table(client, size, count):
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TABLE ks.t (k int PRIMARY KEY, v blob)")
    insert = client.prepare("INSERT INTO ks.t (k, v) VALUES (?, ?)")
    Requests(client, insert).run(lambda k: key(k) + [content(k, size)], range(count))


def expect(size):
    def check(k, body):
        assert content(k, size) in body, f"the row of {k} is not what was written"
    return check


def shards(client, count):
    """Of two shards: which keys are whose."""
    token = client.prepare("SELECT token(k) FROM ks.t WHERE k = ?")
    of = ([], [])
    for k in range(count):
        of[struct.unpack(">q", client.execute(token, key(k))[0][0])[0] >= 0].append(k)
    return of


def the_page_cache_is_read_on_the_loop():
    size, count = 4000, 4000
    with Server(None, *SMALL) as server:
        client = Client(server.port, timeout=120)
        make_table(client, size, count)
        flush(server)
        read = Requests(client, client.prepare("SELECT v FROM ks.t WHERE k = ?"), 8)
        read.run(key, range(count), expect(size))  # whatever was not in memory is now
        before = metrics(server)
        read.run(key, range(count), expect(size))
        after = metrics(server)
        grew = {name: after[name] - before[name] for name in after}
        assert grew["helenus_requests_waited_total"] == 0 and grew["helenus_file_reads_refused_total"] == 0, grew
        assert grew["helenus_file_reads_at_once_total"] > count / 2, grew
        drop_from_page_cache(server.data)
        before = after
        read.run(key, range(count), expect(size))
        after = metrics(server)
        grew = {name: after[name] - before[name] for name in after}
        assert grew["helenus_requests_waited_total"] > count / 4, grew
        assert grew["helenus_file_reads_refused_total"] >= grew["helenus_requests_waited_total"], grew
        assert after["helenus_worker_jobs"] == 0 and after["helenus_requests_in_flight"] == 0, after


def is_silent(client):
    return not select.select([client.socket], [], [], 0)[0]


def a_disk_that_stands_still_holds_its_own():
    """Under shard 1, with more readers than workers: 10 000 reads of shard 0 and 1000 writes of both go on, also reads of the disk."""
    size, count = 1000, 3000
    with tempfile.TemporaryDirectory(prefix="helenus-cold-") as top:
        data = os.path.join(top, "data")
        with Server(data, *SMALL) as server:
            client = Client(server.port, timeout=120)
            make_table(client, size, count)
            flush(server)
            moving, still = shards(client, count)
            directory = sorted(glob.glob(os.path.join(data, "**", "shard-0001*"), recursive=True))[0]
        control = directory + ".stalled"
        with Server(data, *SMALL, env={"HELENUS_TEST_STALL": directory}, binary=SWITCHES) as server:
            client = Client(server.port, timeout=120)
            select_v = client.prepare("SELECT v FROM ks.t WHERE k = ?")
            insert = client.prepare("INSERT INTO ks.t (k, v) VALUES (?, ?)")
            condition = client.prepare("INSERT INTO ks.t (k, v) VALUES (?, ?) IF NOT EXISTS")
            Requests(client, select_v).run(key, moving, expect(size))
            open(control, "w").close()
            waiting = [Client(server.port, timeout=120) for _ in range(40)]
            for i, one in enumerate(waiting):
                for s in range(5):
                    one.send(frame(EXECUTE, execute_body(select_v, key(still[5 * i + s])), stream=s))
            deciding = Client(server.port, timeout=120)
            deciding.send(frame(EXECUTE, execute_body(condition, key(still[300]) + [b"other"])))
            while metrics(server)["helenus_worker_jobs"] < 100 or not metrics(server)["helenus_cold_writes_total"]:
                time.sleep(0.01)
            read = Requests(client, select_v)
            for _ in range(10000 // len(moving) + 1):
                read.run(key, moving, expect(size))
            Requests(client, insert).run(lambda k: key(k) + [content(k, size)], (moving + still)[1000:2000])
            drop_from_page_cache(os.path.dirname(directory))
            before = metrics(server)["helenus_requests_waited_total"]
            Requests(client, select_v, 8).run(key, moving[:300], expect(size))
            assert metrics(server)["helenus_requests_waited_total"] > before, "nothing was read from the disk"
            assert all(is_silent(one) for one in waiting + [deciding]), "somebody was answered by a disk that stands still"
            for one in waiting[:5]:
                one.close()  # its reads come back to nobody
            os.unlink(control)
            for i, one in enumerate(waiting[5:], 5):
                for _ in range(5):
                    stream, opcode, body = one.receive()
                    assert opcode == 8 and content(still[5 * i + stream], size) in body
            opcode, body = deciding.receive()[1:]
            assert opcode == 8 and content(still[300], size) in body, "a condition was decided without the row on the disk"
            # Stopped with reads at workers: they are answered first, then it ends.
            drop_from_page_cache(os.path.dirname(directory))
            open(control, "w").close()
            last = Client(server.port, timeout=120)
            last.send(frame(EXECUTE, execute_body(select_v, key(still[1000]))))
            while not metrics(server)["helenus_worker_jobs"]:
                time.sleep(0.01)
            server.process.terminate()
            time.sleep(0.3)
            os.unlink(control)
            assert content(still[1000], size) in last.receive()[2]
            assert server.process.wait(60) == 0


def too_many_waits_are_refused():
    """The queue to the workers is bounded: one clear error, one more of a metric, and the connection goes on."""
    size, count = 1000, 3000
    with tempfile.TemporaryDirectory(prefix="helenus-cold-") as top:
        data = os.path.join(top, "data")
        with Server(data, *SMALL) as server:
            client = Client(server.port, timeout=120)
            make_table(client, size, count)
            flush(server)
            moving, still = shards(client, count)
            directory = sorted(glob.glob(os.path.join(data, "**", "shard-0001*"), recursive=True))[0]
        control = directory + ".stalled"
        with Server(data, *SMALL, "--requests-waiting", "4096", "--requests-in-flight", "8192", env={"HELENUS_TEST_STALL": directory},
                    binary=SWITCHES) as server:
            clients = [Client(server.port, timeout=120) for _ in range(4)]
            select_v = clients[0].prepare("SELECT v FROM ks.t WHERE k = ?")
            open(control, "w").close()
            for one in clients:
                for s in range(2000):
                    one.send(frame(EXECUTE, execute_body(select_v, key(still[s % len(still)])), stream=s))
            while metrics(server)["helenus_worker_jobs"] < 4096 or not metrics(server)["helenus_requests_wait_refused_total"]:
                time.sleep(0.01)
            os.unlink(control)
            refused = 0
            for one in clients:
                for _ in range(2000):
                    stream, opcode, body = one.receive()
                    if opcode == 0:
                        assert struct.unpack_from(">I", body)[0] == 0x1001 and b"Too many requests wait for the disk" in body, body
                        refused += 1
                    else:
                        assert content(still[stream % len(still)], size) in body
            assert refused == metrics(server)["helenus_requests_wait_refused_total"] > 0
            assert content(still[0], size) in clients[0].call(EXECUTE, execute_body(select_v, key(still[0])))[1]


class Group:
    """A cgroup (v1 or v2) of so much memory below our own; None of it: `usable` says why."""

    def __init__(self, limit):
        self.path, self.usable = None, "no cgroup with memory is mounted"
        for line in open("/proc/self/cgroup"):
            _, controllers, path = line.rstrip("\n").split(":", 2)
            v1 = "memory" in controllers.split(",")
            root = "/sys/fs/cgroup/memory" if v1 else "/sys/fs/cgroup"
            files = ("memory.limit_in_bytes", "memory.max_usage_in_bytes") if v1 else ("memory.max", "memory.peak")
            own = root + path.rstrip("/")
            name = os.path.join(own if os.path.isdir(own) else root, f"helenus-cold-{os.getpid()}")
            if controllers and not v1 or not os.path.isdir(root):
                continue
            try:
                os.mkdir(name)
                with open(os.path.join(name, files[0]), "w") as f:
                    f.write(str(limit))
                self.path, self.peak_file, self.usable = name, os.path.join(name, files[1]), None
                return
            except OSError as error:
                self.usable = str(error)
                if os.path.isdir(name):
                    os.rmdir(name)

    def peak(self):
        return int(open(self.peak_file).read())

    def kills(self):
        for name in ("memory.oom_control", "memory.events"):
            path = os.path.join(self.path, name)
            if os.path.exists(path):
                return int(re.search(r"^oom_kill (\d+)$", open(path).read(), re.M).group(1))
        raise AssertionError("the cgroup does not say what it killed")

    def remove(self):
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.1)


def four_times_the_memory():
    limit, size = 128 * MIB, 8000
    count = 4 * limit // size
    group = Group(limit)
    if group.usable:
        print(f"SKIPPED four_times_the_memory: {group.usable}", flush=True)
        return
    try:
        with tempfile.TemporaryDirectory(prefix="helenus-cold-", dir=os.environ.get("HELENUS_TEST_DIR")) as top:
            wrapper = os.path.join(top, "helenus")
            with open(wrapper, "w") as f:
                f.write(f"#!/bin/sh\necho $$ > {group.path}/cgroup.procs\nexec {BINARY} \"$@\"\n")
            os.chmod(wrapper, 0o755)
            with Server(os.path.join(top, "data"), binary=wrapper) as server:
                client = Client(server.port, timeout=300)
                assert metrics(server)["helenus_block_cache_max_bytes"] <= limit / 8
                make_table(client, size, count)
                flush(server)
                on_disk = int(subprocess.run(["du", "-sb", server.data], capture_output=True, text=True).stdout.split()[0])
                assert on_disk > 4 * limit, on_disk
                keys = [k * 7919 % count for k in range(3000)]
                read = Requests(client, client.prepare("SELECT v FROM ks.t WHERE k = ?"), 8)
                read.run(key, keys, expect(size))
                total = client.prepare("SELECT count(v) FROM ks.t")
                assert struct.unpack(">q", rows(client.exchange(EXECUTE, execute_body(total, []))[2])[0][0])[0] == count
                after = metrics(server)
                assert after["helenus_requests_waited_total"] > 1000, after
                assert after["helenus_block_cache_bytes"] < limit / 4, after
                assert server.rss_bytes() < limit, server.rss_bytes()
                assert group.kills() == 0 and server.process.poll() is None
                print(f"  {on_disk >> 20} MiB of data in {limit >> 20} MiB: resident {server.rss_bytes() >> 20} MiB, block cache "
                      f"{after['helenus_block_cache_bytes'] / MIB:.1f} MiB, of it pinned {after['helenus_block_cache_pinned_bytes'] / MIB:.1f} MiB, "
                      f"peak with the page cache {group.peak() >> 20} MiB", flush=True)
    finally:
        group.remove()


TESTS = [the_page_cache_is_read_on_the_loop, a_disk_that_stands_still_holds_its_own, too_many_waits_are_refused, four_times_the_memory]


def main():
    faulthandler.dump_traceback_later(240, exit=True)
    return run_tests(TESTS, traces=True)


if __name__ == "__main__":
    sys.exit(main())
