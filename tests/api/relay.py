"""Stands between a client and the server and keeps what the client asks, byte for byte: which protocol does it really speak?"""
import re
import socket
import threading

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)


def forget(_):
    return b""


class Relay:
    """Listens on a port of its own and hands everything on, both ways."""

    def __init__(self, port):
        self.target, self.lock, self.asked = port, threading.Lock(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.hand_on, args=(client, server, self.note), daemon=True).start()
            threading.Thread(target=self.hand_on, args=(server, client, forget), daemon=True).start()

    def note(self, kept):
        """Whole requests at the start of what has come; gives the rest."""
        while (end := kept.find(b"\r\n\r\n")) >= 0:
            head, length = kept[:end + 2], LENGTH.search(kept[:end + 2])
            size = end + 4 + (int(length[1]) if length else 0)
            if len(kept) < size:
                break
            with self.lock:
                self.asked.append((head.decode("latin-1"), kept[end + 4:size]))
            kept = kept[size:]
        return kept

    def hand_on(self, source, sink, note):
        kept = b""
        try:
            while chunk := source.recv(65536):
                kept = note(kept + chunk)
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, sink):
                one.close()

    def take(self):
        """The requests since the last time: head and body."""
        with self.lock:
            asked, self.asked = self.asked, []
        return asked

    def close(self):
        self.listener.close()


def protocol_of(head, body):
    """As docs/apis.md names it."""
    if re.search(r"^smithy-protocol: *rpc-v2-cbor\r$", head, re.I | re.M):
        return "CBOR"
    found = re.search(r"^content-type: *application/x-amz-json-(1\.[01])", head, re.I | re.M)
    if found:
        return f"JSON {found[1]}"
    return "query" if b"Action=" in body else "neither"
