"""Clients of other languages: small programs that are made once and talked to in lines, a JSON object each.

What they are made of is fetched by their languages' ordinary tools, by exact versions, into a folder of build/.
"""
import json
import os
import queue
import re
import shutil
import subprocess
import threading
import time


# ---- making them ----

def run_once(stamp, inputs, commands, cwd, env=None):
    """Runs the commands when the inputs are not those of the last time."""
    text = "\n".join([json.dumps(commands)] + [p.read_text() for p in inputs])
    if stamp.exists() and stamp.read_text() == text:
        return
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for command in commands:
        result = subprocess.run(command, cwd=cwd, env=dict(os.environ, **(env or {})), capture_output=True, text=True,
                                stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{(result.stdout + result.stderr)[-4000:]}")
    stamp.write_text(text)


def make_node(here, out, program="client.js"):
    lock = [here / "package.json", here / "package-lock.json"]
    out.mkdir(parents=True, exist_ok=True)
    for path in lock:
        shutil.copy(path, out)
    run_once(out / "installed", lock, [["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]], out)
    shutil.copy(here / program, out)
    return ["node", str(out / program)]


def make_go(here, out):
    run_once(out / "built", [here / "go.mod", here / "go.sum"] + sorted(here.glob("*.go")),
             [["go", "build", "-o", str(out / "client"), "."]], here, {"GOFLAGS": "-mod=readonly"})
    return [str(out / "client")]


def make_java(here, out):
    run_once(out / "fetched", [here / "pom.xml"],
             [["mvn", "-q", "-B", "-f", str(here / "pom.xml"),
               "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies",
               f"-DoutputDirectory={out / 'lib'}", "-DincludeScope=runtime"]], here)
    run_once(out / "built", [here / "pom.xml"] + sorted(here.glob("*.java")),
             [["javac", "-Xlint:all,-processing,-classfile", "-cp", f"{out / 'lib'}/*", "-d", str(out / "classes")] +
              [str(p) for p in sorted(here.glob("*.java"))]], here)
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{out / 'classes'}:{out / 'lib'}/*",
            "Client"]


def lacking(command, least):
    """Why this tool will not do: it is not there, or is older than (major, minor). None: it will."""
    name = " ".join(command)
    try:
        said = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    except OSError:
        return f"no {command[0]}"
    found = re.search(r"(\d+)\.(\d+)", said)
    if not found or (int(found[1]), int(found[2])) < least:
        return f"{name} is {found[0] if found else said[:40]}, not {least[0]}.{least[1]} or later"
    return None


# ---- talking to them ----

class Talk:
    """A process that answers each line with lines."""

    def __init__(self, command, log_path, cwd, env=None):
        self.log = open(log_path, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=cwd,
                                        env=env)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send(self, command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def line(self, deadline):
        """The next, as it was said; None: the client has ended. queue.Empty: nothing by then."""
        said = self.lines.get(timeout=max(0.1, deadline - time.time()))
        return None if said is None else json.loads(said)

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()
