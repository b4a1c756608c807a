"""`helenus check`: sound directories are called sound, and every damage done here is found: bytes flipped in each kind of file, files cut,
emptied and gone; what can't be checked is exit code 2. Looking changes nothing. The damage is real: bytes of real files.

    python3 tests/storage/check.py [SEED]
"""
import hashlib
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import BINARY, Client, Server  # noqa: E402

SOUND, DAMAGED, CANNOT = 0, 1, 2
HEADER_BYTES = 4096  # of every encrypted file
FOOTER_BYTES = 64    # of a sorted file: has padding that no checksum covers and nobody reads
passed, failures = [], []


def expect(ok, what):
    (passed if ok else failures).append(what)
    print(("ok " if ok else "FAILED ") + what, flush=True)


def check(directory, *options):
    done = subprocess.run([BINARY, "check", directory, *options], capture_output=True, text=True, timeout=120)
    if done.returncode == CANNOT:
        lines = [line for line in done.stderr.splitlines() if line.startswith("helenus: cannot check: ")]
        assert len(lines) == 1 and done.stdout == "", done
    else:
        assert (f"{directory} is sound:" in done.stdout) == (done.returncode == SOUND), done
        assert ("what to do:" in done.stdout) == (done.returncode == DAMAGED), done
    return done


def tree(directory):
    out = {}
    for top, _, names in os.walk(directory):
        for name in names:
            if name == "control":  # a socket
                continue
            with open(os.path.join(top, name), "rb") as f:
                out[os.path.relpath(os.path.join(top, name), directory)] = hashlib.sha256(f.read()).digest()
    return out


def operate(server, word):
    subprocess.run([BINARY, word, server.data], check=True, capture_output=True, timeout=60)


def fill(data):
    """Two shards with sorted files, and a log with rows that are in none."""
    server = Server(data, "--shards", "2").start()
    client = Client(server.port)
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TYPE ks.u (a int, b text)")
    client.query("CREATE TABLE ks.t (k bigint, c int, v text, u frozen<u>, s int static, PRIMARY KEY (k, c))")
    client.query("CREATE TABLE ks.gone (k int PRIMARY KEY)")
    insert = client.prepare("INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?)")

    def rows(first, count):
        for i in range(first, first + count):
            client.execute(insert, [struct.pack(">q", i), struct.pack(">i", i % 7), b"some value %d" % i * 5])
    rows(0, 1500)
    client.query("DELETE FROM ks.t WHERE k = 3 AND c > 1")
    client.query("DELETE FROM ks.t WHERE k = 4")
    client.query("DROP TABLE ks.gone")
    operate(server, "flush")
    rows(1500, 1500)
    operate(server, "compact")
    rows(3000, 500)
    client.close()
    server.kill()


def files(data, end):
    found = [os.path.join(top, name) for top, _, names in os.walk(data) for name in names if end(name)]
    return sorted(found, key=os.path.getsize, reverse=True)


def flip(path, offset, bits=0x40):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ bits]))


def flips(data, what, path, low, high, count, draw):
    """Each place by itself; put right again afterwards."""
    missed = []
    for _ in range(count):
        offset, bits = draw.randrange(low, high), 1 << draw.randrange(8)
        flip(path, offset, bits)
        done = check(data)
        named = os.path.basename(os.path.dirname(path)) in done.stdout
        if done.returncode != DAMAGED or not named:
            missed.append((offset, bits, done.returncode))
        flip(path, offset, bits)
    expect(not missed, f"{what}: {count} flipped bits, one at a time, {len(missed)} not found {missed[:3]}")


def damage(data, what, path, change, words=""):
    kept = os.path.join(KEEP, "kept")
    (shutil.copytree if os.path.isdir(path) else shutil.copy2)(path, kept)
    change(path)
    done = check(data)
    expect(done.returncode == DAMAGED and words in done.stdout, f"{what}: found ({done.stdout.splitlines()[0] if done.stdout else done.stderr})")
    if os.path.isdir(kept):
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(kept, path)
        shutil.rmtree(kept)
    else:
        shutil.move(kept, path)


def write(text):
    def change(path):
        with open(path, "w") as f:
            f.write(text)
    return change


def crashes(top):
    """Killed while it writes, flushes and compacts: whatever lies there then is sound."""
    data = os.path.join(top, "crashed")
    unsound, unexpected = [], []
    for round_ in range(4):
        server = Server(data).start()
        client = Client(server.port)
        client.query("CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE IF NOT EXISTS ks.t (k int PRIMARY KEY, v text)")
        ends = threading.Event()

        def load(server=server, client=client, ends=ends):
            try:
                i = 0
                while True:
                    i += 1
                    client.query(f"INSERT INTO ks.t (k, v) VALUES ({i % 5000}, '{'x' * 500}')")
                    if i % 200 == 0:
                        operate(server, "flush" if i % 400 else "compact")
            except (OSError, subprocess.CalledProcessError) as e:  # its connection, or the command at work, is cut off
                if not ends.is_set():
                    unexpected.append(e)
        thread = threading.Thread(target=load)
        thread.start()
        thread.join(0.7 + 0.15 * round_)
        ends.set()
        server.kill()
        thread.join(70)
        if thread.is_alive():
            unexpected.append("the load has not ended")
        done = check(data)
        if done.returncode != SOUND:
            unsound.append(done.stdout)
    expect(not unexpected, f"the load went on until then {unexpected[:1]}")
    expect(not unsound, f"after kill -9 under load: 4 times, {len(unsound)} not sound {unsound[:1]}")


def main():
    global KEEP
    seed = int(sys.argv[1]) if sys.argv[1:] else random.randrange(1 << 30)
    draw = random.Random(seed)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="helenus-check-") as top:
        KEEP = os.path.join(top, "keep")
        os.mkdir(KEEP)
        data = os.path.join(top, "data")
        fill(data)
        before = tree(data)
        done = check(data)
        expect(done.returncode == SOUND and "shards=2" in done.stdout, f"sound after kill -9: {done.stdout.strip()}")
        expect(int(done.stdout.split("values=")[1]) >= 3490, "all values were looked at, those of the log, too")

        sorted_file = files(data, lambda n: n.endswith(".sst"))[0]
        log = files(data, lambda n: n.endswith(".log"))[0]
        manifest = files(data, lambda n: n.startswith("MANIFEST"))[0]
        current = os.path.join(os.path.dirname(sorted_file), "CURRENT")
        size = os.path.getsize(sorted_file)
        flips(data, "a header", sorted_file, 0, HEADER_BYTES, 12, draw)
        flips(data, "a sorted file", sorted_file, HEADER_BYTES, size - FOOTER_BYTES, 40, draw)
        flips(data, "the log", log, HEADER_BYTES, os.path.getsize(log), 30, draw)
        flips(data, "the log's end", log, os.path.getsize(log) - 300, os.path.getsize(log), 20, draw)
        flips(data, "the manifest", manifest, HEADER_BYTES, os.path.getsize(manifest), 20, draw)
        damage(data, "a sorted file cut in half", sorted_file, lambda p: os.truncate(p, size // 2), os.path.basename(sorted_file))
        damage(data, "a sorted file cut by one byte", sorted_file, lambda p: os.truncate(p, size - 1), os.path.basename(sorted_file))
        damage(data, "a sorted file emptied", sorted_file, lambda p: os.truncate(p, 0), os.path.basename(sorted_file))
        damage(data, "a sorted file gone", sorted_file, os.unlink, os.path.basename(os.path.dirname(sorted_file)))
        damage(data, "CURRENT cut", current, lambda p: os.truncate(p, HEADER_BYTES + 3))
        damage(data, "CURRENT emptied", current, lambda p: os.truncate(p, 0))
        damage(data, "CURRENT gone", current, os.unlink)
        damage(data, "CURRENT points elsewhere", current, lambda p: flip(p, HEADER_BYTES + 11))
        damage(data, "the manifest gone", manifest, os.unlink)
        damage(data, "SHARDS gone", os.path.join(data, "SHARDS"), os.unlink, "SHARDS: it is missing")
        damage(data, "SHARDS is nonsense", os.path.join(data, "SHARDS"), write("two\n"), "SHARDS")
        damage(data, "SHARDS says another number", os.path.join(data, "SHARDS"), write("3\n"), "shard-0002: its directory is missing")
        damage(data, "FORMAT gone", os.path.join(data, "FORMAT"), os.unlink, "FORMAT: it is missing")
        damage(data, "FORMAT is nonsense", os.path.join(data, "FORMAT"), write("x\n"), "FORMAT")
        damage(data, "a shard's directory gone", os.path.join(data, "shard-0001"), shutil.rmtree, "shard-0001: its directory is missing")
        damage(data, "a shard's directory emptied", os.path.join(data, "shard-0001"), lambda p: (shutil.rmtree(p), os.mkdir(p)), "shard-0001")

        key = os.path.join(data, "master.key")
        os.rename(key, KEEP + "/key")
        expect(check(data).returncode == CANNOT, "without the master key it can't be checked")
        expect(not os.path.exists(key), "and none is made")
        expect(check(data, "--key-file", KEEP + "/key").returncode == SOUND, "with the key from elsewhere it can")
        with open(KEEP + "/other", "wb") as f:
            f.write(os.urandom(32))
        os.chmod(KEEP + "/other", 0o600)
        expect(check(data, "--key-file", KEEP + "/other").returncode == CANNOT, "a wrong key is no damage")
        os.rename(KEEP + "/key", key)
        expect(check(os.path.join(top, "none")).returncode == CANNOT, "no directory: can't be checked")
        expect(check(KEEP).returncode == CANNOT, "a directory of something else: can't be checked")
        expect(subprocess.run([BINARY, "check"], capture_output=True).returncode == CANNOT, "no argument: exit code 2")
        with open(os.path.join(data, "FORMAT")) as f:
            written = f.read()
        write("helenus data format 99\n")(os.path.join(data, "FORMAT"))
        expect(check(data).returncode == CANNOT, "a newer format is not judged")
        write(written)(os.path.join(data, "FORMAT"))

        expect(check(data).returncode == SOUND and tree(data) == before, "put right again it is sound, and no byte has changed")
        expect(check(data, "--repair").returncode == SOUND and tree(data) == before, "there is nothing to repair, and no byte has changed")
        flip(sorted_file, HEADER_BYTES + 100)
        broken = tree(data)
        expect(check(data, "--repair").returncode == DAMAGED and tree(data) == broken, "a damaged file is told, not repaired")
        flip(sorted_file, HEADER_BYTES + 100)
        with Server(data) as server:
            done = check(data)
            expect(done.returncode == CANNOT and "in use" in done.stderr, "a directory in use is left alone")
            client = Client(server.port)
            count = len(client.execute(client.prepare("SELECT k FROM ks.t WHERE c >= ? ALLOW FILTERING"), [struct.pack(">i", 0)]))
            client.close()
            expect(3480 <= count <= 3500, f"and a server finds the rows: {count}")
        crashes(top)
    print(f"{len(passed)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
