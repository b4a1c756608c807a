"""Nothing of a row, key or name can be read in any file, log or stderr.

40 random 16-byte tokens become keyspace, table, column and type names, partition keys, clusterings, cells, collection
elements and map keys. They are searched for raw, as hex, base64 (at every alignment) and UTF-16 in every file under the data
directory: while rows are only in the log, after a flush, after a compaction and after kill -9; and in all log output.
The same search on an unencrypted, uncompressed test build of the store must find all 40, or the search itself is blind.
"""
import argparse
import base64
import os
import random
import string
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import BINARY, Client, Server  # noqa: E402


def forms(token):
    raw = token.encode()
    out = {raw, raw.hex().encode(), raw.hex().upper().encode(), token.encode("utf-16-le"), token.encode("utf-16-be")}
    for shift in range(3):  # base64 of the token inside longer data: the middle, at each alignment
        text = base64.b64encode(b"\0" * shift + raw)
        out.add(text[(shift * 4 + 2) // 3 + (1 if shift else 0):len(text) - 4])
    return out


def search(paths, tokens):
    found = {}
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        for token in tokens:
            for form in forms(token):
                if form in data:
                    found.setdefault(token, []).append(path)
                    break
    return found


def files_under(directory):
    return [os.path.join(base, name) for base, _, names in os.walk(directory) for name in names if name != "control"]  # a socket


def write_rows(port, t):
    c = Client(port)
    ks, table, column, type_name, field = t[:5]
    c.query(f"CREATE KEYSPACE \"{ks}\" WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    c.query(f'CREATE TYPE "{ks}"."{type_name}" ("{field}" text)')
    c.query(f'CREATE TABLE "{ks}"."{table}" (pk text, ck text, s text static, "{column}" text, l list<text>, st set<text>, '
            f'm map<text, text>, u frozen<"{type_name}">, b blob, PRIMARY KEY (pk, ck)) WITH comment = \'{t[5]}\'')
    name = f'"{ks}"."{table}"'
    c.query(f"INSERT INTO {name} (pk, ck, s, \"{column}\", l, st, m, u, b) VALUES ('{t[6]}', '{t[7]}', '{t[8]}', '{t[9]}', "
            f"['{t[10]}'], {{'{t[11]}'}}, {{'{t[12]}': '{t[13]}'}}, {{\"{field}\": '{t[14]}'}}, 0x{t[15].encode().hex()})")
    statement = c.prepare(f'INSERT INTO {name} (pk, ck, "{column}") VALUES (?, ?, ?)')
    for i in range(16, 40, 3):
        c.execute(statement, [x.encode() for x in (t + t)[i:i + 3]])
    for token in t[16:40]:
        c.execute(statement, [token.encode(), b"x", token.encode()])
    # Errors that quote names and values must not reach the log.
    for bad in (f"SELECT {t[16]} FROM {name}", f"SELECT * FROM \"{t[17]}\"", f"INSERT INTO {name} (pk, ck) VALUES ({t[18]}, 1)", f"'{t[19]}"):
        try:
            c.query(bad)
        except Exception:
            pass
    c.close()


def run(binary, store_env, tokens, failures, expect_all):
    with tempfile.TemporaryDirectory(prefix="helenus-plain-") as top:
        data, log = os.path.join(top, "data"), os.path.join(top, "server.log")
        server = Server(data, log=log, env=store_env, binary=binary).start()
        write_rows(server.port, tokens)
        stages = {"rows only in the log": None}

        def look(stage):
            paths = files_under(data)
            found = search(paths, tokens)
            stages[stage] = (len(paths), len(found))
            if not expect_all and found:
                failures.append(f"{stage}: {len(found)} tokens readable in {sorted({os.path.basename(p) for l in found.values() for p in l})}")
            return found

        everywhere = set(look("rows only in the log"))
        server.kill()
        everywhere |= set(look("after kill -9"))
        server.start()
        server.stop()
        everywhere |= set(look("after a clean stop (flushed)"))
        for word in ("flush", "compact"):
            server.start()
            subprocess.run([server.binary, word, server.data], check=True, capture_output=True, timeout=60)
            everywhere |= set(look(f"after {word}"))
            server.stop()
        if expect_all and len(everywhere) != len(tokens):
            failures.append(f"the search is blind: it found {len(everywhere)} of {len(tokens)} tokens in plain files")
        logged = search([log], tokens)
        if logged:
            failures.append(f"{len(logged)} tokens in the log")
        for stage, (files, found) in stages.items():
            print(f"  {stage}: {files} files, {found} tokens found")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    tokens = ["t" + "".join(rng.choices(string.ascii_letters + string.digits, k=15)) for _ in range(40)]
    failures = []
    print("encrypted:")
    run(BINARY, {}, tokens, failures, expect_all=False)
    print("plain, uncompressed test build:")
    run(BINARY + "-switches", {"HELENUS_TEST_PLAINTEXT": "1"}, tokens, failures, expect_all=True)
    for failure in failures:
        print("FAILED:", failure)
    print(f"{2 - min(2, len(failures))} passed, {min(2, len(failures))} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
