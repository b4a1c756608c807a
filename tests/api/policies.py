#!/usr/bin/env python3
"""IAM's policies: moto's opinion of documents and of requests beside ours; where they differ, whom we follow.

    policies.py [--tool PATH] [--seed N] [--count N]

moto (PyPI) has a validator of policy documents, made of what AWS was seen to answer, and an evaluation that knows Action, Resource, Effect and
little more. Documents drawn at random are evaluated by both; helenus' half is policy_tool.c. What a case has in it that moto does not know,
or knows otherwise, is told by TRAITS: a difference in a case without any of them fails, and a trait for which there is no difference any more
fails too. DOCUMENTS are put to both validators, and what is refused by both is compared by its words.
"""
import argparse
import itertools
import json
import random
import re
import struct
import subprocess
import sys

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

from checks import check, finish
from suites import ROOT

ALICE = "arn:aws:iam::111122223333:user/alice"
WORDS = {PermissionResult.PERMITTED: "allowed", PermissionResult.DENIED: "denied", PermissionResult.NEUTRAL: "implicit"}


class Tool:
    """Records to policy_tool.c, and what it answers: all at once."""

    def __init__(self, path):
        self.path, self.records = path, []

    def ask(self, kind, document, action="", resource="", principal=ALICE, keys=()):
        pairs = [part for key in keys for part in key]
        self.records.append([kind, document, action, resource, principal, str(len(keys)), *pairs])

    def run(self):
        fields = (text.encode() for record in self.records for text in record)
        done = subprocess.run([self.path], input=b"".join(struct.pack(">I", len(field)) + field for field in fields), capture_output=True, check=True)
        answers, at = [], 0
        while at < len(done.stdout):
            size = struct.unpack_from(">I", done.stdout, at)[0]
            answers.append(done.stdout[at + 4:at + 4 + size].decode())
            at += 4 + size
        assert len(answers) == 2 * len(self.records), "an answer for each record"
        return list(zip(answers[::2], answers[1::2]))


# ---- requests ----

def statements_of(case):
    return [one for one in case["document"]["Statement"] if isinstance(one, dict)]


def patterns_of(case, *names):
    for statement in statements_of(case):
        for name in names:
            values = statement.get(name, [])
            yield from values if isinstance(values, list) else [values]


def reaches_over(pattern, resource):
    """A star within a part of the ARN that the resource has more parts than: IAM's stars reach over a colon only from a part's end."""
    parts = pattern.split(":", 5)
    return len(parts) == 6 and any("*" in part and not part.endswith("*") for part in parts[:5]) and resource.count(":") > 5


def fits(pattern, text):
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text)


# What moto takes otherwise: how a case shows it, and why we do as we do.
TRAITS = {
    "a condition": (lambda case: any("Condition" in one for one in statements_of(case)),
                    "moto knows StringEquals alone, takes a key that is missing for one that fits, and a condition that does not hold for a deny (moto#2300)"),
    "another case": (lambda case: any(fits(pattern.lower(), case["action"].lower()) and not fits(pattern, case["action"]) for pattern in patterns_of(case, "Action", "NotAction")),
                     "names of actions are in any case: IAM's page of Action"),
    "a question mark": (lambda case: any("?" in pattern for pattern in patterns_of(case, "Action", "NotAction", "Resource")),
                        "'?' is one character; moto hands it to a regular expression"),
    "NotResource": (lambda case: any("NotResource" in one for one in statements_of(case)), "moto permits whatever has no Resource"),
    "a variable": (lambda case: any("${" in pattern for pattern in patterns_of(case, "Resource")), "moto puts no values in"),
    "a star over a colon": (lambda case: any(reaches_over(pattern, case["resource"]) for pattern in patterns_of(case, "Resource")),
                            "IAM's page of Resource: a star stands within a part, unless it is at its end"),
    "a trust policy's deny": (lambda case: case["kind"] == "trust" and any(one["Effect"] == "Deny" for one in statements_of(case)),
                              "moto permits what a trust policy denies"),
    "a principal of others": (lambda case: case["kind"] == "trust" and any(one["Principal"] not in ({"AWS": ALICE}, {"AWS": [ALICE]}, {"AWS": "*"}) for one in statements_of(case)),
                              "moto denies what a statement for other principals does not allow, knows no account and no '*' in a list, "
                              "and takes one ARN for another that begins with it; an account's policy is only half of what its user needs"),
}


KEYSPACE = "arn:aws:cassandra:us-east-1:111122223333:/keyspace/"
ACTIONS = {"identity": ["cassandra:Select", "cassandra:*", "cassandra:S*", "*", "iam:Get*User", "s3:*"], "trust": ["sts:AssumeRole", "sts:TagSession"]}
RESOURCES = ["*", KEYSPACE + "k/*", "arn:aws:cassandra:*:*:/keyspace/k/table/t", ALICE, "arn:aws:cassandra:*"]
PRINCIPALS = [{"AWS": "*"}, {"AWS": ALICE}, {"AWS": [ALICE]}]
# With these moto has an opinion of its own.
MORE_ACTIONS = {"identity": ["CASSANDRA:select", "cassandra:Sel?ct"], "trust": []}
MORE_RESOURCES = [KEYSPACE + "${aws:username}/*", KEYSPACE + "?/table/t", "arn:aws:cassandra:us-*-1:111122223333:/keyspace/k/*"]
MORE_PRINCIPALS = [{"AWS": "111122223333"}, {"AWS": ALICE + "2"}, {"AWS": ["arn:aws:iam::444455556666:root", ALICE]}, {"AWS": "arn:aws:iam::444455556666:root"}]


def draw_statement(source, kind, is_plain):
    """is_plain: of what moto takes as we do."""
    def some(plain, more):
        values = source.sample(plain if is_plain else plain + more, source.choice([1, 1, 2]))
        return values[0] if len(values) == 1 and source.random() < 0.5 else values

    statement = {"Effect": "Allow" if kind == "trust" and is_plain else source.choice(["Allow", "Allow", "Deny"])}
    statement["NotAction" if kind == "identity" and source.random() < 0.15 else "Action"] = some(ACTIONS[kind], MORE_ACTIONS[kind])
    if kind == "identity":
        statement["NotResource" if not is_plain and source.random() < 0.2 else "Resource"] = some(RESOURCES, MORE_RESOURCES)
    else:
        statement["Principal"] = source.choice(PRINCIPALS if is_plain else PRINCIPALS + MORE_PRINCIPALS)
    if not is_plain and source.random() < 0.2:
        statement["Condition"] = {source.choice(["StringEquals", "StringNotEquals", "StringLike"]): {"aws:username": source.choice(["alice", "a*"])}}
    return statement


def draw(source):
    kind = source.choice(["identity", "identity", "identity", "trust"])
    is_plain = source.random() < 0.5
    document = {"Version": "2012-10-17", "Statement": [draw_statement(source, kind, is_plain) for _ in range(source.choice([1, 1, 2, 3]))]}
    resource = source.choice([KEYSPACE + "k/table/t", KEYSPACE + "other/table/t", KEYSPACE + "alice/table/t", ALICE,
                              "arn:aws:cassandra:us-east-1:444455556666:x-1:111122223333:/keyspace/k/y"])
    return {"kind": kind, "document": document, "resource": "arn:aws:iam::111122223333:role/r" if kind == "trust" else resource,
            "action": source.choice(["sts:AssumeRole"] if kind == "trust" else ["cassandra:Select", "cassandra:Modify", "iam:GetUser", "s3:GetObject", "cassandra:select"]),
            "keys": source.choice([[], [("aws:username", "alice")], [("aws:username", "bob")]])}


def permitted(case):
    principal = ALICE if case["kind"] == "trust" else None
    return WORDS[IAMPolicy(json.dumps(case["document"])).is_action_permitted(case["action"], case["resource"], principal, dict(case["keys"]))]


def compare_requests(tool, seed, count):
    source = random.Random(seed)
    cases = [draw(source) for _ in range(count)]
    for case in cases:
        tool.ask(case["kind"], json.dumps(case["document"]), case["action"], case["resource"], keys=case["keys"])
    answers, seen, same = tool.run(), {}, []
    for case, (ours, why) in zip(cases, answers):
        theirs = permitted(case)
        traits = [name for name, (has, _) in TRAITS.items() if has(case)]
        if ours == theirs:
            same += [] if traits else [ours]
            continue
        if len(traits) == 1:
            seen.setdefault(traits[0], (ours, theirs))
        check(traits, "a request", f"we say {ours} {why}, moto {theirs}: {case}")
    for name, (_, reason) in TRAITS.items():
        check(name in seen, name, f"moto no longer differs, so this is no reason: {reason}")
    check(all(same.count(word) > count / 50 for word in WORDS.values()), "cases that moto knows", f"only {len(same)} of {count} are the same, of few kinds")


# ---- documents ----

def whole(**changes):
    """A document with one statement, with members changed or, if None, taken away."""
    statement = {"Sid": "a", "Effect": "Allow", "Action": "cassandra:Select", "Resource": "*", **changes}
    return {"Version": "2012-10-17", "Statement": [{name: value for name, value in statement.items() if value is not None}]}


def trust(**changes):
    return whole(**{"Resource": None, "Action": "sts:AssumeRole", "Principal": {"AWS": ALICE}, **changes})


def condition(operator, value):
    return whole(Condition={operator: {"aws:username": value}})


DOCUMENTS = {
    "whole": whole(), "no JSON": "{", "a list": [], "no Statement": {"Version": "2012-10-17"}, "no statements": {"Version": "2012-10-17", "Statement": []},
    "one statement": {"Version": "2012-10-17", "Statement": whole()["Statement"][0]}, "Id": {**whole(), "Id": "x"}, "Id is a number": {**whole(), "Id": 5},
    "old Version": {**whole(), "Version": "2008-10-17"}, "no Version": {"Statement": whole()["Statement"]}, "a new Version": {**whole(), "Version": "2030-01-01"},
    "an unknown element": {**whole(), "Statements": []}, "Conditions": {**whole(), "Conditions": {}},
    "an unknown element of a statement": whole(Actions="*"), "no Effect": whole(Effect=None), "a small effect": whole(Effect="allow"), "another effect": whole(Effect="Maybe"),
    "no Action": whole(Action=None), "no actions": whole(Action=[]), "Action and NotAction": whole(NotAction="a:b"), "an action without a service": whole(Action="Select"),
    "two colons": whole(Action="a:b:c"), "a service with a star": whole(Action="cass*:Select"), "no service": whole(Action=":Select"), "all of all": whole(Action="*:*"),
    "an action that is a number": whole(Action=[5]), "no Resource": whole(Resource=None), "no resources": whole(Resource=[]), "Resource and NotResource": whole(NotResource="*"),
    "no ARN": whole(Resource="keyspace"), "another prefix": whole(Resource="urn:aws:s3:::b"), "another partition": whole(Resource="arn:there:s3:::b"),
    "arn:*": whole(Resource="arn:*"), "arn:aws": whole(Resource="arn:aws"), "arn:aws:sqs": whole(Resource="arn:aws:sqs"), "arn:aws:ec2:*": whole(Resource="arn:aws:ec2:*"),
    "a hole": whole(Resource="arn:aws:s3::b"), "no service in an ARN": whole(Resource="arn:aws::us-east-1:111122223333:x"),
    "a star for a service": whole(Resource="arn:aws:*:us-east-1:111122223333:x"), "a region of S3": whole(Resource="arn:aws:s3:us-east-1::b"),
    "a region of IAM": whole(Resource="arn:aws:iam:us-east-1:111122223333:user/u"), "a path of IAM": whole(Resource="arn:aws:iam::111122223333:user/p/u"),
    "another path of IAM": whole(Resource="arn:aws:iam::111122223333:things/u"), "all of IAM": whole(Resource="arn:aws:iam::111122223333:*"),
    "no element of a list": whole(Resource=["*", None]), "an early variable": whole(Resource="arn:aws:sqs:${aws:RequestedRegion}:111122223333:q"),
    "half a variable": whole(Resource="arn:aws:s3:::b/${aws:username"), "a Sid with blanks": whole(Sid="a b"), "a Sid that is a number": whole(Sid=5),
    "a Sid twice": {"Version": "2012-10-17", "Statement": 2 * whole()["Statement"]}, "a principal": whole(Principal="*"),
    "an element twice": '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*"}}',
    "an operator": condition("StringEquals", "x"), "an operator with everything": condition("ForAnyValue:StringNotLikeIfExists", ["x"]),
    "an unknown operator": condition("StringIs", "x"), "an unknown operator of nothing": whole(Condition={"StringIs": {}}), "an operator of nothing": whole(Condition={"Bool": {}}),
    "no condition": whole(Condition={}), "a condition that is a list": whole(Condition=[]), "an operator of a text": whole(Condition={"Bool": "x"}),
    "no values": condition("StringEquals", []), "a value that is a number": condition("NumericEquals", 5), "a value that is true": condition("Bool", True),
    "a value that is null": condition("Bool", None), "a date": condition("DateEquals", "2026-01-02T03:04:05Z"), "seconds": condition("DateEquals", "1767323045"),
    "no date": condition("DateEquals", "tomorrow"), "a 13th month": condition("DateEquals", "2026-13-01"), "no number": condition("NumericEquals", "five"),
    "no truth": condition("Bool", "maybe"), "no address": condition("IpAddress", "1.2.3.4/33"), "no base64": condition("BinaryEquals", "QUJ"),
    "no ARN in ArnLike": condition("ArnLike", "x"), "NullIfExists": condition("NullIfExists", "true"), "ForAllValues:Null": condition("ForAllValues:Null", "true"),
    "a key without a service": whole(Condition={"Bool": {"key": True}}), "one key twice": whole(Condition={"Bool": {"a:b": True, "A:B": True}}),
    "a character": whole(Resource="arn:aws:s3:::b/\u4e2d"),
}
TRUSTS = {
    "trust": trust(), "an old trust": {**trust(), "Version": "2008-10-17"}, "no Principal": trust(Principal=None), "Resource": trust(Resource="*"),
    "another action": trust(Action="s3:GetObject"), "an action that sts has not": trust(Action="sts:Sing"), "all actions of sts": trust(Action="sts:*"), "all actions": trust(Action="*"),
    "NotAction": trust(Action=None, NotAction="sts:AssumeRole"), "NotPrincipal allows": trust(Principal=None, NotPrincipal={"AWS": ALICE}), "a word": trust(Principal="alice"),
    "half an account": trust(Principal={"AWS": "11112222"}), "a star in a name": trust(Principal={"AWS": ALICE + "*"}), "another kind": trust(Principal={"Users": ALICE}),
}

# By document: why the validators differ. Where the reason says nothing else, moto takes what it does not look at.
OLD = "moto takes 2012-10-17 alone; IAM's page of Version has both, and role's policies are full of the old one"
DOUBT = "nothing would ever fit it, so we name it when it is put"
UNSEEN = "IAM's grammar; moto does not look"
DIFFERENCES = {
    "old Version": OLD, "no Version": OLD, "an old trust": OLD, "Conditions": "IAM's grammar has no such element", "no service": "it names no action",
    "another prefix": "Resource is an ARN or *", "a star for a service": "IAM's page of Resource: the service's part cannot be a wildcard",
    "a region of S3": "a rule of S3's own, and moto's; nothing of S3 is served here", "all of IAM": "AWS's own message says that '*' may stand there",
    "no element of a list": UNSEEN, "an early variable": "IAM's page of variables: only behind the fifth colon", "half a variable": DOUBT,
    "a Sid with blanks": "IAM's grammar: letters and digits", "a principal": "IAM's grammar: not in an identity's policy", "an element twice": "IAM's grammar: each key once",
    "an unknown operator of nothing": "it is unknown all the same", "no values": DOUBT, "a value that is a number": "IAM's grammar has numbers; moto has none", "no number": DOUBT,
    "no truth": DOUBT, "no address": DOUBT, "no base64": DOUBT, "no ARN in ArnLike": DOUBT, "NullIfExists": "IAM's page of operators: not with Null",
    "ForAllValues:Null": DOUBT, "a key without a service": "IAM's grammar: service:name", "one key twice": "keys are in any case, so it is one",
    "no Principal": UNSEEN, "an action that sts has not": "what sts has is not looked up: it is never asked for", "all actions of sts": "a wildcard of sts is an action of sts",
    "NotPrincipal allows": "IAM's page of NotPrincipal: only with Deny", "a word": UNSEEN, "half an account": UNSEEN, "a star in a name": UNSEEN, "another kind": UNSEEN,
}
# By document: both refuse it, in other words.
ROLES = "AWS has both; ours is also right for NotAction"
OTHER_WORDS = {
    "no JSON": "AWS has words of its own for it", "Resource": "AWS says it without the full stop", "another action": ROLES, "all actions": ROLES, "NotAction": ROLES,
}


def validated(kind, document):
    """What moto says against it; None: nothing."""
    validator = IAMTrustPolicyDocumentValidator if kind == "trust" else IAMPolicyDocumentValidator
    try:
        validator(document).validate()
    except MalformedPolicyDocument as problem:
        return problem.message
    return None


def compare_documents(tool):
    cases = [(kind, name, document if isinstance(document, str) else json.dumps(document))
             for kind, name, document in itertools.chain((("identity", *one) for one in DOCUMENTS.items()), (("trust", *one) for one in TRUSTS.items()))]
    tool.records = []
    for kind, _, document in cases:
        tool.ask(kind, document)
    for (kind, name, document), (ours, why) in zip(cases, tool.run()):
        theirs = validated(kind, document)
        differs = (ours == "refused") != (theirs is not None)
        told = f"we say {ours} {why}, moto {theirs or 'nothing'}"
        check(differs == (name in DIFFERENCES), name, told + (f"; listed: {DIFFERENCES[name]}" if name in DIFFERENCES else ""))
        if ours == "refused" and theirs:
            check(why.startswith(theirs) != (name in OTHER_WORDS), f"the words of {name}", told)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tool", default=str(ROOT / "build" / "test" / "tests" / "api" / "policy_tool"))
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--count", type=int, default=12000)
    options = options.parse_args()
    tool = Tool(options.tool)
    compare_requests(tool, options.seed, options.count)
    compare_documents(tool)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
