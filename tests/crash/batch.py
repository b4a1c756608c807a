"""A logged batch over shards is whole or not at all wherever the process dies: at each step of the batch log by name.

Each round starts the server so that it ends itself, as kill -9 would, when it comes to one step for the nth time, under the load of
kill.py; then starts it again, in half of the rounds so that it ends itself once more, at a step of finishing what was left; then looks at
everything as kill.py does. After a death at a step where a batch is certainly on its way, the start must have finished one; after each
start no batch is left that a further start would have to finish.
"""
import argparse
import os
import random
import re
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from kill import HOT_KEYS, Connection, Witness, load, make_tables, take_the_rest, verify, verify_all  # noqa: E402
from lib.native import BINARY, Server  # noqa: E402

SWITCHES = BINARY + "-switches"
# Of src/table/batch_log.h. True: then a batch is on its way whose intent is on the disk.
STEPS = {"sent": False, "remembered": True, "part": True, "whole": True, "forgotten": False, "unmarked": False}
FINISHING = ["finished part", "finished", "finished and forgotten", "finished and unmarked"]
WAIT_S = 20


class Rounds:
    def __init__(self, top, args, rng):
        self.args, self.rng = args, rng
        self.witness, self.fresh = Witness(), {"last": 0}
        self.data, self.log = os.path.join(top, "data"), os.path.join(top, "log")
        self.wrong, self.finished, self.died = [], 0, {}
        self.one = Server(self.data, "--shards", "3", binary=SWITCHES, log=self.log)
        self.server().start().stop()
        with self.server() as server:
            make_tables(server)

    def server(self, step=None):
        """The one server, on its two ports, not started."""
        self.one.env, self.one.process = {"HELENUS_TEST_KILL": step} if step else {}, None
        return self.one

    def finished_now(self):
        """Batches that starts have finished, since the last question."""
        with open(self.log) as log:
            before, self.finished = self.finished, sum(int(n) for n in re.findall(r"finished batches count=(\d+)", log.read()))
        return self.finished - before

    def dies_under_load(self, step):
        server = self.server(step).start()
        connections = [Connection(server, self.args.depth, self.witness, self.fresh, self.rng) for _ in range(self.args.connections)]
        refused, end = [], time.time() + WAIT_S
        try:
            load(connections, refused, lambda: server.process.poll() is not None or time.time() > end)
        except OSError:
            pass
        code = server.process.wait(5) if time.time() <= end else None
        server.kill()  # at the latest
        take_the_rest(connections, refused)
        return code == -signal.SIGKILL

    def dies_at_the_start(self, step):
        """False: it came up, so nothing was left to finish."""
        server = self.server(step)
        try:
            server.start()
        except RuntimeError:
            if server.process.returncode == -signal.SIGKILL:
                return True
            raise
        server.stop()
        return False

    def run(self, number):
        before = self.fresh["last"]
        step = list(STEPS)[number % len(STEPS)]
        count = self.rng.choice([1, 2, 3, self.rng.randrange(1, 100)])
        name = f"{step} {count}"
        if not self.dies_under_load(name):
            self.wrong.append(f"{name}: it did not come there")
        again = None
        if number // len(STEPS) % 2:
            again = f"{self.rng.choice(FINISHING)} {self.rng.choice([1, 1, 2])}"
            if self.dies_at_the_start(again):
                name += f", {again}"
        self.died[name.translate({ord(d): None for d in "0123456789 "})] = True
        with self.server() as server:
            self.wrong += [f"{name}: {' '.join(map(str, entry))}" for entry in verify_all(
                server, self.witness, [*range(max(1, before - 500), self.fresh["last"] + 1), *range(-HOT_KEYS, 0)])]
        if not self.finished_now() and STEPS[step] and not again:
            self.wrong.append(f"{name}: nothing was finished at the start")
        self.server().start().stop()
        if self.finished_now():
            self.wrong.append(f"{name}: a second start finds batches that the first left")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="helenus-batch-") as top:
        rounds = Rounds(top, args, random.Random(args.seed))
        for number in range(args.rounds):
            rounds.run(number)
            failed += bool(rounds.wrong)
            for line in rounds.wrong[:5]:
                print("WRONG round", number, line)
            rounds.wrong = []
            if sys.stdout.isatty() or (number + 1) % 20 == 0:
                print(f"round {number + 1}/{args.rounds}: {rounds.witness.batched} batches acknowledged, {rounds.finished} finished at a start",
                      end="\r" if sys.stdout.isatty() else "\n", flush=True)
        with rounds.server() as server:
            lost = verify(server, rounds.witness, rounds.witness.sent)
        failed += bool(lost)
        for entry in lost[:5]:
            print("LOST at the end", *entry)
    print(f"{args.rounds} deaths at {len(STEPS)} steps, {sum('finished' in name for name in rounds.died)} kinds of them followed by one while "
          f"finishing; {rounds.witness.batched} acknowledged batches, {rounds.finished} finished at a start")
    print(f"{args.rounds + 1 - min(failed, args.rounds + 1)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
