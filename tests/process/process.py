"""The process: exit codes, one clear line for each mistake, the ready line, /health and /metrics, a stop that drains.

    python3 tests/process/process.py
"""
import os
import re
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
                        Client, Server, frame, free_port, query_body, short_string, string_map)

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
    assert done.returncode == 0 and re.match(r"helenus \d+\.\d+\.\d+", done.stdout), done.stdout


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
        assert http(server, "/dev/flush", "POST")[0] == 200 and http(server, "/dev/compact", "POST")[0] == 200
        assert http(server, "/dev/explode", "POST")[0] == 405
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
        assert ask(QUERY, query_body("SELECT key FROM system.local"))[0] == RESULT
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


TESTS = [help_and_version, mistakes, developer_mode_is_open_only_knowingly, one_process_per_directory, configuration_file,
         newer_format, health_and_metrics, password, schema_events, stop_drains]


def main():
    failed = 0
    tests = [t for t in TESTS if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    for test in tests:
        try:
            test()
            print(f"ok {test.__name__}", flush=True)
        except Exception as e:  # noqa: BLE001 - told, counted, next test
            failed += 1
            print(f"FAILED {test.__name__}: {type(e).__name__} {e}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
