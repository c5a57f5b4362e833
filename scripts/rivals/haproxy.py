"""HAProxy as a plain proxy on one thread."""

import re
import subprocess

from measuring.process import Process

PROGRAM = "/usr/sbin/haproxy"
FORM = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend door
    bind 127.0.0.1:{port} backlog 4096
    default_backend service
backend service
    http-reuse always
    server one {upstream}
"""


def version():
    told = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True).stdout
    return re.search(r"version (\d+\.\d+\.\d+)", told).group(1)


def proxy(upstream):
    """Passes every request on to `host:port`."""
    return Process(
        "haproxy",
        lambda server: [PROGRAM, "-db", "-f", server.write("haproxy.cfg", FORM.format(port=server.port, upstream=upstream))],
    )
