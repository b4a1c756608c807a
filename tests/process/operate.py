"""What operators do: flush, compact, sweep, snapshot, restore, of a server at work and of one that is not; what it was asked and does not serve.

A snapshot taken under load holds every write that was acknowledged before it began, none that nobody sent, and its rows are what one
client wrote in its order: of each writer a prefix. Logged batches over two shards are there whole or not at all.

    python3 tests/process/operate.py
"""
import http.client
import os
import pwd
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import BINARY, Client, Server, free_port  # noqa: E402

DONE, FAILED, CANNOT = 0, 1, 2
SWITCHES = BINARY + "-switches"
WRITERS, BATCH_WRITERS = 4, 2


def run(*arguments, binary=BINARY, env=None, timeout=120, **options):
    return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})}, **options)


def expect(code, words, *arguments, **options):
    done = run(*arguments, **options)
    said = done.stdout + done.stderr
    assert done.returncode == code and words in said, (arguments, done)
    if code:
        assert sum(line.startswith("helenus: ") for line in done.stderr.splitlines()) == 1, done.stderr
    return done


def one_line(line, *arguments):
    """What was done, and where there is no terminal nothing else."""
    done = run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (DONE, line + "\n", ""), done


def asked(data, question):
    """The steps that a server tells of, to the last."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(os.path.join(data, "control"))
        asker.settimeout(60)
        asker.sendall(question.encode() + b"\n")
        lines = asker.makefile().read().splitlines()
    assert lines[-1].startswith("done "), lines
    return [line.removeprefix("progress ") for line in lines[:-1]]


def select(client, text):
    return client.execute(client.prepare(text), [])


def schema(client):
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TABLE ks.t (w int, n int, v text, PRIMARY KEY (w, n))")
    client.query("CREATE TABLE ks.b (k int PRIMARY KEY, n int)")


class Load:
    """Writers that count what was acknowledged: row n of writer w is written when n - 1 was acknowledged."""

    def __init__(self, port):
        self.acknowledged, self.stops, self.errors = [0] * WRITERS, False, []
        self.pairs = [0] * BATCH_WRITERS
        self.threads = [threading.Thread(target=self.guard, args=(self.write, port, w)) for w in range(WRITERS)]
        self.threads += [threading.Thread(target=self.guard, args=(self.write_pairs, port, w)) for w in range(BATCH_WRITERS)]
        for thread in self.threads:
            thread.start()

    def guard(self, body, port, w):
        try:
            body(port, w)
        except Exception as e:  # noqa: BLE001 - told by the main thread
            self.errors.append(e)

    def write(self, port, w):
        client = Client(port)
        insert = client.prepare("INSERT INTO ks.t (w, n, v) VALUES (?, ?, ?)")
        while not self.stops:
            n = self.acknowledged[w] + 1
            client.execute(insert, [struct.pack(">i", w), struct.pack(">i", n), b"row %d of %d" % (n, w)])
            self.acknowledged[w] = n
        client.close()

    def write_pairs(self, port, w):
        """Keys 2w and 2w + 1000 always say the same."""
        client = Client(port)
        while not self.stops:
            n = self.pairs[w] + 1
            client.query(f"BEGIN BATCH INSERT INTO ks.b (k, n) VALUES ({2 * w}, {n}); "
                         f"INSERT INTO ks.b (k, n) VALUES ({2 * w + 1000}, {n}); APPLY BATCH")
            self.pairs[w] = n
        client.close()

    def end(self):
        self.stops = True
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors


def check_copy(data, least, most, least_pairs):
    """least: acknowledged when the snapshot began; most: sent when it ended."""
    with Server(data) as server:
        client = Client(server.port)
        for w in range(WRITERS):
            found = select(client, f"SELECT n, v FROM ks.t WHERE w = {w}")
            numbers = [struct.unpack(">i", n)[0] for n, _ in found]
            assert numbers == list(range(1, len(numbers) + 1)), f"writer {w}: rows are missing before {numbers[-1:]}"
            assert least[w] <= len(numbers) <= most[w], (w, least[w], len(numbers), most[w])
            assert all(v == b"row %d of %d" % (n, w) for n, (_, v) in zip(numbers, found))
        for w in range(BATCH_WRITERS):
            pair = [select(client, f"SELECT n FROM ks.b WHERE k = {k}") for k in (2 * w, 2 * w + 1000)]
            assert pair[0] == pair[1], f"half a logged batch: {pair}"
            assert not least_pairs[w] or struct.unpack(">i", pair[0][0][0])[0] >= least_pairs[w]
        client.query("INSERT INTO ks.b (k, n) VALUES (77, 1)")
        client.close()


def flush_compact_and_sweep():
    with tempfile.TemporaryDirectory(prefix="helenus-operate-") as top:
        data = os.path.join(top, "data")
        with Server(data, "--shards", "2") as server:
            client = Client(server.port)
            schema(client)
            insert = client.prepare("INSERT INTO ks.t (w, n, v) VALUES (?, ?, ?)")
            for n in range(200):
                client.execute(insert, [struct.pack(">i", n % 20), struct.pack(">i", n), b"x" * 100])
            mode = os.stat(os.path.join(data, "control")).st_mode
            assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)

            def sorted_files():
                return sum(name.endswith(".sst") for _, _, names in os.walk(data) for name in names)
            before = sorted_files()
            one_line(f"{data} is flushed: shards=2", "flush", data)
            assert sorted_files() > before, "a flush makes sorted files"
            one_line(f"{data} is compacted: ks.t tables=1 shards=2", "compact", data, "ks.t")
            one_line(f"{data} is compacted: ks tables=2 shards=2", "compact", data, "ks")
            one_line(f"{data} is compacted: shards=2", "compact", data)
            one_line(f"{data} is swept: shards=2", "sweep", data)
            steps = [asked(data, question) for question in ("flush", "compact", "compact ks.t", "compact ks", "sweep")]
            assert steps == [["0 2 shards", "1 2 shards", "2 2 shards"]] + [[f"{i} {n} compactions" for i in range(n + 1)] for n in (2, 2, 4)] \
                + [["0 1 rounds", "1 1 rounds"]], steps
            expect(FAILED, "no keyspace nowhere", "compact", data, "nowhere.t")
            expect(FAILED, "no table ks.none", "compact", data, "ks.none")
            expect(CANNOT, "usage: helenus flush DIR", "flush", data, "more")
            expect(CANNOT, "usage", "compact")
            assert len(select(client, "SELECT n FROM ks.t")) == 200
            client.close()
        assert not os.path.exists(os.path.join(data, "control")), "an orderly end removes the socket"
        for command in ("flush", "compact", "sweep"):
            expect(CANNOT, "no server has", command, data)
        expect(CANNOT, "No such file", "flush", os.path.join(top, "none"))
        # kill -9 leaves the socket's name: nobody listens, and the next start takes it.
        with Server(data) as server:
            server.kill()
            assert os.path.exists(os.path.join(data, "control"))
            expect(CANNOT, "no server has", "flush", data)
            server.start()
            expect(DONE, "flush", "flush", data)


def a_bar_on_a_terminal():
    import pty
    with Server(None, "--shards", "1") as server:
        reader, terminal = pty.openpty()
        subprocess.run([BINARY, "compact", server.data], stderr=terminal, stdout=subprocess.DEVNULL, check=True, timeout=60)
        os.close(terminal)
        seen = os.read(reader, 65536)
        os.close(reader)
        assert b"\rcompact [" in seen and b"100 %" in seen, seen


def only_root_and_the_own_user():
    """The socket's mode says no before; here it says yes, and so do the directories: what is left is who asks."""
    if os.geteuid():
        print("  (not root: skipped)")
        return
    with Server(None) as server:
        socket_path = os.path.join(server.data, "control")

        def ask():
            """As nobody, in a process of its own."""
            reader, writer = os.pipe()
            if os.fork() == 0:
                try:
                    os.setgroups([])
                    os.setgid(pwd.getpwnam("nobody").pw_gid)
                    os.setuid(pwd.getpwnam("nobody").pw_uid)
                    with socket.socket(socket.AF_UNIX) as asker:
                        asker.connect(socket_path)
                        asker.settimeout(20)
                        asker.sendall(b"flush\n")
                        os.write(writer, asker.recv(1000))
                except BaseException as e:  # noqa: BLE001 - told to the parent
                    os.write(writer, repr(e).encode())
                os._exit(0)
            os.close(writer)
            os.wait()
            said = os.read(reader, 1000).decode()
            os.close(reader)
            return said
        for path in (server.own.name, server.data):
            os.chmod(path, 0o755)
        assert "PermissionError" in ask(), "the socket's mode"
        os.chmod(socket_path, 0o666)
        assert "error only root" in ask(), "the peer's user"
        expect(DONE, "flush", "flush", server.data)
        assert "refused" in server.log_tail()


def snapshot_under_load():
    with tempfile.TemporaryDirectory(prefix="helenus-operate-") as top:
        data, copies = os.path.join(top, "data"), []
        with Server(data, "--shards", "2") as server:
            client = Client(server.port)
            schema(client)
            load = Load(server.port)
            for i in range(4):
                time.sleep(0.4)
                target = os.path.join(top, f"copy{i}")
                least, least_pairs = list(load.acknowledged), list(load.pairs)
                expect(DONE, "is a snapshot of", "snapshot", data, target)
                copies.append((target, least, [n + 1 for n in load.acknowledged], least_pairs))
                assert not [n for n in os.listdir(data) if "snapshot" in n and not gone(os.path.join(data, n))]
            load.end()
            expect(CANNOT, "is there already", "snapshot", data, target)
            client.query("DROP KEYSPACE ks")  # the copies have what it had
            expect(DONE, "compact", "compact", data)
            client.close()
        for i, (target, least, most, pairs) in enumerate(copies):
            back = os.path.join(top, f"back{i}")
            expect(DONE, "is restored from", "restore", target, back)
            expect(CANNOT, "is not empty", "restore", target, back)
            check_copy(back, least, most, pairs)
            check_sound(target)
        assert copies[-1][1][0] > copies[0][1][0] > 0, "the load went on"


def check_sound(directory, *options):
    assert run("check", directory, *options).returncode == 0, directory


def gone(path):
    """The server removes its stage when it sees that the asker has gone: soon."""
    for _ in range(100):
        if not os.path.exists(path):
            return True
        time.sleep(0.05)
    return False


def snapshot_of_a_directory_at_rest():
    with tempfile.TemporaryDirectory(prefix="helenus-operate-") as top:
        data, target, back = (os.path.join(top, n) for n in ("data", "copy", "back"))
        with Server(data, "--shards", "2") as server:
            client = Client(server.port)
            schema(client)
            client.query("INSERT INTO ks.b (k, n) VALUES (1, 2)")
            server.kill()  # its rows are in the log only
        assert "holds the master key" in expect(DONE, "is a snapshot", "snapshot", data, target).stdout
        key = os.path.join(top, "key")
        shutil.copy2(os.path.join(data, "master.key"), key)
        expect(DONE, "is a snapshot", "snapshot", data, target + "2", "--without-key")
        assert not os.path.exists(os.path.join(target + "2", "master.key"))
        expect(CANNOT, "say --key-file", "restore", target + "2", back)
        assert not os.path.exists(back)
        expect(DONE, "is restored", "restore", target + "2", back, "--key-file", key)
        with Server(back, "--key-file", key) as server:
            client = Client(server.port)
            assert select(client, "SELECT n FROM ks.b WHERE k = 1") == [[struct.pack(">i", 2)]]
            client.close()
        os.mkdir(back + "2")
        expect(DONE, "is restored", "restore", target, back + "2")
        check_sound(back + "2")
        expect(CANNOT, "not a data directory", "snapshot", top, target + "3")
        expect(CANNOT, "not a whole snapshot", "restore", data, back + "3")
        # What is cut short or gone is noticed, and not served.
        for broken, damage in (("short", lambda p: os.truncate(p, 10)), ("missing", os.unlink)):
            shutil.copytree(target, target + broken)
            damage(os.path.join(target + broken, "shard-0000", "CURRENT"))
            expect(FAILED, "missing or cut short", "restore", target + broken, back + broken)
            expect(CANNOT, "did not end", "serve", "--data", back + broken, "--dev", "--cql-port", str(free_port()), "--http-port", "0")


def sorted_files(directory):
    return [os.path.join(at, name) for at, _, names in os.walk(directory) for name in names if name.endswith(".sst")]


def snapshot_to_another_file_system():
    """Nothing can be linked there: all of it is copied, and as good. On the own one sorted files are linked."""
    with tempfile.TemporaryDirectory(prefix="helenus-operate-") as top:
        data, there, back = (os.path.join(top, n) for n in ("data", "there", "back"))
        os.mkdir(there)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", there], check=True)
        try:
            with Server(data, "--shards", "2") as server:
                client = Client(server.port)
                schema(client)
                client.query("INSERT INTO ks.b (k, n) VALUES (1, 2)")
                expect(DONE, "flush", "flush", data)
                client.query("INSERT INTO ks.b (k, n) VALUES (2, 3)")
                client.close()
                for target in (os.path.join(there, "copy"), os.path.join(top, "copy")):
                    expect(DONE, "is a snapshot of", "snapshot", data, target)
            linked = {os.path.dirname(target): [os.stat(path).st_nlink > 1 for path in sorted_files(target)]
                      for target in (os.path.join(there, "copy"), os.path.join(top, "copy"))}
            assert linked[there] and not any(linked[there]) and linked[top] and all(linked[top]), linked
            check_sound(os.path.join(there, "copy"))
            expect(DONE, "is restored", "restore", os.path.join(there, "copy"), back)
        finally:
            subprocess.run(["umount", there], check=True)
        with Server(back) as server:
            client = Client(server.port)
            assert sorted(select(client, "SELECT n FROM ks.b")) == [[struct.pack(">i", 2)], [struct.pack(">i", 3)]]
            client.close()


def kill_minus_nine():
    with tempfile.TemporaryDirectory(prefix="helenus-operate-") as top:
        data, target, back = (os.path.join(top, n) for n in ("data", "copy", "back"))
        with Server(data, "--shards", "2") as server:
            client = Client(server.port)
            schema(client)
            client.query("INSERT INTO ks.b (k, n) VALUES (1, 2)")
            for step in ("copied", "filled"):
                done = run("snapshot", data, target, binary=SWITCHES, env={"HELENUS_TEST_KILL": step})
                assert done.returncode == -signal.SIGKILL, done
                assert not os.path.exists(target) and os.path.isdir(target + ".part")
                assert gone(os.path.join(data, "snapshot.stage")), "the server forgets what nobody copies any more"
                expect(CANNOT, "did not end", "snapshot", data, target)
                if step == "copied":
                    expect(CANNOT, "not a whole snapshot", "restore", target + ".part", back)
                shutil.rmtree(target + ".part")
            # The server dies while the asker waits for the copy.
            asker = subprocess.Popen([BINARY, "snapshot", data, target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            server.kill()
            said = asker.communicate(timeout=60)[0]
            assert asker.returncode in (DONE, FAILED, CANNOT), said
            assert os.path.exists(target) == (asker.returncode == DONE), said
            shutil.rmtree(target, ignore_errors=True)
            os.makedirs(os.path.join(data, "snapshot.stage", "shard-0000"), exist_ok=True)  # as a server that died leaves it
            server.start()
            assert gone(os.path.join(data, "snapshot.stage")), "a start removes it"
            expect(DONE, "is a snapshot", "snapshot", data, target)
        for step in ("copied", "filled"):
            done = run("restore", target, back, binary=SWITCHES, env={"HELENUS_TEST_KILL": step})
            assert done.returncode == -signal.SIGKILL, done
            expect(CANNOT, "did not end", "serve", "--data", back, "--dev")
            expect(CANNOT, "did not end", "restore", target, back)
            expect(CANNOT, "did not end", "snapshot", back, back + ".copy")
            expect(CANNOT, "did not end", "check", back)
            shutil.rmtree(back)
        expect(DONE, "is restored", "restore", target, back)


def a_task_is_shown_to_its_account():
    """A compaction of an account's table, while the disk stands still under it: the account sees its names, nobody else anything."""
    alice, bob, query = "alice-at-111122223333", "bob-at-444455556666", "SELECT keyspace_name, table_name, kind FROM system_views.sstable_tasks"
    with tempfile.TemporaryDirectory(prefix="helenus-operate-") as top:
        data, options = os.path.join(top, "data"), ["--shards", "1", "--auth", "password"]
        with Server(data, *options, binary=SWITCHES) as server:
            client = Client(server.port, user=alice)
            client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            client.query("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
            for i in range(2):
                client.query(f"INSERT INTO ks.t (k, v) VALUES ({i}, 1)")
                expect(DONE, "flushed", "flush", data, binary=SWITCHES)
        directory, = (os.path.join(data, name) for name in os.listdir(data) if name.startswith("shard-"))
        with Server(data, *options, env={"HELENUS_TEST_STALL": directory}, binary=SWITCHES) as server:
            clients = [Client(server.port, user=user) for user in (alice, bob, "carol")]
            open(directory + ".stalled", "w").close()
            with socket.socket(socket.AF_UNIX) as asker:
                asker.connect(os.path.join(data, "control"))
                asker.settimeout(60)
                asker.sendall(b"compact 111122223333/ks.t\n")
                told = asker.makefile()
                assert told.readline() == "progress 0 1 compactions\n"
                shown = [select(client, query) for client in clients]
                os.unlink(directory + ".stalled")
                assert shown == [[[b"ks", b"t", b"compaction"]], [], []], shown
                assert told.read().endswith("done compacted: 111122223333/ks.t tables=1 shards=1\n")


def what_is_under_way():
    """system_views.sstable_tasks, while somebody holds a snapshot."""
    with Server(None, "--shards", "2") as server:
        client = Client(server.port)
        query = "SELECT keyspace_name, table_name, kind, progress, total, unit, completion_ratio, task_id FROM system_views.sstable_tasks"
        assert select(client, query) == []
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(os.path.join(server.data, "control"))
            asker.settimeout(20)
            asker.sendall(b"snapshot\n")
            said = b""
            while b"done " not in said:
                said += asker.recv(4096)
            assert b"progress 1 2 shards\n" in said and said.endswith(b"done snapshot.stage\n"), said
            row, = select(client, query)
            assert row[:3] == [b"*", b"*", b"snapshot"] and row[5] == b"shards", row
            assert struct.unpack(">qqd", row[3] + row[4] + row[6]) == (2, 2, 1.0)
            assert row[7][6] >> 4 == 1 and row[7][8] >> 6 == 2, "a timeuuid"
            expect(FAILED, "another snapshot is under way", "snapshot", server.data, server.data + ".copy")
            assert not os.path.exists(server.data + ".copy")
        assert gone(os.path.join(server.data, "snapshot.stage"))
        assert select(client, query) == []
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(os.path.join(server.data, "control"))
            asker.settimeout(20)
            asker.sendall(b"fly away\n")
            assert b"error " in asker.recv(4096)
        # A stop does not wait for who holds a snapshot.
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(os.path.join(server.data, "control"))
            asker.sendall(b"snapshot\n")
            asker.settimeout(20)
            said = b""
            while b"done " not in said:
                said += asker.recv(4096)
            client.close()
            began = time.monotonic()
            assert server.stop() == 0 and time.monotonic() - began < 10
        assert not os.path.exists(os.path.join(server.data, "snapshot.stage"))


def ask_api(port, target):
    """One operation of AWS's, which nobody serves."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target})
    answer = connection.getresponse()
    assert answer.status == 400 and b"UnknownOperationException" in answer.read()
    connection.close()


def what_the_apis_miss():
    """Counts by name, most often first, by the directory and by the URL; what has no name stands last, however often it was asked for."""
    with Server(None) as server:
        url = f"http://127.0.0.1:{server.http_port}"
        for where in (server.data, url):
            one_line("nothing was asked for that is not served", "api", "missing", where)
        for target, times in (("Few_1.Seldom", 1), ("Many_2.Often", 12), ("Some_3.Same", 3), ("Also_4.Same", 3), ("Bad$.Name", 20)):
            for _ in range(times):
                ask_api(server.http_port, target)
        wanted = "        12 Many_2.Often\n         3 Also_4.Same\n         3 Some_3.Same\n         1 Few_1.Seldom\n        20 other\n"
        for where in (server.data, url, url + "/health"):
            done = run("api", "missing", where)
            assert (done.returncode, done.stdout, done.stderr) == (DONE, wanted, ""), done
        expect(CANNOT, "usage: helenus api missing", "api")
        expect(CANNOT, "usage: helenus api missing", "api", "served", server.data)
        for word in ("https://127.0.0.1:1", "http://", "http://:80", "http://[::1", "http://127.0.0.1:"):
            expect(CANNOT, "is no URL such as", "api", "missing", word)
        expect(CANNOT, "no server that serves APIs", "api", "missing", f"http://127.0.0.1:{server.port}")
        assert "api missing DIR|URL" in run("help").stdout and "exit codes" in run("help", "api").stdout
    expect(CANNOT, "port", "api", "missing", f"http://127.0.0.1:{free_port()}")
    # What another says is shown if it is a name and a count.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lines = [b'{name="\x1b[31mred"} 5', b'{name="A.Good"} 7', b'{name="%s"} 5' % (b"x" * 129), b'{name="no end', b'{name="B.None"} 0', b'{name=""} 5',
                 b'{name="C.NoCount"}', b'{name="D.Good"} 9']
        answer = b"HTTP/1.0 200 OK\r\n\r\n" + b"".join(b"helenus_api_unknown_total" + line + b"\n" for line in lines) * 200

        def other():
            with listener.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(answer)
        thread = threading.Thread(target=other)
        thread.start()
        done = run("api", "missing", f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
        assert done.returncode == DONE and set(done.stdout.splitlines()) == {"         7 A.Good", "         9 D.Good"}, done
        assert len(done.stdout.splitlines()) == 256, "a bound on what is kept"
    with tempfile.TemporaryDirectory(prefix="helenus-test-") as data:
        expect(CANNOT, "no server has", "api", "missing", data)
    server = Server(None)
    server.http_port = 0
    with server:
        expect(FAILED, "serves no API", "api", "missing", server.data)


TESTS = [flush_compact_and_sweep, a_bar_on_a_terminal, only_root_and_the_own_user, snapshot_under_load,
         snapshot_of_a_directory_at_rest, snapshot_to_another_file_system, kill_minus_nine, a_task_is_shown_to_its_account, what_is_under_way,
         what_the_apis_miss]

if __name__ == "__main__":
    for test in TESTS:
        if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
            continue
        test()
        print(f"ok {test.__name__}")
