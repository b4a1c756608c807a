#!/usr/bin/env python3
"""Our models beside AWS's own, member by member, and every bound of every member put to a running server.

    model.py [--binary PATH] [--compare]

First each operation of a service of ours is held against botocore's model of it, with all shapes that it reaches: members, required or
not, types, bounds, patterns, enums, wire names and places, errors with their HTTP codes; protocols, target, signing name, version. What
differs, on either side, stands in EXPLAINED with the reason, or fails; and so does an explanation of what no longer differs.

Then, from botocore's model alone, requests: for every bound of every member of every input one at it, one below, one above; each value
of an enum and a wrong one; text that fits a pattern and text that does not; without what is required; of another JSON type. They are
signed by botocore and sent in JSON and in CBOR, and what comes back is read by botocore. A request that breaks a bound must be answered by
the ValidationException, one of a wrong type by the SerializationException, that names the member and AWS's words for the constraint;
any other must not be refused for its form, and never be a fault of the server's. The server must know each operation that a model of ours has.
A shape that reaches itself is followed once.
"""
import argparse
import collections
import gzip
import http.client
import json
import pathlib
import re
import struct
import sys

import botocore
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HeadersDict
from botocore.credentials import Credentials
from botocore.parsers import create_parser

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from checks import check, finish  # noqa: E402
from server import Helenus  # noqa: E402

KINDS = ("string", "blob", "boolean", "integer", "long", "float", "double", "timestamp")
NAMESPACE, NOT_SERVED = "botocore's models have none: it is of AWS's error names", "not served yet"
# What differs, and why: (service, fact).
EXPLAINED = {
    ("keyspaces", "namespace"): NAMESPACE,
    ("resourcegroupstaggingapi", "namespace"): NAMESPACE,
    ("sts", "namespace"): NAMESPACE,
    ("iam", "namespace"): NAMESPACE,
    ("iam", "id"): "botocore has none for a service of the query protocol alone",
    **dict.fromkeys([("iam", "operation UpdateRole output"), ("iam", "shape UpdateRoleResponse")],
                    "it has no members, and clients look for its wrapper all the same"),
    ("sts", "id"): "botocore has none for a service of the query protocol alone",
    ("keyspaces", "usual protocol"): "what boto3 sent before its models had CBOR, and what older SDKs still send",
    ("resourcegroupstaggingapi", "usual protocol"): "what boto3 sent before its models had CBOR, and what older SDKs still send",
    **{("resourcegroupstaggingapi", f"operation {name}"): "of organizations, their policies and reports: there are none here"
       for name in ("DescribeReportCreation", "GetComplianceSummary", "ListRequiredTags", "StartReportCreation")},
    **{("sts", f"operation {name}"): NOT_SERVED
       for name in ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage",
                    "GetAccessKeyInfo", "GetDelegatedAccessToken", "GetFederationToken", "GetScopedCredentials", "GetSessionToken",
                    "GetWebIdentityToken")},
    **{("iam", f"operation {name}"): NOT_SERVED
       for name in ("CreateServiceLinkedRole", "DeleteServiceLinkedRole", "GetAccountAuthorizationDetails", "GetAccountPasswordPolicy",
                    "GetAccountSummary", "GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy", "GetServiceLinkedRoleDeletionStatus",
                    "ListAccountAliases", "SimulateCustomPolicy", "SimulatePrincipalPolicy")},
    **{("iam", f"operation {name}"): "of consoles, other ways to sign in, other services and organizations: there are none here"
       for name in ("AcceptDelegationRequest", "AcquireRole", "AddClientIDToOpenIDConnectProvider", "AddRoleToInstanceProfile",
                    "AssociateDelegationRequest", "ChangePassword", "CreateAccountAlias", "CreateDelegationRequest", "CreateInstanceProfile",
                    "CreateLoginProfile", "CreateOpenIDConnectProvider", "CreateSAMLProvider", "CreateVirtualMFADevice", "DeactivateMFADevice",
                    "DeleteAccountAlias", "DeleteAccountPasswordPolicy", "DeleteInstanceProfile", "DeleteLoginProfile", "DeleteOpenIDConnectProvider",
                    "DeleteSAMLProvider", "DeleteSSHPublicKey", "DeleteServerCertificate", "DeleteSigningCertificate", "DeleteVirtualMFADevice",
                    "DisableOrganizationsRootCredentialsManagement", "DisableOrganizationsRootSessions", "DisableOutboundWebIdentityFederation",
                    "EnableMFADevice", "EnableOrganizationsRootCredentialsManagement", "EnableOrganizationsRootSessions",
                    "EnableOutboundWebIdentityFederation", "GenerateCredentialReport", "GenerateOrganizationsAccessReport",
                    "GenerateServiceLastAccessedDetails", "GetAccountProperties", "GetCredentialReport", "GetDelegationRequest",
                    "GetHumanReadableSummary", "GetInstanceProfile", "GetLoginProfile", "GetMFADevice", "GetOpenIDConnectProvider",
                    "GetOrganizationsAccessReport", "GetOutboundWebIdentityFederationInfo", "GetRoleTemplateVersion", "GetSAMLProvider",
                    "GetSSHPublicKey", "GetServerCertificate", "GetServiceLastAccessedDetails", "GetServiceLastAccessedDetailsWithEntities",
                    "ListDelegationRequests", "ListInstanceProfileTags", "ListInstanceProfiles", "ListInstanceProfilesForRole", "ListMFADeviceTags",
                    "ListMFADevices", "ListOpenIDConnectProviderTags", "ListOpenIDConnectProviders", "ListOrganizationsFeatures",
                    "ListPoliciesGrantingServiceAccess", "ListSAMLProviderTags", "ListSAMLProviders", "ListSSHPublicKeys",
                    "ListServerCertificateTags", "ListServerCertificates", "ListSigningCertificates", "ListVirtualMFADevices", "PutAccountProperties",
                    "RejectDelegationRequest", "RemoveClientIDFromOpenIDConnectProvider", "RemoveRoleFromInstanceProfile", "ResyncMFADevice",
                    "SendDelegationToken", "SetSecurityTokenServicePreferences", "TagInstanceProfile", "TagMFADevice", "TagOpenIDConnectProvider",
                    "TagSAMLProvider", "TagServerCertificate", "UntagInstanceProfile", "UntagMFADevice", "UntagOpenIDConnectProvider",
                    "UntagSAMLProvider", "UntagServerCertificate", "UpdateAccountPasswordPolicy", "UpdateDelegationRequest", "UpdateLoginProfile",
                    "UpdateOpenIDConnectProvider", "UpdateOpenIDConnectProviderThumbprint", "UpdateSAMLProvider", "UpdateSSHPublicKey",
                    "UpdateServerCertificate", "UpdateSigningCertificate", "UploadSSHPublicKey", "UploadServerCertificate", "UploadSigningCertificate")},
}


# ---- facts of a model: name -> value, comparable ----

def note_scalar(facts, name, shape):
    for key in ("min", "max", "pattern"):
        if key in shape:
            facts[f"shape {name} {key}"] = shape[key]
    if "enum" in shape:
        facts[f"shape {name} enum"] = tuple(shape["enum"])


class Aws:
    """botocore's newest model of a service."""
    TEXTS = {"documentation", "box", "sensitive", "deprecated", "deprecatedMessage", "deprecatedSince", "synthetic", "wrapper"}
    KNOWN = TEXTS | {"type", "members", "required", "member", "key", "value", "min", "max", "pattern", "enum", "exception", "error", "fault",
                     "union", "flattened", "timestampFormat", "locationName", "location", "shape", "resultWrapper"}

    def __init__(self, service):
        path = sorted((pathlib.Path(botocore.__file__).parent / "data" / service).glob("*/service-2.json.gz"))[-1]
        model = json.loads(gzip.decompress(path.read_bytes()))
        self.service, self.shapes, self.operations, self.metadata = service, model["shapes"], model["operations"], model["metadata"]

    def protocol(self, name):
        return {"json": f"json-{self.metadata.get('jsonVersion')}", "smithy-rpc-v2-cbor": "cbor"}.get(name, name)

    def facts(self, operations):
        """Of the service and of the operations that are asked for; of all others only that they are there."""
        of = self.metadata
        facts = {"signing": of.get("signingName", of["endpointPrefix"]), "version": of["apiVersion"], "usual protocol": self.protocol(of["protocol"]),
                 "protocols": tuple(sorted(map(self.protocol, of["protocols"]))), "query-compatible": "awsQueryCompatible" in of}
        for ours, theirs in (("id", "targetPrefix"), ("xmlns", "xmlNamespace")):
            if theirs in of:
                facts[ours] = of[theirs]
        for name, operation in self.operations.items():
            facts[f"operation {name}"] = "there"
            if name in operations:
                self.note_operation(facts, name, operation)
        return facts

    def note_operation(self, facts, name, operation):
        for what in ("input", "output"):
            # What has no members is nothing, as far as anybody can see it.
            if what in operation and self.shapes[operation[what]["shape"]]["members"]:
                facts[f"operation {name} {what}"] = self.note(facts, operation[what])
        facts[f"operation {name} errors"] = tuple(sorted(self.note(facts, error) for error in operation.get("errors", [])))
        facts[f"operation {name} wrapper"] = operation.get("output", {}).get("resultWrapper")
        for unknown in sorted(set(operation) - {"name", "http", "input", "output", "errors", "documentation"}):
            facts[f"operation {name} has {unknown}"] = "there"
        # Of the others it says nothing: always POST /.
        if self.metadata["protocol"] == "rest-json":
            facts[f"operation {name} at"] = (operation["http"]["method"], operation["http"]["requestUri"])

    def note(self, facts, reference):
        """A shape's name; its facts are noted if they are not. A scalar without bounds is called by its kind."""
        name = reference["shape"]
        shape = self.shapes[name]
        kind = shape["type"]
        for unknown in sorted(set(reference) - self.KNOWN) + sorted(set(shape) - self.KNOWN):
            facts[f"shape {name} has {unknown}"] = "there"
        if kind in KINDS and not set(shape) & {"min", "max", "pattern", "enum", "timestampFormat"}:
            return kind
        if f"shape {name}" in facts:
            return name
        facts[f"shape {name}"] = "error" if shape.get("exception") else "union" if shape.get("union") else kind
        note_scalar(facts, name, shape)
        if "timestampFormat" in shape:
            facts[f"shape {name} format"] = shape["timestampFormat"]
        for member, of in shape.get("members", {}).items():
            facts[f"shape {name} member {member}"] = (self.note(facts, of), "required" if member in shape.get("required", []) else "optional",
                                                      of.get("locationName", member), of.get("location", "body"))
        for part, usual in (("member", "member"), ("key", "key"), ("value", "value")):
            if part in shape:
                facts[f"shape {name} {part}"] = (self.note(facts, shape[part]), shape[part].get("locationName", usual))
        if shape.get("flattened"):
            facts[f"shape {name} flat"] = True
        if shape.get("exception"):
            error = shape.get("error", {})
            # The model is silent of what is by protocol: a client's fault is 400, a server's 500.
            facts[f"shape {name} code"] = (error.get("httpStatusCode", 500 if shape.get("fault") else 400), error.get("code", name))
        return name


class Ours:
    """A file of src/, in the notation that src/wire/aws/model.h tells."""

    def __init__(self, path):
        self.path, self.of, self.shapes, self.operations, self.used = path, {}, {}, {}, set()
        for line in self.lines(path.read_text()):
            keyword, _, rest = line.partition(" ")
            if keyword in ("service", "id", "signing", "version", "namespace", "xmlns", "protocols", "query-compatible"):
                self.of[keyword] = rest.strip()
            elif keyword == "operation":
                name, _, rest = rest.partition(" ")
                self.operations[name] = rest
            else:
                name, _, rest = rest.partition(" ")
                assert name not in self.shapes, f"{path.name}: {name} is there twice"
                self.shapes[name] = (keyword, rest.strip())

    @staticmethod
    def lines(text):
        found = []
        for line in text.splitlines():
            # A pattern may have '#' in it, and stands last on its line.
            line = re.sub(r"(^|\s)#.*", "", line) if not re.match(r"\w+ \S+ (\S+ )?/", line) else line
            if line[:1] == " ":
                found[-1] += " " + line.strip()
            elif line.strip():
                found.append(line.strip())
        return found

    def facts(self):
        protocols = self.of["protocols"].split()
        facts = {key: self.of[key] for key in ("id", "signing", "version", "namespace", "xmlns") if key in self.of}
        facts |= {"usual protocol": protocols[0], "protocols": tuple(sorted(protocols)), "query-compatible": "query-compatible" in self.of}
        for name, text in self.operations.items():
            facts[f"operation {name}"] = "there"
            head, _, tail = text.partition("->")
            head, errors = head.split(), tail.partition("!")[2].split()
            if head and head[0] != "at":
                facts[f"operation {name} input"] = self.note(facts, head.pop(0))
            if head:
                facts[f"operation {name} at"] = tuple(head[1:3])
            output = tail.partition("!")[0].strip()
            if output:
                facts[f"operation {name} output"] = self.note(facts, output)
            # query_write has always this one.
            facts[f"operation {name} wrapper"] = f"{name}Result" if protocols[0] == "query" and output else None
            facts[f"operation {name} errors"] = tuple(sorted(self.note(facts, error) for error in errors))
        for name in sorted(set(self.shapes) - self.used):
            facts[f"shape {name} is used by nobody"] = "there"
        return facts

    def note(self, facts, name):
        if name not in self.shapes:
            assert name.lower() in KINDS, f"{self.path.name}: there is no shape {name}"
            return name.lower()
        if name in self.used:
            return name
        self.used.add(name)
        keyword, rest = self.shapes[name]
        kind = {"enum": "string"}.get(keyword, keyword)
        facts[f"shape {name}"] = kind
        bounds = re.match(r"(-?[\d.]*\d)?\.\.(-?\d[\d.]*)?(\s|$)", rest)
        shape = {}
        if bounds and keyword not in ("structure", "union", "error"):
            rest = rest[bounds.end():].strip()
            shape = {key: int(text) for key, text in zip(("min", "max"), bounds.groups()) if text}
        if keyword == "enum":
            shape["enum"] = rest.split()
        elif keyword == "string" and rest.startswith("/"):
            shape["pattern"] = rest[1:-1]
        elif keyword == "timestamp" and rest:
            facts[f"shape {name} format"] = {"epoch": "unixTimestamp", "http": "rfc822"}.get(rest, rest)
        note_scalar(facts, name, shape)
        if keyword in ("list", "map"):
            self.note_container(facts, name, rest.split())
        if keyword == "error":
            words = rest.split()
            code = words[2] if words[1:2] == ["code"] else name
            facts[f"shape {name} code"] = (int(words[0]), code)
            rest = " ".join(words[3 if words[1:2] == ["code"] else 1:])
        if keyword in ("structure", "union", "error"):
            for word in rest.split():
                member, required, place, wire, shape_name = re.fullmatch(r"([^!@(:]+)(!?)(?:@(\w+))?(?:\((.*)\))?:(\S+)", word).groups()
                places = {None: "body", "query": "querystring", "status": "statusCode"}
                facts[f"shape {name} member {member}"] = (self.note(facts, shape_name), "required" if required else "optional", wire or member,
                                                          places.get(place, place))
        return name

    def note_container(self, facts, name, words):
        """of A [as N] [to B [as N]] [flat]"""
        parts = [part for part in (("member",) if "to" not in words else ("key", "value"))]
        for part, word in zip(parts, ("of", "to")):
            at = words.index(word)
            as_name = words[at + 3] if words[at + 2:at + 3] == ["as"] else part
            facts[f"shape {name} {part}"] = (self.note(facts, words[at + 1]), as_name)
        if words[-1] == "flat":
            facts[f"shape {name} flat"] = True


def compare(ours, aws):
    """All that either has, each of which is one check."""
    mine, theirs = ours.facts(), aws.facts(ours.operations)
    for fact in sorted(set(mine) | set(theirs)):
        differs = mine.get(fact) != theirs.get(fact)
        reason = EXPLAINED.get((aws.service, fact))
        what = f"ours {mine.get(fact, 'none')}, AWS's {theirs.get(fact, 'none')}"
        if reason:
            check(differs, f"{aws.service}: {fact} is explained ({reason}), and must differ", what)
        else:
            check(not differs, f"{aws.service}: {fact}", what)
    for service, fact in EXPLAINED:
        if service == aws.service:
            check(fact in mine or fact in theirs, f"{service}: {fact} is explained, and nobody has it")
    return len(set(mine) | set(theirs))


# ---- values that fit, and values that do not ----

class Time(float):
    """Seconds: a number in JSON, a tag in CBOR."""


class Absent:
    """In place of a value: the member is not sent."""


ABSENT = Absent()


def repeat(size, first, rest):
    return (first + rest * size)[:size]


def arn(size):
    return repeat(size, "arn:aws:cassandra:us-east-1:000000000000:/keyspace/", "k") if size >= 19 else None


# A pattern in AWS's words: what makes a text of this size that fits it (None: none fits), and texts that do not.
PATTERNS = {
    "[a-zA-Z0-9][a-zA-Z0-9_]{0,47}": (lambda size: repeat(size, "K9_", "_z"), ("_a", "a b", "a-b", "\u00e9", "a.b", "a\n")),
    "arn:(aws[a-zA-Z0-9-]*):cassandra:.+.*": (arn, ("arn:aws:dynamodb:us-east-1:000000000000:table/t", "arn:gcp:cassandra:us-east-1:x",
                                                    " arn:aws:cassandra:us-east-1:000000000000:/keyspace/k/")),
    r"[\s\S]*": (lambda size: repeat(size, "a\n\u00e9 ", "\U0001F600x"), ()),
}


def check_patterns(services):
    """Each pattern of an input's is in the table, and the table is right."""
    for pattern in sorted({shape["pattern"] for _, aws in services for shape in aws.shapes.values() if "pattern" in shape} & set(PATTERNS)):
        fit, misfits = PATTERNS[pattern]
        check(all(re.fullmatch(pattern, text) for text in map(fit, range(1, 60)) if text and len(text) < 49), f"fits {pattern}")
        check(not any(re.fullmatch(pattern, text) for text in misfits), f"does not fit {pattern}")


class Values:
    """Values of AWS's shapes: good ones, the shortest that are whole; and those around each bound."""

    def __init__(self, aws):
        self.shapes = aws.shapes

    def text(self, shape, size):
        pattern = shape.get("pattern")
        if pattern and pattern not in PATTERNS:
            raise SystemExit(f"say in PATTERNS how text is made that fits {pattern}")
        return PATTERNS[pattern][0](size) if pattern else repeat(size, "t", "e\u00e9")

    def good(self, name, seen=()):
        shape = self.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            required = shape.get("required", []) if not shape.get("union") else list(shape["members"])[:1]
            return {member: self.good(shape["members"][member]["shape"], seen + (name,)) for member in required}
        if kind == "list":
            return [self.good(shape["member"]["shape"], seen + (name,)) for _ in range(max(1, shape.get("min", 1)))]
        if kind == "map":
            return self.map_of(shape, max(1, shape.get("min", 1)))
        return self.good_scalar(shape)

    def good_scalar(self, shape):
        kind = shape["type"]
        if kind == "string":
            return shape["enum"][0] if "enum" in shape else self.text(shape, max(shape.get("min", 1), 20) if "arn:" in shape.get("pattern", "")
                                                                      else max(shape.get("min", 1), 1))
        if kind in ("integer", "long"):
            return max(shape.get("min", 1), 1)
        return {"boolean": True, "float": 50.5, "double": 50.5, "timestamp": Time(1700000000.5), "blob": b"b"}[kind]

    def map_of(self, shape, count):
        keys = self.shapes[shape["key"]["shape"]]
        width = max(keys.get("min", 1), 3)
        return {self.text(keys, width - 3) + f"{i:03}": self.good(shape["value"]["shape"]) for i in range(count)}

    def around(self, name):
        """(what, value): at, below and above each bound of the shape itself. Which are good is not said: Oracle looks."""
        shape = self.shapes[name]
        kind = shape["type"]
        if "enum" in shape:
            yield from (("an enum's value", value) for value in shape["enum"])
            yield from (("no enum's value", value) for value in (shape["enum"][0].lower(), shape["enum"][0] + "S", "NO_SUCH_VALUE"))
        # A length has nothing below none, a number has.
        low, high = shape.get("min"), shape.get("max")
        is_number = kind in ("integer", "long", "float", "double")
        sizes = {"at the min": low, "below the min": low - 1 if low is not None and (low or is_number) else None, "at the max": high,
                 "above the max": high + 1 if high is not None else None}
        for what, size in sizes.items():
            value = None if size is None else self.sized(shape, size)
            if value is not None:
                yield what, value
        if kind == "string" and "enum" not in shape:
            yield from (("what does not fit the pattern", text) for text in PATTERNS.get(shape.get("pattern"), (0, ()))[1])
            yield "empty", ""
        if kind in ("integer", "long"):
            bits = 31 if kind == "integer" else 63
            yield from (("an extreme", value) for value in (0, -1, -2 ** bits, 2 ** bits - 1))
        if kind == "boolean":
            yield from (("a boolean", value) for value in (True, False))
        if kind in ("double", "float"):
            yield from (("a double", value) for value in (0.0, -1.5, 1e300 if kind == "double" else 1e30, 20))
        if kind == "timestamp":
            yield from (("a time", Time(value)) for value in (0, 1, 1.5, 4102444800))
        if kind in ("list", "map"):
            yield "empty", [] if kind == "list" else {}
        if kind == "list":
            yield "null among its elements", self.sized(shape, max(1, low or 0)) + [None]

    def sized(self, shape, size):
        kind = shape["type"]
        if kind == "list":
            return [self.good(shape["member"]["shape"]) for _ in range(size)]
        if kind == "map":
            return self.map_of(shape, size)
        if kind == "string":
            return None if "enum" in shape else self.text(shape, size)
        return b"b" * size if kind == "blob" else size

    def paths(self, name, seen=()):
        """All places in a shape: (path, shape's name, required), a path being members' names, 0 for an element, "" for a map's value."""
        shape = self.shapes[name]
        if name in seen:
            return
        if shape["type"] == "structure":
            for member, of in shape["members"].items():
                yield (member,), of["shape"], member in shape.get("required", [])
                yield from (((member, *path), *rest) for path, *rest in self.paths(of["shape"], seen + (name,)))
        elif shape["type"] in ("list", "map"):
            of, step = (shape["member"], 0) if shape["type"] == "list" else (shape["value"], "")
            yield (step,), of["shape"], False
            yield from (((step, *path), *rest) for path, *rest in self.paths(of["shape"], seen + (name,)))

    def put(self, name, value, path, what):
        """The value with something else at the path, on whose way everything is made that is missing."""
        if not path:
            return what
        shape, step = self.shapes[name], path[0]
        if shape["type"] == "structure":
            of = shape["members"][step]["shape"]
            inner = self.put(of, value[step] if step in value else self.good(of), path[1:], what)
            out = {key: one for key, one in value.items() if key != step}
            # A union has one member.
            return out if inner is ABSENT else {step: inner} if shape.get("union") else {**out, step: inner}
        if shape["type"] == "list":
            return [self.put(shape["member"]["shape"], value[0], path[1:], what), *value[1:]]
        key = next(iter(value))
        return {**value, key: self.put(shape["value"]["shape"], value[key], path[1:], what)}


class Oracle:
    """What of a value breaks a bound, in AWS's words: (where, what), as often as it is told."""

    def __init__(self, aws):
        self.shapes = aws.shapes

    def bounds(self, shape):
        """kind of bound -> AWS's words, in the order in which a scalar's are told."""
        is_number = shape["type"] in ("integer", "long", "float", "double")
        unit = ".0" if shape["type"] in ("float", "double") else ""
        words = {}
        if "pattern" in shape:
            words["pattern"] = f"Member must satisfy regular expression pattern: {shape['pattern']}"
        if "enum" in shape:
            words["enum"] = f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]"
        for key, than in (("max", "less"), ("min", "greater")):
            if key in shape:
                words[key] = f"Member must have {'value' if is_number else 'length'} {than} than or equal to {shape[key]}{unit}"
        return words

    def broken(self, shape, value):
        size = value if shape["type"] in ("integer", "long", "float", "double") else len(value) if shape["type"] in (
            "string", "blob", "list", "map") else 0
        keeps = {"pattern": lambda: re.fullmatch(shape["pattern"], value), "enum": lambda: value in shape["enum"],
                 "max": lambda: size <= shape["max"], "min": lambda: size >= shape["min"]}
        return [words for bound, words in self.bounds(shape).items() if not keeps[bound]()]

    def all_of(self, shape, with_null=False):
        words = self.bounds(shape)
        return ", ".join([words[bound] for bound in ("max", "min", "pattern", "enum") if bound in words]
                         + ["Member must not be null"] * with_null)

    def elements(self, path, what, name, values):
        """What is told with the whole container."""
        shape = self.shapes[name]
        is_scalar = shape["type"] not in ("structure", "list", "map")
        if any(value is None or (is_scalar and self.broken(shape, value)) for value in values):
            yield path, f"{what} must satisfy constraint: [{self.all_of(shape, None in values)}]"

    def faults(self, name, value, path=""):
        shape = self.shapes[name]
        if shape["type"] == "structure":
            for member, of in shape["members"].items():
                where = (path + "." if path else "") + member[0].lower() + member[1:]
                if value.get(member) is not None:
                    yield from self.faults(of["shape"], value[member], where)
                elif member in shape.get("required", []):
                    yield where, "Member must not be null"
            return
        yield from ((path, words) for words in self.broken(shape, value))
        if shape["type"] == "list":
            yield from self.elements(path, "Member", shape["member"]["shape"], value)
            inner = [(f"{path}.{i + 1}.member", shape["member"]["shape"], one) for i, one in enumerate(value)]
        elif shape["type"] == "map":
            yield from self.elements(path, "Map keys", shape["key"]["shape"], list(value))
            yield from self.elements(path, "Map value", shape["value"]["shape"], list(value.values()))
            inner = [(f"{path}.{key}.member", shape["value"]["shape"], one) for key, one in value.items()]
        else:
            return
        for where, of, one in inner:
            if one is not None and self.shapes[of]["type"] in ("structure", "list", "map"):
                yield from self.faults(of, one, where)


# ---- another type than the shape's ----

def found_words(value, kind):
    """How a value of another type is called when it is refused; None: it is of the type."""
    if isinstance(value, (list, dict)):
        word = "list" if isinstance(value, list) else "structure or map"
        return f"Start of {word} found where not expected"
    names = {str: "STRING_VALUE", bytes: "BINARY_VALUE", float: "DECIMAL_VALUE", int: "NUMBER_VALUE", Time: "TAG_VALUE"}
    name = f"{str(value).upper()}_VALUE" if isinstance(value, bool) else names[type(value)]
    java = {"structure": "Structure", "list": "List", "map": "Map"}.get(kind, kind.capitalize())
    return f"{name} cannot be converted to {java}"


def wrong_types(shape, protocol):
    """(value, words): each is of another type than the shape, or no number that it can hold."""
    kind = shape["type"]
    values = {"string": (7, True, [], {}), "boolean": ("true", 1, [], {}), "structure": ("s", 1, False, []), "list": ("s", 1, {}),
              "map": ("s", 1, []), "blob": (7, True, [], {}), "timestamp": ("2020-01-01T00:00:00Z", True, [], {}),
              "integer": ("7", 1.5, True, [], {}), "long": ("7", 1.5, True, [], {}), "float": ("7", True, [], {}), "double": ("7", True, [], {})}[kind]
    yield from ((value, found_words(value, kind)) for value in values)
    if kind == "integer":
        yield from ((value, f"{value} is out of the range of an Integer") for value in (2 ** 31, -2 ** 31 - 1))
    if kind in ("integer", "long"):
        yield 2 ** 63, "A number is out of the range of a Long"
    if kind == "timestamp" and protocol == "smithy-rpc-v2-cbor":
        yield 7, found_words(7, kind)
    if kind == "string" and protocol == "smithy-rpc-v2-cbor":
        yield b"b", found_words(b"b", kind)


# ---- on the wire ----

def cbor_head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    code = next(code for code in (24, 25, 26, 27) if number < 1 << (8 << (code - 24)))
    return bytes([major << 5 | code]) + number.to_bytes(1 << (code - 24), "big")


def cbor(value):
    if value is None or isinstance(value, bool):
        return bytes([{None: 0xF6, True: 0xF5, False: 0xF4}[value]])
    if isinstance(value, Time):
        return b"\xc1\xfb" + struct.pack(">d", value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, (str, bytes)):
        raw = value.encode() if isinstance(value, str) else value
        return cbor_head(3 if isinstance(value, str) else 2, len(raw)) + raw
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(cbor, value))
    return cbor_head(5, len(value)) + b"".join(cbor(key) + cbor(one) for key, one in value.items())


class Sender:
    """Requests of a service in one protocol, on a connection that stays."""

    def __init__(self, server, aws, protocol):
        self.aws, self.protocol, self.port = aws, protocol, server.http_port
        self.signer = SigV4Auth(Credentials("AKIDEXAMPLE", "any"), aws.metadata.get("signingName", aws.metadata["endpointPrefix"]), "us-east-1")
        self.parser = create_parser(protocol)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def send(self, operation, value):
        """(HTTP status, error's name or "", message)"""
        target, path = self.aws.metadata["targetPrefix"], "/"
        if self.protocol == "json":
            head = {"Content-Type": f"application/x-amz-json-{self.aws.metadata['jsonVersion']}", "X-Amz-Target": f"{target}.{operation}"}
            body = json.dumps(value).encode()
        else:
            path = f"/service/{target}/operation/{operation}"
            head = {"Content-Type": "application/cbor", "Accept": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
            body = cbor(value)
        request = AWSRequest("POST", f"http://127.0.0.1:{self.port}{path}", headers=head, data=body)
        self.signer.add_auth(request)
        try:
            self.connection.request("POST", path, body, dict(request.headers.items()))
            answer = self.connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as e:
            raise RuntimeError(f"no answer to {operation} in {self.protocol} of {ascii(value)[:500]}") from e
        if answer.status < 300:
            return answer.status, "", ""
        parsed = self.parser.parse({"status_code": answer.status, "headers": HeadersDict(answer.headers.items()), "body": raw,
                                    "context": {"operation_name": operation}}, None)
        return answer.status, parsed["Error"]["Code"], parsed["Error"]["Message"]


# ---- requests ----

def dotted(path, value):
    """A path as a reader's refusal has it: elements by number, keys of maps by name."""
    words = []
    for step in path:
        key = 1 if step == 0 else next(iter(value)) if step == "" else step
        words.append(str(key))
        value = value[0] if step == 0 else value.get(key, {}) if isinstance(value, dict) else {}
    return ".".join(words)


def requests_of(aws, operation, protocol):
    """(what it is, the input, where and how its type is wrong or None)"""
    values, name = Values(aws), aws.operations[operation].get("input", {}).get("shape")
    if not name:
        return
    base = values.good(name)
    yield "as it should be", base, None
    yield "nothing", {}, None
    yield "a member that no model has", {**base, "noSuchMember": {"a": [1, None]}}, None
    for path, of, required in values.paths(name):
        where = ".".join(str(step) for step in path)
        if isinstance(path[-1], str) and path[-1]:
            yield f"{where} absent", values.put(name, base, path, ABSENT), None
            yield f"{where} null", values.put(name, base, path, None), None
        for what, value in values.around(of):
            yield f"{where} {what} {ascii(value)[:40]}", values.put(name, base, path, value), None
        if aws.shapes[of]["type"] == "map":
            keys = aws.shapes[of]["key"]["shape"]
            for what, key in values.around(keys):
                yield f"{where} a key {what} {ascii(key)[:40]}", values.put(name, base, path, {key: values.good(aws.shapes[of]["value"]["shape"])}), None
        whole = values.put(name, base, path, values.good(of))
        for value, words in wrong_types(aws.shapes[of], protocol):
            yield f"{where} of another type: {ascii(value)[:40]}", values.put(name, base, path, value), f"{words} (at {dotted(path, whole)})"


TOLD = re.compile(r"(?:^\d+ validation errors? detected: |; )Value (?:null|'.*?') at '([^']*)' failed to satisfy constraint: "
                  r"(.*?)(?=; Value (?:null|')|$)", re.S)


def judge(name, answer, wanted, refusal):
    """One answer: what was told of the input, or that nothing was."""
    status, code, message = answer
    if refusal:
        return check(status == 400 and code == "SerializationException" and message == refusal, name, f"{answer}, wanted {refusal}")
    if not wanted:
        is_form = code == "SerializationException" or (code == "ValidationException" and re.match(r"\d+ validation error", message))
        return check(status < 500 and not is_form, name, f"{answer}, and it is good")
    count = f"{len(wanted)} validation error{'s' if len(wanted) > 1 else ''} detected: "
    told = TOLD.findall(message)
    check(status == 400 and code == "ValidationException" and message.startswith(count) and sorted(told) == sorted(wanted), name,
          ascii(f"{answer}, told {told}, wanted {wanted}"))


def run_operation(sender, aws, operation, counts):
    oracle, shape = Oracle(aws), aws.operations[operation].get("input", {}).get("shape")
    is_first = True
    for what, value, refusal in requests_of(aws, operation, sender.protocol):
        if is_first:
            served = sender.send(operation, value)[1] != "UnknownOperationException"
            check(served, f"{operation} in {sender.protocol}", NOT_SERVED)
            if not served:
                return
            is_first = False
        wanted = [] if refusal else list(oracle.faults(shape, value))
        judge(f"{operation} in {sender.protocol}: {what}", sender.send(operation, value), wanted, refusal)
        counts["of another type" if refusal else "break a bound" if wanted else "are good"] += 1


def run_requests(server, services):
    """Each operation in each protocol in which its service has a body of members."""
    counts = collections.Counter()
    for ours, aws in services:
        for protocol in [protocol for protocol in ("json", "smithy-rpc-v2-cbor") if protocol in aws.metadata["protocols"]]:
            sender = Sender(server, aws, protocol)
            for operation in sorted(ours.operations):
                run_operation(sender, aws, operation, counts)
            sender.connection.close()
    print("requests: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    parser.add_argument("--compare", action="store_true", help="models alone, without a server")
    options = parser.parse_args()
    services = []
    for path in sorted((ROOT / "src").glob("*/*.model")):
        ours = Ours(path)
        services.append((ours, Aws(ours.of["service"])))
        print(f"{path.name}: {len(ours.operations)} operations, {compare(*services[-1])} facts compared")
    check(services, "there are models")
    check_patterns(services)
    if not options.compare:
        server = Helenus(options.binary).start()
        try:
            run_requests(server, services)
        finally:
            code = server.stop()
        check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
