"""The process: exit codes, one clear line for each mistake, the ready line, /health and /metrics, a stop that drains.

    python3 tests/process/process.py
"""
import fcntl
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import (AUTHENTICATE, BINARY, ERROR, EVENT, OPTIONS, QUERY, READY, REGISTER, RESULT, STARTUP, SUPPORTED,  # noqa: E402
                        Client, Server, ServerError, frame, free_port, query_body, short_string, string_map)
from lib.runner import run_tests  # noqa: E402

AUTH_RESPONSE, AUTH_SUCCESS = 0x0F, 0x10


def run(*arguments, timeout=60):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=timeout)


def refused(words, *arguments):
    """Exit code 2, nothing on stdout, and one line of ours on stderr."""
    done = run(*arguments)
    assert done.returncode == 2, (arguments, done)
    assert done.stdout == "", (arguments, done.stdout)
    lines = [line for line in done.stderr.splitlines() if line.startswith("helenus: ")]
    assert len(lines) == 1 and words in lines[0], (arguments, done.stderr)


def help_and_version():
    done = run("--help")
    assert done.returncode == 0 and "serve --data DIR" in done.stdout and "--cql-port" in done.stdout
    done = run("version")
    assert done.returncode == 0 and re.match(r"helenus \d+\.\d+\.\d+", done.stdout) and "v3, v4 and v5" in done.stdout, done.stdout


def help_of_each_command():
    listed = re.findall(r"^(?:usage:|      ) helenus (\w+) ", run("--help").stdout, re.M)
    assert set(listed) == {"serve", "check", "reshard", "flush", "compact", "sweep", "clock", "snapshot", "restore", "password", "api", "tls", "version", "help"}, listed
    for command in listed:
        done = run("help", command)
        assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith(f"usage: helenus {command}"), done
        assert command in ("version", "help") or "exit codes: 0 " in done.stdout, done.stdout
        for word in ("--help", "-h"):
            assert run(command, word).stdout == done.stdout, command
        # What a command says of itself when it is called wrongly is the same.
        if command in ("check", "reshard", "flush", "compact", "sweep", "snapshot", "restore", "password", "api"):
            usage = done.stdout.splitlines()[0]
            assert usage in run(command, "--none").stderr, (usage, run(command, "--none").stderr)
    assert "--cql-port" in run("help", "serve").stdout


def the_screen_promises_what_is_so():
    with Server() as server:
        assert f"cqlsh 127.0.0.1 {server.port} " in server.said and server.data in server.said, server.said
        assert "Ctrl-C; acknowledged writes are safe" in server.said, server.said
    with Server(None, "--store", "memory") as server:
        assert "forgotten at the end" in server.said and "safe" not in server.said, server.said


def mistakes():
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        data = os.path.join(top, "data")
        ports = ("--cql-port", str(free_port()), "--http-port", str(free_port()))
        refused("unknown command", "fly")
        refused("unknown option --frob", "serve", "--frob")
        refused("needs --data", "serve", "--dev")
        refused("--dev", "serve", "--data", data, *ports)
        assert not os.path.exists(data), "a refused start leaves nothing behind"
        refused("is not a number", "serve", "--data", data, "--dev", "--cql-port", "many")
        refused("is not an IPv4 or IPv6 address", "serve", "--data", data, "--dev", "--listen", "nowhere", *ports)
        refused("--rpc-address: outside is not", "serve", "--data", data, "--dev", "--rpc-address", "outside", *ports)
        plain = os.path.join(top, "file")
        open(plain, "w").close()
        for address in ("0.0.0.0", "::", "::ffff:0.0.0.0"):
            refused("--dev-remote", "serve", "--data", data, "--dev", "--listen", address, *ports)
        refused("is not a directory", "serve", "--data", plain, "--dev", *ports)
        refused("cannot make the data directory", "serve", "--data", plain + "/below", "--dev", *ports)
        refused("--config", "serve", "--data", data, "--dev", "--config", os.path.join(top, "none"), *ports)
        refused("key", "serve", "--data", data, "--dev", "--key-file", os.path.join(top, "none"), *ports)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            refused(f"cannot listen for CQL on 127.0.0.1:{port}", "serve", "--data", data, "--dev", "--cql-port", port, *ports[2:])
            refused(f"cannot listen for HTTP on 127.0.0.1:{port}", "serve", "--data", data, "--dev", *ports[:2], "--http-port", port)


def one_process_per_directory():
    with Server() as server:
        refused("is in use by another process", "serve", "--data", server.data, "--dev", "--cql-port", str(free_port()), "--http-port", "0")
        refused("cannot listen for CQL", "serve", "--data", server.data + "2", "--dev", "--cql-port", str(server.port), "--http-port", "0")


def developer_mode_is_open_only_knowingly():
    """Loopback needs no word and says none; other addresses are refused without --dev-remote, and warned of with it."""
    for options, warned in ((("--listen", "127.0.0.2"), False), (("--listen", "0.0.0.0", "--dev-remote"), True), (("--dev-remote",), False)):
        with Server(None, *options) as server:
            assert http(server, "/health", host="127.0.0.2" if "127.0.0.2" in options else "127.0.0.1")[0] == 200
            warnings = [line for line in server.log_tail().splitlines() if line.startswith("helenus: warning")]
            assert len(warnings) == warned, (options, server.log_tail())
            assert not warned or "0.0.0.0" in warnings[0] and "everything" in warnings[0]
    assert "--dev-remote" in run("--help").stdout


def configuration_file():
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        port = free_port()
        path = os.path.join(top, "helenus.conf")
        with open(path, "w") as f:
            f.write(f"# test\ndata = {top}/data\ndev = true\ncql-port = 1\nhttp-port = 0\nstore = memory\n")
        process = subprocess.Popen([BINARY, "serve", "--config", path, "--cql-port", str(port)], stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.startswith("Starting listening for CQL clients on"):
                assert line == f"Starting listening for CQL clients on 127.0.0.1:{port}\n", line
                break
        else:
            raise AssertionError("no ready line")
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()


def configuration_reference():
    """The page lists what the binary has; the file it prints is one that it reads, with every line taken as it stands."""
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "configuration.py")
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, env={**os.environ, "HELENUS": BINARY})
    assert done.returncode == 0, done.stdout + done.stderr
    named = set(re.findall(r"^  --([a-z0-9-]+)", run("--help").stdout, re.M))
    sample = run("help", "file").stdout
    given = dict(re.findall(r"^#([a-z0-9-]+) = (.*)$", sample, re.M))
    assert set(given) == named - {"config"} and len(named) > 25, named ^ set(given)
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", run("help", "reference").stdout, re.M)) == named
    refused("help knows", "help", "everything")
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        path = os.path.join(top, "all.conf")
        with open(path, "w") as f:
            f.write("".join(f"{name} = {value}\n" for name, value in given.items() if value not in ("DIR", "FILE", "ADDR")))
            f.write(f"data = {top}/data\n")
        # All defaults written out are no mistake: what is left to say is that nobody is asked who they are.
        refused("serve needs --auth roles and --key-file, or --dev", "serve", "--config", path)
    with tempfile.TemporaryDirectory(prefix="helenus-key-") as top:
        with open(os.open(f"{top}/key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(os.urandom(32))
        refused("--api-auth iam needs --dev", "serve", "--data", f"{top}/data", "--key-file", f"{top}/key", "--auth", "roles", "--api-auth", "iam")


def configuration_mistakes():
    cases = [
        (b"\ncql-port = 70000\n", "bad.conf:2: cql-port: 70000 is not between 0 and 65535"),
        (b"auth = maybe\n", "bad.conf:1: auth: maybe is none of: none password"),
        (b"dev = yes\n", "bad.conf:1: dev: true or false, not yes"),
        (b"frame-bytes = 1x\n", "bad.conf:1: frame-bytes: 1x is not a number"),
        (b"# c\n\nshards 3\n", "bad.conf:3: not `name = value`"),
        (b"colour = red\n", "bad.conf:1: unknown option colour"),
        (b"config = other\n", "bad.conf:1: unknown option config"),
        (b"loops = 1\nworkers = 2\nloops = 2\n", "bad.conf:3: loops is given in line 1 already"),
        (b"data = " + b"x" * 9000 + b"\n", "bad.conf:1: a line has at most"),
        (b"loops = 1\0\nworkers = 2\n", "bad.conf:1: a line has at most"),
    ]
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        path = os.path.join(top, "bad.conf")
        for text, words in cases:
            with open(path, "wb") as f:
                f.write(text)
            refused(words, "serve", "--data", os.path.join(top, "data"), "--dev", "--config", path)


def configuration_reload():
    """SIGHUP puts in force what can change, names what can't, and a broken file changes nothing."""
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        path = os.path.join(top, "helenus.conf")

        def write(text):
            with open(path, "w") as f:
                f.write(text)

        def told(words, count=1):
            end = time.time() + 20
            while time.time() < end:
                with open(server.log_path) as f:
                    lines = [line for line in f if words in line]
                if len(lines) >= count:
                    return lines
                time.sleep(0.02)
            raise AssertionError(f"not logged {count} times: {words}\n{server.log_tail()}")

        def reload(words, count=1):
            server.process.send_signal(signal.SIGHUP)
            told(words, count)

        def answers(statement):
            try:
                client = Client(server.port)
            except OSError:
                return False
            try:
                client.query(statement)
                return True
            except (ServerError, OSError):
                return False
            finally:
                client.close()

        small, large = "SELECT key FROM system.local", "SELECT key FROM system.local" + " " * 5000
        write("frame-bytes = 4k\n")
        with Server(os.path.join(top, "data"), "--config", path, "--requests-in-flight", "9") as server:
            assert answers(small) and not answers(large)
            write("frame-bytes = 8k\nshards = 3\nrequests-in-flight = 10\nlog-level = debug\n")
            reload("config: read again")
            assert "in force" in told("--frame-bytes has")[0] and "needs a restart" in told("--shards has")[0]
            assert "--requests-in-flight" not in server.log_tail(), "the command line wins"
            assert answers(large)
            reload("config: read again", 2)
            assert len(told("--frame-bytes has")) == 1, "what is in force is not told again"
            assert len(told("--shards has")) == 1 + 1, "what waits for a restart is"
            write("frame-bytes = 2k\nstartup-timeout-s = 0\n")
            reload("not reloaded, everything stays as it was")
            assert f"{path}:2: startup-timeout-s: 0 is not between 1 and 86400" in told("not reloaded")[0]
            assert answers(large), "a broken file changes nothing"
            os.unlink(path)
            reload("not reloaded", 2)
            assert answers(large)
            write("connections = 1\n")
            reload("config: read again", 3)
            first = Client(server.port)
            assert not answers(small), "a second connection"
            write("frame-bytes = 4k\n")
            reload("config: read again", 4)
            assert answers(small) and not answers(large), "what is taken out has its default again"
            first.close()
        assert server.process.returncode == 0
    with Server() as server:  # without a file there is nothing to read again
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(30) == 0
        server.process.stdout.close()


def slow_log():
    """A request that takes long is told by its kind, table id and shape; nothing that a client chose is in the log."""
    with Server(None, "--slow-query-ms", "1", "--slow-query-lines", "3") as server:
        client = Client(server.port)
        client.query("CREATE KEYSPACE zebra WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE zebra.giraffe (lion int, tiger int, panther text, PRIMARY KEY (lion, tiger))")
        for i in range(60):
            client.query("BEGIN UNLOGGED BATCH " + "".join(
                f"INSERT INTO zebra.giraffe (lion, tiger, panther) VALUES (1, {i * 200 + j}, 'leopard');" for j in range(200)) + " APPLY BATCH")
        prepared = client.prepare("SELECT count(*) FROM zebra.giraffe WHERE lion = ?")
        plain = "SELECT count(*) FROM zebra.giraffe WHERE lion = 1 AND panther = 'leopard' ALLOW FILTERING"
        time.sleep(1.1)
        client.execute(prepared, [struct.pack(">i", 1)])
        time.sleep(1.1)
        client.query(plain)
        time.sleep(1.1)
        for _ in range(20):
            client.query(plain)
        time.sleep(1.1)
        client.query(plain)
        count = metric(http(server, "/metrics")[1], "helenus_slow_requests_total")
        client.close()
        time.sleep(0.2)
        with open(server.log_path) as f:
            lines = f.read().splitlines()
        slow = [line for line in lines if " slow: ms=" in line]
        for word in ("zebra", "giraffe", "lion", "tiger", "panther", "leopard"):
            assert not [line for line in lines if word in line.lower()], f"{word} is in the log"
        executed = [line for line in slow if "kind=EXECUTE" in line]
        assert len(executed) == 1 and "shape=SELECT _ ( * ) FROM _ . _ WHERE _ = ?" in executed[0], slow
        # Spaces and cases of a text do not change what it is; the table is the same one.
        queried = [line for line in slow if "kind=QUERY" in line and "WHERE _ = ? AND _ = ? ALLOW _" in line]
        assert len(queried) >= 5 and len({re.search("statement=(\\w+)", line).group(1) for line in queried}) == 1, slow
        tables = {re.search("table=(\\d+)", line).group(1) for line in queried + executed}
        assert len(tables) == 1 and "0" not in tables, tables
        by_second = {}
        for line in slow:
            by_second[line[:19]] = by_second.get(line[:19], 0) + 1
        assert max(by_second.values()) <= 6, by_second  # the log's seconds are not the clock's
        more = [line for line in lines if "more, without a line of their own" in line]
        assert more and count >= len(slow) + sum(int(line.split()[-1]) for line in more), (count, more)


def slow_log_holds_nobody_up():
    """Whoever reads stderr may stop: requests go on."""
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        port, (read_end, write_end) = free_port(), os.pipe()
        fill = fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([BINARY, "serve", "--data", top + "/data", "--dev", "--cql-port", str(port), "--http-port", "0",
                                    "--slow-query-ms", "1", "--slow-query-lines", "10000"], stdout=subprocess.PIPE, stderr=write_end, text=True)
        os.close(write_end)
        while "Starting listening" not in process.stdout.readline():
            assert process.poll() is None
        client = Client(port)
        client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
        statement = "BEGIN UNLOGGED BATCH " + "".join(f"INSERT INTO ks.t (k, v) VALUES ({j}, 1);" for j in range(400)) + " APPLY BATCH"
        for _ in range(400):  # each takes more than 1 ms; their lines are far more than the pipe holds
            client.query(statement)
        client.close()
        assert len(os.read(read_end, 2 * fill)) >= fill * 3 // 4, "the pipe was full"
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(read_end)


def a_huge_row_holds_nobody_up():
    """One loop, and a set of 300 000 elements: a request that came after it on another connection is answered before it."""
    with Server(None, "--loops", "1") as server:
        first, second = Client(server.port), Client(server.port)
        first.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        first.query("CREATE TABLE ks.t (k int PRIMARY KEY, s set<int>)")
        for i in range(15):
            first.query("UPDATE ks.t SET s = s + {" + ", ".join(str(i * 20000 + j) for j in range(20000)) + "} WHERE k = 1")
        first.send(frame(QUERY, query_body("SELECT s FROM ks.t WHERE k = 1")))
        second.send(frame(QUERY, query_body("SELECT s FROM ks.t WHERE k = 2")))
        ready, _, _ = select.select([first.socket, second.socket], [], [], 30)
        assert ready == [second.socket], "the huge row was encoded first"
        assert second.receive()[1] == RESULT
        _, opcode, body = first.receive()
        assert opcode == RESULT and len(body) > 300000 * 8, len(body)
        first.close()
        second.close()


def service_manager():
    """READY only once it answers, RELOADING and READY around a reload, STOPPING before the end; a name and a path as socket."""
    for abstract in (False, True):
        with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
            conf = os.path.join(top, "helenus.conf")
            open(conf, "w").close()
            name = f"@helenus-test-{os.getpid()}" if abstract else os.path.join(top, "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind("\0" + name[1:] if abstract else name)
                manager.settimeout(20)
                server = Server(os.path.join(top, "data"), "--config", conf, env={"NOTIFY_SOCKET": name}).start()
                heard = manager.recv(4096).decode().splitlines()
                assert heard[0] == "READY=1", heard
                Client(server.port).close()
                server.process.send_signal(signal.SIGHUP)
                heard = manager.recv(4096).decode().splitlines()
                assert heard[0] == "RELOADING=1" and heard[1].startswith("MONOTONIC_USEC="), heard
                assert abs(int(heard[1].split("=")[1]) - time.monotonic_ns() // 1000) < 20000000
                assert manager.recv(4096).startswith(b"READY=1")
                assert server.stop() == 0
                assert manager.recv(4096).startswith(b"STOPPING=1")
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:  # a manager that is not there stops nobody
        with Server(os.path.join(top, "data"), env={"NOTIFY_SOCKET": os.path.join(top, "nobody")}) as server:
            assert http(server, "/health")[0] == 200 and "can't be told" in server.log_tail()


def one_request_always_fits():
    """However little many loops have for unfinished requests, one that is as large as a frame may be is read."""
    with Server(None, "--loops", "16", "--input-bytes", "1m", "--frame-bytes", "8m", "--store", "memory") as server:
        client = Client(server.port)
        text = "SELECT key FROM system.local /*" + "x" * ((8 << 20) - 100) + "*/"
        client.query(text)
        client.close()


def options_at_their_ends():
    """Whatever stands in the table of options is served with, at either end of its range: threads beyond any array, sizes beyond the
    machine. And it is idle: none of it is memory at once."""
    rows = re.findall(r"^\| `([a-z-]+)` \| \w+ \| (?:(\d+) to (\d+)|(\d+) or more) \|", run("help", "reference").stdout, re.M)
    assert len(rows) > 20, rows
    for name, least, most, least_open in rows:
        if name in ("cql-port", "http-port", "shards"):  # shards: a thousand stores are half a gigabyte
            continue
        for value in ((least, most) if most else (least_open, str(2**64 - 1))):
            with Server(None, "--store", "memory", f"--{name}", value) as server:
                Client(server.port).query("SELECT key FROM system.local")
                assert server.rss_bytes() < 300 << 20, (name, value, server.rss_bytes())
                assert server.stop() == 0, (name, value)
    with Server(None, "--store", "memory", "--loops", "200", "--workers", "400", "--shards", "4") as server:
        client = Client(server.port)
        client.query("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE k.t (k int PRIMARY KEY, v int)")
        clients = [Client(server.port) for _ in range(300)]
        for i, one in enumerate(clients):
            one.query(f"INSERT INTO k.t (k, v) VALUES ({i}, {i})")
        assert len(client.execute(client.prepare("SELECT k FROM k.t"), [])) == 300
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        done = subprocess.run(["sh", "-c", 'ulimit -n 150; exec "$@"', "sh", BINARY, "serve", "--data", os.path.join(top, "d"), "--dev",
                               "--cql-port", "0", "--http-port", "0", "--workers", "100"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and "--loops and --workers take " in done.stderr and "the limit is 150" in done.stderr, done


def newer_format():
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        server = Server(os.path.join(top, "data")).start()
        assert server.stop() == 0
        path = os.path.join(server.data, "FORMAT")
        with open(path) as f:
            written = f.read()
        with open(path, "w") as f:
            f.write(re.sub(r"\d+", lambda m: str(int(m.group()) + 1000), written, count=1))
        refused("format", "serve", "--data", server.data, "--dev", "--cql-port", str(free_port()), "--http-port", "0")


def lost_files():
    """What is lost is asked for, never made anew: a second key, format, number of shards or store would be the end of the data."""
    with tempfile.TemporaryDirectory(prefix="helenus-process-") as top:
        server = Server(os.path.join(top, "data"), "--shards", "2").start()
        client = Client(server.port)
        client.query("CREATE KEYSPACE lost WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE lost.t (k int PRIMARY KEY)")
        for k in range(20):
            client.query(f"INSERT INTO lost.t (k) VALUES ({k})")
        client.close()
        assert server.stop() == 0
        for name in ("master.key", "FORMAT", "SHARDS", "shard-0001/CURRENT"):
            path, kept = os.path.join(server.data, name), os.path.join(top, "kept")
            os.rename(path, kept)
            refused(os.path.basename(name), "serve", "--data", server.data, "--dev", "--cql-port", str(free_port()), "--http-port", "0")
            assert not os.path.exists(path), name
            os.rename(kept, path)
        server.start()
        client = Client(server.port)
        assert len(client.execute(client.prepare("SELECT k FROM lost.t"), [])) == 20
        client.close()
        assert server.stop() == 0


def http(server, path, method="GET", host="127.0.0.1"):
    request = urllib.request.Request(f"http://{host}:{server.http_port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def metric(text, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found.group(1)) if found else 0.0


def health_and_metrics():
    with Server() as server:
        assert http(server, "/health")[0] == 200
        assert http(server, "/nothing")[0] == 404
        assert http(server, "/metrics", "DELETE")[0] == 405
        assert http(server, "/dev/flush", "POST")[0] == 405
        client = Client(server.port)
        before = http(server, "/metrics")[1]
        for _ in range(10):
            client.query("SELECT key FROM system.local")
        try:
            client.query("SELEC")
        except Exception:  # noqa: BLE001 - the error is what is counted
            pass
        after = http(server, "/metrics")[1]
        query, errors = 'helenus_requests_total{kind="QUERY"}', 'helenus_errors_total{reason="syntax"}'
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as later:
            later.sendall(b"\x42\0\0\0\x05\0\0\0\0")  # a version that is not there yet
            assert later.recv(1)
        refused = metric(http(server, "/metrics")[1], 'helenus_requests_total{kind="NONE"}')
        assert refused == 1 and 'kind="ERROR"' not in after, after
        assert metric(after, query) - metric(before, query) == 11, after
        assert metric(after, errors) - metric(before, errors) == 1
        assert metric(after, "helenus_connections") == 1
        assert metric(after, "helenus_request_seconds_count") >= 11
        assert metric(after, "helenus_received_bytes_total") > metric(before, "helenus_received_bytes_total")
        client.close()


def password():
    with Server(None, "--auth", "password") as server:
        s = socket.create_connection(("127.0.0.1", server.port), timeout=10)

        def ask(opcode, body):
            s.sendall(frame(opcode, body))
            head = b""
            while len(head) < 9:
                head += s.recv(9 - len(head))
            _, _, _, reply, length = struct.unpack(">BBhBI", head)
            data = b""
            while len(data) < length:
                data += s.recv(length - len(data))
            return reply, data

        opcode, body = ask(STARTUP, string_map({"CQL_VERSION": "3.0.0"}))
        assert opcode == AUTHENTICATE and body[2:] == b"org.apache.cassandra.auth.PasswordAuthenticator"
        assert ask(QUERY, query_body("SELECT key FROM system.local"))[0] == ERROR
        token = b"\0anybody\0anything"
        assert ask(AUTH_RESPONSE, struct.pack(">I", len(token)) + token)[0] == AUTH_SUCCESS
        reply, body = ask(QUERY, query_body("SELECT value FROM system_views.settings WHERE name = 'authenticator'"))
        assert reply == RESULT and body.endswith(b"PasswordAuthenticator"), body
        s.close()


def schema_events():
    """Whoever registered, on whichever loop, hears of a change."""
    with Server() as server:
        told = [Client(server.port) for _ in range(8)]
        for client in told:
            client.send(frame(REGISTER, struct.pack(">H", 1) + short_string("SCHEMA_CHANGE")))
            assert client.receive()[1] == READY
        maker = Client(server.port)
        maker.query("CREATE KEYSPACE events WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        for client in told:
            stream, opcode, body = client.receive()
            assert opcode == EVENT and stream == -1, (stream, opcode)
            assert body == b"".join(map(short_string, ("SCHEMA_CHANGE", "CREATED", "KEYSPACE", "events"))), body
            client.close()
        maker.close()


def stop_drains():
    """Under load, SIGTERM: every request that was sent is answered or its connection closed; exit code 0, and soon."""
    server = Server().start()
    client = Client(server.port)
    client.query("CREATE KEYSPACE drain WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TABLE drain.t (k int PRIMARY KEY, v int)")
    client.close()
    answered = [0] * 4

    def load(i):
        c = Client(server.port)
        try:
            while True:
                c.query(f"INSERT INTO drain.t (k, v) VALUES ({i}, {answered[i] + 1})")
                answered[i] += 1
        except OSError:
            pass
    threads = [threading.Thread(target=load, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    begin = time.time()
    assert server.stop() == 0
    assert time.time() - begin < 9, "requests did not end by themselves"
    for thread in threads:
        thread.join(10)
    server.start()
    client = Client(server.port)
    for i in range(4):
        row = client.execute(client.prepare("SELECT v FROM drain.t WHERE k = ?"), [struct.pack(">i", i)])
        value = struct.unpack(">i", row[0][0])[0]
        assert answered[i] > 0 and answered[i] <= value <= answered[i] + 1, (answered[i], value)
    client.close()
    assert server.stop() == 0


TESTS = [help_and_version, help_of_each_command, the_screen_promises_what_is_so, mistakes, developer_mode_is_open_only_knowingly,
         one_process_per_directory, configuration_file,
         configuration_reference, configuration_mistakes, configuration_reload, slow_log, slow_log_holds_nobody_up,
         a_huge_row_holds_nobody_up, service_manager,
         one_request_always_fits, options_at_their_ends, newer_format, lost_files, health_and_metrics, password, schema_events, stop_drains]


if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
