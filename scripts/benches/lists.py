"""A page of 100 out of a million users, by its place: at any depth against the second page."""

import pathlib
import tempfile
import time
import urllib.request

from measuring import load
from platform_process import Platform

USERS = 1_000_000
HASH = "$2b$12$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6"
SORTS = ("id", "email", "-created_at")
#: Shares of all users that are before a page.
DEPTHS = (0.5, 0.999)


def measure(bench):
    """Everything, into the bench's table and data."""
    with tempfile.TemporaryDirectory(prefix="platform-lists-") as folder:
        rows = pathlib.Path(folder) / "users.csv"
        write(rows)
        with Platform(bench.binary, {"log.level": "warn"}) as whole:
            begun = time.monotonic()
            done = whole.command("user", "import", str(rows), timeout=600)
            if done.returncode:
                raise RuntimeError(f"users are not imported: {done.stderr[-400:]}")
            bench.row(f"import of {USERS:,} users", f"{USERS / (time.monotonic() - begun):,.0f} a second", "SQLite; hashes are brought along")
            token = whole.sign_in(*whole.make_admin())["access_token"]
            fields = {"Authorization": f"Bearer {token}"}
            bench.data.update({sort: one_order(bench, whole, sort, fields) for sort in SORTS})
    for sort, found in bench.data.items():
        second = found["second"]["p50_ms"]["median"]
        deepest = max(DEPTHS, key=lambda depth: found[str(depth)]["p50_ms"]["median"])
        slowest = found[str(deepest)]["p50_ms"]["median"]
        first = found["first"]["p50_ms"]["median"]
        cpu = max(found[str(depth)]["cpu_per_10000"]["median"] for depth in DEPTHS) / found["second"]["cpu_per_10000"]["median"]
        bench.goal(
            f"page of 100 of {USERS:,} by {sort}, slowest depth of the second page's time", slowest / second, most=1.1,
            note=f"{slowest:.2f} ms behind {deepest:.1%}, second page {second:.2f} ms, first page {first:.2f} ms (it counts all); {cpu:.2f} in CPU time",
        )


def write(path):
    """Users that no two are alike of."""
    with open(path, "w", encoding="utf-8") as out:
        out.write("email,password_hash,first_name,last_name\n")
        for number in range(USERS):
            out.write(f"user{number:07}@example.com,{HASH},First{number},Last{number % 977}\n")


def one_order(bench, whole, sort, fields):
    """Times of the pages of one order, by turns."""
    pid = whole.process.pid
    start = f"/api_v1/users?sort={sort}&limit=100"
    pages = {"first": start, "second": follow(whole, start, fields)}
    for depth in DEPTHS:
        # The place is found once by counting; from there on a page is named by its place.
        pages[str(depth)] = follow(whole, f"{start}&skip={int(USERS * depth)}", fields)
    rounds = {name: [] for name in pages}
    for number in range(bench.rounds):
        for name, page in pages.items():
            # Nothing is held against the first page.
            if name == "first" and number:
                continue
            rounds[name].append(load.run(whole.url() + page, [pid], 1, 1, fields))
    return {name: load.spread(found) for name, found in rounds.items()}


def follow(whole, path, fields):
    """The address of the page behind this one."""
    with urllib.request.urlopen(urllib.request.Request(whole.url() + path, headers=fields), timeout=60) as answer:
        link = answer.headers["link"]
    return link[link.index("<") + 1 : link.index(">")]
