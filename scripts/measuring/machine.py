"""What a run was measured on, and with which code."""

import os
import pathlib
import platform
import re
import subprocess

from platform_process import ROOT


def processor():
    """The model of the first processor, as the kernel names it."""
    found = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def memory_gib():
    """All of the machine's memory."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def commit():
    """The commit of this tree, with a `+` where it was changed since."""

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    # What a run writes itself is no change of what it measured.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/PERFORMANCE.md", ":!docs/performance")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def describe():
    """Model and number of processors, kernel, memory."""
    return {"processor": processor(), "cores": os.cpu_count(), "kernel": platform.release(), "memory_gib": memory_gib()}
