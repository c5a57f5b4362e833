"""Load by wrk, and what it cost the processes under it: CPU seconds from /proc, memory, latency."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

#: wrk's own closing report, as one line of JSON.
REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\nREPORT {"requests":%d,"seconds":%.6f,"failed":%d,"p50_us":%.0f,"p99_us":%.0f}\\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


def family(pid):
    """The process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        for task in pathlib.Path(f"/proc/{current}/task").glob("*/children"):
            todo.extend(int(child) for child in task.read_text().split())
    return found


def cpu_seconds(pids):
    """User and system time of these processes and their descendants so far."""
    total = 0
    for pid in (member for root in pids for member in family(root)):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_mib(pids):
    """Resident memory of these processes and their descendants."""
    pages = sum(
        int(pathlib.Path(f"/proc/{member}/statm").read_text().split()[1]) for root in pids for member in family(root)
    )
    return pages * PAGE / 2**20


def forget_peak(pids):
    """Lets the kernel count anew how much memory each of these processes and their descendants had at most."""
    for member in (member for root in pids for member in family(root)):
        pathlib.Path(f"/proc/{member}/clear_refs").write_text("5")


def peak_mib(pids):
    """The most resident memory since then of each of these processes and their descendants, added up."""
    texts = [pathlib.Path(f"/proc/{member}/status").read_text() for root in pids for member in family(root)]
    return sum(int(re.search(r"^VmHWM:\s*(\d+) kB", text, re.MULTILINE).group(1)) for text in texts) / 1024


def run(url, pids, seconds, connections=64, fields=None, script="", threads=None, refused=False):
    """Requests this URL for so long, by this Lua if any; returns rates, latency, and the cost to `pids`. Any failed request is
    an error, unless it is expected that some are `refused`."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script + REPORT)
        lua.flush()
        threads = threads or min(2, connections)
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "-s", lua.name, "--timeout", "10s"]
        for name, value in (fields or {}).items():
            command += ["-H", f"{name}: {value}"]
        before = cpu_seconds(pids)
        printed = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
        spent = cpu_seconds(pids) - before
    report = json.loads(next(line for line in printed.splitlines() if line.startswith("REPORT"))[len("REPORT ") :])
    if (report["failed"] and not refused) or not report["requests"]:
        told = " ".join(line.strip() for line in printed.splitlines() if "errors" in line or "Non-2xx" in line)
        raise RuntimeError(f"{report['failed']} of {report['requests']} requests to {url} failed: {told}")
    return {
        "requests": report["requests"],
        "failed": report["failed"],
        "requests_per_second": report["requests"] / report["seconds"],
        "cpu_per_10000": spent / report["requests"] * 10_000,
        "requests_per_cpu_second": report["requests"] / spent if spent else 0.0,
        "p50_ms": report["p50_us"] / 1000,
        "p99_ms": report["p99_us"] / 1000,
    }


def spread(rounds):
    """Median, least and greatest of each measure over rounds."""
    return {
        measure: {
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
        }
        for measure in rounds[0]
        for values in [[one[measure] for one in rounds]]
    }
