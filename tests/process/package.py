"""The Debian package in a bare Debian 12 of its own (a chroot; root and debootstrap): it installs with nothing but the packages it asks
for, serves as its own user from its own configuration, upgrades without losing data or an administrator's changes, and leaves the
data when it is removed and purged.

    make package && python3 tests/process/package.py [--root CHROOT] build/package/helenus_*.deb

What a chroot can't show is systemd itself: the unit's command, user and NOTIFY_SOCKET are taken from the unit and run here.
"""
import argparse
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.native import Client, free_port  # noqa: E402

LIBRARIES = ("init-system-helpers,passwd,libmicrohttpd12,liblz4-1,libsnappy1v5,libzstd1,libssl3,libgmp10,libmpfr6,zlib1g,libstdc++6")
passed, failures = [], []


def expect(ok, what):
    (passed if ok else failures).append(what)
    print(("ok " if ok else "FAILED ") + what, flush=True)


def mirror():
    for path in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"):
        if os.path.exists(path):
            found = re.search(r"^(?:URIs:|deb(?: \[.*?\])?) +(\S+)", open(path).read(), re.M)
            if found:
                return [found.group(1)]
    return []


class Machine:
    def __init__(self, root):
        self.root = root

    def run(self, *command, **more):
        return subprocess.run(["chroot", self.root, *command], capture_output=True, text=True, timeout=120, **more)

    def dpkg(self, *arguments):
        done = self.run("dpkg", *arguments, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL)
        if done.returncode:
            print(done.stdout + done.stderr)
        return done.returncode == 0

    def path(self, name):
        return self.root + name

    def start(self, notify):
        """As the unit says."""
        unit = open(self.path("/lib/systemd/system/helenus.service")).read()
        command = re.search("^ExecStart=(.*)$", unit, re.M).group(1).split()
        user = re.search("^User=(.*)$", unit, re.M).group(1)
        log = open(self.path("/tmp/log"), "ab")
        self.process = subprocess.Popen(["chroot", f"--userspec={user}:{user}", self.root, *command], stdout=log, stderr=log,
                                        env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": "/tmp/notify"})
        try:
            return notify.recv(4096).startswith(b"READY=1")
        except TimeoutError:
            print(open(self.path("/tmp/log")).read()[-2000:])
            return False

    def stop(self):
        self.process.terminate()
        return self.process.wait(30)


def upgraded(package, top):
    """The same with a higher version."""
    tree = os.path.join(top, "tree")
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = os.path.join(tree, "DEBIAN", "control")
    text = open(control).read()
    with open(control, "w") as f:
        f.write(re.sub(r"^Version: (.*)$", r"Version: \1+next", text, flags=re.M))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, os.path.join(top, "next.deb")], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(top, "next.deb")


def life(machine, package, top):
    shutil.copy(package, machine.path("/tmp/first.deb"))
    shutil.copy(upgraded(package, top), machine.path("/tmp/next.deb"))
    expect(machine.dpkg("-i", "/tmp/first.deb"), "it installs with nothing but what it depends on")
    expect(machine.run("getent", "passwd", "helenus").stdout.endswith("/var/lib/helenus:/usr/sbin/nologin\n"), "it has a user of its own")
    facts = os.stat(machine.path("/var/lib/helenus"))
    expect(facts.st_mode & 0o777 == 0o700 and facts.st_uid != 0, "the data directory is its user's alone")
    expect(os.path.islink(machine.path("/etc/systemd/system/multi-user.target.wants/helenus.service")), "the unit is enabled")
    port = free_port()
    with open(machine.path("/etc/helenus/helenus.conf"), "a") as f:
        f.write(f"\n# ours\ncql-port = {port}\nhttp-port = 0\n")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(machine.path("/tmp/notify"))
    os.chmod(machine.path("/tmp/notify"), 0o666)
    notify.settimeout(30)
    expect(machine.start(notify), "it starts as its user and says that it is ready")
    client = Client(port)
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    client.query("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
    client.query("INSERT INTO ks.t (k, v) VALUES (1, 42)")
    client.close()
    expect(machine.stop() == 0 and notify.recv(4096).startswith(b"STOPPING=1"), "it stops")
    expect(machine.dpkg("-i", "/tmp/next.deb"), "it upgrades")
    expect("# ours" in open(machine.path("/etc/helenus/helenus.conf")).read(), "and keeps the administrator's changes")
    expect(machine.start(notify), "it starts again")
    client = Client(port)
    row = client.execute(client.prepare("SELECT v FROM ks.t WHERE k = ?"), [struct.pack(">i", 1)])
    expect(row == [[struct.pack(">i", 42)]], "with its data")
    client.close()
    machine.stop()
    done = machine.run("helenus", "check", "/var/lib/helenus")
    expect(done.returncode == 0, f"helenus check: {done.stdout.strip() or done.stderr}")
    expect(machine.dpkg("-r", "helenus") and not os.path.exists(machine.path("/usr/bin/helenus")), "it can be removed")
    expect(machine.dpkg("-P", "helenus") and not os.path.exists(machine.path("/etc/helenus/helenus.conf")), "and purged")
    expect(os.path.exists(machine.path("/var/lib/helenus/FORMAT")), "the data stays")
    expect(not os.path.lexists(machine.path("/etc/systemd/system/multi-user.target.wants/helenus.service")), "the unit is enabled no more")
    notify.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", help="a Debian 12 with the libraries; made if it is not given")
    parser.add_argument("package")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="helenus-package-", dir="/var/tmp") as top:
        root = arguments.root
        if not root:
            root = os.path.join(top, "root")
            subprocess.run(["debootstrap", "--variant=minbase", "--include=" + LIBRARIES, "bookworm", root, *mirror()], check=True,
                           stdout=subprocess.DEVNULL)
        machine = Machine(root)
        try:
            life(machine, arguments.package, top)
        finally:
            if getattr(machine, "process", None) and machine.process.poll() is None:
                machine.process.kill()
                machine.process.wait()
    print(f"{len(passed)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
