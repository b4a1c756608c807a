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
import struct
import subprocess
import sys
import xml.etree.ElementTree

from checks import check, finish, skip
from suites import ROOT, botocore_source

BASIC = {"string": "String", "character": "String", "integer": "Integer", "long": "Long", "float": "Float", "double": "Double", "boolean": "Boolean",
         "blob": "Blob", "timestamp": "Timestamp"}
FORMATS = {"iso8601": "iso8601", "rfc822": "http", "unixTimestamp": "epoch"}


# ---- a suite's shapes in our notation ----

class Model:
    """The text of a model with the shapes of a suite and one operation."""

    def __init__(self, suite, case, protocol, is_answer=False):
        self.shapes, self.lines, self.made, self.extra = suite["shapes"], [], {}, 0
        self.protocol = protocol
        # What stands in a request's path or query stands in the body of an answer.
        self.places = {"header", "headers", "statusCode"} if is_answer else {"header", "headers", "uri", "querystring"}
        given = case["given"]
        line = f"operation {given['name']}"
        if "input" in given:
            line += f" {self.name(given['input'])}"
        if protocol == "rest-json":
            line += f" at {given['http']['method']} {given['http']['requestUri']} {given['http'].get('responseCode', 200)}"
        line += " ->"
        if "output" in given:
            line += f" {self.name(given['output'])}"
        errors = [self.name(error) for error in given.get("errors", [])]
        if errors:
            line += " ! " + " ".join(errors)
        space = "aws.protocoltests"
        self.text = "\n".join(["service s", "id S", "signing s", "version 2020-01-01", f"namespace {space}", "xmlns https://example.com/",
                               f"protocols {protocol}", *self.lines, line])

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
        flat = " flat" if reference.get("flattened") else ""
        ours = f"Shape_{name}{flat.replace(' ', '_')}"
        if ours in self.made:
            return ours
        self.made[ours] = None  # first, as shapes can be in themselves
        if kind in BASIC:
            # An enum may have blanks in its values, and a client may send what it wants: a string.
            self.lines.append(f"string {ours}")
        elif kind == "list":
            self.lines.append(f"list {ours} of {self.element(shape['member'])}{flat}")
        elif kind == "map":
            self.lines.append(f"map {ours} of {self.element(shape['key'])} to {self.element(shape['value'])}{flat}")
        else:
            self.lines.append(self.structure(name, ours, shape))
        return ours

    def element(self, reference):
        as_name = f" as {reference['locationName']}" if self.protocol == "query" and "locationName" in reference else ""
        return self.name(reference) + as_name

    def place(self, member, reference, shape):
        """Where a member stands, as a model has it."""
        wire, location = reference.get("locationName"), reference.get("location")
        if location == "header" and reference.get("jsonvalue"):
            raise ValueError("JSON in a header")
        if self.shapes[reference["shape"]].get("eventstream"):
            raise ValueError("a stream of events")
        if self.protocol != "rest-json":
            return f"({wire})" if wire else ""
        if shape.get("payload") == member:
            return "@payload"
        if location not in self.places:
            return f"({wire})" if wire else ""
        if location == "uri":
            if wire and wire != member:
                raise ValueError(f"the label {wire} is not called like its member")
            return "@uri"
        if location == "statusCode":
            return "@status"
        if location == "headers" and not wire:
            raise ValueError("all headers are one member")
        return f"@{'query' if location == 'querystring' else location}" + (f"({wire})" if wire else "")

    def declare(self, name, line):
        if name not in self.made:
            self.made[name] = None
            self.lines.append(line)
        return name

    def structure(self, name, ours, shape):
        words = []
        for member, reference in shape["members"].items():
            required = "!" if member in shape.get("required", []) else ""
            words.append(f"{member}{required}{self.place(member, reference, shape)}:{self.name(reference)}")
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


def same(ours, wanted, sends_empty):
    """Of maps and structures the order says nothing, and not the spaces in a document."""
    ours, wanted = parse(ours.split()), parse(wanted.split())
    return ours == wanted or (not sends_empty and ours == {key: value for key, value in wanted.items() if value not in ({}, [])})


def tokens(suite, reference):
    """What a client fills in by itself, and botocore's tests have as zeros."""
    members = suite["shapes"][reference["shape"]]["members"]
    return {name: "00000000-0000-4000-8000-000000000000" for name, member in members.items() if member.get("idempotencyToken")}


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

class Protocol:
    """What of a case is the message to read, and what of an answer is for botocore to read: a body, in most."""
    sends_empty = True  # lists and maps; where clients do not, nobody can read them

    def message(self, serialized):
        return self.body(serialized["body"])

    def answer(self, data, status):
        return {"body": data, "status_code": status, "headers": self.headers()}

    def body(self, text):
        return text.encode()

    def code(self, shape_name, shape):
        """Of an error."""
        return shape_name

    def is_written_so(self, data, response):
        """Is it what the case has as an answer? For what botocore itself cannot read."""
        return False


class Json(Protocol):
    parser = "JSONParser"

    def __init__(self, name):
        self.name = name

    def headers(self):
        return {"Content-Type": "application/x-amz-" + self.name}


def elements(element):
    """A document without its namespaces, and without the answer's own number."""
    found = [elements(child) for child in element if not child.tag.endswith(("ResponseMetadata", "RequestId"))]
    return element.tag.partition("}")[2] or element.tag, found or (element.text or "").strip()


class Query(Protocol):
    parser = "QueryParser"
    name = "query"
    sends_empty = False

    def is_written_so(self, data, response):
        return elements(xml.etree.ElementTree.fromstring(data)) == elements(xml.etree.ElementTree.fromstring(response["body"]))

    def headers(self):
        return {"Content-Type": "text/xml"}

    def code(self, shape_name, shape):
        return shape.get("error", {}).get("code", shape_name)


def packed(*fields):
    return b"".join(struct.pack(">I", len(raw)) + raw for raw in (field.encode() if isinstance(field, str) else field for field in fields))


def unpacked(data):
    fields, at = [], 0
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        fields.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return fields


class Rest(Protocol):
    """Messages are more than bodies: codec_tool.c has them in fields of their own."""
    parser = "RestJSONParser"
    name = "rest-json"
    sends_empty = False

    def message(self, serialized):
        headers = serialized.get("headers", {})
        # A path of the endpoint's own is in front of it.
        target = serialized["uri"].removeprefix("/custom")
        return packed(serialized["method"], target, str(len(headers)), *(part for header in headers.items() for part in header), serialized.get("body", ""))

    def answer(self, data, status):
        fields = unpacked(data)
        count = int(fields[1])
        headers = [field.decode() for field in fields[2:2 + 2 * count]]
        return {"body": fields[-1], "status_code": int(fields[0]), "headers": dict(zip(headers[::2], headers[1::2]), **{"Content-Type": fields[-2].decode()})}


    def is_written_so(self, data, response):
        answer = self.answer(data, 200)
        wanted = {name.lower(): value for name, value in response.get("headers", {}).items()}
        found = {name.lower(): value for name, value in answer["headers"].items() if value}
        return found == wanted and answer["body"].decode() == response.get("body", "")


class Cbor(Protocol):
    parser = "RpcV2CBORParser"
    name = "cbor"

    def body(self, text):
        return base64.b64decode(text)

    def headers(self):
        return {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}


# Cases that say what only a client does, or what its parser makes of an answer that no server gives.
OF_CLIENTS = {
    "input RestJsonQueryParamsStringListMap": "a server puts all parameters into the map, also those that have members",
    "input RestJsonQueryPrecedence": "a server puts all parameters into the map, also those that have members",
    "input RestJsonHttpWithEmptyStructurePayload": "a client sends {} where it has nothing",
    "input RestJsonHttpWithHeadersButNoPayload": "a client sends {} where it has nothing",
    "output RestJsonHttpPayloadTraitsWithNoBlobBody": "botocore reads no body as an empty blob",
    "output RestJsonHttpPayloadWithUnsetUnion": "botocore cannot read a union that is not there",
}

SUITES = {
    "json": Json("json-1.1"),
    "json_1_0": Json("json-1.0"),
    "json_1_0-query-compatible": Json("json-1.0"),
    "query": Query(),
    "rest-json": Rest(),
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
        done = subprocess.run([self.path], input=b"".join(packed(*record) for record in self.records), capture_output=True)
        if done.returncode:
            raise SystemExit(f"{self.path} failed: {done.stderr.decode(errors='replace')}")
        fields = unpacked(done.stdout)
        assert len(fields) == 2 * len(self.then), "an answer for each record"
        for i, then in enumerate(self.then):
            then(fields[2 * i].decode(), fields[2 * i + 1])


# ---- cases ----

def input_case(tool, botocore, suite, case, protocol, name):
    if "body" not in case["serialized"] and (protocol.name != "rest-json" or "requestcompression" in case["given"]):
        return skip(name, "it says nothing of the body")
    reference = case["given"].get("input")
    values = Values(suite, botocore["parse_timestamp"])
    try:
        model = Model(suite, case, protocol.name).text
        wanted = values.words(reference, {**tokens(suite, reference), **botocore["special"](case["params"])}) if reference else "{ }"
    except ValueError as problem:
        return skip(name, f"it is about what no model has: {problem}")

    def then(result, data):
        right = result == "ok" and same(data.decode(), wanted, protocol.sends_empty)
        check(right, name, f"{result} {data.decode(errors='replace')}, wanted {wanted}")

    tool.ask("read", protocol.name, model, case["given"]["name"], protocol.message(case["serialized"]), "", then)


def parse_answer(botocore, suite, case, protocol, body, status):
    """What botocore reads of our answer, as its own tests look at it."""
    description = {"metadata": suite["metadata"], "shapes": suite["shapes"], "operations": {case["given"]["name"]: case}}
    model = botocore["ServiceModel"](description)
    operation = botocore["OperationModel"](case["given"], model)
    parser = botocore[protocol.parser](timestamp_parser=botocore["test"]._compliance_timestamp_parser)
    response = {**protocol.answer(body, status), "context": {"operation_name": case["given"]["name"]}}
    response["headers"] = botocore["HeadersDict"](response["headers"])
    if protocol.name == "query" and operation.output_shape and operation.output_shape.members:
        operation.output_shape.serialization["resultWrapper"] = f"{case['given']['name']}Result"
    parsed = parser.parse(response, operation.output_shape)
    if status >= 300:
        parsed.update(parser.parse(response, model.shape_for(case["given"]["errors"][0]["shape"])))
    return botocore["test"]._fixup_parsed_result(parsed)


def output_case(tool, botocore, suite, case, protocol, name):
    reference = case["given"].get("output")
    values = Values(suite, botocore["parse_timestamp"])
    try:
        model = Model(suite, case, protocol.name, is_answer=True).text
        words = values.words(reference, case["result"]) if reference else ""
    except ValueError as problem:
        return skip(name, f"it is about what no model has: {problem}")

    def then(result, data):
        parsed = parse_answer(botocore, suite, case, protocol, data, 200)
        right = parsed == case["result"] or protocol.is_written_so(data, case["response"])
        check(result == "ok" and right, name, f"botocore reads {parsed} of {data}, wanted {case['result']}")

    tool.ask("write", protocol.name, model, case["given"]["name"], words, "", then)


def error_case(tool, botocore, suite, case, protocol, name):
    errors = case["given"].get("errors", [])
    if len(errors) != 1:
        return skip(name, "it does not say which error it is")
    shape, reference = errors[0]["shape"], errors[0]
    message = case.get("errorMessage", "")
    details = {key: value for key, value in case["error"].items() if key.lower() != "message"}
    words = Values(suite, botocore["parse_timestamp"]).words(reference, details)
    model = Model(suite, case, protocol.name, is_answer=True)

    def then(result, data):
        parsed = parse_answer(botocore, suite, case, protocol, data, 400)
        wanted = {"Error": {"Code": protocol.code(shape, suite["shapes"][shape]), "Message": message}, **case["error"]}
        right = parsed == wanted or protocol.is_written_so(data, case["response"])
        check(result == "ok" and right, name, f"botocore reads {parsed} of {data}, wanted {wanted}")

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
            "JSONParser": botocore.parsers.JSONParser, "QueryParser": botocore.parsers.QueryParser, "RestJSONParser": botocore.parsers.RestJSONParser,
             "RpcV2CBORParser": botocore.parsers.RpcV2CBORParser,
            "parse_timestamp": botocore.utils.parse_timestamp, "special": test._convert_strings_to_special_float}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tool", default=str(ROOT / "build" / "test" / "tests" / "api" / "codec_tool"))
    options.add_argument("--suite", choices=SUITES)
    options = options.parse_args()
    source = botocore_source()
    botocore, tool = load_botocore(source), Tool(options.tool)
    for suite_name, protocol in SUITES.items():
        for direction in ("input", "output") if options.suite in (None, suite_name) else ():
            suites = json.loads((source / "tests" / "unit" / "protocols" / direction / f"{suite_name}.json").read_text())
            for suite in suites:
                for number, case in enumerate(suite["cases"]):
                    name = f"{suite_name} {direction} {case.get('id') or suite['description'] + ' ' + str(number)}"
                    if f"{direction} {case.get('id')}" in OF_CLIENTS:
                        skip(name, OF_CLIENTS[f"{direction} {case['id']}"])
                        continue
                    run = input_case if direction == "input" else error_case if "error" in case else output_case
                    run(tool, botocore, suite, case, protocol, name)
    tool.run()
    return finish()


if __name__ == "__main__":
    sys.exit(main())
