"""One server for the whole run: helenus on free ports with a directory of its own, or CQL_TARGET=host:port.

Every test that talks to it runs once in each of MODES: a protocol version, plain or compressed.
"""
import logging
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from cassandra.cluster import Cluster, EXEC_PROFILE_DEFAULT, ExecutionProfile  # noqa: E402
from cassandra.policies import RoundRobinPolicy  # noqa: E402

from server import Helenus  # noqa: E402

logging.getLogger("cassandra").setLevel(logging.CRITICAL)


MODES = ["v3", "v4+lz4", "v5", "v5+lz4"]


class Target:
    """Where the server is, whether it is ours, and how to speak to it."""

    def __init__(self, host, port, helenus):
        self.host, self.port, self.helenus = host, port, helenus
        self.version, self.compression = None, None

    def cluster(self, **options):
        options.setdefault("protocol_version", self.version)
        options.setdefault("compression", self.compression or False)
        options.setdefault("execution_profiles", {EXEC_PROFILE_DEFAULT: ExecutionProfile(
            load_balancing_policy=RoundRobinPolicy(), request_timeout=30)})
        return Cluster([self.host], port=self.port, **options)


@pytest.fixture(scope="session")
def anywhere():
    if os.environ.get("CQL_TARGET"):
        host, port = os.environ["CQL_TARGET"].rsplit(":", 1)
        yield Target(host, int(port), None)
        return
    server = Helenus()
    server.start()
    yield Target("127.0.0.1", server.cql_port, server)
    code = server.stop()
    assert code == 0, f"helenus ended with code {code}:\n{server.tail()}"


@pytest.fixture(scope="session", params=MODES)
def target(anywhere, request):
    version, _, anywhere.compression = request.param.partition("+")
    anywhere.version = int(version[1:])
    return anywhere


@pytest.fixture(scope="session")
def cluster(target):
    cluster = target.cluster()
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="session")
def session(cluster):
    return cluster.connect()


@pytest.fixture(scope="module")
def keyspace(session, request):
    """A keyspace named after the test module, gone afterwards."""
    name = "d_" + request.module.__name__.removeprefix("test_")
    session.execute(f"DROP KEYSPACE IF EXISTS {name}")
    session.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    yield name
    session.execute(f"DROP KEYSPACE {name}")
