"""Starts and stops a helenus server for a test: free ports, a data directory of its own."""
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

from lib.ports import free_port

REPORTS = (b"ERROR: AddressSanitizer", b"ERROR: LeakSanitizer", b"runtime error:", b"WARNING: ThreadSanitizer",
           b"FATAL: ThreadSanitizer")
ROOT = pathlib.Path(__file__).resolve().parent.parent


class Helenus:
    def __init__(self, binary=None, data=None, args=(), env=None):
        self.binary = binary or os.environ.get("HELENUS") or str(ROOT / "build" / "helenus")
        self.owns_data = data is None
        self.data = data or tempfile.mkdtemp(prefix="helenus-test-")
        self.args, self.env = list(args), env or {}
        # Where it is found; an address to listen on that is no address to connect to is loopback's.
        listen = self.args[self.args.index("--listen") + 1] if "--listen" in self.args else "127.0.0.1"
        self.host = "127.0.0.1" if listen == "0.0.0.0" else listen
        self.cql_port, self.http_port = free_port(), free_port()
        self.process = None
        self.reported = []  # filled by stop
        self.log_path = os.path.join(tempfile.gettempdir(), f"helenus-test-{os.getpid()}-{self.cql_port}.log")

    def start(self, timeout_s=20):
        """Returns when the server says that it listens."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data, "--dev", "--cql-port", str(self.cql_port), "--http-port",
                 str(self.http_port)] + self.args, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **self.env})
        said, deadline, fd = b"", time.monotonic() + timeout_s, self.process.stdout.fileno()
        while b"Starting listening for CQL clients on" not in said:
            readable, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(fd, 65536) if readable else b""
            if not chunk:
                self.process.kill()
                code = self.process.wait()
                self.process.stdout.close()
                raise RuntimeError(f"helenus did not start (code {code}):\n" + self.tail())
            said += chunk
        return self

    def tail(self, size=4000):
        with open(self.log_path, "rb") as f:
            return f.read()[-size:].decode(errors="replace")

    def kill(self):
        """kill -9: what a crash looks like to the data directory."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

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
        if self.process:
            self.process.stdout.close()
        code = self.process.returncode if self.process else None
        self.reported = self.reports() if os.path.exists(self.log_path) else []
        if self.owns_data:
            shutil.rmtree(self.data, ignore_errors=True)
            if code == 0 and not self.reported and os.path.exists(self.log_path):
                os.unlink(self.log_path)
        return code
