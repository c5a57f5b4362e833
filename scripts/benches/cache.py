"""A cached answer of 250 B, beside nginx's proxy_cache and Varnish; that all of them are hits is read off the service's own count."""

import contextlib
import json
import urllib.request

from measuring import ours
from measuring.bench import ratio
from measuring.stub import USER_JSON
from rivals import floor, nginx, varnish

GOALS = {"nginx proxy_cache": 1.3, "nginx proxy_cache, tuned": None, "Varnish": 2}
FLOOR = "bare hyper, a map"
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "people", "version": "1"},
    "paths": {
        "/users/{id}": {
            "get": {
                "operationId": "getPerson",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "One.", "content": {"application/json": {"schema": {"type": "object"}}}}},
            }
        }
    },
}
#: The same service twice: for everyone, and for who is signed in.
SERVICES = "".join(
    f"""
[[service]]
name = "{name}"
openapi = "{name}.json"
urls = ["{{url}}"]
access = "{access}"
cache = true
"""
    for name, access in (("open", "public"), ("own", "signed-in"))
)


def measure(bench):
    floor.build()
    bench.versions.update({"nginx": nginx.version(), "varnish": varnish.version(), "hyper": floor.version("hyper")})
    with contextlib.ExitStack() as running:
        stub = running.enter_context(nginx.counted_stub(USER_JSON))
        texts = {name: json.dumps({**DOCUMENT, "info": {"title": name, "version": "1"}}) for name in ("open", "own")}
        files = {f"{name}.json": text.replace("getPerson", name) for name, text in texts.items()}
        files["platform.toml"] = SERVICES.format(url=stub.url)
        gateway, fields = running.enter_context(ours.gateway(bench, stub, files))
        subjects = {
            "platform": ours.subject(gateway, "/api/open/users/1"),
            "platform: token checked": ours.subject(gateway, "/api/own/users/1", fields),
            "nginx proxy_cache": ours.subject(running.enter_context(nginx.cache(stub.address)), "/users/1"),
            "nginx proxy_cache, tuned": ours.subject(running.enter_context(nginx.tuned_cache(stub.address)), "/users/1"),
            "Varnish": ours.subject(running.enter_context(varnish.cache(stub.address)), "/users/1"),
            FLOOR: ours.subject(running.enter_context(floor.proxy(stub.address, "--cache")), "/users/1"),
        }
        # Each has it stored by the second answer.
        for url, _, own in subjects.values():
            for _ in range(2):
                urllib.request.urlopen(urllib.request.Request(url, headers=own), timeout=10).read()
        before = asked(stub)
        found = bench.by_turns(subjects)
        if misses := asked(stub) - before:
            raise RuntimeError(f"{misses} requests were no hits")
    bench.data.update(found)
    for what, spread in found.items():
        bench.measured(what, spread)
    for name, least in GOALS.items():
        what, value = f"platform against {name}, per CPU second", ratio(found["platform"], found[name])
        if least is None:
            bench.row(what, f"{value:.2f}")
        else:
            bench.goal(what, value, least=least)
        bench.row("the same with a token checked", f"{ratio(found['platform: token checked'], found[name]):.2f}")
    for name in ("nginx proxy_cache", "Varnish"):
        bench.row(f"the floor: {FLOOR} against {name}, per CPU second", f"{ratio(found[FLOOR], found[name]):.2f}")
    bench.chart_spreads("A cached answer of 250 B, 64 connections", found)


def asked(stub):
    """How often the service was asked for a user so far; what it is asked for besides is no matter of the cache."""
    return sum("/users/" in line for line in (stub.folder / "asked").read_text().splitlines())
