"""The load generator's word: every workload passes on a sound table, and a table with one wrong row, a row too few, a condition that does not
hold or a counter that someone else added to is told as wrong, with exit code 1.

    python3 tests/process/load.py
"""
import json
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import QUERY, RESULT, Client, Server, frame, long_string  # noqa: E402

LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "load")
ROWS = 200
OPTIONS = ("--rows", str(ROWS), "--warm", "0", "--connections", "4", "--depth", "4")


def load_command(server, workload, *options, seconds="1"):
    return [LOAD, "--port", str(server.port), "--workload", workload, "--seconds", seconds, *OPTIONS, *options]


def run(server, workload, *options):
    done = subprocess.run(load_command(server, workload, *options), capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert lines, (workload, done.stderr)
    return done.returncode, json.loads(lines[-1]), lines[:-1]


def right(server, workload, *options):
    code, said, lines = run(server, workload, *options)
    assert code == 0 and said["requests"] > 0 and said["errors"] == 0 and said["wrong"] == 0, said
    return said, lines


def found(server, workload, *options):
    code, said, _ = run(server, workload, *options)
    assert code == 1 and said["errors"] == 0 and 0 < said["wrong"], said


def query(client, text):
    client.send(frame(QUERY, long_string(text) + struct.pack(">HB", 1, 0)))
    answers = []
    while not answers:
        client.read_some()
        answers = client.frames()
    assert answers[0][1] == RESULT, answers


def reload(server):
    right(server, "insert", "--setup", "--sequential")


def sound(server):
    for options in ((), ("--protocol", "5"), ("--metadata",)):
        for workload in ("insert", "read", "mixed", "slice", "lwt", "counter", "batch10", "batch100"):
            right(server, workload, *options)
    said, _ = right(server, "batch100")
    assert said["rows"] == 100 and abs(said["server_cpu_us_per_row"] * 100 - said["server_cpu_us"]) < 0.1, said
    for workload in ("batch10", "batch100"):  # the second is large enough for a warning
        right(server, workload, "--logged")
    right(server, "mixed", "--connections", "1000", "--depth", "1")
    right(server, "read", "--depth", "256")
    _, lines = right(server, "mixed", "--interval", "0.1")
    assert lines and all(json.loads(line)["per_second"] > 0 for line in lines), lines
    right(server, "read")  # what conditions and batches wrote is what reads expect


def wrong(server, client):
    query(client, "UPDATE bench.t SET c7 = 'other' WHERE pk = 1 AND ck = 5")
    found(server, "read")
    found(server, "lwt")
    reload(server)
    query(client, "DELETE FROM bench.t WHERE pk = 1 AND ck = 99")
    found(server, "read")
    found(server, "slice")
    found(server, "lwt")
    reload(server)
    right(server, "counter")
    with subprocess.Popen(load_command(server, "counter", seconds="1.5"), stdout=subprocess.PIPE, text=True) as client_of_counters:
        time.sleep(0.7)
        query(client, "UPDATE bench.n SET n = n + 1 WHERE pk = 1 AND ck = 5")
        said = json.loads(client_of_counters.stdout.read().splitlines()[-1])
    assert client_of_counters.returncode == 1 and said["wrong"] == 1, said


with Server() as server:
    reload(server)
    sound(server)
    wrong(server, Client(server.port))
print("load generator: every workload, and what is wrong is found")
