#!/usr/bin/env python3
"""Signatures that are checked, by boto3 and the aws CLI: a whole life from the first key on, with --api-auth iam.

    gate.py [--binary PATH]

The root's first key lies in the data directory. With it an administrator is made, who makes a user, who may nothing, then something, then
something less; keys are rotated and revoked, and count from the answer on that said so, also after kill -9. Who is not known, has a wrong
secret, a wrong clock or no signature is told so by the errors that SDKs know, after one request.
"""
import argparse
import configparser
import datetime
import http.client
import json
import os
import pathlib
import stat
import subprocess
import sys
from unittest import mock

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from checks import check, finish  # noqa: E402
from server import Helenus  # noqa: E402

ACCOUNT, REGION = "000000000000", "us-east-1"
KEYSPACE = f"arn:aws:cassandra:{REGION}:{ACCOUNT}:/keyspace/"


def allow(*actions, resource="*", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource, **more}]})


class Caller:
    """A key's owner, with a client for each service."""

    def __init__(self, server, key, secret, token=None):
        self.server, self.key, self.secret, self.token = server, key, secret, token

    def __getattr__(self, service):
        return boto3.client(service, endpoint_url=f"http://127.0.0.1:{self.server.http_port}", region_name=REGION, aws_access_key_id=self.key,
                            aws_secret_access_key=self.secret, aws_session_token=self.token, config=Config(connect_timeout=5, read_timeout=20))


def refused(code, call, part="", **members):
    try:
        answer = call(**members)
    except ClientError as error:
        told = error.response["Error"]
        check(told["Code"] == code and error.response["ResponseMetadata"]["RetryAttempts"] == 0 and part in told["Message"],
              f"{code} of {call.__name__} {members}", error)
        return
    check(False, f"{code} of {call.__name__} {members}", answer)


def root_of(server):
    path = pathlib.Path(server.data) / "root-credentials"
    check(stat.S_IMODE(path.stat().st_mode) == 0o600, "the root's file is its owner's")
    found = configparser.ConfigParser()
    found.read(path)
    return Caller(server, found["default"]["aws_access_key_id"], found["default"]["aws_secret_access_key"])


def with_key(server, iam, user):
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return Caller(server, made["AccessKeyId"], made["SecretAccessKey"])


def life(server, root):
    check(root.sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root", "the root is known")
    root.iam.create_user(UserName="admin")
    root.iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    admin = with_key(server, root.iam, "admin")
    admin.iam.create_user(UserName="alice")
    alice = with_key(server, admin.iam, "alice")
    check(alice.sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice", "a user is known")
    refused("AccessDeniedException", alice.keyspaces.create_keyspace, "cassandra:Create on resource", keyspaceName="shop")
    refused("AccessDenied", alice.iam.list_users, "iam:ListUsers")
    refused("AccessDeniedException", alice.resourcegroupstaggingapi.get_resources, "tag:GetResources")
    admin.iam.put_user_policy(UserName="alice", PolicyName="shop", PolicyDocument=allow("cassandra:*", resource=[
        KEYSPACE + "shop/*", KEYSPACE + "system*"]))
    alice.keyspaces.create_keyspace(keyspaceName="shop")
    definition = {"allColumns": [{"name": "a", "type": "int"}], "partitionKeys": [{"name": "a"}]}
    alice.keyspaces.create_table(keyspaceName="shop", tableName="t", schemaDefinition=definition)
    check(alice.keyspaces.get_table(keyspaceName="shop", tableName="t")["status"] == "ACTIVE", "a table of her own")
    refused("AccessDeniedException", alice.keyspaces.create_keyspace, keyspaceName="other")
    refused("AccessDeniedException", alice.keyspaces.get_table, keyspaceName="other", tableName="t")
    admin.iam.put_user_policy(UserName="alice", PolicyName="no", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "cassandra:Drop", "Resource": "*"}]}))
    refused("AccessDeniedException", alice.keyspaces.delete_table, "explicit deny", keyspaceName="shop", tableName="t")
    admin.iam.delete_user_policy(UserName="alice", PolicyName="no")
    alice.keyspaces.delete_keyspace(keyspaceName="shop")
    return admin, alice


def keys(server, admin, alice):
    """Rotated: the new one beside the old, then without it."""
    other = with_key(server, admin.iam, "alice")
    for caller in (alice, other):
        caller.keyspaces.list_keyspaces()
    admin.iam.update_access_key(UserName="alice", AccessKeyId=alice.key, Status="Inactive")
    refused("UnrecognizedClientException", alice.keyspaces.list_keyspaces)
    refused("InvalidClientTokenId", alice.sts.get_caller_identity)
    server.kill()
    server.start()
    refused("UnrecognizedClientException", alice.keyspaces.list_keyspaces)
    other.keyspaces.list_keyspaces()
    admin.iam.delete_access_key(UserName="alice", AccessKeyId=alice.key)
    admin.iam.delete_access_key(UserName="alice", AccessKeyId=other.key)
    refused("UnrecognizedClientException", other.keyspaces.list_keyspaces)


def strangers(server, admin):
    for key in ("AKIDEXAMPLE", ACCOUNT, "AKIA" + "A" * 16, "ASIA" + "A" * 16):
        stranger = Caller(server, key, "any")
        refused("InvalidClientTokenId", stranger.iam.list_users)
        refused("UnrecognizedClientException", stranger.keyspaces.list_keyspaces)
    wrong = Caller(server, admin.key, admin.secret[:-1] + ("a" if admin.secret[-1] != "a" else "b"))
    refused("SignatureDoesNotMatch", wrong.iam.list_users)
    refused("InvalidSignatureException", wrong.keyspaces.list_keyspaces)
    refused("InvalidClientTokenId", Caller(server, admin.key, admin.secret, "a token").iam.list_users)
    with mock.patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: datetime.datetime.utcnow() - datetime.timedelta(minutes=16)):
        refused("SignatureDoesNotMatch", admin.iam.list_users, "Signature expired")
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    connection.request("POST", "/", "Action=ListUsers&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    check(answer.status == 403 and b"<Code>MissingAuthenticationToken</Code>" in answer.read(), "unsigned")
    connection.request("GET", "/health")
    answer = connection.getresponse()
    check(answer.read() == b"ok\n" and answer.headers["Helenus-Signatures"] == "checked", "/health says so")
    connection.close()


def cli(server):
    env = {**os.environ, "AWS_SHARED_CREDENTIALS_FILE": os.path.join(server.data, "root-credentials"), "AWS_CONFIG_FILE": "/dev/null",
           "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.http_port}"}
    run = subprocess.run([sys.executable, str(pathlib.Path(sys.executable).parent / "aws"), "iam", "list-users", "--query", "Users[].UserName"],
                         env=env, capture_output=True, text=True, timeout=60)
    check(run.returncode == 0 and json.loads(run.stdout) == ["admin", "alice"], "the aws CLI with the root's file", run.stdout + run.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    options = parser.parse_args()
    server = Helenus(options.binary, args=["--api-auth", "iam"]).start()
    try:
        root = root_of(server)
        admin, alice = life(server, root)
        keys(server, admin, alice)
        strangers(server, admin)
        cli(server)
        check(root_of(server).secret == root.secret, "a start makes one root's key only")
        with open(server.log_path, "rb") as file:
            log = file.read()
        check(not any(caller.secret.encode() in log for caller in (root, admin, alice)), "no secret in the log")
    finally:
        code = server.stop()
    check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
