"""Where `scripts/setup bench` lays what comes from PyPI and npm, and which versions of it are pinned."""

import json
import re

from platform_process import ROOT

PINS = ROOT / "scripts/tools/bench"
PYTHON = ROOT / "target/tools/bench-python"
NODE = ROOT / "target/tools/bench-node/node_modules"


def python_version(package):
    """The version that the list of requirements pins."""
    return re.search(rf"^{re.escape(package)}==(\S+)", (PINS / "requirements.txt").read_text(), re.MULTILINE).group(1)


def npm_version(package):
    """The version that was laid."""
    return json.loads((NODE / package / "package.json").read_text())["version"]
