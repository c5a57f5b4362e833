"""Programs of scripts/benches/floor: the parts that ours is built of, by themselves."""

import os
import re
import subprocess

from measuring.process import Process
from platform_process import ROOT

CRATE = ROOT / "scripts/benches/floor/Cargo.toml"
TARGET = ROOT / "target/bench-floor"


def build(*features):
    """All of them, once, those that need more by its feature; returns the folder that they are in."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", CRATE]
    command += [word for feature in features for word in ("--features", feature)]
    subprocess.run(command, env=environment, check=True)
    return TARGET / "release"


def proxy(upstream, *options):
    """Passes every request on to `host:port`; `--token SECRET` after a check of its signature, `--model` what is a user alone, `--cache`
    what it has asked for once."""
    return Process("floor", lambda server: [build() / "proxy", server.address, upstream, *options])


def version(package):
    """The version that its lock file pins."""
    return re.search(rf'name = "{re.escape(package)}"\nversion = "([^"]+)"', (CRATE.parent / "Cargo.lock").read_text()).group(1)
