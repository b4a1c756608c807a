#!/usr/bin/env python3
"""Starts and stops the oracle: Apache Cassandra from Maven Central, one node on loopback.

    cassandra.py start --dir build/cassandra/node --port 19042 --config default --heap 1G --commitlog periodic
    cassandra.py stop  --dir build/cassandra/node
    cassandra.py nodetool compact bench --dir build/cassandra/node --port 19042

start fetches the jars if they are missing (Maven), writes the node's configuration under --dir, starts
CassandraDaemon with the module flags JDK 17 needs and the jamm agent, and returns when CQL answers.
--fresh forgets the data of an earlier run. The recording of tests adds --features: what Cassandra ships but
has switched off (materialized views, functions, SASI), and no counter cache, so that answers do not depend on what it holds;
benchmarks run without it.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIB = ROOT / "build" / "cassandra" / "lib"
VERSION = "5.0.5"

# What Cassandra reaches into the JDK for; JDK 17 keeps these closed unless told.
EXPORTS = [
    "java.base/jdk.internal.misc", "java.base/java.lang.ref", "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server", "java.sql/java.sql", "jdk.unsupported/sun.misc",
    "jdk.attach/sun.tools.attach",
]
OPENS = [
    "java.base/java.io", "java.base/java.lang", "java.base/java.lang.module", "java.base/java.lang.reflect",
    "java.base/java.nio", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.loader", "java.base/jdk.internal.math",
    "java.base/jdk.internal.module", "java.base/jdk.internal.ref", "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar", "java.base/sun.nio.ch", "jdk.management/com.sun.management.internal",
]
FEATURES = """materialized_views_enabled: true
# With the cache on, what a counter of a deleted row goes on with depends on what the cache still holds.
counter_cache_size: 0MiB
user_defined_functions_enabled: true
sasi_indexes_enabled: true
transient_replication_enabled: true
"""
# Roles, permissions, datacenters and CIDRs are asked for, and nothing of them is kept.
ROLES = ["authenticator: PasswordAuthenticator", "authorizer: CassandraAuthorizer", "role_manager: CassandraRoleManager",
         "network_authorizer: CassandraNetworkAuthorizer",
         "cidr_authorizer: {class_name: CassandraCIDRAuthorizer, parameters: {cidr_authorizer_mode: ENFORCE}}",
         "roles_validity: 0ms", "permissions_validity: 0ms", "credentials_validity: 0ms"]


def fetch():
    """Brings the jars into build/cassandra/lib, once."""
    if (LIB / f"cassandra-all-{VERSION}.jar").exists():
        return
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies"
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), goal, f"-DoutputDirectory={LIB}",
               "-DincludeScope=runtime"]
    # Try what is already on this machine before asking the network.
    if subprocess.run(command + ["-o"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        subprocess.run(command, check=True)


def jar_checksum():
    fetch()
    return hashlib.sha256((LIB / f"cassandra-all-{VERSION}.jar").read_bytes()).hexdigest()


def write_config(args, node):
    conf = node / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    text = (HERE / f"{args.config}.yaml").read_text()
    data = node / "data"
    # A storage port of its own, beside the CQL port, so that several nodes can live on one machine.
    text += f"""
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
start_native_transport: true
native_transport_port: {args.port}
storage_port: {args.port - 2000}
ssl_storage_port: {args.port - 1999}
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:{args.port - 2000}"
data_file_directories: ["{data}/data"]
commitlog_directory: {data}/commitlog
saved_caches_directory: {data}/saved_caches
hints_directory: {data}/hints
cdc_raw_directory: {data}/cdc_raw
commitlog_sync: {args.commitlog}
"""
    if args.commitlog == "periodic":
        text += "commitlog_sync_period: 10000ms\n"
    elif args.commitlog == "group":
        text += "commitlog_sync_group_window: 1ms\n"
    if args.features:
        text += FEATURES
    for setting in (ROLES if args.roles else []) + args.set:  # what is set twice is an error
        name = setting.split(":")[0]
        text = re.sub(rf"^{name}:.*\n", "", text, flags=re.M) + setting + "\n"
    (conf / "cassandra.yaml").write_text(text)
    (conf / "logback.xml").write_text(f"""<configuration>
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>{node}/system.log</file>
    <encoder><pattern>%-5level [%thread] %date{{ISO8601}} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
</configuration>
""")
    # Read by SimpleSnitch's siblings and by nothing we start, but their absence is logged as an error.
    (conf / "cassandra-rackdc.properties").write_text("dc=datacenter1\nrack=rack1\n")
    return conf


def command_line(args, node, conf):
    jars = sorted(str(p) for p in LIB.glob("*.jar"))
    jamm = next(p for p in jars if os.path.basename(p).startswith("jamm-"))
    command = [args.java, "-server", f"-javaagent:{jamm}", f"-Xms{args.heap}", f"-Xmx{args.heap}", "-Xss256k",
               "-XX:+UseG1GC", "-XX:+ParallelRefProcEnabled", "-XX:MaxGCPauseMillis=300",
               "-XX:InitiatingHeapOccupancyPercent=70", "-XX:G1RSetUpdatingPauseTimePercent=5",
               "-XX:+UseThreadPriorities", "-XX:+AlwaysPreTouch" if args.pretouch else "-XX:-AlwaysPreTouch",
               "-XX:+UseTLAB", "-XX:+ResizeTLAB", "-XX:+PerfDisableSharedMem", "-XX:StringTableSize=1000003",
               "-XX:+ExitOnOutOfMemoryError", "-ea", "-Djava.net.preferIPv4Stack=true",
               "-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true",
               "-Dio.netty.allocator.useCacheForAllThreads=true", "-Dio.netty.allocator.maxOrder=11",
               "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=1",
               "-Dcassandra.superuser_setup_delay_ms=0",
               f"-Dcassandra.jmx.local.port={args.port - 3000}", "-Dcassandra-foreground=yes",
               f"-Dcassandra.config=file://{conf}/cassandra.yaml", f"-Dcassandra.storagedir={node}/data",
               f"-Dcassandra.logdir={node}", f"-Dlogback.configurationFile={conf}/logback.xml"]
    if not args.assertions:
        command.remove("-ea")
    for entry in EXPORTS:
        command += ["--add-exports", f"{entry}=ALL-UNNAMED"]
    for entry in OPENS:
        command += ["--add-opens", f"{entry}=ALL-UNNAMED"]
    return command + ["-cp", ":".join([str(conf)] + jars), "org.apache.cassandra.service.CassandraDaemon"]


def cql_answers(port):
    """Sends OPTIONS in protocol v4 and waits for SUPPORTED."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.sendall(struct.pack(">BBhBi", 4, 0, 0, 5, 0))
            s.settimeout(5)
            head = s.recv(9)
            return len(head) >= 5 and head[4] == 6
    except OSError:
        return False


def alive(pid):
    try:
        os.kill(pid, 0)
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def start(args):
    fetch()
    node = pathlib.Path(args.dir).resolve()
    if args.fresh and node.exists():
        shutil.rmtree(node)
    conf = write_config(args, node)
    with open(node / "out.log", "ab") as out:
        process = subprocess.Popen(command_line(args, node, conf), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                   cwd=node, start_new_session=True)
    (node / "pid").write_text(str(process.pid))
    deadline = time.time() + args.timeout
    while time.time() < deadline:
        if process.poll() is not None:
            sys.stderr.write((node / "out.log").read_text()[-4000:])
            sys.exit(f"cassandra ended with code {process.returncode}")
        if cql_answers(args.port):
            print(f"cassandra {VERSION} ({args.config}, commit log {args.commitlog}) answers on "
                  f"127.0.0.1:{args.port}, pid {process.pid}")
            return
        time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    sys.exit(f"cassandra did not answer within {args.timeout} s; see {node}/system.log")


def nodetool(args):
    """Runs Cassandra's own nodetool against the node on --port."""
    command = [args.java]
    for entry in EXPORTS:
        command += ["--add-exports", f"{entry}=ALL-UNNAMED"]
    for entry in OPENS:
        command += ["--add-opens", f"{entry}=ALL-UNNAMED"]
    command += ["-Xmx128M", f"-Dcassandra.storagedir={args.dir}/data", "-cp", ":".join([f"{args.dir}/conf"] + sorted(str(p) for p in LIB.glob("*.jar"))),
                "org.apache.cassandra.tools.NodeTool", "-h", "127.0.0.1", "-p", str(args.port - 3000)]
    subprocess.run(command + args.words, check=True)


def stop(args):
    pid_file = pathlib.Path(args.dir).resolve() / "pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    if alive(pid):
        os.kill(pid, signal.SIGTERM)
        deadline = time.time() + 60
        while alive(pid) and time.time() < deadline:
            time.sleep(0.2)
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    pid_file.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["fetch", "start", "stop", "nodetool", "checksum"])
    parser.add_argument("words", nargs="*", help="nodetool: its command")
    parser.add_argument("--dir", default=str(ROOT / "build" / "cassandra" / "node"))
    parser.add_argument("--port", type=int, default=19042)
    parser.add_argument("--config", choices=["default", "latest"], default="default")
    parser.add_argument("--commitlog", choices=["periodic", "batch", "group"], default="periodic")
    parser.add_argument("--heap", default="1G")
    parser.add_argument("--java", default=os.environ.get("CASSANDRA_JAVA", "java"))
    parser.add_argument("--fresh", action="store_true", help="forget the data of an earlier run")
    parser.add_argument("--features", action="store_true", help="switch on what is off by default")
    parser.add_argument("--roles", action="store_true", help="with roles: who connects is cassandra, cassandra")
    parser.add_argument("--set", action="append", default=[], metavar="'NAME: VALUE'", help="a line of cassandra.yaml")
    parser.add_argument("--assertions", action="store_true", help="run with Java assertions")
    parser.add_argument("--pretouch", action="store_true", help="touch the whole heap at start")
    parser.add_argument("--timeout", type=float, default=180)
    args = parser.parse_args()
    if args.action == "fetch":
        fetch()
    elif args.action == "start":
        start(args)
    elif args.action == "stop":
        stop(args)
    elif args.action == "nodetool":
        nodetool(args)
    else:
        print(f"cassandra-all-{VERSION}.jar sha256 {jar_checksum()}")


if __name__ == "__main__":
    main()
