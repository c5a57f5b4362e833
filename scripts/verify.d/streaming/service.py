"""A service of sockets and threads: it takes uploads and gives downloads, as fast as it is asked to. The port comes as an argument."""

import hashlib
import json
import re
import socket
import sys
import threading
import time

BLOCK = bytes(range(256)) * 1024


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None, b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def take(connection, length, rest, rate):
    """Reads a body, no faster than `rate` bytes a second."""
    digest, taken, begun = hashlib.sha256(rest), len(rest), time.monotonic()
    while taken < length:
        block = connection.recv(min(len(BLOCK), length - taken))
        if not block:
            break
        digest.update(block)
        taken += len(block)
        if rate:
            time.sleep(max(0.0, taken / rate - (time.monotonic() - begun)))
    body = json.dumps({"length": taken, "sha256": digest.hexdigest()}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    connection.sendall(head.encode() + body)


def give(connection, length):
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    connection.sendall(head.encode())
    for begin in range(0, length, len(BLOCK)):
        connection.sendall(BLOCK[: length - begin])


def serve(connection):
    with connection:
        try:
            head, rest = read_head(connection)
            if head is None:
                return
            _, target, _ = head.split("\r\n")[0].split(" ")
            number = lambda pattern, text: int(found[1]) if (found := re.search(pattern, text, re.I)) else 0  # noqa: E731
            if target.startswith("/sink"):
                take(connection, number(r"\r\ncontent-length: (\d+)", head), rest, number(r"rate=(\d+)", target))
            else:
                give(connection, number(r"/source/(\d+)", target))
        except OSError:
            pass


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
