#!/usr/bin/env python3
"""AWS's APIs on the HTTP port, as official clients use them: boto3 and the aws CLI, unchanged, and bytes by hand.

    face.py [--seed N] [--count N] [--binary PATH]

Who am I, by several keys; operations that nobody serves, in every protocol, are one clear error for the client, after one request;
what is unsigned, broken, compressed, pipelined or of another content type; --count requests, mutated at random, none of which is
answered 5xx or ends the server.
"""
import argparse
import gzip
import http.client
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from checks import check, finish  # noqa: E402
from sdk import client, session  # noqa: E402
from server import Helenus  # noqa: E402

FORM = "application/x-www-form-urlencoded; charset=utf-8"
IDENTITY = "Action=GetCallerIdentity&Version=2011-06-15"
REQUEST_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


# ---- clients ----

def signed(method, path, headers, body=b"", service="sts", key="AKIDEXAMPLE", port=9080):
    """Headers as botocore signs them."""
    request = AWSRequest(method, f"http://127.0.0.1:{port}{path}", headers=dict(headers), data=body)
    SigV4Auth(Credentials(key, "any"), service, "us-east-1").add_auth(request)
    return {**dict(request.headers.items()), "Host": f"127.0.0.1:{port}"}


def send(server, method, path, headers, body=b"", connection=None):
    """Status, headers and body; on a connection of its own unless there is one."""
    own = connection is None
    connection = connection or http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=any(name.lower() == "host" for name in headers), skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body or method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body if body else None)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        if own:
            connection.close()


def ask_identity(server, body=IDENTITY, **changes):
    body = body.encode()
    headers = {**signed("POST", "/", {"Content-Type": FORM}, body, port=server.http_port), **changes}
    return send(server, "POST", "/", headers, body)


def code_of(call):
    """The client's error code and how often it had asked."""
    try:
        call()
        return "none", 1
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["RetryAttempts"] + 1
    except Exception as error:  # noqa: BLE001 - anything else is what must not be
        return f"{type(error).__name__}: {error}", 0


def metrics(server):
    return send(server, "GET", "/metrics", {})[2].decode()


def unknown(server):
    return {name: int(count) for name, count in re.findall(r'^helenus_api_unknown_total\{name="([^"]+)"\} (\d+)$', metrics(server), re.M)}


# ---- tests ----

def identity(server):
    for key, account in [("AKIDEXAMPLE", "000000000000"), ("123456789012", "123456789012"), ("000000000001", "000000000001"),
                         ("12345678901", "000000000000"), ("1234567890123", "000000000000")]:
        answer = client(server, "sts", key).get_caller_identity()
        meta = answer.pop("ResponseMetadata")
        check(answer == {"Account": account, "UserId": account, "Arn": f"arn:aws:iam::{account}:root"}, f"identity of {key}", answer)
        check(meta["HTTPStatusCode"] == 200 and meta["RetryAttempts"] == 0 and REQUEST_ID.match(meta["RequestId"])
              and meta["HTTPHeaders"]["content-type"] == "text/xml" and "GMT" in meta["HTTPHeaders"]["date"], f"head for {key}", meta)
    url = client(server, "sts", "123456789012").generate_presigned_url("get_caller_identity")
    status, _, body = send(server, "GET", url[url.index("/?"):], {"Host": f"127.0.0.1:{server.http_port}"})
    check(status == 200 and b"<Account>123456789012</Account>" in body, "presigned", body)


def cli(server):
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1",
           "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    aws = [sys.executable, str(pathlib.Path(sys.executable).parent / "aws"), "--endpoint-url", f"http://127.0.0.1:{server.http_port}"]
    run = subprocess.run(aws + ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"], env=env, capture_output=True, text=True,
                         timeout=60)
    check(run.stdout == "arn:aws:iam::123456789012:root\n", "aws sts get-caller-identity", run.stdout + run.stderr)
    run = subprocess.run(aws + ["iam", "list-saml-providers"], env=env, capture_output=True, text=True, timeout=60)
    check(run.returncode and "(InvalidAction)" in run.stderr, "aws iam list-saml-providers", run.stderr)


def unknown_operations(server):
    """One request each, and one error: a client that repeats what nobody serves is a storm."""
    other, query = "UnknownOperationException", "InvalidAction"
    calls = [("dynamodb", "list_tables", {}, other, "DynamoDB_20120810.ListTables"), ("keyspacesstreams", "list_streams", {}, other,
                                                                                              "KeyspacesStreams.ListStreams"),
             ("resourcegroupstaggingapi", "describe_report_creation", {}, other, "resourcegroupstaggingapi.DescribeReportCreation"),
             ("cloudwatch", "list_metrics", {}, other, "GraniteServiceVersion20100801.ListMetrics"),
             ("logs", "describe_log_groups", {}, other, "Logs_20140328.DescribeLogGroups"),
             ("kms", "list_keys", {}, other, "TrentService.ListKeys"),
             ("cloudtrail", "lookup_events", {}, other, "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"),
             ("iam", "list_saml_providers", {}, query, "iam.ListSAMLProviders"), ("sns", "list_topics", {}, query, "sns.ListTopics"),
             ("sts", "get_session_token", {}, query, "sts.GetSessionToken"), ("lambda", "list_functions", {}, other, "lambda.GET"),
             ("s3", "list_buckets", {}, query, "s3.GET")]
    before = unknown(server)
    for service, operation, arguments, code, name in calls:
        got = code_of(lambda: getattr(client(server, service), operation)(**arguments))  # noqa: B023 - called at once
        check(got == (code, 1), f"{service} {operation}", got)
        check(unknown(server).get(name, 0) == before.get(name, 0) + 1, f"{name} is counted once", unknown(server))
    cbor = signed("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", {
        "smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor", "Accept": "application/cbor"}, b"\xa0", "monitoring",
                  port=server.http_port)
    status, headers, body = send(server, "POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", cbor, b"\xa0")
    check(status == 400 and headers["smithy-protocol"] == "rpc-v2-cbor" and headers["content-type"] == "application/cbor"
          and b"#UnknownOperationException" in body, "an unknown operation in CBOR", body)


def cbor_client(server):
    """boto3 with models that have CBOR alone: new releases of SDKs speak it so."""
    made = client(server, "keyspaces", session=session(cbor=True))
    got = code_of(lambda: made.list_tags_for_resource(resourceArn="arn:aws:cassandra:eu-north-1:000000000000:/keyspace/none/"))
    check(got == ("ResourceNotFoundException", 1), "keyspaces in CBOR", got)
    head = signed("POST", "/service/KeyspacesService/operation/No", {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"},
                  b"\xa0", "cassandra", port=server.http_port)
    send(server, "POST", "/service/KeyspacesService/operation/No", head, b"\xa0")
    check(unknown(server).get("keyspaces.No", 0) == 1, "CBOR's is counted by the same name", unknown(server))


def signatures(server):
    status, headers, body = send(server, "POST", "/", {"Content-Type": FORM}, IDENTITY.encode())
    check(status == 403 and b"<Code>MissingAuthenticationToken</Code>" in body and headers["content-type"] == "text/xml", "unsigned", body)
    status, _, body = ask_identity(server, Authorization="AWS4-HMAC-SHA256 Credential=a/b")
    check(status == 400 and b"<Code>IncompleteSignature</Code>" in body, "half a signature", body)
    status, _, body = ask_identity(server, Authorization="Bearer x")
    check(status == 400 and b"<Code>IncompleteSignature</Code>" in body, "another kind of signature", body)
    good = signed("POST", "/", {"Content-Type": FORM}, IDENTITY.encode(), service="iam", port=server.http_port)
    status, _, body = send(server, "POST", "/", good, IDENTITY.encode())
    check(status == 400 and b"<Code>InvalidAction</Code>" in body, "signed for iam", body)


def bodies(server):
    for body, headers, status, what in [
            (gzip.compress(IDENTITY.encode()), {"Content-Encoding": "gzip"}, 200, b"<Account>"),
            (gzip.compress(IDENTITY.encode())[:-9], {"Content-Encoding": "gzip"}, 400, b"<Code>MalformedInput</Code>"),
            (gzip.compress(b"Action=" + b"a" * (1 << 20)), {"Content-Encoding": "gzip"}, 400, b"<Code>MalformedInput</Code>"),
            (IDENTITY.encode(), {"Content-Encoding": "br"}, 400, b"<Code>MalformedInput</Code>"),
            (IDENTITY.encode(), {"Content-Type": "text/plain"}, 400, b"<Code>InvalidAction</Code>"),
            (IDENTITY.encode() + b"&a=%zz", {}, 400, b"<Code>MalformedInput</Code>"), (b"", {}, 400, b"<Code>InvalidAction</Code>"),
            (b"Action=GetCallerIdentity", {}, 400, b"NO_VERSION_SPECIFIED"), (b"\0\xff" * 100, {}, 400, b"<Code>InvalidAction</Code>"),
            (b"a=" + b"b" * (1 << 20), {}, 413, b"413")]:
        head = {**signed("POST", "/", {"Content-Type": FORM}, body, port=server.http_port), **headers}
        got, _, answer = send(server, "POST", "/", head, body)
        check(got == status and what in answer, f"body {body[:40]} {headers}", (got, answer))
    for target, kind, body in [("KeyspacesService.GetTable", "application/x-amz-json-1.0", b"{"), ("A.B", "text/plain", b"\xff"),
                               ("A.B", "application/x-amz-json-1.1", b"[" * 5000)]:
        head = signed("POST", "/", {"Content-Type": kind, "X-Amz-Target": target}, body, "cassandra", port=server.http_port)
        got, headers, answer = send(server, "POST", "/", head, body)
        check(400 <= got < 500 and b"__type" in answer and headers["content-type"].startswith("application/x-amz-json-1."), f"JSON {body[:9]}",
              (got, answer))


def methods(server):
    """What was there before, and methods that no API has."""
    for method, path, status in [("GET", "/", 404), ("GET", "/nothing", 404), ("HEAD", "/", 404), ("POST", "/", 405), ("DELETE", "/health", 405),
                                 ("OPTIONS", "/", 405), ("PUT", "/nothing", 405), ("GET", "/health", 200), ("HEAD", "/health", 200)]:
        got, headers, body = send(server, method, path, {})
        check(got == status and "x-amzn-RequestId" not in headers and (got != 405 or headers["allow"] == "GET, HEAD"), f"{method} {path}",
              (got, body))
    status, headers, body = send(server, "GET", "/health", {})
    check(body == b"ok\n" and headers["helenus-signatures"] == "not checked", "/health", (body, headers))
    head = signed("HEAD", "/?" + IDENTITY, {}, port=server.http_port)
    status, headers, body = send(server, "HEAD", "/?" + IDENTITY, head)
    check(status == 200 and body == b"" and int(headers["content-length"]) > 100, "HEAD", (status, body))
    head = signed("OPTIONS", "/?" + IDENTITY, {}, port=server.http_port)
    check(send(server, "OPTIONS", "/?" + IDENTITY, head)[0] == 400, "OPTIONS")


def connections(server):
    """Kept alive, also after an error; two requests in one packet."""
    head = signed("POST", "/", {"Content-Type": FORM}, IDENTITY.encode(), port=server.http_port)
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    connection.connect()
    port, ids = connection.sock.getsockname()[1], set()
    for i in range(20):
        status, headers, _ = send(server, "POST", "/", head if i % 2 else {"Content-Type": FORM}, IDENTITY.encode(), connection)
        ids.add(headers["x-amzn-RequestId"])
        check(status == (200 if i % 2 else 403), "keep-alive", status)
    check(connection.sock.getsockname()[1] == port and len(ids) == 20, "one connection, an id for each answer", ids)
    connection.close()
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    one = f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(IDENTITY)}\r\n\r\n{IDENTITY}".encode()
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=20) as raw:
        raw.sendall(one + one.replace(b"POST / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nConnection: close\r\n"))
        got = b"".join(iter(lambda: raw.recv(65536), b""))
    check(got.count(b"HTTP/1.1 200") == 2, "two in one packet", got)


def answer_status(port, data):
    """The status of what is answered to these bytes; 0: none was, since the server waits for more, or has ended the connection."""
    line = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            raw.sendall(data)
            raw.settimeout(2)
            while b"\r\n" not in line and (chunk := raw.recv(4096)):
                line += chunk
    except OSError:
        return 0
    found = re.match(rb"HTTP/1\.[01] (\d{3})", line)
    return int(found.group(1)) if found else 0


def mutate(draw, data, words):
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at, how = draw.randrange(len(data)), draw.randrange(4)
        if how == 0:
            data[at] = draw.randrange(256)
        elif how == 1 and len(data) > 100:
            del data[at:at + draw.randrange(1, 20)]
        elif how == 2:
            data[at:at] = data[at:at + draw.randrange(1, 60)]
        else:
            data[at:at] = draw.choice(words)
    return bytes(data)


def mutations(server, seed, count):
    """Whole requests of each protocol with some bytes changed, taken away, doubled or swapped for what decides."""
    draw, port, counts = random.Random(seed), server.http_port, {}
    words = [b"X-Amz-Target: KeyspacesService.ListKeyspaces\r\n", b"smithy-protocol: rpc-v2-cbor\r\n", b"Content-Encoding: gzip\r\n", b"Action=",
             b"Transfer-Encoding: chunked\r\n", b"/service/KeyspacesService/operation/GetTable", b"\0", b"%", b"\r\n", b"AWS4-HMAC-SHA256 ", b"&"]
    seeds = []
    for path, headers, body, service in [
            ("/", {"Content-Type": FORM}, IDENTITY.encode(), "sts"),
            ("/", {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "KeyspacesService.ListKeyspaces"}, b'{"maxResults": 3}', "cassandra"),
            ("/service/KeyspacesService/operation/GetKeyspace", {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"},
             b"\xa1\x6ckeyspaceName\x62ks", "cassandra"), ("/2015-03-31/functions/f%2Fg?a=b", {}, b"", "lambda"),
            ("/", {"Content-Type": FORM, "Content-Encoding": "gzip"}, gzip.compress(IDENTITY.encode()), "sts")]:
        head = signed("POST", path, headers, body, service, port=port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        seeds.append(f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    whole = sorted(answer_status(port, data) for data in seeds)
    check(whole == [200, 200, 200, 400, 404], "requests before they are mutated", whole)
    mutated = [mutate(draw, draw.choice(seeds), words) for _ in range(count)]
    with ThreadPoolExecutor(32) as pool:
        for i, status in enumerate(pool.map(lambda data: answer_status(port, data), mutated)):
            counts[status] = counts.get(status, 0) + 1
            check(status < 500, f"mutation {i} of seed {seed}", (status, mutated[i]))
    print(f"{count} mutated requests, seed {seed}: " + ", ".join(f"{n} x {status or 'none'}" for status, n in sorted(counts.items())))
    check(server.process.poll() is None and send(server, "GET", "/health", {})[2] == b"ok\n", "the server lives")
    names = unknown(server)
    check(len(names) <= 65, "names that are counted have a bound", len(names))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--binary")
    options = parser.parse_args()
    server = Helenus(options.binary).start()
    try:
        for test in (identity, cli, unknown_operations, cbor_client, signatures, bodies, methods, connections):
            test(server)
        mutations(server, options.seed, options.count)
    finally:
        code = server.stop()
    check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
