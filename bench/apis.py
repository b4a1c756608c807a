#!/usr/bin/env python3
"""Calls of AWS's `keyspaces` API at a fixed rate, while bench.py measures what a CQL load sees beside them.

    apis.py PORT RATE                until SIGTERM: so many calls a second, GetTable and ListTables in turn
    apis.py PORT probe COUNT         so many GetTable one after the other, as soon as the last was answered

Each prints one JSON object of what it did: calls, seconds, errors, p50 and p99 in us (at a rate: from when a call was due). Four connections
that stay, a thread for each; a request is signed once and sent again and again, as a client would that signs as fast as it can.
"""
import datetime
import hashlib
import hmac
import http.client
import json
import signal
import sys
import threading
import time

CONNECTIONS = 4
KEYSPACE, TABLE, REGION, KEY, SECRET = "bench", "t", "us-east-1", "AKIDEXAMPLE", "any"


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def request(port, operation, members):
    """Headers and body of a signed request (Signature Version 4)."""
    body = json.dumps(members).encode()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{REGION}/cassandra/aws4_request"
    headers = {"content-type": "application/x-amz-json-1.0", "host": f"127.0.0.1:{port}", "x-amz-date": now, "x-amz-target": f"KeyspacesService.{operation}"}
    names = ";".join(headers)
    canonical = "\n".join(["POST", "/", "", *(f"{name}:{value}" for name, value in headers.items()), "", names, hashlib.sha256(body).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = digest(key, part)
    signature = digest(key, "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])).hex()
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"}, body


class Caller:
    """One connection, and what it saw."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.requests = [request(port, "GetTable", {"keyspaceName": KEYSPACE, "tableName": TABLE}), request(port, "ListTables", {"keyspaceName": KEYSPACE})]
        self.times_us, self.errors, self.first_error = [], 0, None

    def call(self, which, due):
        headers, body = self.requests[which]
        try:
            self.connection.request("POST", "/", body, headers)
            answer = self.connection.getresponse()
            said, failed = answer.read(), answer.status != 200
        except (OSError, http.client.HTTPException) as e:
            self.connection.close()
            said, failed = str(e).encode(), True
        if failed:
            self.errors += 1
            self.first_error = self.first_error or said[:200].decode(errors="replace")
        self.times_us.append((time.monotonic() - due) * 1e6)

    def at_rate(self, rate, offset, stop):
        """Calls are due at their times, whatever became of the last one."""
        begin, count = time.monotonic() + offset, 0
        while not stop.wait(max(0.0, begin + count / rate - time.monotonic())):
            self.call(count % 2, begin + count / rate)
            count += 1


def told(callers, seconds):
    times = sorted(t for caller in callers for t in caller.times_us)
    at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))]) if times else 0  # noqa: E731
    return {"calls": len(times), "seconds": round(seconds, 3), "errors": sum(caller.errors for caller in callers),
            "first_error": next((caller.first_error for caller in callers if caller.first_error), None), "p50_us": at(0.5), "p99_us": at(0.99)}


def main():
    port, begin = int(sys.argv[1]), time.monotonic()
    if sys.argv[2] == "probe":
        callers = [Caller(port)]
        for _ in range(int(sys.argv[3])):
            callers[0].call(0, time.monotonic())
    else:
        stop, callers = threading.Event(), [Caller(port) for _ in range(CONNECTIONS)]
        rate = float(sys.argv[2])
        threads = [threading.Thread(target=caller.at_rate, args=(rate / CONNECTIONS, i / rate, stop)) for i, caller in enumerate(callers)]
        # Before the threads, which would take it; and a signal that comes before sigwait stays until then.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        for thread in threads:
            thread.start()
        signal.sigwait([signal.SIGTERM])
        stop.set()
        for thread in threads:
            thread.join()
    print(json.dumps(told(callers, time.monotonic() - begin)))


if __name__ == "__main__":
    main()
