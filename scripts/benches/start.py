"""From start to the first answered request, embedded databases."""

import statistics

from measuring.bench import milliseconds
from platform_process import Platform


def measure(bench):
    with Platform(bench.binary) as first:
        empty = first.seconds_to_ready
        times = []
        for _ in range(5):
            first.process.terminate()
            first.process.wait(15)
            times.append(first.start().seconds_to_ready)
    bench.data.update(empty_s=empty, existing_s=times)
    median = statistics.median(times) * 1000
    bench.goal("start to ready, existing databases", median, most=150, form=".0f", unit=" ms", note=f"{milliseconds(times)} ms")
    bench.row("start to ready, empty machine", f"{empty * 1000:.0f} ms")
