"""fast-gateway, a gateway on node, as a plain proxy."""

import pathlib

from measuring.process import Process
from rivals.tools import NODE, npm_version

SCRIPT = pathlib.Path(__file__).with_suffix(".js")


def version():
    return npm_version("fast-gateway")


def proxy(upstream):
    """Passes every request below /api_v1 on to `host:port`."""
    environment = {"NODE_PATH": str(NODE), "NODE_ENV": "production"}
    return Process("fast-gateway", lambda server: ["node", SCRIPT, server.port, upstream], environment)
