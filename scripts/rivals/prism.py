"""Stoplight's Prism as a proxy that holds requests and answers to an OpenAPI document."""

from measuring.process import Process
from rivals.tools import NODE, npm_version


def version():
    return npm_version("@stoplight/prism-cli")


def proxy(upstream, document):
    """Passes on to `host:port` what keeps this document, a text in JSON, and answers by an error else."""

    def command(server):
        path = server.write("openapi.json", document)
        program = NODE / ".bin/prism"
        return [program, "proxy", path, f"http://{upstream}", "--errors", "--multiprocess", "false", "-h", "127.0.0.1", "-p", server.port, "-v", "error"]

    return Process("prism", command, {"NODE_ENV": "production"})
