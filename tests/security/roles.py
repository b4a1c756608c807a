#!/usr/bin/env python3
"""Roles of a running server, by the Python driver as it is: logins, the way back, what open connections may after a change, and that no
password or hash is found in a trace, an error, the log or a file.

    roles.py [--helenus build/helenus]
"""
import argparse
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from cassandra import AuthenticationFailed, Unauthorized  # noqa: E402
from cassandra.auth import PlainTextAuthProvider  # noqa: E402
from cassandra.cluster import Cluster, NoHostAvailable  # noqa: E402

from server import Helenus  # noqa: E402

SECRET = "Very.Secret.9d1f"
passed = 0


def check(right, what):
    global passed
    if not right:
        sys.exit(f"roles.py: {what}")
    passed += 1


class Session:
    def __init__(self, server, user, password):
        self.cluster = Cluster([server.host], port=server.cql_port, protocol_version=4, connect_timeout=30,
                               control_connection_timeout=30, auth_provider=PlainTextAuthProvider(user, password))
        try:
            self.session = self.cluster.connect()
        except NoHostAvailable as e:
            self.cluster.shutdown()
            raise next(iter(e.errors.values()))

    def __getattr__(self, name):
        return getattr(self.session, name)

    def close(self):
        self.cluster.shutdown()


def refused(server, user, password):
    try:
        Session(server, user, password).close()
    except AuthenticationFailed as e:
        return str(e)
    return None


def denied(session, statement, *values):
    try:
        session.execute(statement, *values)
    except Unauthorized as e:
        return str(e)
    return None


def raw_login(server, token, count=1):
    """AUTH_RESPONSE by hand, so many times on one connection: the answers' opcodes and bodies."""
    with socket.create_connection((server.host, server.cql_port), timeout=60) as s:
        def ask(opcode, body, stream):
            s.sendall(struct.pack(">BBhBi", 4, 0, stream, opcode, len(body)) + body)

        def answer():
            head = b""
            while len(head) < 9:
                head += s.recv(9 - len(head)) or sys.exit("roles.py: the connection was closed")
            size, body = struct.unpack(">i", head[5:])[0], b""
            while len(body) < size:
                body += s.recv(size - len(body))
            return head[4], body
        ask(1, struct.pack(">H", 1) + b"".join(struct.pack(">H", len(t)) + t for t in (b"CQL_VERSION", b"3.4.7")), 0)
        check(answer()[0] == 3, "STARTUP is not answered AUTHENTICATE")
        got = []
        for i in range(count):
            ask(15, struct.pack(">i", len(token)) + token, i)
            got.append(answer())
        return got


def logins(server):
    admin = Session(server, "cassandra", "cassandra")
    admin.execute(f"CREATE ROLE anna WITH LOGIN = true AND PASSWORD = '{SECRET}'")
    admin.execute(f"CREATE ROLE group1 WITH PASSWORD = '{SECRET}'")
    Session(server, "anna", SECRET).close()
    wrong = refused(server, "anna", "x" + SECRET)
    check(wrong and "Provided username anna and/or password are incorrect" in wrong, f"a wrong password: {wrong}")
    unknown = refused(server, "nobody", SECRET)
    check(unknown and unknown.replace("nobody", "anna") == wrong, f"an unknown role is told otherwise: {unknown}")
    check("group1 is not permitted to log in" in (refused(server, "group1", SECRET) or ""), "a role without LOGIN")
    for password in ("p", "p" * 72, "p" * 73, "p" * 1024, "é" * 36, "\u20ac" * 30, "it''s \u00ff"):
        admin.execute(f"ALTER ROLE anna WITH PASSWORD = '{password}'")
        Session(server, "anna", password.replace("''", "'")).close()
        check(refused(server, "anna", "x" + password), "a wrong password")
    admin.execute(f"ALTER ROLE anna WITH PASSWORD = '{SECRET}'")
    # what is no pair of a name and a password
    for token, said in ((b"", b"Password must not be null"), (b"\0anna\0", b"Password must not be null"),
                        (b"\0\0pw", b"Authentication ID must not be null"), (b"pw", b"Password must not be null"),
                        (b"\0a\0b\0c", b"Credential format error"), (b"\0" + b"a" * 8000 + b"\0" + b"b" * 8000, b"Provided username")):
        (opcode, body), = raw_login(server, token)
        check(opcode == 0 and struct.unpack(">i", body[:4])[0] == 0x0100 and said in body, f"{token[:20]}: {opcode} {body[:80]}")
    # who has not said who it is sends little: no check holds megabytes of strangers'
    (opcode, body), = raw_login(server, b"\0" + b"a" * 70000 + b"\0" + b"b" * 70000)
    check(opcode == 0 and struct.unpack(">i", body[:4])[0] == 0x2200 and b"Request is too big" in body, f"a large token: {opcode} {body[:80]}")
    got = raw_login(server, b"\0anna\0wrong", 3)
    check([opcode for opcode, _ in got] == [0, 0, 0], "wrong passwords, one after another")
    # an account that nobody has named is not made for who may not log in
    for i in range(20):
        check(refused(server, f"anna-at-{i:012}", "x"), "an account without roles")
    return admin


def flood(server, admin):
    """Others are served while passwords are tried: what a flood waits for is no thread of theirs."""
    stop, tried = threading.Event(), []

    def attack():
        while not stop.is_set():
            try:
                tried.append(raw_login(server, b"\0anna\0guess")[0])
            except OSError:
                pass
    threads = [threading.Thread(target=attack) for _ in range(24)]
    for thread in threads:
        thread.start()
    while len(tried) < 10:
        admin.execute("SELECT cluster_name FROM system.local")
    for _ in range(50):
        admin.execute("CREATE ROLE IF NOT EXISTS group1")
    stop.set()
    for thread in threads:
        thread.join()
    check(all(opcode == 0 for opcode, _ in tried), "a guess was let in")
    Session(server, "anna", SECRET).close()


def open_connections(server, admin):
    admin.execute("CREATE KEYSPACE s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    admin.execute("CREATE TABLE s.t (k int PRIMARY KEY, v int)")
    anna = Session(server, "anna", SECRET)
    select, insert = anna.prepare("SELECT v FROM s.t WHERE k = ?"), anna.prepare("INSERT INTO s.t (k, v) VALUES (?, ?)")
    check(denied(anna, select, (1,)), "SELECT without a grant")
    admin.execute("GRANT SELECT, MODIFY ON s.t TO anna")
    anna.execute(insert, (1, 2))
    check(anna.execute(select, (1,)).one().v == 2, "what was written")
    for _ in range(3):
        admin.execute("REVOKE MODIFY ON s.t FROM anna")
        check(denied(anna, insert, (1, 3)), "INSERT after REVOKE")
        anna.execute(select, (1,))
        admin.execute("GRANT MODIFY ON s.t TO anna")
        anna.execute(insert, (1, 3))
    admin.execute("CREATE ROLE team")
    admin.execute("GRANT ALL ON s.t TO team")
    admin.execute("REVOKE ALL ON s.t FROM anna")
    check(denied(anna, select, (1,)), "SELECT after REVOKE ALL")
    admin.execute("GRANT team TO anna")
    anna.execute(select, (1,))
    admin.execute("DROP ROLE team")
    check(denied(anna, select, (1,)), "SELECT after the role's role was dropped")
    admin.execute("ALTER ROLE anna WITH SUPERUSER = true")
    anna.execute(select, (1,))
    admin.execute("ALTER ROLE anna WITH SUPERUSER = false")
    check(denied(anna, select, (1,)), "SELECT of who was a superuser")
    admin.execute("GRANT SELECT ON s.t TO anna")
    anna.execute(select, (1,))
    admin.execute("DROP ROLE anna")
    check(denied(anna, select, (1,)), "SELECT of a role that was dropped")
    check(denied(anna, "SELECT cluster_name FROM system.local"), "system.local of a role that was dropped")
    check(refused(server, "anna", SECRET), "the login of a role that was dropped")
    admin.execute(f"CREATE ROLE anna WITH LOGIN = true AND PASSWORD = '{SECRET}'")
    check(denied(anna, select, (1,)), "a role of the same name has what the other had")
    anna.close()


def addresses(server, admin):
    admin.execute("INSERT INTO system_auth.cidr_groups (cidr_group, cidrs) VALUES ('here', {('127.0.0.0', 8)})")
    admin.execute("INSERT INTO system_auth.cidr_groups (cidr_group, cidrs) VALUES ('there', {('10.0.0.0', 8), ('2001:db8::', 32)})")
    while not {"here", "there"} <= {row.cidr_group for row in admin.execute("SELECT cidr_group FROM system_auth.cidr_groups")}:
        pass
    admin.execute("CREATE ROLE far WITH LOGIN = true AND PASSWORD = 'pw' AND ACCESS FROM CIDRS {'there'}")
    admin.execute("CREATE ROLE near WITH LOGIN = true AND PASSWORD = 'pw' AND ACCESS FROM CIDRS {'here', 'there'}")
    near = Session(server, "near", "pw")
    near.execute("SELECT cluster_name FROM system.local")
    near.close()
    # The driver reads system.local before it says that it is connected.
    try:
        Session(server, "far", "pw").close()
        sys.exit("roles.py: a role from elsewhere")
    except Exception as e:
        check("You do not have access from this IP" in str(e), f"a role from elsewhere: {e}")
    admin.execute("DROP ROLE far")
    admin.execute("DROP ROLE near")


def secrets(server, admin):
    anna = Session(server, "anna", SECRET)
    check(denied(anna, "SELECT salted_hash FROM system_auth.roles"), "hashes shown")
    admin.execute("GRANT SELECT ON KEYSPACE system_auth TO anna")
    anna.execute("SELECT * FROM system_auth.role_members")
    check(denied(anna, "SELECT salted_hash FROM system_auth.roles"), "hashes shown to who may read system_auth")
    anna.close()
    for text in (f"ALTER ROLE anna WITH PASSWORD = '{SECRET}'", f"ALTER USER anna WITH PASSWORD '{SECRET}'",
                 f"CREATE ROLE IF NOT EXISTS anna WITH LOGIN = true AND PASSWORD = '{SECRET}'"):
        traced = admin.execute(text, trace=True).get_query_trace(max_wait_sec=20)
        told = repr(traced.parameters) + "".join(event.description for event in traced.events)
        check("PASSWORD *******" in told and SECRET not in told, f"a trace: {told}")
    for text in (f"ALTER ROLE anna WITH PASSWORD '{SECRET}'", f"ALTER USER anna WITH PASSWORD = '{SECRET}'",
                 f"ALTER ROLE anna WITH PASSWORD = {SECRET}x'"):
        try:
            admin.execute(text)
            sys.exit(f"roles.py: {text}: no error")
        except Exception as e:
            check(f"'{SECRET}'" not in str(e), f"an error tells the password: {e}")
    hashes = [row.salted_hash for row in admin.execute("SELECT salted_hash FROM system_auth.roles")]
    check(all(h is None or h.startswith("$2a$10$") and len(h) == 60 for h in hashes), f"hashes: {hashes}")
    return [SECRET.encode(), b"$2a$10$"]


def way_back(server, binary):
    said = subprocess.run([binary, "password", server.data, "cassandra"], check=True, capture_output=True, text=True).stdout.strip()
    check(said.startswith("cassandra is a superuser with the password "), said)
    check(refused(server, "cassandra", "cassandra"), "the old password is right still")
    admin = Session(server, "cassandra", said.split()[-1])
    # a first role of another account, which sees nothing of this one
    said = subprocess.run([binary, "password", server.data, "eve-at-111122223333"], check=True, capture_output=True, text=True).stdout.strip()
    eve = Session(server, "eve-at-111122223333", said.split()[-1])
    check([row.role for row in eve.execute("LIST ROLES")] == ["eve"], "roles of another account")
    eve.execute("CREATE KEYSPACE s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    eve.execute(f"CREATE ROLE anna WITH LOGIN = true AND PASSWORD = 'of eve'")
    check(refused(server, "anna", "of eve"), "a role of another account")
    Session(server, "anna-at-111122223333", "of eve").close()
    eve.close()
    admin.execute("ALTER ROLE cassandra WITH PASSWORD = 'cassandra'")
    admin.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--helenus", default=os.environ.get("HELENUS") or str(ROOT / "build" / "helenus"))
    args = parser.parse_args()
    server = Helenus(binary=args.helenus, args=["--auth", "roles"]).start()
    try:
        admin = logins(server)
        flood(server, admin)
        open_connections(server, admin)
        addresses(server, admin)
        hidden = secrets(server, admin)
        way_back(server, args.helenus)
        admin.close()
        # after kill -9 all is as it was answered
        server.kill()
        server.start()
        Session(server, "anna", SECRET).close()
        Session(server, "anna-at-111122223333", "of eve").close()
        Session(server, "cassandra", "cassandra").close()
        check(refused(server, "anna", "x"), "a wrong password after a crash")
    finally:
        files = [path for path in pathlib.Path(server.data).rglob("*") if path.is_file() and not path.is_socket()]
        found = [path.name for path in files for secret in (SECRET.encode(), b"$2a$10$") if secret in path.read_bytes()]
        log = pathlib.Path(server.log_path).read_bytes()
        code = server.stop()
    check(not found, f"secrets in files: {found}")
    check(not any(secret in log for secret in hidden + [b"anna"]), "secrets in the log")
    check(code == 0 and not server.reported, f"the server ended with {code}: {server.reported}")
    print(f"roles: {passed} passed, 0 failed")


if __name__ == "__main__":
    main()
