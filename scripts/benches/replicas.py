"""One, two and four gateways, each with a users service of its own, on one PostgreSQL: requests a second, and per CPU second, since a machine
of few cores gives a further replica nothing to run on."""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import tempfile

from measuring import load
from measuring.bench import text
from measuring.postgres import Postgres
from measuring.stub import ISSUER
from platform_process import Platform

COUNTS = (1, 2, 4)
PATH = "/api_v1/users/me"
#: Connections to all gateways together.
CONNECTIONS = 64


def measure(bench):
    with contextlib.ExitStack() as running:
        postgres = running.enter_context(Postgres())
        # One issuer and one key: a token of one replica is taken by all.
        settings = {"log.level": "warn", "database.max_connections": 10, "gateway.public_url": ISSUER, **postgres.settings}
        first = running.enter_context(Platform(bench.binary, settings))
        account = first.make_admin()
        folder = pathlib.Path(running.enter_context(tempfile.TemporaryDirectory(prefix="platform-replicas-")))
        replicas = [first]
        for number in range(1, max(COUNTS)):
            data = folder / str(number)
            data.mkdir(0o700)
            shutil.copy(first.folder / "data/master.key", data)
            replicas.append(running.enter_context(Platform(bench.binary, {**settings, "data_dir": data})))
        fields = {"Authorization": "Bearer " + first.sign_in(*account)["access_token"]}
        found = {count: [] for count in COUNTS}
        for number in range(bench.rounds + 1):
            for count in COUNTS:
                one = at_once(replicas[:count], bench.seconds if number else 1, fields)
                if number:
                    found[count].append(one)
    bench.data.update({str(count): load.spread(rounds) for count, rounds in found.items()})
    alone = bench.data["1"]
    for count in COUNTS:
        one = bench.data[str(count)]
        each = one["requests_per_second"]["median"] / alone["requests_per_second"]["median"]
        bench.row(
            f"{count} replica{'s' if count > 1 else ''} on one PostgreSQL", f"{text(one['requests_per_second'], ',.0f')} requests/s",
            f"{each:.2f} of one; {text(one['requests_per_cpu_second'], ',.0f')} per CPU second of the platform, {os.cpu_count()} cores",
        )
    flat = bench.data[str(COUNTS[-1])]["requests_per_cpu_second"]["median"] / alone["requests_per_cpu_second"]["median"]
    bench.goal(f"{COUNTS[-1]} replicas, requests per CPU second of those of one", flat, least=0.9)


def at_once(replicas, seconds, fields):
    """Load on all of these at the same time."""
    pids = [replica.process.pid for replica in replicas]
    before = load.cpu_seconds(pids)
    with concurrent.futures.ThreadPoolExecutor(len(replicas)) as pool:
        runs = list(pool.map(lambda replica: load.run(replica.url() + PATH, [], seconds, CONNECTIONS // len(replicas), fields), replicas))
    spent = load.cpu_seconds(pids) - before
    requests = sum(one["requests"] for one in runs)
    return {
        "requests_per_second": sum(one["requests_per_second"] for one in runs),
        "requests_per_cpu_second": requests / spent,
        "p99_ms": max(one["p99_ms"] for one in runs),
    }
