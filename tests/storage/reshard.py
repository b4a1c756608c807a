"""`helenus reshard`: data of every kind, from 1, 2, 3 and 8 shards to 1, 2, 5 and 8, read whole by the Python driver before and after, row by
row, in order, with write times and expiry. Killed at random moments and at each of its steps, all of it is there and the next run ends well;
pages begun before go on after; nothing is readable on the disk; what can't be done is exit code 2 and changes nothing.

    build/venv/bin/python tests/storage/reshard.py [SEED]
"""
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile  # noqa: E402
from cassandra.policies import RoundRobinPolicy  # noqa: E402
from cassandra.query import SimpleStatement, tuple_factory  # noqa: E402
from lib.native import BINARY, Server  # noqa: E402
from security.plaintext import files_under, search  # noqa: E402

SWITCHES = BINARY + "-switches"
STEPS = {"begun": "old", "loaded": "old", "loaded 2": "old", "built": "old", "built 3": "old", "compared": "old",
         "switched": "new", "removed": "new"}
SECRET = "Xq7ReshardTokenNobodyElseWrites"
passed, failures = [], []


def expect(ok, what):
    (passed if ok else failures).append(what)
    print(("ok " if ok else "FAILED ") + what, flush=True)


def connect(server):
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60, row_factory=tuple_factory)
    cluster = Cluster(["127.0.0.1"], port=server.port, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    return cluster, cluster.connect()


def post(server, word):
    subprocess.run([BINARY, word, server.data], check=True, capture_output=True, timeout=60)


def reshard(data, count, *options, binary=BINARY, env=None):
    return subprocess.run([binary, "reshard", data, "--shards", str(count), *options], capture_output=True, text=True,
                          timeout=300, env={**os.environ, **(env or {})})


def check(data):
    done = subprocess.run([BINARY, "check", data], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def tree(data):
    out = {}
    for path in files_under(data):
        if os.path.basename(path) != "LOCK":
            with open(path, "rb") as f:
                out[os.path.relpath(path, data)] = hash(f.read())
    return out


# -- the data ---------------------------------------------------------------------------------------------------------

DUMPS = [
    "SELECT * FROM rs.kinds", "SELECT k, c, writetime(v), writetime(s), ttl(v), ttl(s), writetime(u) FROM rs.kinds",
    "SELECT DISTINCT k, s FROM rs.kinds", "SELECT token(k), k, v, writetime(v), ttl(v) FROM rs.plain",
    "SELECT * FROM rs.counts", "SELECT * FROM rs.lwt", "SELECT id, v, writetime(v) FROM rs.lwt", "SELECT * FROM rs.numbers",
    "SELECT * FROM rs.cut", "SELECT count(*) FROM rs.plain", "SELECT keyspace_name, table_name, id FROM system_schema.tables",
    "SELECT * FROM system_schema.columns", "SELECT * FROM system_schema.types",
]


def fill(server, draw, more=0):
    cluster, session = connect(server)
    run = session.execute
    run("CREATE KEYSPACE rs WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    run("CREATE TYPE rs.place (street text, number int)")
    run("CREATE TABLE rs.kinds (k text, c int, s text static, v text, l list<text>, st set<int>, m map<text, int>, u frozen<place>, "
        "w place, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)")
    run("CREATE TABLE rs.plain (k bigint PRIMARY KEY, v text)")
    run("CREATE TABLE rs.counts (k int, c int, n counter, PRIMARY KEY (k, c))")
    run("CREATE TABLE rs.lwt (id int PRIMARY KEY, v int)")
    run("CREATE TABLE rs.numbers (a decimal, b varint, c decimal, v int, PRIMARY KEY ((a, b), c))")
    for name in ("gone", "cut"):
        run(f"CREATE TABLE rs.{name} (k int PRIMARY KEY, v text)")
    plain = session.prepare("INSERT INTO rs.plain (k, v) VALUES (?, ?)")
    dying = session.prepare("INSERT INTO rs.plain (k, v) VALUES (?, ?) USING TTL 90000")
    kinds = session.prepare("INSERT INTO rs.kinds (k, c, v, l, st, m, u, w) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?")
    pending = [session.execute_async(dying if i % 7 == 0 else plain, (draw.randrange(-2**63, 2**63), SECRET + str(i)))
               for i in range(4000)]
    for i in range(400):
        key, place = f"k{draw.randrange(60)}", (f"street {i}", i)
        pending.append(session.execute_async(kinds, (key, draw.randrange(30), f"v{i}", [f"a{i}", "b"], {i, i + 1}, {"x": i}, place, place,
                                                     1_000_000 + i, 80000 if i % 5 == 0 else 0)))
    for i in range(200):
        pending.append(session.execute_async(f"UPDATE rs.counts SET n = n + {i} WHERE k = {i % 23} AND c = {i % 3}"))
        pending.append(session.execute_async(f"INSERT INTO rs.numbers (a, b, c, v) VALUES ({i % 9}.{'0' * (i % 3)}, {10 ** (i % 40)}, {i}.50, {i})"))
        for name in ("gone", "cut"):
            pending.append(session.execute_async(f"INSERT INTO rs.{name} (k, v) VALUES ({i}, 'must not come back')"))
    for future in pending:
        future.result()
    for at in range(0, more, 1000):
        for future in [session.execute_async(plain, (draw.randrange(-2**63, 2**63), SECRET + draw.randbytes(150).hex())) for _ in range(1000)]:
            future.result()
    post(server, "flush")
    for i in range(60):
        run(f"UPDATE rs.kinds USING TIMESTAMP 5000000 SET s = 'static {i}' WHERE k = 'k{i}'")
        run(f"UPDATE rs.kinds USING TIMESTAMP 5000001 SET l = l + ['more'], m['y'] = {i}, st = st - {{{i}}}, w.number = {-i} WHERE k = 'k{i}' AND c = {i % 30}")
        run(f"INSERT INTO rs.lwt (id, v) VALUES ({i}, 0) IF NOT EXISTS")
        run(f"UPDATE rs.lwt SET v = {i} WHERE id = {i} IF v = 0")
    for i in range(0, 60, 3):
        run(f"DELETE FROM rs.kinds USING TIMESTAMP 5000002 WHERE k = 'k{i}' AND c > {i % 20} AND c <= {i % 20 + 6}")
        run(f"DELETE v FROM rs.kinds USING TIMESTAMP 5000003 WHERE k = 'k{i + 1}' AND c = {i % 30}")
    run("DELETE FROM rs.kinds USING TIMESTAMP 5000004 WHERE k = 'k9'")
    run("DELETE FROM rs.counts WHERE k = 5")
    run("DROP TABLE rs.gone")
    run("TRUNCATE rs.cut")
    run("INSERT INTO rs.cut (k, v) VALUES (1, 'after')")
    run("ALTER TABLE rs.plain ADD late int")
    cluster.shutdown()


def dump(session):
    """Every table whole, in the order it comes; expiry instead of TTL."""
    out = []
    for text in DUMPS:
        now, dying = int(time.time()), "ttl(v)" in text
        rows = [list(row) for row in session.execute(SimpleStatement(text, fetch_size=173))]
        if dying:
            names = [part.strip() for part in text[len("SELECT "):text.index(" FROM")].split(",")]
            at = [i for i, name in enumerate(names) if name.startswith("ttl(")]
            rows = [[value + now if i in at and value is not None else value for i, value in enumerate(row)] for row in rows]
        out.append((text, rows))
    return out


def differences(before, after):
    out = []
    for (text, old), (_, new) in zip(before, after):
        if len(old) != len(new):
            out.append(f"{text}: {len(old)} rows, then {len(new)}")
            continue
        for a, b in zip(old, new):
            same = len(a) == len(b) and all(
                x == y or ("ttl(v)" in text and isinstance(x, int) and isinstance(y, int) and x > 1_500_000_000 and abs(x - y) <= 2 and x < 1 << 33)
                for x, y in zip(a, b))
            if not same:
                out.append(f"{text}: {a} became {b}")
                break
    return out


def served(data, before, shards=None):
    """What differs, when it is served."""
    server = Server(data, *(["--shards", str(shards)] if shards else [])).start()
    try:
        cluster, session = connect(server)
        found = differences(before, dump(session))
        cluster.shutdown()
        return found
    finally:
        server.stop()


def make(top, name, shards, draw, more=0):
    data = os.path.join(top, name)
    server = Server(data, "--shards", str(shards)).start()
    fill(server, draw, more)
    cluster, session = connect(server)
    before = dump(session)
    cluster.shutdown()
    server.kill()  # some of it is in the log only
    return data, before


# -- the tests --------------------------------------------------------------------------------------------------------

def all_counts(top, draw):
    for shards in (1, 2, 3, 8):
        data, before = make(top, f"from{shards}", shards, draw)
        expect(sum(len(rows) for _, rows in before) > 5000, f"{shards} shards: {sum(len(rows) for _, rows in before)} rows are read whole")
        now = shards
        for count in (1, 2, 5, 8, shards):
            done = reshard(data, count)
            wrong = served(data, before, count) if done.returncode == 0 else [done.stderr]
            code, said = check(data)
            expect(not wrong and code == 0 and f"shards={count} " in said, f"from {now} to {count}: {wrong[:1] or 'all is there'}, {said.strip()}")
            now = count
        shutil.rmtree(data)


def pages_go_on(top, draw):
    data, before = make(top, "pages", 3, draw)
    texts = ["SELECT k, v FROM rs.plain", "SELECT k, c, v FROM rs.kinds", "SELECT DISTINCT k FROM rs.kinds",
             "SELECT k, c FROM rs.kinds PER PARTITION LIMIT 2", "SELECT k FROM rs.plain WHERE token(k) > -4000000000000000000 LIMIT 900"]
    server, states = Server(data).start(), []
    cluster, session = connect(server)
    for text in texts:
        for size in (1, 7, 100):
            want, statement = [tuple(r) for r in session.execute(SimpleStatement(text, fetch_size=5000))], SimpleStatement(text, fetch_size=size)
            result = session.execute(statement)
            for _ in range(draw.randrange(20)):
                after = session.execute(statement, paging_state=result.paging_state) if result.has_more_pages else None
                if after and after.has_more_pages:
                    result = after
            states.append((text, size, result.paging_state, want, list(result.current_rows)[-1]))
    cluster.shutdown()
    server.stop()
    wrong = []
    for count in (3, 5, 1):
        assert count == 3 or reshard(data, count).returncode == 0
        server = Server(data).start()
        cluster, session = connect(server)
        for text, size, state, want, last in states:
            rest = [tuple(r) for r in session.execute(SimpleStatement(text, fetch_size=size), paging_state=state)] if state else []
            if state and rest != want[want.index(tuple(last)) + 1:]:
                wrong.append((count, text, size, len(rest), len(want)))
        cluster.shutdown()
        server.stop()
    expect(not wrong and sum(1 for s in states if s[2]) > 9, f"{len(states)} pages begun on 3 shards go on after a restart, on 5 and on 1: {wrong[:2]}")
    shutil.rmtree(data)


def kills(top, draw):
    data, before = make(top, "killed", 2, draw, 40000)
    begin = time.time()
    assert reshard(data, 3).returncode == 0
    whole, now, wrong, ends = time.time() - begin, 3, [], {"old": 0, "new": 0}
    for round_ in range(14):
        count = draw.choice([n for n in (1, 2, 4, 5, 8) if n != now])
        process = subprocess.Popen([BINARY, "reshard", data, "--shards", str(count)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(0, whole * 1.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        readable = [p for p in search(files_under(data), [SECRET]).values()]
        if readable:
            wrong.append(f"round {round_}: readable in {readable}")
        if round_ % 2:
            code, said = check(data)
            if code:
                wrong.append(f"round {round_}: {said}")
        if round_ % 3 == 2:  # again at once, before anybody serves it
            done = reshard(data, count)
            if done.returncode:
                wrong.append(f"round {round_}: {done.stderr}")
        wrong += served(data, before)
        with open(os.path.join(data, "SHARDS")) as f:
            found = int(f.read().split()[0])
        if found not in (now, count) or len([n for n in os.listdir(data) if n.startswith("shard-")]) != found:
            wrong.append(f"round {round_}: {found} shards, {sorted(os.listdir(data))}")
        ends["new" if found == count else "old"] += 1
        now = found
    expect(not wrong, f"kill -9 at 14 random moments of {whole:.1f} s: all is there, then {ends}: {wrong[:2]}")
    shutil.rmtree(data)


def batches(top, draw):
    """Logged batches over all shards, kill -9, and no start in between: what the log still holds is finished before anything moves."""
    data, groups, width = os.path.join(top, "batches"), 12, 8
    acked, wrong = [0] * groups, []
    for round_, count in enumerate((5, 2, 8, 1, 3)):
        server = Server(data, *(["--shards", "3"] if not round_ else [])).start()
        cluster, session = connect(server)
        if not round_:
            session.execute("CREATE KEYSPACE rs WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            session.execute("CREATE TABLE rs.b (k int PRIMARY KEY, v int)")
        stop = threading.Event()

        def write(group):
            while not stop.is_set():
                n = acked[group] + 1
                rows = "".join(f"INSERT INTO rs.b (k, v) VALUES ({group * width + i}, {n}); " for i in range(width))
                try:
                    session.execute(f"BEGIN BATCH {rows} APPLY BATCH")
                    acked[group] = n
                except Exception:
                    return
        threads = [threading.Thread(target=write, args=(group,)) for group in range(groups)]
        for thread in threads:
            thread.start()
        time.sleep(draw.uniform(0.2, 0.6))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        cluster.shutdown()
        done = reshard(data, count)
        server = Server(data).start()
        cluster, session = connect(server)
        values = dict(tuple(row) for row in session.execute("SELECT k, v FROM rs.b"))
        for group in range(groups):
            found = {values.get(group * width + i) for i in range(width)}
            if done.returncode or len(found) != 1:
                wrong.append((round_, group, found, acked[group], done.stderr))
            elif (found := found.pop() or 0) not in (acked[group], acked[group] + 1):
                wrong.append((round_, group, found, acked[group]))
            acked[group] = found if isinstance(found, int) else acked[group]
        cluster.shutdown()
        server.stop()
    expect(not wrong and sum(acked) > 200, f"logged batches, killed and moved at once, 5 times: {sum(acked)} batches are whole or not there: {wrong[:2]}")
    shutil.rmtree(data)


def named_steps(top, draw):
    data, before = make(top, "steps", 2, draw)
    now = 2
    for step, stands in STEPS.items():
        count = 5 if now != 5 else 3
        done = reshard(data, count, binary=SWITCHES, env={"HELENUS_TEST_KILL": step})
        killed = done.returncode == -signal.SIGKILL
        code, said = check(data)
        wrong = served(data, before)
        with open(os.path.join(data, "SHARDS")) as f:
            found = int(f.read().split()[0])
        right = found == (now if stands == "old" else count)
        strays = len([n for n in os.listdir(data) if n.startswith("shard-")]) != found
        told = ("left by a reshard" in said) == (step not in ("begun", "removed"))
        expect(killed and code == 0 and told and not wrong and right and not strays,
               f"killed at '{step}': the {stands} shards, all is there {wrong[:1]} {'' if killed else done}")
        now = found
    shutil.rmtree(data)


def refusals(top, draw):
    data, before = make(top, "refused", 2, draw)
    files = tree(data)

    def refused(done, words, what):
        lines = [line for line in done.stderr.splitlines() if " error store: " not in line]  # the log of what was opened
        expect(done.returncode == 2 and len(lines) == 1 and words in lines[0] and not done.stdout, f"{what}: {lines}")
    for options in ([], ["--shards"], ["--shards", "0"], ["--shards", "1025"], ["--shards", "two"], ["--shards", "-1"], ["--shards", "3", "x", "y"]):
        done = subprocess.run([BINARY, "reshard", data, *options], capture_output=True, text=True)
        refused(done, "cannot reshard", f"reshard DIR {' '.join(options)}")
    refused(reshard(os.path.join(top, "none"), 3), "No such file", "no directory")
    os.mkdir(os.path.join(top, "other"))
    refused(reshard(os.path.join(top, "other"), 3), "not a data directory", "a directory of something else")
    os.rename(data + "/master.key", top + "/key")
    refused(reshard(data, 3), "master.key", "without the key")
    with open(top + "/wrong", "wb") as f:
        f.write(os.urandom(32))
    os.chmod(top + "/wrong", 0o600)
    refused(reshard(data, 3, "--key-file", top + "/wrong"), "key", "with another key")
    os.rename(top + "/key", data + "/master.key")
    os.chown(data + "/FORMAT", 4711, 4711)
    refused(reshard(data, 3), "belongs to user 4711", "somebody else's directory")
    os.chown(data + "/FORMAT", os.geteuid(), os.getegid())
    expect(tree(data) == files, "and nothing was changed by any of it")
    done = subprocess.run([BINARY, "serve", "--data", data, "--dev", "--shards", "5"], capture_output=True, text=True, timeout=30)
    expect(done.returncode == 2 and f"run helenus reshard {data} --shards 5" in done.stderr, f"serve with another number says what to do: {done.stderr.strip()}")
    with Server(data) as server:
        refused(reshard(data, 3), "in use", "while it is served")
        cluster, session = connect(server)
        wrong = differences(before, dump(session))
        cluster.shutdown()
    expect(not wrong, f"all is there {wrong[:1]}")
    done = reshard(data, 2)
    expect(done.returncode == 0 and "has 2 shards already" in done.stdout, f"the same number: {done.stdout.strip()}")
    os.rename(data + "/master.key", top + "/key")
    done = reshard(data, 4, "--key-file", top + "/key")
    expect(done.returncode == 0 and not os.path.exists(data + "/master.key"), "with the key elsewhere")
    os.rename(top + "/key", data + "/master.key")
    lines = done.stderr.splitlines()
    expect(lines[0].startswith("copying 0 %") and lines[-1].startswith("comparing 100 %") and len(lines) <= 24, f"not on a terminal: plain lines of progress: {lines}")
    main_end, end = pty.openpty()
    process = subprocess.Popen([BINARY, "reshard", data, "--shards", "3"], stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    shown = b""
    try:
        while chunk := os.read(main_end, 65536):
            shown += chunk
    except OSError:
        pass
    expect(process.wait() == 0 and b"\r" in shown and b"####" in shown and b"100 %" in shown, f"on a terminal: a bar, {len(shown)} bytes")
    expect(not served(data, before, 3), "and all is there")
    shutil.rmtree(data)


def full_disk(top, draw):
    disk = os.path.join(top, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], check=True)
    try:
        data, before = make(disk, "data", 2, draw)
        served(data, before)
        files = tree(data)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        with open(os.path.join(disk, "ballast"), "wb") as f:
            f.write(b"\0" * (free - (6 << 20)))
        done = reshard(data, 3)
        expect(done.returncode == 2 and "MB are free" in done.stderr, f"without space nothing begins: {done.stderr.splitlines()[-1:]}")
        expect(len(os.listdir(data)) == len({p.split(os.sep)[0] for p in files} | {"LOCK"}), "and nothing is left")
        os.unlink(os.path.join(disk, "ballast"))
        wrong = served(data, before)
        done = reshard(data, 3)
        expect(not wrong and done.returncode == 0 and not served(data, before, 3), f"with space it ends well {wrong[:1]} {done.stderr.splitlines()[-1:]}")
    finally:
        subprocess.run(["umount", disk], check=True)


def main():
    seed = int(sys.argv[1]) if sys.argv[1:] else random.randrange(1 << 30)
    draw = random.Random(seed)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="helenus-reshard-") as top:
        for test in (all_counts, pages_go_on, kills, batches, named_steps, refusals, full_disk):
            begin = time.time()
            test(top, draw)
            print(f"   {test.__name__}: {time.time() - begin:.0f} s", flush=True)
    print(f"{len(passed)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
