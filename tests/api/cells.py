#!/usr/bin/env python3
"""The table of cells: official clients, unchanged, each through the same steps on each API; and CQL at once on what they make.

    cells.py [CLIENT...]

A client is a small program (tests/api/clients) that takes commands on standard input and says what its SDK made of the answers on standard
output, a JSON object per line. The steps are in steps.py; what should have been seen is decided there, from what was asked and from AWS's own
model, and all clients must have seen the same. A relay before the server says which protocol each really speaks. The table is in kinds.py.
"""
import argparse
import json
import os
import pathlib
import queue
import re
import sys
import time

from cassandra.cluster import Cluster

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import checks  # noqa: E402
from form import faults_of, wrong_in  # noqa: E402
from kinds import AREAS, BUILD, KINDS  # noqa: E402
from lib.clients import Talk, lacking  # noqa: E402
from relay import Relay, protocol_of  # noqa: E402
from sdk import REGION  # noqa: E402
from server import Helenus  # noqa: E402
from steps import STEPS, prepare  # noqa: E402

SECONDS = 60  # for one answer
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
SIGNING = {"keyspaces": "cassandra", "resourcegroupstaggingapi": "tagging", "sts": "sts"}
# Of an answer, what differs from run to run.
TIMES = {"creationTimestamp", "lastModifiedTimestamp", "lastUpdateToPayPerRequestTimestamp", "earliestRestorableTimestamp"}


def masked(value):
    """What all clients must have seen alike: times are times, ids are not looked at."""
    if isinstance(value, dict):
        return {name: "time" if name in TIMES else code_of(one) if name == "fault" else masked(one) for name, one in value.items()
                if name not in ("id", "status", "nextToken", "PaginationToken") or isinstance(one, dict)}
    return [masked(one) for one in value] if isinstance(value, list) else value


def code_of(fault):
    """Of an error that the SDK has no class for, the client says `class: code`."""
    return fault.rpartition(": ")[2]


class Cell:
    """A client in an area. What a step asks goes to the client; the answer's form is judged here, its content by the step."""

    def __init__(self, client, area, talk, relay, check):
        self.client, self.area, self.talk, self.relay = client, area, talk, relay
        self.transcript, self.protocols, self.requests, self.checks = [], set(), 0, 0
        self.note = check

    def check(self, right, name, what=""):
        self.checks += 1
        self.note(right, f"{self.client} {self.area}: {name}", what)

    def say(self, service, operation, input, page=None):
        command = {"service": service, "operation": operation, "input": input}
        try:
            self.talk.send({**command, "page": page} if page else command)
            said = self.talk.line(time.time() + SECONDS)
        except (queue.Empty, OSError, ValueError) as e:
            self.talk.process.kill()  # nothing after this would be an answer to what was asked
            said = {"fault": "Client", "message": f"{type(e).__name__}: {e}"}
        if said is None:
            said = {"fault": "Client", "message": f"it has ended: {self.talk.process.poll()}"}
        asked = [one for one in self.relay.take() if f"/{SIGNING[service]}/aws4_request" in one[0]]
        self.protocols |= {protocol_of(*one) for one in asked} if service == self.area else set()
        self.requests += len(asked)
        return said, len(asked)

    def heard(self, operation, said):
        """For the comparison of clients. A step that is repeated until something has come about is one step."""
        one = (operation, masked(said))
        if not self.transcript or self.transcript[-1] != one:
            self.transcript.append(one)

    def ask(self, operation, service=None, quietly=False, **input):
        """The answer, whose form is checked."""
        service = service or self.area
        said, requests = self.say(service, operation, input)
        answer = said.get("answer")
        if answer is None:
            self.check(False, operation, (input, said))
            answer = {}
        wrong = [] if "answer" not in said else wrong_in(service, operation, answer)
        self.check(not wrong and requests == 1, f"{operation}'s answer is of AWS's form", (wrong, requests, answer))
        self.check(self.client == "cli" or UUID.match(said.get("id") or ""), f"{operation} has a request's id", said)
        if not quietly:
            self.heard(operation, said)
        return answer

    def pages(self, operation, member, size_member="", size=1, service=None, **input):
        """All items, by the SDK's own paginator."""
        service = service or self.area
        said, requests = self.say(service, operation, input, {"member": size_member, "size": size})
        pages = said.get("pages")
        self.check(pages is not None, f"{operation} by pages", (input, said))
        wrong = [text for one in pages or [] for text in wrong_in(service, operation, one)]
        self.check(not wrong, f"{operation}'s pages are of AWS's form", wrong)
        items = [item for one in pages or [] for item in one.get(member, [])]
        # The CLI shows one list of all pages: what it asked tells of them.
        small = not size_member or self.client == "cli" or all(len(one.get(member, [])) <= size for one in pages or [])
        enough = not size_member or requests >= -(-len(items) // size)
        self.check(small and enough, f"{operation}: pages of {size} at most", (requests, pages))
        self.heard(operation, items)
        return items

    def refused(self, fault, status, operation, service=None, **input):
        """The error, which is of a class of its own in this SDK if the model has it. Of several, any; status None: that of its name."""
        service = service or self.area
        said, requests = self.say(service, operation, input)
        faults = fault if isinstance(fault, tuple) else (fault,)
        status = status or {"ConflictException": 409}.get(said.get("fault"), 400)
        got = said.get("fault", "")
        right = (got if set(faults) <= faults_of(service, operation) else code_of(got)) in faults and said.get("message")
        right = right and (self.client == "cli" or said.get("status") == status)
        self.check(right and requests == 1, f"{operation} {json.dumps(input)[:120]} is {' or '.join(faults)}, {status}", (said, requests))
        self.check(self.client == "cli" or UUID.match(said.get("id") or ""), f"{operation}'s error has a request's id", said)
        self.heard(operation, said)
        return said


def environment(port):
    """All that a client is told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def run_client(name, command, server, cql):
    """Its three cells; gives what it has heard."""
    relay, heard = Relay(server.http_port), []
    talk = Talk(command, BUILD / f"{name}.log", BUILD, environment(relay.port))
    try:
        for area, protocol in zip(AREAS, KINDS[name].protocols):
            cell, begin, failures = Cell(name, area, talk, relay, checks.check), time.time(), len(checks.failed)
            STEPS[area](cell, cql)
            cell.check(cell.protocols == {protocol}, "its protocol", cell.protocols)
            heard.append(cell.transcript)
            print(f"cell {name} {area}: {protocol}, {cell.requests} requests, {cell.checks} checks, "
                  f"{len(checks.failed) - failures} failed, {time.time() - begin:.1f} s", flush=True)
    finally:
        talk.close()
        relay.close()
    return heard


def compare(heard):
    """All against the first, step by step."""
    first = next(iter(heard))
    for name, transcripts in heard.items():
        for area, wanted, got in zip(AREAS, heard[first], transcripts):
            differ = next(((a, b) for a, b in zip(wanted, got) if a != b), None) or (len(wanted) != len(got) and (len(wanted), len(got)))
            checks.check(not differ, f"{name} {area}: sees what {first} sees", differ)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clients", nargs="*", default=list(KINDS), metavar="CLIENT")
    parser.add_argument("--binary")
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    commands = {}
    for name in options.clients:
        why = next(filter(None, (lacking(*tool) for tool in KINDS[name].tools)), None)
        if why:
            for area in AREAS:
                checks.skip(f"cell {name} {area}", why)
            continue
        try:
            commands[name] = KINDS[name].make()
        except RuntimeError as e:
            checks.check(False, f"{name}: made", e)
    server, heard = Helenus(options.binary).start(), {}
    try:
        with Cluster(["127.0.0.1"], port=server.cql_port, protocol_version=4) as cluster:
            cql = cluster.connect()
            prepare(cql)
            for name, command in commands.items():
                heard[name] = run_client(name, command, server, cql)
    finally:
        code = server.stop()
    checks.check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    compare(heard)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
