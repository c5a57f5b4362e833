"""Five hundred declared services with 20,000 operations: what a route costs among them, and what they cost at a start and in memory."""

import contextlib
import json
import pathlib
import statistics
import tempfile
import time

from measuring import load
from measuring.bench import milliseconds, ratio
from platform_process import Platform
from rivals import nginx

SERVICES, OPERATIONS = 500, 40
#: The one asked for: neither the first nor the last.
ASKED = 250
PATH = f"/api/service{ASKED}/things7/{{}}/part"


def measure(bench):
    with contextlib.ExitStack() as running:
        folder = pathlib.Path(running.enter_context(tempfile.TemporaryDirectory(prefix="platform-services-")))
        stub = running.enter_context(nginx.stub(json.dumps({"id": 1, "name": "x" * 200})))
        starts = {"none": [], "one": [], "many": []}
        memory = {name: [] for name in starts}
        for _ in range(bench.rounds):
            for name, numbers in (("none", []), ("one", [ASKED]), ("many", range(SERVICES))):
                with started(bench, folder / name, stub, numbers) as platform:
                    starts[name].append(platform.seconds_to_ready)
                    time.sleep(1)
                    memory[name].append(load.resident_mib([platform.process.pid]))
        one = running.enter_context(started(bench, folder / "one", stub, [ASKED]))
        many = running.enter_context(started(bench, folder / "many", stub, range(SERVICES)))
        subjects = {
            name: (platform.url() + PATH.format(7), [platform.process.pid], {"Authorization": "Bearer " + token(platform)})
            for name, platform in (("one", one), ("many", many))
        }
        routed = bench.by_turns(subjects)
        reloads = [reloaded(many) for _ in range(bench.rounds)]
        after = load.resident_mib([many.process.pid])
    report(bench, routed, starts, memory, reloads, after)


def report(bench, routed, starts, memory, reloads, after):
    """The rows."""
    bench.data.update(routed=routed, starts=starts, memory=memory, reloads=reloads, mib_after_reloads=after)
    middle = lambda found, name: statistics.median(found[name])  # noqa: E731
    bench.measured("a declared route, one service", routed["one"])
    bench.measured(f"a declared route among {SERVICES * OPERATIONS:,}", routed["many"])
    bench.goal("time of a request, of that with one service", ratio(routed["one"], routed["many"]), most=1.1)
    bench.goal(
        f"start with {SERVICES} services, beyond that without", middle(starts, "many") - middle(starts, "none"), most=2, unit=" s",
        note=f"{milliseconds(starts['many'])} ms, {milliseconds(starts['none'])} without",
    )
    bench.goal(
        f"memory of {SERVICES} services", middle(memory, "many") - middle(memory, "none"), most=200, form=".0f", unit=" MiB",
        note=f"{middle(memory, 'many'):.0f} MiB with, {middle(memory, 'none'):.0f} without; {after:.0f} after {len(reloads)} reloads",
    )
    bench.row(f"reload of {SERVICES} services, the command", f"{milliseconds(reloads)} ms")


def started(bench, folder, stub, numbers):
    """A platform with these services, its data kept from one start to the next."""
    folder.mkdir(exist_ok=True)
    lines = []
    for number in numbers:
        name = f"service{number}"
        (folder / f"{name}.json").write_text(json.dumps(document(number)))
        lines.append(f'[[service]]\nname = "{name}"\nopenapi = "{name}.json"\nurls = ["{stub.url}"]\n')
    (folder / "platform.toml").write_text("\n".join(lines))
    return Platform(bench.binary, {"log.level": "warn"}, folder=folder, start_limit=120)


def document(number):
    """Forty operations, each with a parameter, half of them with a body, over schemas of the document's own."""
    schema = {
        "type": "object",
        "required": ["id", "name"],
        "properties": {
            "id": {"type": "integer", "minimum": 0},
            "name": {"type": "string", "maxLength": 255},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["red", "green", "blue"]}},
            "owner": {"type": "object", "properties": {"email": {"type": "string", "format": "email"}, "since": {"type": "string", "format": "date-time"}}},
        },
    }
    paths = {}
    for at in range(OPERATIONS // 2):
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
        answers = {"200": {"description": "The thing", "content": content}}
        parameter = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
        body = {"required": True, "content": content}
        paths[f"/things{at}/{{number}}/part"] = {
            "parameters": [parameter],
            "get": {"operationId": f"getThing{at}", "summary": f"Reads a thing of kind {at}", "responses": answers},
            "put": {"operationId": f"putThing{at}", "summary": f"Replaces a thing of kind {at}", "requestBody": body, "responses": answers},
        }
    return {"openapi": "3.0.3", "info": {"title": f"Service {number}", "version": "1"}, "paths": paths, "components": {"schemas": {"Thing": schema}}}


def token(platform):
    """An access token; the installation is new, or kept from a start before."""
    account = platform.make_admin(f"bench{time.time_ns()}@example.com")
    return platform.sign_in(*account)["access_token"]


def reloaded(platform):
    """Seconds that a reload of an unchanged configuration takes, as who asks for it sees it."""
    begun = time.monotonic()
    done = platform.command("reload")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.monotonic() - begun
