"""A route whose requests and answers are held to an OpenAPI document, beside Prism's proxy that does the same.

Two pairs, each of one document: the gateway's typed route against Prism with the gateway's whole document, and a declared service
(`contract = "enforce"`) against Prism with that service's own small document.
"""

import contextlib
import json

from measuring import ours
from measuring.bench import ratio
from measuring.stub import USER_JSON
from rivals import floor, nginx, prism, replaced

TYPED, DECLARED, BARE = "/api_v1/users/1", "/api/people/users/1", "/users/1"
GOAL = 30
FLOOR = "bare hyper, token, answer read into a type"
#: The User of the users service, as a service of another team would write it.
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "people", "version": "1"},
    "paths": {
        "/users/{id}": {
            "get": {
                "operationId": "getPerson",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}],
                "responses": {
                    "200": {"description": "One.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Person"}}}}
                },
                "security": [{"bearer": []}],
            }
        }
    },
    "components": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "Person": {
                "type": "object",
                "required": ["id", "email", "is_active", "email_verified", "roles", "created_at", "updated_at", "must_change_password"],
                "properties": {
                    "id": {"type": "integer", "format": "int64"},
                    "email": {"type": "string", "format": "email"},
                    "is_active": {"type": "boolean"},
                    "email_verified": {"type": "boolean"},
                    "first_name": {"type": "string", "maxLength": 100, "nullable": True},
                    "last_name": {"type": "string", "maxLength": 100, "nullable": True},
                    "roles": {"type": "array", "items": {"type": "string"}},
                    "created_at": {"type": "string", "format": "date-time"},
                    "updated_at": {"type": "string", "format": "date-time"},
                    "must_change_password": {"type": "boolean"},
                },
                "additionalProperties": False,
            }
        },
    },
}
SERVICE = """
[[service]]
name = "people"
openapi = "people.json"
urls = ["{url}"]
contract = "enforce"
"""


def measure(bench):
    floor.build()
    bench.versions.update({"prism": prism.version(), "hyper": floor.version("hyper")})
    small = json.dumps(DOCUMENT)
    with contextlib.ExitStack() as running:
        stub = running.enter_context(nginx.stub(USER_JSON))
        files = {"people.json": small, "platform.toml": SERVICE.format(url=stub.url)}
        gateway, fields = running.enter_context(ours.gateway(bench, stub, files))
        printed = gateway.command("openapi")
        if printed.returncode:
            raise RuntimeError(printed.stderr)
        subjects = {
            "platform: typed route": ours.subject(gateway, TYPED, fields),
            "platform: declared service": ours.subject(gateway, DECLARED, fields),
            "Prism, the gateway's document": ours.subject(running.enter_context(prism.proxy(stub.address, printed.stdout)), TYPED, fields),
            "Prism, the service's document": ours.subject(running.enter_context(prism.proxy(stub.address, small)), BARE, fields),
        }
        least = running.enter_context(floor.proxy(stub.address, "--token", replaced.SECRET, "--model"))
        subjects[FLOOR] = ours.subject(least, BARE, {"Authorization": "Bearer " + replaced.token()})
        found = bench.by_turns(subjects, seconds=bench.shorter())
    bench.data.update(found)
    typed, declared, by_whole, by_small, least = found.values()
    for what, spread in found.items():
        bench.measured(what, spread)
    bench.goal("typed route against Prism, the gateway's document, per CPU second", ratio(typed, by_whole), least=GOAL, form=".0f", unit=" times")
    bench.goal("declared service against Prism, the same document, per CPU second", ratio(declared, by_small), least=GOAL, form=".0f", unit=" times")
    bench.row("the floor against Prism, the service's document, per CPU second", f"{ratio(least, by_small):.0f} times", FLOOR)
    bench.chart_spreads("A read held to an OpenAPI document, 64 connections", found)
