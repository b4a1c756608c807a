#!/usr/bin/env python3
"""The drivers of the matrix with TLS: in both versions, with and without a certificate of their own; who is refused, and by whom.

    secure.py [LANGUAGE...]

Each client connects as its documentation says, and tells what system_views.clients shows of its connections. What must not work is
tried as well: a client that trusts another authority, a server's certificate that is for another name, a client without
a certificate where one is asked for, or with one of another authority or one that has expired. What the server refuses it must say in
one clear line of its log.
"""
import argparse
import os
import pathlib
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

from lib.certificates import PASSWORD, Authority  # noqa: E402
from lib.ports import free_port  # noqa: E402
from matrix import BUILD, BUILDERS, Client, Score  # noqa: E402
from server import Helenus  # noqa: E402

LANGUAGES = ("python", "go", "java", "node", "rust")
NO_NAMES = ("rust",)  # scylla's crate looks at the certificate, and not at the name in it
VERSION = 4
PROTOCOLS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}


class Place:
    """A server with a certificate, and the port of its TLS."""

    def __init__(self, pair, *options):
        self.port = free_port()
        self.server = Helenus(args=["--store", "memory", "--tls-certificate", pair[0], "--tls-key", pair[1], "--cql-tls-port", str(self.port),
                                    "--http-tls-port", "0", *options]).start()

    def log(self):
        with open(self.server.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()


def tls_of(authority, version, own=None):
    return {"ca": authority.path, "truststore": authority.truststore, "password": PASSWORD, "version": version,
            "certificate": own[0] if own else "", "key": own[1] if own else "", "keystore": own[0].replace(".crt", ".p12") if own else ""}


class Cases:
    """What is tried, in which place, and what must come of it. A language has places of its own: what a server shows of its clients is then of
    one client."""

    def __init__(self, top):
        ours, other = Authority(top, "ours"), Authority(top, "other")
        good = ours.issue("good", ["127.0.0.1", "localhost"])
        rsa = ours.issue("rsa", ["127.0.0.1", "localhost"], is_rsa=True)
        client, strange = ours.issue("client", for_client=True), other.issue("strange", for_client=True)
        late = ours.issue("late", for_client=True, days=(-9, -1))
        asks = ("--tls-client-ca", ours.path, "--tls-client-certificates")
        self.wanted = {"none": (good,), "rsa": (rsa,), "optional": (good, *asks, "optional"), "required": (good, *asks, "required"),
                       "elsewhere": (ours.issue("elsewhere", ["elsewhere.example.com"]),)}
        self.good, self.bad = [], []
        for version in PROTOCOLS:
            for place, own in (("none", None), ("rsa", None), ("optional", None), ("optional", client), ("required", client)):
                self.good.append((place, tls_of(ours, version, own)))
            # Some drivers do not send a certificate that the server says it does not take: where one is optional they are let in without.
            for place, own, says in (("required", None, "peer did not return a certificate"), ("required", strange, "unable to get local issuer certificate"),
                                     ("required", late, "certificate has expired")):
                self.bad.append((place, tls_of(ours, version, own), says))
            self.bad.append(("none", tls_of(other, version), None))
            self.bad.append(("elsewhere", tls_of(ours, version), None))

    def open_places(self):
        return {name: Place(*wanted) for name, wanted in self.wanted.items()}


def say(client, place, tls):
    client.port = place.port
    return client.say("secure", "secure-v4-none", VERSION, "none", tls=tls)


def check(score, language, client, cases, places):
    for place, tls in cases.good:
        facts, errors = say(client, places[place], tls)
        rows = [r for r in facts.get("secure") or [] if r[0]]
        wrong = errors or (None if rows and all(r[1] == PROTOCOLS[tls["version"]] for r in rows) else facts)
        score.one(f"{language} {place} {tls['version']} {'with' if tls['certificate'] else 'without'} a certificate", wrong)
    for place, tls, _ in cases.bad:
        if place == "elsewhere" and language in NO_NAMES:
            continue
        facts, errors = say(client, places[place], tls)
        score.one(f"{language} is refused: {place} {tls['version']} {os.path.basename(tls['certificate'])} {os.path.basename(tls['ca'])}",
                  None if errors and "secure" not in facts else f"it was let in: {facts}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("languages", nargs="*", default=LANGUAGES, metavar="LANGUAGE")
    args = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    score = Score()
    with tempfile.TemporaryDirectory(prefix="helenus-secure-") as top:
        cases = Cases(top)
        places = {language: cases.open_places() for language in args.languages}

        def work(language):
            try:
                client = Client(language, BUILDERS[language](), "127.0.0.1", 0)
                check(score, language, client, cases, places[language])
                client.close()
            except Exception as e:  # noqa: BLE001 - counted, and told
                score.one(language, f"{type(e).__name__}: {e}")

        threads = [threading.Thread(target=work, args=(language,)) for language in args.languages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for place, _, says in cases.bad:  # not of each language: a driver may keep a certificate to itself that would not be taken
            logs = [places[language][place].log() for language in args.languages]
            if says:
                score.one(f"the log says: {says}", None if any(says in log for log in logs) else logs[0][-2000:])
        for language in args.languages:
            for place in places[language].values():
                score.one("the server ended well", place.server.stop() or None)
    print(f"{score.passed} passed, {score.failed} failed", flush=True)
    return 1 if score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
