"""Writes what benches found: bench-results/NAME.json and charts for each, one table of all that were measured on this commit and
machine, and that table into docs/PERFORMANCE.md."""

import json
import shutil

from measuring import chart
from platform_process import ROOT

FOLDER = ROOT / "bench-results"
DOCUMENT = ROOT / "docs/PERFORMANCE.md"
#: The charts that the document shows.
DRAWINGS = ROOT / "docs/performance"
BEGIN, END = "<!-- results: written by scripts/bench --write-docs -->", "<!-- end of results -->"


def keep(bench, head):
    """One bench's figures and charts."""
    FOLDER.mkdir(exist_ok=True)
    titles = {name: title for name, (title, _, _) in bench.charts.items()}
    found = {**head, "versions": bench.versions, "charts": titles, "rows": bench.rows, "data": bench.data}
    (FOLDER / f"{bench.name}.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    for name, (title, rows, unit) in bench.charts.items():
        (FOLDER / f"{name}.svg").write_text(chart.bars(title, rows, unit))


def of_one_commit(head, names):
    """What this run and earlier ones of the same code on the same machine found: {name: found}."""
    found = {}
    for name in names:
        path = FOLDER / f"{name}.json"
        if path.is_file():
            one = json.loads(path.read_text())
            # A tree that was changed is not told from itself changed otherwise.
            same = head["date"] == one["date"] or not head["commit"].endswith("+")
            if same and all(one.get(key) == head[key] for key in ("commit", "machine")):
                found[name] = one
    return found


def table(found):
    """All rows in one table, and under it where, when and with what they were measured."""
    lines = ["| bench | what | result | goal | remark |", "| --- | --- | --- | --- | --- |"]
    for name, one in found.items():
        lines += ["| " + " | ".join([f"`{name}`", *row]) + " |" for row in one["rows"]]
    first = next(iter(found.values()))
    dates = sorted(one["date"] for one in found.values())
    span = dates[0] if dates[0][:10] == dates[-1][:10] else f"{dates[0]} to {dates[-1]}"
    machine = first["machine"]
    versions = {peer: version for one in found.values() for peer, version in one["versions"].items()}
    lengths = sorted({one["seconds_a_round"] for one in found.values()})
    lines += [
        "",
        f"Measured {span}, commit {first['commit']}, on {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}; medians of {first['rounds']} rounds of {' or '.join(map(str, lengths))} s, with the least and the greatest.",
    ]
    if versions:
        lines += ["", "Beside it: " + ", ".join(f"{peer} {version}" for peer, version in sorted(versions.items())) + "."]
    return "\n".join(lines) + "\n"


def write(head, names, document):
    """The table, printed and written to bench-results/latest.md, and into the document if asked for."""
    found = of_one_commit(head, names)
    if not found:
        return
    written = table(found)
    (FOLDER / "latest.md").write_text(written)
    (FOLDER / "latest.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    print(f"\n{written}\nwritten to {FOLDER}/")
    if document:
        DRAWINGS.mkdir(exist_ok=True)
        for old in DRAWINGS.glob("*.svg"):
            old.unlink()
        for name, title in ((name, title) for one in found.values() for name, title in one["charts"].items()):
            shutil.copy(FOLDER / f"{name}.svg", DRAWINGS)
            written += f"\n![{title}]({DRAWINGS.name}/{name}.svg)\n"
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise RuntimeError(f"{DOCUMENT} has no place for results")
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{written}\n{END}{after}")
