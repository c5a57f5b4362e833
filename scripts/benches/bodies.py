"""Bodies of 100 KB and 100 MB streamed through a declared service, down and up, beside nginx and HAProxy; and memory meanwhile."""

import contextlib
import json
import os
import pathlib
import sys
import tempfile

from measuring import load, ours, transfer
from measuring.bench import WARM_UP, ratio, text
from measuring.process import Process
from rivals import haproxy, nginx

SMALL, LARGE = 100_000, 100_000_000
GOAL = 0.8
#: More than that beside what was resident before is not constant: a sixth of the body.
GROWTH_MIB = 16
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "files", "version": "1"},
    "paths": {
        "/{name}": {
            "get": {"operationId": "NAME_get", "parameters": [NAME], "responses": {"200": {"description": "It.", "content": BYTES}}},
            "put": {
                "operationId": "NAME_put",
                "parameters": [NAME],
                "requestBody": {"required": True, "content": BYTES},
                "responses": {"200": {"description": "Read.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
            },
        }
    },
}
SERVICE = """
[[service]]
name = "{name}"
openapi = "{name}.json"
urls = ["{url}"]
access = "public"
body_limit = "200MiB"
"""


def measure(bench):
    bench.versions.update({"nginx": nginx.version(), "haproxy": haproxy.version()})
    with contextlib.ExitStack() as running:
        root = pathlib.Path(running.enter_context(tempfile.TemporaryDirectory(prefix="platform-bench-files-")))
        root.chmod(0o755)
        (root / "small").write_bytes(os.urandom(SMALL))
        (root / "large").write_bytes(os.urandom(LARGE))
        source = running.enter_context(nginx.files(root))
        sink = running.enter_context(Process("sink", lambda server: [sys.executable, transfer.__file__, server.port]))
        files = {f"{name}.json": json.dumps(DOCUMENT).replace("NAME", name) for name in ("source", "sink")}
        files["platform.toml"] = SERVICE.format(name="source", url=source.url) + SERVICE.format(name="sink", url=sink.url)
        gateway, _ = running.enter_context(ours.gateway(bench, source, files))
        down = {"platform": (gateway, "/api/source"), **proxies(running, source)}
        up = {"platform": (gateway, "/api/sink"), **proxies(running, sink)}
        small(bench, down)
        large(bench, "downloads", down, "GET {}/large")
        large(bench, "uploads", up, "PUT {}/large", os.urandom(LARGE))


def proxies(running, upstream):
    """The others in front of this."""
    return {
        "nginx": (running.enter_context(nginx.proxy(upstream.address)), ""),
        "nginx, buffering off": (running.enter_context(nginx.unbuffered(upstream.address)), ""),
        "HAProxy": (running.enter_context(haproxy.proxy(upstream.address)), ""),
    }


def small(bench, servers):
    """100 KB, 64 connections."""
    subjects = {name: ours.subject(server, f"{base}/small") for name, (server, base) in servers.items()}
    found = bench.by_turns(subjects, seconds=bench.shorter())
    bench.data["100 KB"] = found
    for name, spread in found.items():
        megabytes = spread["requests_per_second"]["median"] * SMALL / 1e6
        bench.measured(f"{name}: downloads of 100 KB", spread, f"{megabytes:,.0f} MB/s")
    bench.goal("downloads of 100 KB a second, of nginx's", ratio(found["platform"], found["nginx"], "requests_per_second"), least=GOAL)
    bench.row("the same, per CPU second", f"{ratio(found['platform'], found['nginx']):.2f}")
    bench.row(
        "of nginx's with buffering off", f"{ratio(found['platform'], found['nginx, buffering off'], 'requests_per_second'):.2f}",
        f"{ratio(found['platform'], found['nginx, buffering off']):.2f} per CPU second",
    )
    bench.chart_spreads("Downloads of 100 KB, 64 connections", found, "requests/s", "requests_per_second", "bodies-small")


def large(bench, what, servers, start, body=b""):
    """100 MB after 100 MB over one connection, by turns; the first turn warms up, and tells how much memory that took."""
    rounds = {name: [] for name in servers}
    for number in range(bench.rounds + 1):
        for name, (server, base) in servers.items():
            _, [pid], _ = ours.subject(server, "")
            with transfer.Client(port(server)) as client:
                resident = load.resident_mib([pid])
                load.forget_peak([pid])
                spent = load.cpu_seconds([pid])
                moved, took = client.repeat(bench.shorter() if number else WARM_UP, start.format(base), body)
                spent = load.cpu_seconds([pid]) - spent
                rounds[name].append({
                    "megabytes_per_second": moved / took / 1e6, "cpu_s_per_gigabyte": spent / moved * 1e9,
                    "peak_mib": load.peak_mib([pid]), "resident_before_mib": resident,
                })
    first = {name: measures.pop(0) for name, measures in rounds.items()}
    found = {name: load.spread(measures) for name, measures in rounds.items()}
    bench.data[f"100 MB {what}"] = {"rounds": found, "first": first}
    for name, spread in found.items():
        peak = max(first[name]["peak_mib"], spread["peak_mib"]["max"])
        bench.row(
            f"{name}: {what} of 100 MB", f"{text(spread['megabytes_per_second'], ',.0f')} MB/s",
            f"{text(spread['cpu_s_per_gigabyte'], '.2f')} CPU s per GB; {peak:.0f} MiB resident at most, "
            f"{first[name]['resident_before_mib']:.0f} before",
        )
    bench.goal(f"{what} of 100 MB, bytes a second of nginx's", ratio(found["platform"], found["nginx"], "megabytes_per_second"), least=GOAL)
    bench.row("the same, per CPU second", f"{ratio(found['nginx'], found['platform'], 'cpu_s_per_gigabyte'):.2f}")
    unbuffered = found["nginx, buffering off"]
    bench.row(
        "of nginx's with buffering off", f"{ratio(found['platform'], unbuffered, 'megabytes_per_second'):.2f}",
        f"{ratio(unbuffered, found['platform'], 'cpu_s_per_gigabyte'):.2f} per CPU second",
    )
    peaks = [first["platform"]["peak_mib"], *(one["peak_mib"] for one in rounds["platform"])]
    bench.goal(
        f"memory beyond what was resident before, {what} of 100 MB", max(peaks) - first["platform"]["resident_before_mib"], most=GROWTH_MIB,
        form=".1f", unit=" MiB",
    )
    bench.chart_spreads(f"{what.capitalize()} of 100 MB, one connection", found, "MB/s", "megabytes_per_second", f"bodies-large-{what}")


def port(server):
    """Where it listens."""
    return int(ours.subject(server, "")[0].rpartition(":")[2])
