"""The clients of the soak, each kind a process of its own at a moderate rate, telling every second what it saw."""

import base64
import collections
import http.client
import json
import os
import secrets
import signal
import socket
import struct
import threading
import time

#: Texts of what went otherwise than it should that are told, a second and process.
MOST_TOLD = 5


class Tally:
    """What one process has seen since it told last."""

    def __init__(self, name, queue):
        self.name, self.queue, self.lock = name, queue, threading.Lock()
        self._empty()

    def _empty(self):
        self.counts, self.times, self.wrong, self.wrongs = collections.Counter(), [], [], 0

    def done(self, what, seconds=None):
        with self.lock:
            self.counts[what] += 1
            if seconds is not None:
                self.times.append(seconds)

    def failed(self, what):
        with self.lock:
            self.wrongs += 1
            if len(self.wrong) < MOST_TOLD:
                self.wrong.append(f"{time.strftime('%H:%M:%S')} {self.name}: {what}")

    def tell(self):
        with self.lock:
            self.queue.put({"counts": dict(self.counts), "times": self.times, "wrong": self.wrong, "wrongs": self.wrongs})
            self._empty()


class Client:
    """One kept-alive connection to the gateway."""

    def __init__(self, address, tally):
        self.tally, self.connection, self.used = tally, http.client.HTTPConnection(*address, timeout=30), 0.0

    def __call__(self, what, method, path, expected, token=None, body=None, timed=False):
        """The answer's JSON, or nothing where it is not as expected; `expected` holds every status that may come."""
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            body, fields["Content-Type"] = json.dumps(body), "application/merge-patch+json" if method == "PATCH" else "application/json"
        if time.monotonic() - self.used > 30:
            # The gateway may be about to close it.
            self.connection.close()
        begun = time.perf_counter()
        try:
            self.connection.request(method, path, body, fields)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.tally.failed(f"{method} {path}: {error!r}")
            return None
        self.used = time.monotonic()
        self.tally.done(what, time.perf_counter() - begun if timed else None)
        if answer.status not in expected:
            self.tally.failed(f"{method} {path}: {answer.status} {content[:200].decode(errors='replace')}")
            return None
        return json.loads(content) if content and answer.status < 300 else {}

    def sign_in(self, account):
        return self("sign in", "POST", "/api_v1/auth/access", {200}, body=dict(zip(("email", "password"), account)))

    def refresh(self, tokens):
        return self("refresh", "POST", "/api_v1/auth/refresh", {200}, token=tokens["refresh_token"])

    def close(self):
        self.connection.close()


def paced(stop, rate):
    """Turns at this rate a second until told to stop; what was missed is not made up for."""
    due = time.monotonic()
    while not stop.is_set():
        yield
        due = max(due + 1 / rate, time.monotonic() - 0.05)
        stop.wait(max(0.0, due - time.monotonic()))


def reads(address, account, tally, stop, rate):
    """The reads whose latency counts: a user's own data, a list, and a declared service with cache. The token is refreshed in time."""
    client, number, signed_in, tokens = Client(address, tally), 0, 0.0, None
    for _ in paced(stop, rate):
        if tokens is None:
            tokens, signed_in = client.sign_in(account), time.monotonic()
        elif time.monotonic() - signed_in > 300:
            tokens, signed_in = client.refresh(tokens), time.monotonic()
        if tokens is None:
            continue
        number += 1
        token = tokens["access_token"]
        if number % 10 == 0:
            client("list", "GET", "/api_v1/users?limit=20&sort=-created_at", {200}, token, timed=True)
        elif number % 2:
            client("me", "GET", "/api_v1/users/me", {200}, token, timed=True)
        else:
            client("item", "GET", f"/api/stock/items/{number * number % 5003}", {200}, token, timed=True)
    client.close()


def accounts(address, account, tally, stop, rate):
    """Users made, signed in, changed and deleted; what a deleted one's token is worth after it."""
    client, tokens, signed_in = Client(address, tally), None, 0.0
    for _ in paced(stop, rate):
        if tokens is None or time.monotonic() - signed_in > 300:
            tokens, signed_in = client.sign_in(account), time.monotonic()
        if tokens is None:
            continue
        admin = tokens["access_token"]
        email, password = f"soak-{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(18)
        made = client("create", "POST", "/api_v1/users", {201}, admin, {"email": email, "password": password, "first_name": "Sam"})
        if made is None:
            continue
        own = client.sign_in((email, password))
        path = f"/api_v1/users/{made['id']}"
        client("change", "PATCH", path, {200}, admin, {"last_name": secrets.token_hex(4)})
        if own:
            client("me", "GET", "/api_v1/users/me", {200}, own["access_token"])
        client("delete", "DELETE", path, {204}, admin)
        if own:
            client("token of a deleted user", "GET", "/api_v1/users/me", {401}, own["access_token"])
    client.close()


def sessions(address, account, tally, stop, rate):
    """Sessions begun, refreshed and ended; half are left as they are. Reads by tokens of them all."""
    client, open_ones = Client(address, tally), collections.deque()
    for number, _ in enumerate(paced(stop, rate)):
        if number % 8 == 0:
            tokens = client.sign_in(account)
            if tokens:
                open_ones.append([tokens, time.monotonic()])
        if len(open_ones) > 40:
            tokens, _ = open_ones.popleft()
            if number % 16 == 0:
                client("sign out", "POST", "/api_v1/auth/logout", {204}, tokens["access_token"])
                client("token of an ended session", "GET", "/api_v1/users/me", {401}, tokens["access_token"])
        if not open_ones:
            continue
        chosen = open_ones[number * 7 % len(open_ones)]
        if number % 2 or time.monotonic() - chosen[1] > 600:
            chosen[0], chosen[1] = client.refresh(chosen[0]) or chosen[0], time.monotonic()
        client("me", "GET", "/api_v1/users/me", {200}, chosen[0]["access_token"])
    client.close()


def breaking_off(address, account, tally, stop, rate):
    """Connections that open and close, and clients that go away in the middle: of a head, a body, an answer, a stream."""
    client, tokens, signed_in = Client(address, tally), None, 0.0
    for number, _ in enumerate(paced(stop, rate)):
        if tokens is None or time.monotonic() - signed_in > 300:
            tokens, signed_in = client.sign_in(account), time.monotonic()
        if tokens is None:
            continue
        bearer = f"Host: soak\r\nAuthorization: Bearer {tokens['access_token']}\r\n".encode()
        try:
            with socket.create_connection(address, 30) as broken:
                if number % 6 == 0:
                    broken.sendall(b"GET /api_v1/users/me HTTP/1.1\r\n" + bearer[:40])
                elif number % 6 == 1:
                    broken.sendall(b"POST /api_v1/users HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 500\r\n" + bearer + b'\r\n{"email"')
                elif number % 6 == 2:
                    broken.sendall(b"GET /api_v1/users/me HTTP/1.1\r\n" + bearer + b"\r\n")
                elif number % 6 == 3:
                    broken.sendall(b"GET /api/stock/blocks/40 HTTP/1.1\r\n" + bearer + b"\r\n")
                    broken.recv(20_000)
                elif number % 6 == 4:
                    # A reset instead of an orderly end.
                    broken.sendall(b"GET /api/stock/blocks/40 HTTP/1.1\r\n" + bearer + b"\r\n")
                    broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    broken.sendall(b"GET /api_v1/users/me HTTP/1.1\r\nConnection: close\r\n" + bearer + b"\r\n")
                    whole = b"".join(iter(lambda: broken.recv(4096), b""))
                    if b" 200 " not in whole[:20]:
                        tally.failed(f"a connection of its own: {whole[:300]!r}")
            tally.done("broken off")
        except OSError as error:
            tally.failed(f"a connection of its own: {error!r}")
    client.close()


def streams(address, account, tally, stop, rate):
    """Streamed answers read to their end, and WebSockets: opened, used, closed; every third goes away without a Close."""
    client, tokens, signed_in = Client(address, tally), None, 0.0
    for number, _ in enumerate(paced(stop, rate)):
        if tokens is None or time.monotonic() - signed_in > 300:
            tokens, signed_in = client.sign_in(account), time.monotonic()
        if tokens is None:
            continue
        token = tokens["access_token"]
        try:
            if number % 2:
                whole = streamed(address, token)
                if whole != 20 * 16 * 1024:
                    tally.failed(f"{whole} bytes of a stream")
                tally.done("streamed")
            else:
                talk(address, token, number % 3 != 0)
                tally.done("WebSocket")
        except (OSError, ValueError, http.client.HTTPException) as error:
            tally.failed(f"{'stream' if number % 2 else 'WebSocket'}: {error!r}")
    client.close()


def streamed(address, token):
    """The length of a streamed answer."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request("GET", "/api/stock/blocks/20", headers={"Authorization": f"Bearer {token}"})
        return len(connection.getresponse().read())
    finally:
        connection.close()


def talk(address, token, orderly):
    """Ten messages there and back through a tunnel."""
    with socket.create_connection(address, 30) as tunnel:
        key = base64.b64encode(os.urandom(16)).decode()
        tunnel.sendall(
            f"GET /api/stock/echo HTTP/1.1\r\nHost: soak\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        with tunnel.makefile("rb") as answers:
            status = answers.readline()
            if b" 101 " not in status:
                raise ValueError(f"a handshake got {status!r}")
            while answers.readline() not in (b"\r\n", b""):
                pass
            for _ in range(10):
                text, mask = secrets.token_hex(20).encode(), os.urandom(4)
                tunnel.sendall(frame(0x81, text, mask))
                if answers.read(2 + len(text)) != bytes([0x81, len(text)]) + text:
                    raise ValueError("another message came back")
            if orderly:
                tunnel.sendall(frame(0x88, struct.pack("!H", 1000), os.urandom(4)))
                answers.read(4)


def frame(first, payload, mask):
    """A frame as clients send it."""
    return bytes([first, 0x80 | len(payload)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


#: Process -> what its threads do: function, turns a second of each, threads.
KINDS = {
    "reads": (reads, 100, 3),
    "accounts": (accounts, 1, 2),
    "sessions": (sessions, 16, 1),
    "breaking off": (breaking_off, 10, 3),
    "streams": (streams, 4, 2),
}


def run(name, address, account, queue, stop):
    """One process: its threads until it is told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work, rate, threads = KINDS[name]
    tally = Tally(name, queue)
    # An event of this process's own: waiting on one that processes share is dear.
    ended = threading.Event()
    running = [threading.Thread(target=work, args=(address, account, tally, ended, rate)) for _ in range(threads)]
    for thread in running:
        thread.start()
    while not stop.wait(1):
        tally.tell()
    ended.set()
    for thread in running:
        thread.join()
    tally.tell()
