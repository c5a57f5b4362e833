"""What tokens cost: refreshed on both databases, and read by a gateway that has seen them before or never."""

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
#: Tokens a round of cold reads, more than a second takes.
COLD_TOKENS = 16_000

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
            refreshing(bench, rounds, platform, account, "SQLite", folder, found)
            after = load.resident_mib(pids)
            # What the rounds of refreshing gave may not be enough tokens for a round of cold reads.
            while len(access_tokens(folder)) < COLD_TOKENS:
                refresh(platform, account, folder, 5)
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
    bench.row("resident memory, idle, then after all these refreshes", f"{idle:.1f}, then {after:.1f} MiB", "everything in one process, SQLite")


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
    settings = {"gateway.public_url": ISSUER, "log.level": "warn", "data_dir": platform.settings["data_dir"]}
    warm, cold = [], []
    with nginx.stub(USER_JSON) as stub:
        for _ in range(rounds):
            # A new process has seen none of them.
            with Platform(bench.binary, {**settings, "users.url": stub.url}, ["gateway"]) as gateway:
                url, pids = gateway.url() + f"/api_v1/users/{USER['id']}", [gateway.process.pid]
                fields = {"Authorization": f"Bearer {tokens[-1]}"}
                load.run(url, pids, 1, 64, fields)
                warm.append(load.run(url, pids, 2, 64, fields))
                for thread in range(2):
                    (folder / f"cold.{thread}").write_text("\n".join(tokens[thread:-1:2]) + "\n")
                cold.append(load.run(url, pids, 1, 64, script=COLD.format(folder=folder)))
    found["verify"] = {"warm": load.spread(warm), "cold": load.spread(cold)}
    for name, what in (("warm", "reads with a token seen before"), ("cold", "reads with tokens never seen before")):
        one = found["verify"][name]
        bench.row(
            what, f"{text(one['requests_per_second'], ',.0f')} requests/s",
            f"{one['cpu_per_10000']['median']:.3f} CPU s per 10,000, p99 {one['p99_ms']['median']:.1f} ms; gateway alone, 64 connections",
        )
