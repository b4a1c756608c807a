"""The table of cells: which clients there are, by what version, and which protocol each speaks to which API. Needs nothing but Python."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "cells"
sys.path.insert(0, str(ROOT / "tests"))

from lib.clients import make_go, make_java, make_node  # noqa: E402

AREAS = ("keyspaces", "resourcegroupstaggingapi", "sts")
PROGRAMS = HERE / "clients"
JSON = ("JSON 1.0", "JSON 1.1", "query")


class Kind:
    """A client: its name, the file that pins its version and how it stands there, what each area's requests must be, what it is made by."""

    def __init__(self, title, file, pin, protocols, make, tools=()):
        self.title, self.file, self.pin, self.protocols, self.make, self.tools = title, ROOT / file, pin, protocols, make, tools

    def version(self):
        return re.search(self.pin, self.file.read_text())[1]


def python(program, *options):
    return lambda: [sys.executable, str(PROGRAMS / program), *options]


PINS = "tests/requirements.txt"
# Go 1.24 and Node 20 are what those SDKs ask for; Debian 12 has older ones.
KINDS = {
    "cli": Kind("aws CLI", PINS, r"awscli==(\S+)", JSON, python("cli.py")),
    "boto3": Kind("boto3", PINS, r"boto3==(\S+)", JSON, python("boto.py")),
    "boto3-cbor": Kind("boto3, by models that have CBOR alone", PINS, r"boto3==(\S+)", ("CBOR", "CBOR", "query"), python("boto.py", "cbor")),
    "java": Kind("SDK for Java 2", "tests/api/clients/java/pom.xml", r"<sdk>(\S+)</sdk>", JSON,
                 lambda: make_java(PROGRAMS / "java", BUILD / "java"), ((["javac", "-version"], (11, 0)), (["mvn", "--version"], (3, 6)))),
    "go": Kind("SDK for Go 2", "tests/api/clients/go/go.mod", r"aws-sdk-go-v2/service/keyspaces v(\S+)", ("JSON 1.0", "CBOR", "query"),
               lambda: make_go(PROGRAMS / "go", BUILD / "go"), ((["go", "version"], (1, 24)),)),
    "node": Kind("SDK for JavaScript 3", "tests/api/clients/node/package.json", r'client-keyspaces": "([^"]+)"', JSON,
                 lambda: make_node(PROGRAMS / "node", BUILD / "node"), ((["node", "--version"], (20, 0)), (["npm", "--version"], (9, 0)))),
}


def table():
    """For docs/apis.md."""
    lines = ["| client | version | keyspaces | resourcegroupstaggingapi | sts |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {kind.title} | {kind.version()} | {' | '.join(kind.protocols)} |" for kind in KINDS.values()]
    return "\n".join(lines) + "\n"
