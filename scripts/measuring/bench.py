"""One bench's run: rounds by turns, its rows of the table, its figures, its charts and the versions of what it measured beside ours."""

import statistics

from measuring import load

ROUNDS = 3
#: Seconds of load on each subject before the first round.
WARM_UP = 1


class Bench:
    """What one bench measures, and with what; handed to `measure(bench)` of a module in scripts/benches."""

    def __init__(self, name, binary, seconds):
        self.name = name
        self.binary = binary
        #: Length of a round.
        self.seconds = seconds
        self.rounds = ROUNDS
        #: Rows of the table: what, result, goal, remark.
        self.rows = []
        #: All figures, for the JSON.
        self.data = {}
        #: Versions of what was measured beside ours, by name.
        self.versions = {}
        #: Charts by the name of their file: title, rows of (label, median, least, greatest), unit.
        self.charts = {}

    def row(self, what, result, note="", goal=""):
        """A line of the table."""
        self.rows.append((what, result, goal, note))
        print(f"  {what}: {result}  {goal}  {note}", flush=True)

    def goal(self, what, value, least=None, most=None, form=".2f", unit="", note=""):
        """A line about a figure with a goal: no less than `least`, or no more than `most`."""
        met = value >= least if most is None else value <= most
        bound = f"≥ {least:g}" if most is None else f"≤ {most:g}"
        self.row(what, f"{value:{form}}{unit}", note, f"{bound}{unit}, {'met' if met else 'missed'}")

    def measured(self, what, found, note=""):
        """A line of rate, cost and tail, from what `by_turns` gave for a subject."""
        cost = f"{text(found['cpu_per_10000'], '.3f')} CPU s per 10,000, p99 {found['p99_ms']['median']:.1f} ms"
        self.row(what, f"{text(found['requests_per_second'], ',.0f')} requests/s", f"{cost}; {note}" if note else cost)

    def shorter(self):
        """Seconds of a round that is one of many, or that tells enough sooner."""
        return max(1, self.seconds // 2)

    def by_turns(self, subjects, connections=64, seconds=None, scripts=None):
        """Rounds of each subject by turns, after a warm-up: {name: (url, pids, fields)} -> {name: spread of each measure}. What a
        subject is asked can be said by Lua of its own, by its name in `scripts`."""
        rounds = {name: [] for name in subjects}
        for number in range(self.rounds + 1):
            for name, (url, pids, fields) in subjects.items():
                length = (seconds or self.seconds) if number else WARM_UP
                try:
                    rounds[name].append(load.run(url, pids, length, connections, fields, (scripts or {}).get(name, "")))
                except Exception as error:
                    error.add_note(f"while {name} was measured")
                    raise
        for measured in rounds.values():
            del measured[0]
        return {name: load.spread(found) for name, found in rounds.items()}

    def chart(self, title, rows, unit, name=None):
        """A bar chart of rows (label, median, least, greatest); bars whose label starts with `platform` are ours."""
        self.charts[name or self.name] = (title, rows, unit)

    def chart_spreads(self, title, found, unit="requests per CPU s", measure="requests_per_cpu_second", name=None):
        """A bar chart of one measure of {label: spread}, the greatest first."""
        rows = [(label, *(spread[measure][part] for part in ("median", "min", "max"))) for label, spread in found.items()]
        self.chart(title, sorted(rows, key=lambda row: -row[1]), unit, name)


def text(measure, form):
    """Median with least and greatest of a spread."""
    return f"{measure['median']:{form}} ({measure['min']:{form}} to {measure['max']:{form}})"


def milliseconds(times):
    """Median with least and greatest of some times in seconds."""
    return f"{statistics.median(times) * 1000:.1f} ({min(times) * 1000:.1f} to {max(times) * 1000:.1f})"


def ratio(ours, theirs, measure="requests_per_cpu_second"):
    """Median against median."""
    return ours[measure]["median"] / theirs[measure]["median"]
