"""A command that needs no server."""

import statistics
import subprocess
import time

from measuring.bench import milliseconds


def measure(bench):
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        subprocess.run([str(bench.binary), "--help"], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - begun)
    bench.data.update(seconds=times)
    bench.goal("platform --help", statistics.median(times) * 1000, most=20, form=".1f", unit=" ms", note=f"{milliseconds(times)} ms")
    bench.row("size of the program", f"{bench.binary.stat().st_size / 2**20:.1f} MiB")
