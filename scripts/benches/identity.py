"""What identity costs: tokens verified, passwords checked, tokens refreshed, and what a storm of sign-ins does to everybody else."""

import concurrent.futures
import json
import pathlib
import tempfile
import time

from measuring import load
from measuring.bench import text
from measuring.postgres import Postgres
from measuring.stub import ISSUER, USER, USER_JSON
from platform_process import Platform
from rivals import nginx

#: Sessions that refresh at once, each by a connection of its own.
SESSIONS = 16
#: Connections that sign in at once: as many as keep every core hashing, and as many as come when all come back after an outage.
SIGNING_IN, STORM = 16, 500

#: Tokens a round of cold reads, more than a second takes.
COLD_TOKENS = 20_000

#: A POST of one body.
POST = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[%s]]
"""
#: Each thread has one connection, one session, and refreshes it; it writes the access tokens to a file of its own.
REFRESH = """
local count = 0
function setup(thread) thread:set("number", count); count = count + 1 end
function init()
  local file = io.open("{folder}/refresh." .. number)
  token = file:read("*l")
  file:close()
end
function request()
  return wrk.format("POST", nil, {{ ["Authorization"] = "Bearer " .. token }})
end
function response(status, _, body)
  if status ~= 200 then return end
  token = body:match('"refresh_token":"([^"]+)"')
  -- Closed each time: wrk counts on few open files.
  local file = io.open("{folder}/access." .. number, "a")
  file:write(body:match('"access_token":"([^"]+)"'), "\\n")
  file:close()
end
"""
#: Every request has a token that was never seen before.
COLD = """
local count = 0
function setup(thread) thread:set("number", count); count = count + 1 end
function init()
  tokens, at = {{}}, 0
  for token in io.lines("{folder}/cold." .. number) do tokens[#tokens + 1] = token end
end
function request()
  at = at + 1
  if at > #tokens then error("more cold tokens are needed") end
  return wrk.format("GET", nil, {{ ["Authorization"] = "Bearer " .. tokens[at] }})
end
"""


def measure(bench):
    """Everything, into the bench's table and data."""
    found, rounds = bench.data, bench.rounds
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # One account from one address signs in all the time here, which the throttle would slow down.
        settings = {"gateway.public_url": ISSUER, "log.level": "warn", "gateway.login_attempts": 1000}
        with Platform(bench.binary, settings) as platform:
            pids = [platform.process.pid]
            time.sleep(1)
            idle = load.resident_mib(pids)
            account = platform.make_admin()
            signing_in(bench, rounds, platform, account, found)
            storm(bench, rounds, platform, account, found)
            refreshing(bench, rounds, platform, account, "SQLite", folder, found)
            after = load.resident_mib(pids)
            # What the rounds of refreshing gave is not enough tokens for those of cold reads.
            while len(access_tokens(folder)) < rounds * COLD_TOKENS:
                refresh(platform, account, folder, 10)
            found["memory"] = {"idle_mib": idle, "after_mib": after}
            platform.process.terminate()
            platform.process.wait(15)
            verifying(bench, rounds, platform, folder, found)
        with Postgres() as postgres:
            settings = {**postgres.settings, "log.level": "warn", "gateway.login_attempts": 1000}
            with Platform(bench.binary, settings) as platform:
                elsewhere = folder / "postgres"
                elsewhere.mkdir()
                refreshing(bench, rounds, platform, platform.make_admin(), "PostgreSQL", elsewhere, found)
    bench.row("resident memory, idle, then after all these sign-ins", f"{idle:.1f}, then {after:.1f} MiB", "everything in one process, SQLite")


def credentials(account):
    return POST % json.dumps(dict(zip(("email", "password"), account)))


def signing_in(bench, rounds, platform, account, found):
    """Passwords checked a second."""
    url, pids = platform.url() + "/api_v1/auth/access", [platform.process.pid]
    runs = [load.run(url, pids, bench.seconds, SIGNING_IN, script=credentials(account)) for _ in range(rounds)]
    found["sign_in"] = spread = load.spread(runs)
    bench.row(
        f"sign-ins, {SIGNING_IN} at once", f"{text(spread['requests_per_second'], '.0f')} a second",
        f"p99 {spread['p99_ms']['median']:.0f} ms, {spread['cpu_per_10000']['median'] / 10:.1f} CPU ms each; Argon2id, 19 MiB, 2 passes",
    )


def storm(bench, rounds, platform, account, found):
    """Reads while nobody signs in, and while hundreds do."""
    pids = [platform.process.pid]
    fields = {"Authorization": "Bearer " + platform.sign_in(*account)["access_token"]}
    read, sign_in = platform.url() + "/api_v1/users/me", platform.url() + "/api_v1/auth/access"
    calm, stormy, storms = [], [], []
    for _ in range(rounds):
        calm.append(load.run(read, pids, bench.seconds, 16, fields))
        with concurrent.futures.ThreadPoolExecutor() as beside:
            signing = beside.submit(
                load.run, sign_in, pids, bench.seconds + 2, STORM, script=credentials(account), refused=True
            )
            time.sleep(1)
            stormy.append(load.run(read, pids, bench.seconds, 16, fields))
            storms.append(signing.result())
    found["storm"] = spread = {"calm": load.spread(calm), "storm": load.spread(stormy), "sign_ins": load.spread(storms)}
    refused = sum(one["failed"] for one in storms) / sum(one["requests"] for one in storms)
    found["storm"]["refused"] = refused
    for name, what in (("calm", "p99 of reads, nobody signing in"), ("storm", f"p99 of reads while {STORM} sign in at once")):
        one = spread[name]
        note = f"p50 {one['p50_ms']['median']:.1f} ms, {one['requests_per_second']['median']:,.0f} requests/s"
        if name == "storm":
            note += f"; {refused:.0%} of the sign-ins got 503"
        bench.row(what, f"{text(one['p99_ms'], '.1f')} ms", note)


def refreshing(bench, rounds, platform, account, database, folder, found):
    """Refresh tokens rotated a second."""
    runs = [refresh(platform, account, folder, bench.seconds) for _ in range(rounds)]
    found[f"refresh_{database.lower()}"] = spread = load.spread(runs)
    bench.row(
        f"refreshes on {database}, {SESSIONS} sessions at once", f"{text(spread['requests_per_second'], ',.0f')} a second",
        f"p99 {spread['p99_ms']['median']:.1f} ms, {spread['cpu_per_10000']['median'] / 10:.2f} CPU ms each",
    )


def refresh(platform, account, folder, seconds):
    """One round, with sessions of its own: where the last one stopped in the middle of an answer its tokens are lost."""
    for number in range(SESSIONS):
        (folder / f"refresh.{number}").write_text(platform.sign_in(*account)["refresh_token"] + "\n")
    script = REFRESH.format(folder=folder)
    url, pids = platform.url() + "/api_v1/auth/refresh", [platform.process.pid]
    return load.run(url, pids, seconds, SESSIONS, script=script, threads=SESSIONS)


def access_tokens(folder):
    """What the rounds of refreshing gave."""
    return [line for path in sorted(folder.glob("access.*")) for line in path.read_text().splitlines() if line.count(".") == 2]


def verifying(bench, rounds, platform, folder, found):
    """Reads through the gateway alone, over a stub: with one token, and with tokens that were never seen."""
    tokens = access_tokens(folder)
    share = len(tokens) // rounds
    settings = {"gateway.public_url": ISSUER, "log.level": "warn", "data_dir": platform.settings["data_dir"]}
    warm, cold = [], []
    with nginx.stub(USER_JSON) as stub:
        for number in range(rounds):
            with Platform(bench.binary, {**settings, "users.url": stub.url}, ["gateway"]) as gateway:
                url, pids = gateway.url() + f"/api_v1/users/{USER['id']}", [gateway.process.pid]
                fields = {"Authorization": f"Bearer {tokens[-1]}"}
                load.run(url, pids, 1, 64, fields)
                warm.append(load.run(url, pids, 2, 64, fields))
                own = tokens[number * share : (number + 1) * share]
                for thread in range(2):
                    (folder / f"cold.{thread}").write_text("\n".join(own[thread::2]) + "\n")
                cold.append(load.run(url, pids, 1, 64, script=COLD.format(folder=folder)))
    found["verify"] = {"warm": load.spread(warm), "cold": load.spread(cold)}
    for name, what in (("warm", "reads with a token seen before"), ("cold", "reads with tokens never seen before")):
        one = found["verify"][name]
        bench.row(
            what, f"{text(one['requests_per_second'], ',.0f')} requests/s",
            f"{one['cpu_per_10000']['median']:.3f} CPU s per 10,000, p99 {one['p99_ms']['median']:.1f} ms; gateway alone, 64 connections",
        )
