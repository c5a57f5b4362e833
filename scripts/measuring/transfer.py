"""One large body after another over one connection, up or down, and what reads uploads at the far end."""

import re
import socket
import sys
import threading
import time

PIECE = 1 << 20
HEAD_LIMIT = 64 * 1024


def head(connection):
    """An HTTP/1.1 head, and what came of the body with it."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(HEAD_LIMIT)
        if not more:
            return "", b""
        read += more
    text, _, rest = read.partition(b"\r\n\r\n")
    return text.decode("latin-1"), rest


def length(text):
    """Of the body after this head; an answer or a request without one is an error."""
    found = re.search(r"^content-length: *(\d+)\s*$", text, re.MULTILINE | re.IGNORECASE)
    if not found:
        raise RuntimeError(f"a body without a length: {text!r}")
    return int(found.group(1))


def read_body(connection, text, rest, buffer):
    """Reads it to its end; returns how long it was."""
    whole = length(text)
    left = whole - len(rest)
    while left:
        got = connection.recv_into(buffer, min(left, PIECE))
        if not got:
            raise RuntimeError(f"{left} of {whole} bytes are missing")
        left -= got
    return whole


class Client:
    """One kept-alive connection to a server."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), 30)
        self.connection.settimeout(60)
        self.buffer = bytearray(PIECE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, start, body=b""):
        """One request; the length of the answer's body."""
        fields = f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n" if body else ""
        self.connection.sendall(f"{start} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n".encode())
        self.connection.sendall(body)
        text, rest = head(self.connection)
        status = text.partition("\r\n")[0]
        if " 200 " not in status + " ":
            raise RuntimeError(f"{start} was answered by {status!r}: {rest[:400]!r}")
        return read_body(self.connection, text, rest, self.buffer)

    def repeat(self, seconds, start, body=b""):
        """The same request for so long; returns bytes of bodies and the seconds that they took."""
        begun, moved = time.perf_counter(), 0
        while True:
            moved += self.ask(start, body) + len(body)
            if (took := time.perf_counter() - begun) >= seconds:
                return moved, took


def sink(port):
    """Reads every request to its end and says how much that was; one connection after another in threads of their own."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)

    def serve(connection):
        buffer = bytearray(PIECE)
        with connection:
            while True:
                text, rest = head(connection)
                if not text:
                    return
                told = str(read_body(connection, text, rest, buffer) if not text.startswith("GET") else 0).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    sink(int(sys.argv[1]))
