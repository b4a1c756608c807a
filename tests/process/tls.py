"""TLS of the process: `helenus tls init`, options, the banner, both ports, certificates read again while clients are connected.

    python3 tests/process/tls.py
"""
import http.client
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import BINARY, OPTIONS, SUPPORTED, Client, Server, frame, free_port  # noqa: E402
from lib.runner import run_tests  # noqa: E402

REGION_NAMES = {"cassandra.eu-west-1.amazonaws.com", "cassandra-fips.eu-west-1.amazonaws.com", "cassandra-streams.eu-west-1.api.aws",
                "sts.eu-west-1.amazonaws.com", "iam.amazonaws.com", "tagging.eu-west-1.amazonaws.com"}


def run(*arguments, timeout=60):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=timeout)


def init(directory, *options):
    done = run("tls", "init", directory, *options)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout


def refused(words, *arguments):
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == "", (arguments, done)
    lines = [line for line in done.stderr.splitlines() if line.startswith("helenus: ")]
    assert len(lines) == 1 and words in lines[0], (arguments, done.stderr)


def context_of(directory, version=None):
    context = ssl.create_default_context(cafile=os.path.join(directory, "ca.crt"))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def dial(port, context, name="localhost"):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20), server_hostname=name)


def serial(connection):
    return connection.getpeercert()["serialNumber"]


def ask(connection):
    """OPTIONS, and its answer."""
    connection.sendall(frame(OPTIONS, b""))
    head = b""
    while len(head) < 9:
        head += connection.recv(9 - len(head))
    assert head[4] == SUPPORTED, head
    size = int.from_bytes(head[5:9], "big")
    while size:
        size -= len(connection.recv(size))


class Secure(Server):
    """With what init made in `certificates`."""

    def __init__(self, certificates, *options, data=None):
        self.tls_port, self.https_port = free_port(), free_port()
        super().__init__(data, "--tls-certificate", os.path.join(certificates, "server.crt"), "--tls-key", os.path.join(certificates, "server.key"),
                         "--cql-tls-port", str(self.tls_port), "--http-tls-port", str(self.https_port), *options)


def init_makes_what_clients_take():
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        made = os.path.join(top, "tls")
        said = init(made, "--name", "localhost", "--name=127.0.0.1", "--region", "eu-west-1")
        modes = {name: stat.S_IMODE(os.stat(os.path.join(made, name)).st_mode) for name in sorted(os.listdir(made))}
        assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}, modes
        for words in ("--tls-certificate", "cqlsh --ssl", "ssl_context", "keytool", "sslOptions", "gocql.SslOptions", "AWS_CA_BUNDLE", "9443", "localhost"):
            assert words in said, (words, said)
        for name in REGION_NAMES:
            assert name in said, (name, said)
        with Secure(made) as server:
            for name in ("localhost", "127.0.0.1", *REGION_NAMES):
                connection = dial(server.tls_port, context_of(made), name)
                names = {value for _, value in connection.getpeercert()["subjectAltName"]}
                assert REGION_NAMES < names, names
                ask(connection)
                connection.close()
            try:
                dial(server.tls_port, context_of(made), "elsewhere.example.com")
                raise AssertionError("another name was taken")
            except ssl.SSLCertVerificationError:
                pass
            with dial(server.tls_port, context_of(made)) as connection:
                days = (ssl.cert_time_to_seconds(connection.getpeercert()["notAfter"]) - time.time()) / 86400
        assert 396 < days < 398.1, days


def init_refuses_and_overwrites_nothing():
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        made = os.path.join(top, "tls")
        refused("usage: helenus tls init DIR", "tls", "init")
        refused("usage: helenus tls init DIR", "tls", "init", made)
        refused("usage: helenus tls init DIR", "tls", "init", made, "--name")
        refused("usage: helenus tls init DIR", "tls", "init", made, "--name", "a", "--colour", "red")
        refused("usage: helenus tls init DIR", "tls", "init", made, "other", "--name", "a")
        refused("is neither an address nor a host's name", "tls", "init", made, "--name", "a,DNS:b")
        refused("is no region", "tls", "init", made, "--name", "a", "--region", "../x")
        refused("--days: 0 is not between", "tls", "init", made, "--name", "a", "--days", "0")
        refused("--days: -1 is not between", "tls", "init", made, "--name", "a", "--days", "-1")
        assert not os.path.exists(made), "a refused one leaves nothing behind"
        init(made, "--name", "localhost", "--days", "30")

        def contents():
            return {name: open(os.path.join(made, name), "rb").read() for name in os.listdir(made)}
        before = contents()
        refused("server.crt is there already: nothing is overwritten", "tls", "init", made, "--name", "localhost")
        os.unlink(os.path.join(made, "server.crt"))
        refused("server.key is there already", "tls", "init", made, "--name", "localhost")
        os.unlink(os.path.join(made, "server.key"))
        os.rename(os.path.join(made, "ca.key"), os.path.join(top, "ca.key"))
        refused("ca.crt is there without the other file", "tls", "init", made, "--name", "localhost")
        os.rename(os.path.join(top, "ca.key"), os.path.join(made, "ca.key"))
        init(made, "--name", "localhost")  # the same authority signs again
        after = contents()
        assert all(after[name] == before[name] for name in ("ca.crt", "ca.key")) and after["server.crt"] != before["server.crt"]
        os.unlink(os.path.join(made, "server.crt"))
        os.unlink(os.path.join(made, "server.key"))
        with open(os.path.join(made, "ca.key"), "w") as f:
            f.write("no key\n")
        refused("is not the key of", "tls", "init", made, "--name", "localhost")
        assert sorted(os.listdir(made)) == ["ca.crt", "ca.key"]


def options_are_refused_where_they_would_mislead():
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        made, other, data = (os.path.join(top, name) for name in ("tls", "other", "data"))
        init(made, "--name", "localhost")
        init(other, "--name", "localhost")
        serve = ("serve", "--data", data, "--dev", "--cql-port", str(free_port()), "--http-port", "0")
        certificate, key = os.path.join(made, "server.crt"), os.path.join(made, "server.key")
        pair = ("--tls-certificate", certificate, "--tls-key", key)
        refused("need each other", *serve, "--tls-certificate", certificate)
        refused("need each other", *serve, "--tls-key", key)
        refused("TLS needs --tls-certificate", *serve, "--tls-client-certificates", "required")
        refused("required needs --tls-client-ca", *serve, *pair, "--tls-client-certificates", "required")
        refused("--tls-client-ca needs", *serve, *pair, "--tls-client-ca", os.path.join(made, "ca.crt"))
        refused("--tls-key " + os.path.join(other, "server.key"), *serve, "--tls-certificate", certificate, "--tls-key", os.path.join(other, "server.key"))
        refused("--tls-certificate " + key, *serve, "--tls-certificate", key, "--tls-key", key)
        refused("--tls-certificate " + top + "/none", *serve, "--tls-certificate", top + "/none", "--tls-key", key)
        refused("--tls-client-ca " + key, *serve, *pair, "--tls-client-ca", key, "--tls-client-certificates", "optional")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            refused(f"cannot listen for CQL with TLS on 127.0.0.1:{port}", *serve, *pair, "--cql-tls-port", port)
            refused(f"cannot listen for HTTP with TLS on 127.0.0.1:{port}", *serve, *pair, "--cql-tls-port", "0", "--http-tls-port", port)
        assert not os.path.exists(data), "a refused start leaves nothing behind"


def fetch(port, path, context=None):
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20) if context else http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def both_ports_and_what_is_told():
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        init(top, "--name", "localhost", "--name", "127.0.0.1")
        with Server() as server:
            assert "  TLS       off" in server.said, server.said
            assert fetch(server.http_port, "/health")[2]["Helenus-TLS"] == "off"
            assert "helenus_tls" not in fetch(server.http_port, "/metrics")[1]
        with Secure(top) as server:
            assert "  TLS       on" in server.said and f":{server.tls_port}; client certificates: none" in server.said, server.said
            assert f"https://127.0.0.1:{server.https_port}" in server.said, server.said
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                connection = dial(server.tls_port, context_of(top, version))
                assert connection.version() == version.name.replace("_", "."), connection.version()
                ask(connection)
                connection.close()
                status, body, headers = fetch(server.https_port, "/health", context_of(top, version))
                assert (status, body, headers["Helenus-TLS"]) == (200, "ok\n", "on"), (status, body)
            Client(server.port).close()  # plain text is there as well, in developer mode
            metrics = fetch(server.https_port, "/metrics", context_of(top))[1]
            assert 'helenus_tls_handshakes_total{version="1.2"} 2\n' in metrics and 'helenus_tls_handshakes_total{version="1.3"} 3\n' in metrics, metrics


def reload_of_certificates():
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        used, data = os.path.join(top, "tls"), os.path.join(top, "data")
        init(used, "--name", "localhost")
        context = context_of(used)
        config = os.path.join(top, "helenus.conf")
        open(config, "w").close()
        with Secure(used, "--config", config, data=data) as server:
            old = dial(server.tls_port, context)
            ask(old)

            def renew():
                for name in ("server.crt", "server.key"):
                    os.unlink(os.path.join(used, name))
                init(used, "--name", "localhost", "--days", "5")

            def now():
                connection = dial(server.tls_port, context)
                ask(connection)
                number = serial(connection)
                connection.close()
                connection = dial(server.https_port, context)
                assert serial(connection) == number, "the two ports differ"
                connection.close()
                return number
            renew()
            assert now() == serial(old), "nobody said that it should be read again"
            done = run("tls", "reload", data)
            assert done.returncode == 0 and done.stdout.startswith(f"{data} is served with the certificate as it is now, until "), done
            second = now()
            assert second != serial(old)
            renew()
            server.process.send_signal(signal.SIGHUP)
            end = time.time() + 20
            while True:
                with dial(server.tls_port, context) as connection:
                    if serial(connection) != second:
                        break
                assert time.time() < end, "SIGHUP did not bring the new certificate"
            third = now()
            with open(os.path.join(used, "server.key"), "w") as f:
                f.write("no key\n")
            done = run("tls", "reload", data)
            assert done.returncode == 1 and done.stdout == "" and "the certificate in use stays: --tls-key " in done.stderr, done
            assert now() == third
            ask(old)
            old.close()
        done = run("tls", "reload", data)
        assert done.returncode == 2 and "cannot reload certificates: no server has" in done.stderr, done
        done = run("tls", "melt", data)
        assert done.returncode == 2 and "usage: helenus tls reload DIR" in done.stderr, done
        with Server(data) as server:
            done = run("tls", "reload", data)
            assert done.returncode == 1 and "this server serves no TLS" in done.stderr, done


def reloads_under_load():
    """Fifty of them, while clients connect, ask and stay: nobody is turned away, and nobody is cut."""
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        used, data = os.path.join(top, "tls"), os.path.join(top, "data")
        init(used, "--name", "localhost")
        context = context_of(used)
        with Secure(used, data=data) as server:
            stop, counts, wrong = threading.Event(), [0] * 4, []

            def come_and_go(n):
                try:
                    kept = dial((server.tls_port, server.tls_port, server.tls_port, server.https_port)[n], context)
                    while not stop.is_set():
                        if n == 3:
                            assert fetch(server.https_port, "/health", context)[0] == 200
                        else:
                            ask(kept)
                            with dial(server.tls_port, context) as new:
                                ask(new)
                        counts[n] += 1
                    kept.close()
                except Exception as e:  # noqa: BLE001 - told by the main thread
                    wrong.append(e)
            threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(50):
                with socket.socket(socket.AF_UNIX) as asker:
                    asker.settimeout(60)
                    asker.connect(os.path.join(data, "control"))
                    asker.sendall(b"tls reload\n")
                    said = asker.makefile().read()
                    assert said.startswith("done ") or "too much is under way" in said, said
            stop.set()
            for thread in threads:
                thread.join()
            assert not wrong, wrong[0]
            assert all(counts), counts


def plain_text_on_a_port_of_tls():
    """It is closed, said in the log, and gets no answer."""
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        init(top, "--name", "localhost")
        with Secure(top) as server:
            for port in (server.tls_port, server.https_port):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                    plain.sendall(frame(OPTIONS, b"") if port == server.tls_port else b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                    try:
                        assert plain.recv(100) == b""
                    except ConnectionResetError:
                        pass
            assert 'helenus_tls_failures_total{reason="not_tls"} 2\n' in fetch(server.http_port, "/metrics")[1]
            assert "a handshake failed reason=not_tls address=127.0.0.1" in server.log_tail(), server.log_tail()


def a_stop_ends_sessions_in_good_order():
    with tempfile.TemporaryDirectory(prefix="helenus-tls-") as top:
        init(top, "--name", "localhost")
        server = Secure(top)
        server.start()
        connection = dial(server.tls_port, context_of(top))
        ask(connection)
        half_open = socket.create_connection(("127.0.0.1", server.tls_port), timeout=20)
        https_half_open = socket.create_connection(("127.0.0.1", server.https_port), timeout=20)
        assert server.stop() == 0
        assert connection.recv(10) == b"", "the end is told, and not cut off"
        for one in (connection, half_open, https_half_open):
            one.close()
        shutil.rmtree(server.data, ignore_errors=True)


TESTS = [init_makes_what_clients_take, init_refuses_and_overwrites_nothing, options_are_refused_where_they_would_mislead, both_ports_and_what_is_told,
         reload_of_certificates, reloads_under_load, plain_text_on_a_port_of_tls, a_stop_ends_sessions_in_good_order]


if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
