"""Instructions of one request in the gateway, counted by valgrind: a typed read with a token, and a cache hit. They are the same on every machine
and every day, where times are not."""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from measuring.stub import ISSUER, USER_JSON
from platform_process import ROOT, Platform
from rivals import nginx

#: Two counts of requests: their difference has nothing of what is done once.
FEW, MANY = 200, 1200
#: Seconds without a request, for what goes on beside them.
IDLE = 5
WARM_UP = 300
TOP = 15
#: Only the server is counted, on one worker thread.
WRAPPER = """#!/bin/sh
[ "$1" = serve ] || exec {binary} "$@"
export TOKIO_WORKER_THREADS=1
exec valgrind --tool=callgrind --callgrind-out-file={folder}/callgrind.out {binary} "$@"
"""
STUB = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type application/json;
        location /items/ {{ add_header Cache-Control 'public, max-age=3600'; return 200 '{item}'; }}
        location / {{ return 200 '{body}'; }}
    }}
}}
"""
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Stock", "version": "1"},
    "paths": {
        "/items/{number}": {
            "get": {
                "operationId": "getItem",
                "parameters": [{"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "An item", "content": {"application/json": {"schema": {"type": "object"}}}}},
            }
        }
    },
}
SERVICE = '[[service]]\nname = "stock"\nopenapi = "stock.json"\nurls = ["{url}"]\naccess = "public"\ncache = true\n'


def measure(bench):
    with contextlib.ExitStack() as running:
        folder = pathlib.Path(running.enter_context(tempfile.TemporaryDirectory(prefix="platform-instructions-")))
        stub = running.enter_context(nginx.nginx(STUB, body=USER_JSON, item=json.dumps({"id": 1, "name": "x" * 200})))
        (folder / "stock.json").write_text(json.dumps(DOCUMENT))
        (folder / "platform.toml").write_text(SERVICE.format(url=stub.url))
        settings = {"gateway.public_url": ISSUER, "log.level": "warn"}
        with Platform(bench.binary, settings, folder=folder) as whole:
            token = whole.sign_in(*whole.make_admin())["access_token"]
        wrapper = folder / "platform"
        wrapper.write_text(WRAPPER.format(binary=bench.binary, folder=folder))
        wrapper.chmod(0o755)
        apart = {**settings, "users.url": stub.url, "gateway.upstream_timeout": "30s", "gateway.upstream_connect_timeout": "30s"}
        gateway = running.enter_context(Platform(wrapper, apart, ["gateway"], folder=folder, start_limit=180))
        for name, what, path in (
            ("typed", "a typed read, token verified, contract checked", "/api_v1/users/1"),
            ("hit", "a cache hit", "/api/stock/items/1"),
        ):
            each, functions = counted(gateway, folder, path, token if name == "typed" else None)
            bench.data[name] = {"instructions": each, "functions": functions}
            bench.row(f"{what}: instructions", f"{each:,.0f}", f"difference of {MANY} and {FEW} requests, one connection, one worker")
            results = ROOT / "bench-results"
            results.mkdir(exist_ok=True)
            (results / f"instructions-{name}.txt").write_text("\n".join([f"{each:,.0f} instructions for {what}", "", *functions, ""]))


def counted(gateway, folder, path, token):
    """Instructions of a request, and the functions that most of them are in, callees included."""
    host, _, port = gateway.run["gateway"].rpartition(":")
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    asked = f"GET {path} HTTP/1.1\r\nHost: bench\r\n{bearer}\r\n".encode()
    counts = []
    with socket.create_connection((host, int(port)), 60) as connection:
        ask(connection, asked, WARM_UP)
        idle, seconds, _ = dumped(gateway, folder, lambda: time.sleep(IDLE))
        for number in (FEW, MANY):
            found, took, path = dumped(gateway, folder, lambda: ask(connection, asked, number))  # noqa: B023
            counts.append(found - idle / seconds * took)
    return (counts[1] - counts[0]) / (MANY - FEW), [*top(path, True), "", *top(path, False)]


def dumped(gateway, folder, work):
    """Instructions while something is done, the seconds it took, and the file that tells where they were."""
    for old in folder.glob("callgrind.out*"):
        old.unlink()
    control(gateway, "--zero")
    begun = time.monotonic()
    work()
    took = time.monotonic() - begun
    control(gateway, "--dump")
    path = sorted(folder.glob("callgrind.out*"))[-1]
    return total(path), took, path


def ask(connection, asked, count):
    """So many requests, one after the other."""
    for _ in range(count):
        connection.sendall(asked)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += read(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{answer[:300]!r}")
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(body) < length:
            body += read(connection)


def read(connection):
    some = connection.recv(65536)
    if not some:
        raise RuntimeError("the gateway has closed the connection")
    return some


def control(gateway, asked):
    subprocess.run(["callgrind_control", asked, str(gateway.process.pid)], check=True, capture_output=True, timeout=120)


def total(path):
    """What a dump has counted."""
    return int(re.search(r"^(?:totals|summary): (\d+)", path.read_text(errors="replace"), re.MULTILINE).group(1))


def top(path, inclusive):
    """The functions that most instructions are in, callees included or not; without those that everything is in, paths and hashes."""
    command = ["callgrind_annotate", f"--inclusive={'yes' if inclusive else 'no'}", "--threshold=100", path]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = []
    for share, rest in re.findall(r"^\s*[\d,]+ \(\s*([\d.]+)%\)\s+(.*)$", told, re.MULTILINE):
        name = re.sub(r" \[[^\]]*\]$|::h[0-9a-f]{16}\b", "", rest)
        name = re.sub(r"^\S*?(?:\?\?\?|\.rs|\.S|\.c|\.h):", "", name).strip()
        if float(share) < 95 and not name.endswith("'2"):
            found.append(f"{share:>6}%  {name[:160]}")
    return [f"{'with' if inclusive else 'without'} callees:", *found[:TOP]]
