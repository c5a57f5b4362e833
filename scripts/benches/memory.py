"""Memory of everything in one process: idle, after a million reads, and with ten thousand open connections."""

import json
import pathlib
import resource
import socket
import statistics
import tempfile
import time

from measuring import load
from platform_process import Platform
from rivals import nginx

REQUESTS = 1_000_000
CONNECTIONS = 10_000
#: Memory is the same each time, within a hundredth.
ROUNDS = 2
#: Of ten reads one is a user's own data, by the users service and its database; the others are typed reads of a declared service.
MIX = """
local count = 0
function request()
  count = count + 1
  return wrk.format("GET", count % 10 == 0 and "/api_v1/users/me" or "/api/stock/items/" .. count % 1000)
end
"""
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Stock", "version": "1"},
    "paths": {
        "/items/{number}": {
            "get": {
                "operationId": "getItem",
                "parameters": [{"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {
                    "200": {
                        "description": "An item",
                        "content": {"application/json": {"schema": {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}}},
                    }
                },
            }
        }
    },
}
SERVICE = '[[service]]\nname = "stock"\nopenapi = "stock.json"\nurls = ["{url}"]\n'


def measure(bench):
    """Everything, into the bench's table and data."""
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files[1], open_files[1]))
    connections = min(CONNECTIONS, open_files[1] - 1000)
    rounds = []
    with nginx.stub(json.dumps({"id": 1, "name": "x" * 200})) as stub:
        for number in range(ROUNDS):
            with tempfile.TemporaryDirectory(prefix="platform-memory-") as folder:
                rounds.append(one_round(bench, pathlib.Path(folder), stub, connections, long=number == 0))
    bench.data["rounds"] = rounds
    for name, what, goal in (
        ("idle", "serve, everything in one process, idle", 40),
        ("signed in", "the same after a user was created and signed in", None),
        ("connected", f"the same with {connections:,} idle connections", None),
        ("after", f"the same after {REQUESTS:,} requests", 80),
    ):
        found = [one[name] for one in rounds if name in one]
        resident = [one["rss"] for one in found]
        if goal:
            bench.goal(what, statistics.median(resident), most=goal, form=".1f", unit=" MiB", note=noted(found))
        else:
            bench.row(what, f"{text(resident)} MiB", noted(found))
    each = [one["kib_a_connection"] for one in rounds]
    bench.goal("an open connection that has made a request", statistics.median(each), most=25, form=".1f", unit=" KiB", note=text(each))


def noted(found):
    """The parts of resident memory: what it has of its own, and the pages of its file, which the system can drop."""
    middle = {part: statistics.median(one[part] for one in found) for part in ("anonymous", "file", "pss")}
    return f"{middle['anonymous']:.1f} anonymous, {middle['file']:.1f} of files; PSS {middle['pss']:.1f}"


def one_round(bench, folder, stub, connections, long):
    """A process from its start through all of it. Only one of the rounds is `long`: the million takes its time."""
    (folder / "stock.json").write_text(json.dumps(DOCUMENT))
    (folder / "platform.toml").write_text(SERVICE.format(url=stub.url))
    settings = {"log.level": "warn", "gateway.max_connections": connections + 500}
    found = {}
    with Platform(bench.binary, settings, folder=folder) as whole:
        pid = whole.process.pid
        time.sleep(2)
        found["idle"] = parts(pid)
        token = whole.sign_in(*whole.make_admin())["access_token"]
        time.sleep(1)
        found["signed in"] = parts(pid)
        fields = {"Authorization": f"Bearer {token}"}
        # What is made once for all connections is made before.
        load.run(whole.url(), [pid], 1, 64, fields, script=MIX)
        time.sleep(1)
        before = parts(pid)
        found["connected"] = connected(whole.run["gateway"], connections, token, pid)
        found["kib_a_connection"] = (found["connected"]["anonymous"] - before["anonymous"]) * 1024 / connections
        if long:
            made = 0
            while made < REQUESTS:
                made += load.run(whole.url(), [pid], 10, 64, fields, script=MIX)["requests"]
            time.sleep(2)
            found["after"] = parts(pid)
    return found


def connected(address, count, token, pid):
    """Memory while so many connections are open, each with a request behind it."""
    host, _, port = address.rpartition(":")
    asked = f"GET /api/stock/items/1 HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    sockets = []
    try:
        for number in range(count):
            # By several of the machine's own addresses, so that ports do not run out.
            source = (f"127.0.0.{2 + number % 8}", 0)
            sockets.append(socket.create_connection((host, int(port)), 10, source))
            sockets[-1].sendall(asked)
            answer = sockets[-1].recv(4096)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"connection {number} got {answer[:200]!r}")
        time.sleep(2)
        return parts(pid)
    finally:
        for each in sockets:
            each.close()


def parts(pid):
    """Resident memory in MiB: all of it, what is the process's own, what are pages of files; and its share of what is shared."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return {
        "rss": kib["Rss"] / 1024, "anonymous": kib["Anonymous"] / 1024,
        "file": (kib["Rss"] - kib["Anonymous"]) / 1024, "pss": kib["Pss"] / 1024,
    }


def text(values):
    """Median with least and greatest."""
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
