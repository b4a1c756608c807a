"""What Spring Boot, testcontainers and the like take for granted works as it is."""
import contextlib

from cassandra import ConsistencyLevel
from cassandra.cluster import Cluster, EXEC_PROFILE_DEFAULT, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy
from server import Helenus


@contextlib.contextmanager
def serving(contact, *args):
    """A server of its own with these options, and a session that knows the data centre by its usual name."""
    server = Helenus(args=["--store", "memory", *args])
    server.start()
    profile = ExecutionProfile(load_balancing_policy=DCAwareRoundRobinPolicy("datacenter1"),
                               consistency_level=ConsistencyLevel.LOCAL_QUORUM, request_timeout=30)
    try:
        with Cluster([contact], port=server.cql_port, execution_profiles={EXEC_PROFILE_DEFAULT: profile}) as cluster:
            yield server, cluster, cluster.connect()
    finally:
        assert server.stop() == 0


def test_three_replicas_of_the_usual_data_centre():
    with serving("127.0.0.1") as (_, cluster, session):
        session.execute("CREATE KEYSPACE app WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}")
        session.execute("CREATE TABLE app.t (k int PRIMARY KEY, v int)")
        session.execute("INSERT INTO app.t (k, v) VALUES (1, 2)")
        assert session.execute("SELECT v FROM app.t WHERE k = 1").one().v == 2
        assert cluster.metadata.keyspaces["app"].replication_strategy.export_for_schema() == (
            "{'class': 'NetworkTopologyStrategy', 'datacenter1': '3'}")


def test_a_container_tells_the_address_it_is_reached_by():
    with serving("127.0.0.2", "--listen", "0.0.0.0", "--dev-remote", "--rpc-address", "127.0.0.2") as (server, cluster,
                                                                                                      session):
        row = session.execute("SELECT rpc_address, broadcast_address, rpc_port FROM system.local").one()
        assert (row.rpc_address, row.broadcast_address, row.rpc_port) == ("127.0.0.2", "127.0.0.2", server.cql_port)
        assert [h.broadcast_rpc_address for h in cluster.metadata.all_hosts()] == ["127.0.0.2"]


def test_ipv6():
    with serving("::1", "--listen", "::1") as (_, cluster, session):
        row = session.execute("SELECT rpc_address, listen_address FROM system.local").one()
        assert (row.rpc_address, row.listen_address) == ("::1", "::1")
        assert session.execute("SELECT address FROM system_views.clients").one().address == "::1"


def test_all_addresses():
    with serving("127.0.0.1", "--listen", "0.0.0.0", "--dev-remote") as (_, _, session):
        assert session.execute("SELECT rpc_address FROM system.local").one().rpc_address == "127.0.0.1"
