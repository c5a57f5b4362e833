"""Varnish as a cache in memory."""

import re
import subprocess

from measuring.process import Process

PROGRAM = "/usr/sbin/varnishd"


def version():
    told = subprocess.run([PROGRAM, "-V"], capture_output=True, text=True, check=True)
    return re.search(r"varnish-(\S+)", told.stdout + told.stderr).group(1)


def cache(upstream):
    """Keeps what `host:port` answers, as its built-in rules say."""
    return Process(
        "varnish",
        lambda server: [PROGRAM, "-F", "-j", "none", "-n", server.folder / "work", "-a", server.address, "-b", upstream, "-s", "malloc,64m"],
    )
