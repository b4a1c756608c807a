#!/usr/bin/env python3
"""AWS's APIs over TLS: boto3 and the aws CLI with the authority that `helenus tls init` makes, unchanged; and what HTTP promises, through it.

    secure.py
"""
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import boto3
import botocore.exceptions
from botocore.config import Config

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lib.native import BINARY, Server, free_port  # noqa: E402
from lib.runner import run_tests  # noqa: E402

KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "any", "region_name": "us-east-1"}
BODY_MAX = 1 << 20


def client_of(place, service="keyspaces", ca=None):
    return boto3.client(service, endpoint_url=place.url, verify=ca or place.ca, config=Config(retries={"total_max_attempts": 1}), **KEYS)


def boto3_trusts_our_authority(place):
    client = client_of(place)
    client.create_keyspace(keyspaceName="app")
    assert "app" in [k["keyspaceName"] for k in client.list_keyspaces()["keyspaces"]]
    assert client_of(place, "sts").get_caller_identity()["Account"]


def another_authority_is_not_trusted(place):
    for verify in (place.other_ca, True):
        try:
            client_of(place, ca=verify).list_keyspaces()
            raise AssertionError("it was trusted")
        except botocore.exceptions.SSLError:
            pass


def the_cli_takes_the_bundle(place):
    command = [os.path.join(os.path.dirname(sys.executable), "aws"), "keyspaces", "list-keyspaces", "--endpoint-url", place.url, "--output", "json"]
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
    for more, variables in ((["--ca-bundle", place.ca], {}), ([], {"AWS_CA_BUNDLE": place.ca})):
        done = subprocess.run(command + more, capture_output=True, text=True, env={**env, **variables}, timeout=60)
        assert done.returncode == 0 and "keyspaces" in json.loads(done.stdout), done
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode != 0 and "SSL" in done.stderr, done


def connection_of(place):
    return http.client.HTTPSConnection("localhost", place.port, context=place.context, timeout=30)


def bodies_of_all_sizes_on_one_connection(place):
    """Up to the limit and past it; what is too large is told, however it comes."""
    connection = connection_of(place)
    for size in (0, 1, 16 << 10, (16 << 10) + 1, 100 << 10, BODY_MAX - 100):
        body = b'{"x": "' + b"a" * size + b'"}'
        connection.request("POST", "/", body, {"X-Amz-Target": "KeyspacesService.ListKeyspaces", "Content-Type": "application/x-amz-json-1.0"})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in (200, 400, 403) and said, (size, answer.status, said)
    connection.close()
    connection = connection_of(place)
    try:
        connection.request("POST", "/", b"a" * (BODY_MAX + 1))
    except OSError:
        pass  # refused before it was all sent
    assert connection.getresponse().status == 413
    connection.close()


def requests_without_waiting_are_answered_in_order(place):
    with place.context.wrap_socket(socket.create_connection(("127.0.0.1", place.port), timeout=30), server_hostname="localhost") as s:
        one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        s.sendall(one * 50 + b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        while chunk := s.recv(65536):
            data += chunk
        assert data.count(b"HTTP/1.1 200") == 50 and data.rstrip().count(b"\r\n\r\nok\n") == 50, data[-300:]
        assert data.rindex(b"HTTP/1.1 200") < data.index(b"HTTP/1.1 4"), "the last is the last"


def many_at_once(place):
    wrong = []

    def ask():
        connection = connection_of(place)
        for _ in range(20):
            connection.request("GET", "/health")
            answer = connection.getresponse()
            if answer.status != 200 or answer.read() != b"ok\n":
                wrong.append(answer.status)
        connection.close()
    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def clients_certificates_hold_for_the_apis_too(place):
    """The same policy on both ports: the APIs' port asks as CQL's does."""
    options = place.options("--tls-client-ca", place.ca, "--tls-client-certificates", "required")
    with Server(None, *options.arguments):
        context = ssl.create_default_context(cafile=place.ca)
        for port in (options.port, options.cql_port):
            with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30), server_hostname="localhost") as s:
                try:
                    s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert not s.recv(100), "it was answered"
                except (ssl.SSLError, ConnectionError) as e:
                    assert "certificate" in str(e).lower() or isinstance(e, ConnectionError), e


class Options:
    def __init__(self, certificates, *more):
        self.port, self.cql_port = free_port(), free_port()
        self.arguments = ("--tls-certificate", certificates + "/server.crt", "--tls-key", certificates + "/server.key", "--cql-tls-port", str(self.cql_port),
                          "--http-tls-port", str(self.port), "--store", "memory", *more)


class Place:
    def __init__(self, top):
        self.certificates = os.path.join(top, "tls")
        for name in ("tls", "other"):
            subprocess.run([BINARY, "tls", "init", os.path.join(top, name), "--name", "localhost"], check=True, stdout=subprocess.DEVNULL)
        self.ca, self.other_ca = self.certificates + "/ca.crt", os.path.join(top, "other", "ca.crt")
        own = self.options()
        self.port, self.arguments = own.port, own.arguments
        self.url = f"https://localhost:{self.port}"
        self.context = ssl.create_default_context(cafile=self.ca)

    def options(self, *more):
        return Options(self.certificates, *more)


TESTS = [boto3_trusts_our_authority, another_authority_is_not_trusted, the_cli_takes_the_bundle, bodies_of_all_sizes_on_one_connection,
         requests_without_waiting_are_answered_in_order, many_at_once, clients_certificates_hold_for_the_apis_too]


def main():
    with tempfile.TemporaryDirectory(prefix="helenus-secure-") as top:
        place = Place(top)
        with Server(None, *place.arguments):
            return run_tests(TESTS, place)


if __name__ == "__main__":
    sys.exit(main())
