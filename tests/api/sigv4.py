#!/usr/bin/env python3
"""Signatures: what others sign, helenus verifies, and nothing else.

    sigv4.py [--seed N] [--count N] [--tool PATH]

The test suites of botocore (its source distribution) and of the crate aws-sigv4: for each case the canonical request, the string to
sign, the signature; then each sabotage of what is signed, one byte at a time, must be refused. Then requests drawn at random, signed by
the botocore that is installed and by curl, and sabotaged. helenus' half is sigv4_tool.c. The suites are fetched once, into build/aws.
"""
import argparse
import datetime
import email.utils
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import urllib.parse

from checks import check, finish, skip
from suites import CACHE, ROOT, botocore_source

CRATE = "1.6.4"
SECRET = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
OK, INCOMPLETE = 0, 2
RESULTS = ["ok", "none", "incomplete", "unsupported", "scope", "expired", "not yet", "mismatch"]


# ---- requests, and what helenus says of them ----

class Request:
    def __init__(self, method, target, headers, body=b""):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def but(self, **changes):
        return Request(**{**self.__dict__, **changes})


class Answer:
    def __init__(self, fields):
        self.result, self.message = int(fields[0]), fields[1].decode()
        self.canonical, self.to_sign, self.access_key, self.token = fields[2:]

    def __str__(self):
        return f"{RESULTS[self.result]}: {self.message}"


def packed(*fields):
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def verify(asked):
    """[(request, secret, service, seconds since 1970)] -> [Answer]"""
    records = [packed(request.method, request.target, request.body, secret, service.encode(), b"%d" % now, b"%d" % len(request.headers),
                      *(part for header in request.headers for part in header)) for request, secret, service, now in asked]
    done = subprocess.run([options.tool], input=b"".join(records), capture_output=True)
    if done.returncode or done.stderr:
        sys.exit(f"{options.tool} failed: {done.returncode} {done.stderr.decode()}")
    fields, at = [], 0
    while at < len(done.stdout):
        size, = struct.unpack_from(">I", done.stdout, at)
        fields.append(done.stdout[at + 4:at + 4 + size])
        at += 4 + size
    answers = [Answer(fields[i:i + 6]) for i in range(0, len(fields), 6)]
    if len(answers) != len(asked):
        sys.exit(f"{len(answers)} answers to {len(asked)} requests")
    return answers


def read_request(raw):
    """A suite's request: lines that end in LF, folded headers, a path that may have blanks."""
    head, _, body = raw.partition(b"\n\n")
    lines = head.split(b"\n")
    found = re.fullmatch(rb"(\S+) (.*?)( HTTP/1\.1)?", lines[0])
    headers = []
    for line in lines[1:]:
        if line[:1] in b" \t" and line:
            headers[-1] = (headers[-1][0], headers[-1][1] + b"\r\n" + line)
        elif line:
            name, _, value = line.partition(b":")
            headers.append((name, value))
    return Request(found.group(1), found.group(2), headers, body)


# ---- sabotages ----

def meaning(request, service):
    """What a target asks for: a sabotage that does not change it is none."""
    path, _, query = request.target.partition(b"?")
    if service != "s3":
        segments = []
        for segment in path.split(b"/"):
            if segment == b"..":
                segments = segments[:-1]
            elif segment not in (b"", b"."):
                segments.append(segment)
        path = b"/".join(segments) + (b"/" if re.search(rb"/\.{0,2}$", path) and segments else b"")
    pairs = sorted(tuple(urllib.parse.unquote_to_bytes(part) for part in (piece + b"=").split(b"=", 1)) for piece in query.split(b"&"))
    return path, pairs


def other(byte):
    return b"r" if byte == b"q" else b"q"


def bytes_changed(text):
    for i in range(len(text)):
        yield i, text[:i] + other(text[i:i + 1]) + text[i + 1:]


def sabotages(request, service):
    """(what was done, the request): all that one changed byte, header or value can do to what is signed."""
    known = meaning(request, service)
    for i in range(len(request.method)):
        yield f"method, byte {i}", request.but(method=request.method[:i] + (b"X" if request.method[i:i + 1] != b"X" else b"Y") + request.method[i + 1:])
    for i, target in bytes_changed(request.target):
        if meaning(request.but(target=target), service) != known:
            yield f"target, byte {i}", request.but(target=target)
    yield "target, a parameter more", request.but(target=request.target + (b"&" if b"?" in request.target else b"?") + b"Action=Other")
    signed = re.search(rb"SignedHeaders=([^,&]*)", b" ".join([request.target] + [value for _, value in request.headers])).group(1)
    names = set(urllib.parse.unquote_to_bytes(signed).split(b";")) | {b"authorization"}
    for at, (name, value) in enumerate(request.headers):
        if name.lower() not in names:
            continue
        before, after = request.headers[:at], request.headers[at + 1:]
        yield f"without {name.decode()}", request.but(headers=before + after)
        yield f"{name.decode()} twice", request.but(headers=before + [(name, value)] * 2 + after)
        yield f"{name.decode()}, a byte more", request.but(headers=before + [(name, value + b"x")] + after)
        for i, changed in bytes_changed(name):
            yield f"{name.decode()}, byte {i} of its name", request.but(headers=before + [(changed, value)] + after)
        for i, changed in bytes_changed(value):
            # Blanks at the ends are not signed, and of several the first alone.
            if value[i:i + 1].strip() or changed.strip().split() != value.strip().split():
                yield f"{name.decode()}, byte {i}", request.but(headers=before + [(name, changed)] + after)
    yield "X-Amz-Target added", request.but(headers=request.headers + [(b"X-Amz-Target", b"KeyspacesService.DeleteTable")])
    if b"X-Amz-Signature" not in request.target or service != "s3":
        yield "a byte more of the body", request.but(body=request.body + b"x")
        for i, body in bytes_changed(request.body):
            yield f"body, byte {i}", request.but(body=body)


def expect_refused(cases, draw=None):
    """[(name, request, secret, service, now, access key)]: no sabotage is taken for the same caller's."""
    asked, names = [], []
    for name, request, secret, service, now, key in cases:
        every = list(sabotages(request, service))
        for what, changed in every if draw is None else random.sample(every, min(draw, len(every))):
            asked.append((changed, secret, service, now))
            names.append((f"{name}: {what}", key))
        for what, other_service, other_now in (("another service", service + "x", now), ("too late", service, now + 604801),
                                               ("too early", service, now - 1000)):
            asked.append((request, secret, other_service, other_now))
            names.append((f"{name}: {what}", key))
        asked.append((request, secret + b"x", service, now))
        names.append((f"{name}: another secret", key))
    for answer, (name, key), (request, *_) in zip(verify(asked), names, asked):
        check(answer.result != OK or answer.access_key != key, name, f"taken: {request.__dict__}")


# ---- the suites ----

def fetch():
    crate = CACHE / "aws-sigv4"
    if not crate.exists() and shutil.which("cargo"):
        project = CACHE / "crate"
        (project / "src").mkdir(parents=True, exist_ok=True)
        (project / "src" / "lib.rs").write_text("")
        (project / "Cargo.toml").write_text(f'[package]\nname = "fetch"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\naws-sigv4 = "={CRATE}"\n')
        subprocess.run(["cargo", "fetch", "--quiet"], cwd=project, check=True)
        listed = subprocess.run(["cargo", "metadata", "--format-version", "1", "--offline"], cwd=project, check=True, capture_output=True, text=True)
        found = next(package for package in json.loads(listed.stdout)["packages"] if package["name"] == "aws-sigv4")
        shutil.copytree(pathlib.Path(found["manifest_path"]).parent / "aws-signing-test-suite" / "v4", crate)
    return botocore_source() / "tests" / "unit" / "auth" / "aws4_testsuite", crate


def text_of(path):
    return path.read_bytes().replace(b"\r", b"").rstrip(b"\n")


def seconds_of(timestamp):
    return int(datetime.datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp())


def signature_of(secret, to_sign):
    key = b"AWS4" + secret
    for part in to_sign.split(b"\n")[2].split(b"/"):
        key = hmac.new(key, part, hashlib.sha256).digest()
    return hmac.new(key, to_sign, hashlib.sha256).hexdigest().encode()


def expect_case(name, request, service, now, canonical, to_sign, key=b"AKIDEXAMPLE"):
    """What the suite says of a request; True: and it is verified."""
    answer, = verify([(request, SECRET, service, now)])
    check(answer.canonical == canonical, f"{name}, canonical request", f"{answer}\n{answer.canonical}\n{canonical}")
    check(answer.to_sign == to_sign, f"{name}, string to sign", f"{answer.to_sign} {to_sign}")
    check(answer.result == OK and answer.access_key == key, f"{name}, verified", str(answer))
    return answer.result == OK


def without(request, name):
    return request.but(headers=[header for header in request.headers if header[0].lower() != name])


def expect_unsigned_token(name, request, service, now):
    """Some services let a token be added behind a signature: here it must be signed, for it says who it is."""
    answer, = verify([(request, SECRET, service, now)])
    check(answer.result == INCOMPLETE and "x-amz-security-token" in answer.message, f"{name}, a token that is not signed is refused", str(answer))
    return without(request, b"x-amz-security-token")


def run_botocore(suite):
    now, cases = seconds_of("20150830T123600Z"), []
    for path in sorted(suite.rglob("*.sreq")):
        name = f"botocore {path.stem}"
        request = read_request(path.read_bytes().replace(b"\r", b""))
        # One of the suite's signed requests has another signature than the suite itself says.
        request.headers = [(header, text_of(path.with_suffix(".authz")) if header == b"Authorization" else value) for header, value in request.headers]
        if path.stem == "post-sts-header-after":
            request = expect_unsigned_token(name, request, "service", now)
        if expect_case(name, request, "service", now, text_of(path.with_suffix(".creq")), text_of(path.with_suffix(".sts"))):
            cases.append((name, request, SECRET, "service", now, b"AKIDEXAMPLE"))
    check(len(cases) > 30, "botocore's suite has its cases", f"{len(cases)}")
    expect_refused(cases)


def as_s3(request, to_sign):
    """Signed for s3, the one service of AWS that does not normalize: the suite's other service would."""
    to_sign = to_sign.replace(b"/service/", b"/s3/")
    signature = signature_of(SECRET, to_sign)
    headers = [(name, re.sub(rb"Signature=\w+", b"Signature=" + signature, value.replace(b"/service/", b"/s3/"))) for name, value in request.headers]
    return request.but(headers=headers), to_sign


def run_crate(suite):
    cases = []
    for folder in sorted(suite.iterdir()):
        context = json.loads(text_of(folder / "context.json")) if (folder / "context.json").exists() else {}
        for form in ("header", "query"):
            name = f"aws-sigv4 {folder.name}, {form}"
            if not (folder / f"{form}-signed-request.txt").exists() or not (folder / f"{form}-string-to-sign.txt").exists():
                skip(name, "the suite has no such part of it")
                continue
            request = read_request((folder / f"{form}-signed-request.txt").read_bytes().replace(b"\r", b"").rstrip(b"\n"))
            canonical, to_sign = text_of(folder / f"{form}-canonical-request.txt"), text_of(folder / f"{form}-string-to-sign.txt")
            now, service = seconds_of(to_sign.split(b"\n")[1].decode()), to_sign.split(b"\n")[2].split(b"/")[2].decode()
            raw = (folder / "request.txt").read_bytes().replace(b"\r", b"")
            if not context.get("normalize", True):
                if form == "query" or b"%" in canonical.split(b"\n")[1]:
                    skip(name, "only s3 signs a path that is not normalized, and it neither encodes twice nor signs the payload of a URL")
                    continue
                request, to_sign = as_s3(request, to_sign)
                service = "s3"
            if folder.name == "post-sts-header-after":
                if form == "query":
                    answer, = verify([(request, SECRET, service, now)])
                    check(answer.result != OK, f"{name}, a token that is not signed is refused", str(answer))
                    continue
                request = expect_unsigned_token(name, request, service, now)
            if raw.partition(b"\n\n")[2].strip() and not request.body:
                request = request.but(body=raw.partition(b"\n\n")[2])
            if expect_case(name, request, service, now, canonical, to_sign):
                cases.append((name, request, SECRET, service, now, b"AKIDEXAMPLE"))
    check(len(cases) > 50, "the crate's suite has its cases", f"{len(cases)}")
    expect_refused(cases)


# ---- drawn at random, signed by botocore ----

WORDS = ["a", "ks", "b c", "ü", "日本", "%", "%41", "a+b", "a/b", "~x", "-._~", "arn:aws:lambda:us-east-1:111122223333:function:f", "=", "&", "*", "(x)", "'", '"q"', "",
         "😀", "a;b", "a,b", "x" * 40, "$", "@", "!", "[0]", "{k}", "|", "\\", "^", "`", "<t>"]
HEADER_NAMES = ["X-Amz-Target", "Content-Type", "X-Amz-Meta-A", "x-custom", "X-Amz-Content-Sha256-Other", "Accept", "amz-sdk-invocation-id", "X-Z", "x-amzn-query-mode"]
HEADER_VALUES = ["KeyspacesService.CreateTable", "application/x-amz-json-1.0", "  a   b  ", "a,b", "ü", "", "\"a   b\"", "x" * 200, "a\tb", "日本", "0"]


def draw_path():
    segments = [urllib.parse.quote(random.choice(WORDS), safe=random.choice(["", "~", ":@!$&'()*,;=+~"])) for _ in range(random.randrange(5))]
    for _ in range(random.randrange(3)):
        segments.insert(random.randrange(len(segments) + 1), random.choice(["", ".", "..", "..."]))
    path = "/" + "/".join(segments)
    return path + ("x" if path.endswith(("/.", "/..")) else "")  # of these, signers do not think alike


def draw_query():
    pairs = [(random.choice(WORDS) or "k", random.choice(WORDS)) for _ in range(random.randrange(6))]
    query = "&".join(urllib.parse.quote(name, safe="-_.~") + (random.choice(["=", ""]) if not value else "=" + urllib.parse.quote(value, safe="-_.~"))
                     for name, value in pairs)
    return "?" + query if query else ""


def draw_request(auth, awsrequest, credentials):
    """A request as botocore's HTTP client would send it, and the service that it is signed for."""
    service = random.choice(["cassandra", "lambda", "iam", "monitoring", "s3"])
    is_url = random.random() < 0.25
    headers = [(random.choice(HEADER_NAMES), random.choice(HEADER_VALUES)) for _ in range(random.randrange(5))]
    host = random.choice(["127.0.0.1:9000", "cassandra.us-east-1.amazonaws.com", "[::1]:8080", "localhost"])
    body = random.choice([b"", b"{}", b"Action=ListUsers&Version=2010-05-08", os.urandom(random.randrange(300)), "ü".encode()])
    method = random.choice(["POST", "GET", "PUT", "DELETE", "HEAD"])
    request = awsrequest.AWSRequest(method=method, url=f"http://{host}{draw_path()}{'' if is_url else draw_query()}", data=b"" if is_url else body)
    for name, value in headers:
        request.headers.add_header(name, value)
    if random.random() < 0.1 and not is_url:
        request.headers["Date"] = "now"
    if is_url:
        request.params = {random.choice(WORDS) or "k": random.choice(WORDS) for _ in range(random.randrange(3))}
    kind = {(False, False): auth.SigV4Auth, (False, True): auth.S3SigV4Auth, (True, False): auth.SigV4QueryAuth, (True, True): auth.S3SigV4QueryAuth}
    kind[is_url, service == "s3"](credentials, service, random.choice(["us-east-1", "eu-central-1"])).add_auth(request)
    sent = request.prepare()
    parts = urllib.parse.urlsplit(sent.url)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    wire = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in request.headers.items()] + [(b"Host", host.encode())]  # `sent` has lost those that come again
    random.shuffle(groups := list({name.lower() for name, _ in wire}))  # names in any order, the values of one in theirs
    wire = [header for group in groups for header in wire if header[0].lower() == group]
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    return Request(sent.method.encode(), target.encode(), wire, body), service


def run_random(count):
    try:
        from botocore import auth, awsrequest
        from botocore.credentials import Credentials
    except ImportError:
        skip("random requests", "botocore is not installed: make deps-test")
        return
    cases, names = [], {}
    for i in range(count):
        key, secret = f"AKIA{i:016}", random.choice(["s", "secret/with+signs", "x" * 200, SECRET.decode()])
        credentials = Credentials(key, secret, random.choice([None, None, "TOKEN+/=", "t" * 1000]))
        request, service = draw_request(auth, awsrequest, credentials)
        cases.append((f"random {i}", request, secret.encode(), service, int(datetime.datetime.now().timestamp()), key.encode()))
        names[i] = credentials.token
    answers = verify([case[1:5] for case in cases])
    for i, (answer, case) in enumerate(zip(answers, cases)):
        request = case[1]
        check(answer.result == OK, case[0], f"{answer}\n{request.__dict__}\n{answer.canonical.decode(errors='replace')}")
        check(answer.token == (names[i] or "").encode(), f"{case[0]}, its token", f"{answer.token}")
    expect_refused([case for case, answer in zip(cases, answers) if answer.result == OK], draw=20)


# ---- signed by curl ----

def record_one(listener, into):
    connection, _ = listener.accept()
    raw = b""
    with connection:
        connection.settimeout(5)
        while b"\r\n\r\n" not in raw:
            raw += connection.recv(65536)
        head, _, body = raw.partition(b"\r\n\r\n")
        size = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while size and len(body) < int(size.group(1)):
            body += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    lines = head.split(b"\r\n")
    method, target, _ = lines[0].split(b" ")
    into.append(Request(method, target, [tuple(line.split(b":", 1)) for line in lines[1:]], body))


def run_curl():
    told = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True).stdout if shutil.which("curl") else ""
    if "--aws-sigv4" not in told:
        skip("curl", "none that signs is installed")
        return
    cases = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name, service, arguments in (("JSON", "cassandra", ["-H", "X-Amz-Target: KeyspacesService.ListKeyspaces", "-H", "Content-Type: application/x-amz-json-1.0", "-d", "{}", base + "/"]),
                                         ("a form", "iam", ["-d", "Action=ListUsers&Version=2010-05-08", base + "/"]),
                                         ("GET", "lambda", [base + "/2015-03-31/functions"]),
                                         ("a query", "iam", [base + "/?Action=ListUsers&Version=2010-05-08"]),
                                         ("a token", "iam", ["-H", "X-Amz-Security-Token: TOKEN", base + "/"])):
            taken = []
            thread = threading.Thread(target=record_one, args=(listener, taken))
            thread.start()
            subprocess.run(["curl", "--silent", "--max-time", "10", "--aws-sigv4", f"aws:amz:us-east-1:{service}", "--user", f"AKIDCURL:{SECRET.decode()}", *arguments], check=True)
            thread.join()
            cases.append((f"curl, {name}", taken[0], SECRET, service, int(datetime.datetime.now().timestamp()), b"AKIDCURL"))
    for answer, case in zip(verify([case[1:5] for case in cases]), cases):
        check(answer.result == OK, case[0], f"{answer}\n{case[1].__dict__}\n{answer.canonical.decode(errors='replace')}")
    expect_refused(cases)


parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--count", type=int, default=2000)
parser.add_argument("--tool", default=str(ROOT / "build" / "test" / "tests" / "api" / "sigv4_tool"))
options = parser.parse_args()
random.seed(options.seed)
botocore_suite, crate_suite = fetch()
run_botocore(botocore_suite)
if crate_suite.exists():
    run_crate(crate_suite)
else:
    skip("aws-sigv4's suite", "there is no cargo to fetch it")
run_random(options.count)
run_curl()
sys.exit(finish())
