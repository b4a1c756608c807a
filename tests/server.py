"""Starts and stops a helenus server for a test: free ports on loopback, a data directory of its own."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

REPORTS = (b"ERROR: AddressSanitizer", b"ERROR: LeakSanitizer", b"runtime error:", b"WARNING: ThreadSanitizer",
           b"FATAL: ThreadSanitizer")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Helenus:
    def __init__(self, binary=None, data=None, args=()):
        self.binary = binary or os.environ.get("HELENUS") or str(ROOT / "build" / "helenus")
        self.owns_data = data is None
        self.data = data or tempfile.mkdtemp(prefix="helenus-test-")
        self.args = list(args)
        # Where it is found; an address to listen on that is no address to connect to is loopback's.
        listen = self.args[self.args.index("--listen") + 1] if "--listen" in self.args else "127.0.0.1"
        self.host = "127.0.0.1" if listen == "0.0.0.0" else listen
        self.cql_port, self.http_port = free_port(), free_port()
        self.process = None
        self.reported = []  # filled by stop
        self.log_path = os.path.join(tempfile.gettempdir(), f"helenus-test-{os.getpid()}-{self.cql_port}.log")

    def start(self, timeout_s=20):
        """Returns when the server says that it listens."""
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", self.data, "--dev", "--cql-port", str(self.cql_port), "--http-port",
             str(self.http_port)] + self.args, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        ready = b"Starting listening for CQL clients on"
        deadline = time.time() + timeout_s
        while time.time() < deadline:
            with open(self.log_path, "rb") as f:
                if f.read().rfind(ready) >= 0 and self.answers():
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"helenus did not start (code {self.process.poll()}):\n" + self.tail())

    def answers(self):
        try:
            socket.create_connection((self.host, self.cql_port), timeout=1).close()
            return True
        except OSError:
            return False

    def tail(self, size=4000):
        with open(self.log_path, "rb") as f:
            return f.read()[-size:].decode(errors="replace")

    def kill(self):
        """kill -9: what a crash looks like to the data directory."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def reports(self):
        """What a sanitizer wrote to the server's stderr: a line for each report."""
        with open(self.log_path, "rb") as f:
            return [line.decode(errors="replace").strip() for line in f if any(mark in line for mark in REPORTS)]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        code = self.process.returncode if self.process else None
        self.reported = self.reports() if os.path.exists(self.log_path) else []
        if self.owns_data:
            shutil.rmtree(self.data, ignore_errors=True)
            if code == 0 and not self.reported and os.path.exists(self.log_path):
                os.unlink(self.log_path)
        return code
