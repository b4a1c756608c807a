"""Ports for servers of tests, which nothing takes between the choice and the server's start, nor while it is down between two starts.

They lie below the range that the kernel gives to outgoing connections: one of those could take a port that was only looked at, on any
address. Among tests a port belongs to the process that holds its name as an abstract socket; the kernel frees it when that ends.
"""
import errno
import random
import socket

FIRST, LAST = 10240, 18999
RANGE_FILE = "/proc/sys/net/ipv4/ip_local_port_range"
held = {}  # port: the socket whose name claims it


def outgoing_from():
    try:
        with open(RANGE_FILE) as f:
            return int(f.read().split()[0])
    except OSError:
        return LAST + 1


def is_free(port):
    """On every address, of both families: a server may be asked to listen on any of them."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind((address, port))
                s.listen(1)
        except OSError as e:
            if family == socket.AF_INET6 and e.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue  # a machine without it
            return False
    return True


def free_port():
    """A port that is this process's until it ends."""
    last = min(LAST, outgoing_from() - 1)
    ports = list(range(FIRST, last + 1))
    random.SystemRandom().shuffle(ports)
    for port in ports:
        if port in held:
            continue
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0helenus-test-port-{port}")
        except OSError:
            claim.close()
            continue
        if is_free(port):
            held[port] = claim
            return port
        claim.close()
    raise RuntimeError(f"no free port between {FIRST} and {last}")
