"""What a process holds while it runs: memory, descriptors, threads, CPU, and its own gauges. And a drawing of its memory."""

import collections
import os
import pathlib
import re
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


def percentile(values, share):
    """The value that this share of them is not above; 0 of none."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


class Watch:
    """One process, looked at from outside."""

    def __init__(self, pid, metrics):
        self.process, self.metrics = pathlib.Path(f"/proc/{pid}"), metrics
        self.cpu = self._cpu()

    def descriptors(self):
        """Open ones, but for files of databases, which are opened one by one up to the pool's size and stay."""
        return sum(number for name, number in self.kinds().items() if ".db" not in name)

    def kinds(self):
        """Open descriptors by what they are: a file's name, or socket, pipe and the like."""
        found = collections.Counter()
        for each in (self.process / "fd").iterdir():
            try:
                found[re.sub(r":\[\d+\]$", "", os.readlink(each))] += 1
            except OSError:
                pass
        return dict(found)

    def gauges(self):
        """Requests in flight and open tunnels of all services of the process, sessions, cached answers, and answers by class of status."""
        with urllib.request.urlopen(self.metrics, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = {"in_flight": 0, "tunnels": 0, "sessions": 0, "cached": 0, "5xx": 0}
        names = {
            "platform_requests_in_flight": "in_flight", "platform_tunnels_open": "tunnels",
            "platform_sessions_open": "sessions", "platform_cache_answers": "cached",
        }
        for line in lines:
            name = line.partition("{")[0].partition(" ")[0]
            value = line.rpartition(" ")[2]
            if 'service="ops"' in line:
                # This look itself.
                continue
            if name in names:
                found[names[name]] += float(value)
            elif name == "platform_requests_total" and 'status="5' in line:
                found["5xx"] += float(value)
        return found

    def sample(self):
        """MiB, counts, and the share of one core since the last sample's CPU seconds are for the caller to make."""
        status = dict(line.split(":", 1) for line in (self.process / "status").read_text().splitlines() if ":" in line)
        before, self.cpu = self.cpu, self._cpu()
        mib = {name: int(status[field].split()[0]) / 1024 for name, field in (("rss", "VmRSS"), ("anonymous", "RssAnon"), ("file", "RssFile"))}
        return {**mib, "threads": int(status["Threads"]), "descriptors": self.descriptors(), "cpu_seconds": self.cpu - before, **self.gauges()}

    def _cpu(self):
        fields = (self.process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def drawing(samples):
    """Resident memory over time as SVG, the anonymous part beside it."""
    width, height, left, top, bottom = 900, 360, 60, 50, 40
    last, most = samples[-1]["at"], 1.1 * max(sample["rss"] for sample in samples)
    across = lambda at: left + at / last * (width - left - 20)  # noqa: E731
    up = lambda mib: height - bottom - mib / most * (height - top - bottom)  # noqa: E731
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        '<text x="20" y="28" font-size="17" font-weight="600">Memory of platform serve under mixed load</text>',
    ]
    for number in range(5):
        mib = most * number / 4
        parts.append(f'<path d="M{left} {up(mib):.1f}H{width - 20}" stroke="#ddd"/><text x="8" y="{up(mib) + 4:.1f}">{mib:.0f} MiB</text>')
    for number in range(6):
        parts.append(f'<text x="{across(last * number / 5):.1f}" y="{height - 14}" text-anchor="middle">{last * number / 300:.1f} min</text>')
    for name, colour, label in (("rss", "#2f6fb3", "resident"), ("anonymous", "#c0722c", "of it anonymous")):
        line = " ".join(f"{across(sample['at']):.1f},{up(sample[name]):.1f}" for sample in samples)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{width - 24}" y="{up(samples[-1][name]) - 6:.1f}" text-anchor="end" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>", ""])
