#!/usr/bin/env python3
"""Protocols: botocore's own test suites against helenus' codecs, the other way round.

    protocols.py [--tool PATH] [--suite NAME] [--verbose]

botocore tests its client with cases of params and bytes. helenus is a server: of an input case it must read the bytes as the params;
of an output case it must write the result so that botocore's parser, which the case was made for, reads it back. Where a case is about
bytes that only a client reads or writes, it is skipped, and told with the reason. The suites (botocore's source distribution) are fetched
once, into build/aws; helenus' half is codec_tool.c. To add a protocol: a line in SUITES, a class beside Json and Cbor.
"""
import argparse
import base64
import json
import pathlib
import struct
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "aws"
BOTOCORE = "1.44.8"
BASIC = {"string": "String", "character": "String", "integer": "Integer", "long": "Long", "float": "Float", "double": "Double", "boolean": "Boolean",
         "blob": "Blob", "timestamp": "Timestamp"}
FORMATS = {"iso8601": "iso8601", "rfc822": "http", "unixTimestamp": "epoch"}
passed, failed, skipped = 0, [], []


def fetch():
    CACHE.mkdir(parents=True, exist_ok=True)
    source = CACHE / f"botocore-{BOTOCORE}"
    if not (source / "tests" / "unit").exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", "botocore",
                        "--dest", str(CACHE), f"botocore=={BOTOCORE}"], check=True)
        with tarfile.open(CACHE / f"botocore-{BOTOCORE}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return source


# ---- a suite's shapes in our notation ----

class Model:
    """The text of a model with the shapes of a suite and one operation."""

    def __init__(self, suite, case, protocol):
        self.shapes, self.lines, self.made, self.extra = suite["shapes"], [], {}, 0
        self.protocol = protocol
        given = case["given"]
        line = f"operation {given['name']}"
        if "input" in given:
            line += f" {self.name(given['input'])}"
        line += " ->"
        if "output" in given:
            line += f" {self.name(given['output'])}"
        errors = [self.name(error) for error in given.get("errors", [])]
        if errors:
            line += " ! " + " ".join(errors)
        space = "aws.protocoltests"
        self.text = "\n".join(["service s", "id S", "signing s", "version 2020-01-01", f"namespace {space}", f"protocols {protocol}", *self.lines, line])

    def name(self, reference):
        """A shape's name in our model, which is declared if it was not. A reference may bring a format or a name of its own."""
        name = reference["shape"]
        shape = self.shapes[name]
        kind = shape["type"]
        form = reference.get("timestampFormat") or shape.get("timestampFormat")
        if kind == "timestamp" and form:
            return self.declare(f"Timestamp_{form}", f"timestamp Timestamp_{form} {FORMATS[form]}")
        if shape.get("document"):
            return "Document"
        if kind in BASIC and "enum" not in shape:
            return BASIC[kind]
        ours = f"Shape_{name}"
        if ours in self.made:
            return ours
        self.made[ours] = None  # first, as shapes can be in themselves
        if kind in BASIC:
            # An enum may have blanks in its values, and a client may send what it wants: a string.
            self.lines.append(f"string {ours}")
        elif kind == "list":
            self.lines.append(f"list {ours} of {self.name(shape['member'])}")
        elif kind == "map":
            self.lines.append(f"map {ours} of {self.name(shape['key'])} to {self.name(shape['value'])}")
        else:
            self.lines.append(self.structure(name, ours, shape))
        return ours

    def declare(self, name, line):
        if name not in self.made:
            self.made[name] = None
            self.lines.append(line)
        return name

    def structure(self, name, ours, shape):
        words = []
        for member, reference in shape["members"].items():
            wire = reference.get("locationName")
            words.append(f"{member}{'!' if member in shape.get('required', []) else ''}{f'({wire})' if wire else ''}:{self.name(reference)}")
        if shape.get("exception"):
            error = shape.get("error", {})
            # The name of an error is told to clients: it stays what it is.
            self.made[name] = self.made.pop(ours)
            code = f" code {error['code']}" if error.get("code") else ""
            return f"error {ours} {error.get('httpStatusCode', 400)}{code} " + " ".join(words)
        return f"{'union' if shape.get('union') else 'structure'} {ours} " + " ".join(words)


# ---- values, as codec_tool.c has them ----

def hexed(kind, raw):
    return kind + (raw.encode() if isinstance(raw, str) else raw).hex()


class Values:
    """A case's value of a shape as words, and back."""

    def __init__(self, suite, parse_timestamp):
        self.shapes, self.parse_timestamp = suite["shapes"], parse_timestamp

    def scalar(self, reference, shape, value):
        kind = shape["type"]
        if shape.get("document"):
            return hexed("s", json.dumps(value))
        if kind in ("string", "character", "blob"):
            return hexed("s", value)
        if kind == "boolean":
            return "t" if value else "f"
        if kind in ("integer", "long"):
            return f"i{value}"
        if kind == "float":
            return "n" + struct.pack(">d", struct.unpack(">f", struct.pack(">f", float(value)))[0]).hex()
        if kind == "double":
            return "n" + struct.pack(">d", float(value)).hex()
        return f"m{round(self.parse_timestamp(value).timestamp() * 1000000)}"

    def words(self, reference, value):
        shape = self.shapes[reference["shape"]]
        if value is None:
            return "z"
        if shape["type"] == "list":
            return " ".join(["[", *(self.words(shape["member"], one) for one in value), "]"])
        if shape["type"] == "map":
            return " ".join(["{", *(f"{hexed('k', key)} {self.words(shape['value'], one)}" for key, one in value.items()), "}"])
        if shape["type"] == "structure" and not shape.get("document"):
            order = [name for name in shape["members"] if name in value and value[name] is not None]
            unknown = [name for name in value if name not in shape["members"]]
            if unknown:
                raise ValueError(f"the shape has no {unknown}")
            return " ".join(["{", *(f"{hexed('k', name)} {self.words(shape['members'][name], value[name])}" for name in order), "}"])
        return self.scalar(reference, shape, value)


def same(ours, wanted):
    """Of maps and structures the order says nothing, and not the spaces in a document."""
    return parse(ours.split()) == parse(wanted.split())


def parse(words):
    word = words.pop(0)
    if word == "[":
        found = []
        while words[0] != "]":
            found.append(parse(words))
        words.pop(0)
        return found
    if word == "{":
        found = {}
        while words[0] != "}":
            key = words.pop(0)
            found[key] = parse(words)
        words.pop(0)
        return found
    if word.startswith("n7ff8") or word.startswith("nfff8"):
        return "NaN"
    if word.startswith("s"):
        raw = bytes.fromhex(word[1:])
        if raw[:1] in (b"{", b"["):
            try:
                return ("json", json.loads(raw))
            except ValueError:
                pass
    return word


# ---- protocols ----

class Json:
    parser = "JSONParser"

    def __init__(self, name):
        self.name = name

    def body(self, text):
        return text.encode()

    def headers(self):
        return {"Content-Type": "application/x-amz-" + self.name}


class Cbor:
    parser = "RpcV2CBORParser"
    name = "cbor"

    def body(self, text):
        return base64.b64decode(text)

    def headers(self):
        return {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}


SUITES = {
    "json": Json("json-1.1"),
    "json_1_0": Json("json-1.0"),
    "json_1_0-query-compatible": Json("json-1.0"),
    "smithy-rpc-v2-cbor": Cbor(),
    "smithy-rpc-v2-cbor-query-compatible": Cbor(),
    "smithy-rpc-v2-cbor-non-query-compatible": Cbor(),
}


class Tool:
    """Records to codec_tool.c, and what it answers: all at once."""

    def __init__(self, path):
        self.path, self.records, self.then = path, [], []

    def ask(self, what, protocol, model, name, data, text, then):
        self.records.append([what, protocol, model, name, data, text])
        self.then.append(then)

    def run(self):
        packed = b"".join(struct.pack(">I", len(raw)) + raw for record in self.records
                          for raw in (field.encode() if isinstance(field, str) else field for field in record))
        done = subprocess.run([self.path], input=packed, capture_output=True)
        if done.returncode:
            raise SystemExit(f"{self.path} failed: {done.stderr.decode(errors='replace')}")
        fields, at = [], 0
        while at < len(done.stdout):
            size, = struct.unpack_from(">I", done.stdout, at)
            fields.append(done.stdout[at + 4:at + 4 + size])
            at += 4 + size
        assert len(fields) == 2 * len(self.then), "an answer for each record"
        for i, then in enumerate(self.then):
            then(fields[2 * i].decode(), fields[2 * i + 1])


# ---- cases ----

def judge(right, name, what=""):
    global passed
    if right:
        passed += 1
    else:
        failed.append(name)
        print(f"FAILED {name}: {what}")


def skip(name, why):
    skipped.append(name)
    print(f"skipped {name}: {why}")


def input_case(tool, botocore, suite, case, protocol, name):
    if "body" not in case["serialized"]:
        return skip(name, "it says nothing of the body")
    reference = case["given"].get("input")
    values = Values(suite, botocore["parse_timestamp"])
    wanted = values.words(reference, botocore["special"](case["params"])) if reference else "{ }"

    def then(result, data):
        judge(result == "ok" and same(data.decode(), wanted), name, f"{result} {data.decode(errors='replace')}, wanted {wanted}")

    tool.ask("read", protocol.name, Model(suite, case, protocol.name).text, case["given"]["name"], protocol.body(case["serialized"]["body"]), "", then)


def parse_answer(botocore, suite, case, protocol, body, status):
    """What botocore reads of our answer, as its own tests look at it."""
    description = {"metadata": suite["metadata"], "shapes": suite["shapes"], "operations": {case["given"]["name"]: case}}
    model = botocore["ServiceModel"](description)
    operation = botocore["OperationModel"](case["given"], model)
    parser = botocore[protocol.parser](timestamp_parser=botocore["test"]._compliance_timestamp_parser)
    response = {"body": body, "status_code": status, "headers": botocore["HeadersDict"](protocol.headers()),
                "context": {"operation_name": case["given"]["name"]}}
    parsed = parser.parse(response, operation.output_shape)
    if status >= 300:
        parsed.update(parser.parse(response, model.shape_for(case["given"]["errors"][0]["shape"])))
    return botocore["test"]._fixup_parsed_result(parsed)


def output_case(tool, botocore, suite, case, protocol, name):
    reference = case["given"].get("output")
    values = Values(suite, botocore["parse_timestamp"])
    try:
        words = values.words(reference, case["result"]) if reference else ""
    except ValueError as problem:
        return skip(name, f"it is about what no model has: {problem}")

    def then(result, data):
        parsed = parse_answer(botocore, suite, case, protocol, data, 200)
        judge(result == "ok" and parsed == case["result"], name, f"botocore reads {parsed} of {data}, wanted {case['result']}")

    tool.ask("write", protocol.name, Model(suite, case, protocol.name).text, case["given"]["name"], words, "", then)


def error_case(tool, botocore, suite, case, protocol, name):
    errors = case["given"].get("errors", [])
    if len(errors) != 1:
        return skip(name, "it does not say which error it is")
    shape, reference = errors[0]["shape"], errors[0]
    message = case.get("errorMessage", "")
    details = {key: value for key, value in case["error"].items() if key.lower() != "message"}
    words = Values(suite, botocore["parse_timestamp"]).words(reference, details)
    model = Model(suite, case, protocol.name)

    def then(result, data):
        parsed = parse_answer(botocore, suite, case, protocol, data, 400)
        wanted = {"Error": {"Code": shape, "Message": message}, **case["error"]}
        judge(result == "ok" and parsed == wanted, name, f"botocore reads {parsed} of {data}, wanted {wanted}")

    tool.ask("fault", protocol.name, model.text.replace(f"Shape_{shape}", shape), shape, words, message, then)


def load_botocore(source):
    sys.path[:0] = [str(source), str(source / "tests")]
    import importlib.util

    import botocore.parsers
    import botocore.utils
    from botocore.awsrequest import HeadersDict
    from botocore.model import OperationModel, ServiceModel
    spec = importlib.util.spec_from_file_location("test_protocols", source / "tests" / "unit" / "test_protocols.py")
    test = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(test)
    return {"test": test, "ServiceModel": ServiceModel, "OperationModel": OperationModel, "HeadersDict": HeadersDict,
            "JSONParser": botocore.parsers.JSONParser, "RpcV2CBORParser": botocore.parsers.RpcV2CBORParser,
            "parse_timestamp": botocore.utils.parse_timestamp, "special": test._convert_strings_to_special_float}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tool", default=str(ROOT / "build" / "test" / "tests" / "api" / "codec_tool"))
    options.add_argument("--suite", choices=SUITES)
    options = options.parse_args()
    source = fetch()
    botocore, tool = load_botocore(source), Tool(options.tool)
    for suite_name, protocol in SUITES.items():
        for direction in ("input", "output") if options.suite in (None, suite_name) else ():
            suites = json.loads((source / "tests" / "unit" / "protocols" / direction / f"{suite_name}.json").read_text())
            for suite in suites:
                for number, case in enumerate(suite["cases"]):
                    name = f"{suite_name} {direction} {case.get('id') or suite['description'] + ' ' + str(number)}"
                    run = input_case if direction == "input" else error_case if "error" in case else output_case
                    run(tool, botocore, suite, case, protocol, name)
    tool.run()
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
