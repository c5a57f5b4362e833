"""`GET /users/me` through the whole chain, gateway and users service as processes of their own, on SQLite; beside the same chain of bare
parts, and the recorded cost of the system that was replaced."""

import contextlib

from measuring.bench import ratio, text
from measuring.process import Process, free_port
from platform_process import Platform
from rivals import floor, replaced

#: CPU seconds that 10,000 of them took the replaced system, all processes.
REPLACED = 59
#: Who asks, by turns: a row that is read again and again would cost less than it does.
USERS = 32
OURS = """
local tokens, count = {{{tokens}}}, 0
function request()
  count = count + 1
  return wrk.format("GET", "/api_v1/users/me", {{ Authorization = "Bearer " .. tokens[count % #tokens + 1] }})
end
"""
BARE = """
local count = 0
function request()
  count = count + 1
  return wrk.format("GET", "/api_v1/users/" .. count % {users} + 1)
end
"""


def measure(bench):
    program = floor.build("database")
    listen = {name: f"127.0.0.1:{free_port()}" for name in ("gateway.listen", "users.listen")}
    settings = {**listen, "gateway.login_attempts": 1000, "log.level": "warn"}
    with contextlib.ExitStack() as running:
        whole = running.enter_context(Platform(bench.binary, settings))
        accounts = [whole.make_admin(f"user{number}@example.com") for number in range(USERS)]
        whole.process.terminate()
        whole.process.wait(15)
        both = {**settings, "data_dir": whole.settings["data_dir"]}
        users = running.enter_context(Platform(bench.binary, both, ["users"]))
        gateway = running.enter_context(Platform(bench.binary, both, ["gateway"]))
        tokens = ", ".join(f'"{gateway.sign_in(*account)["access_token"]}"' for account in accounts)
        database = f"sqlite://{whole.settings['data_dir']}/users.db"
        row = running.enter_context(Process("read-by-id", lambda server: [program / "read-by-id", server.address, database]))
        bare = running.enter_context(floor.proxy(row.address, "--token", replaced.SECRET))
        found = bench.by_turns(
            {
                "platform": (gateway.url(), [gateway.process.pid, users.process.pid], {}),
                "bare": (bare.url, [bare.pid, row.pid], {"Authorization": "Bearer " + replaced.token()}),
            },
            scripts={"platform": OURS.format(tokens=tokens), "bare": BARE.format(users=USERS)},
        )
    report(bench, found)


def report(bench, found):
    """The rows."""
    bench.data.update(found)
    ours = found["platform"]
    bench.measured("GET /users/me, gateway + users + SQLite", ours)
    bench.measured("bare hyper that checks a token + bare sqlx, a row by its id", found["bare"])
    bench.goal("the replaced system's recorded cost, against it", REPLACED / ours["cpu_per_10000"]["median"], least=100, form=".0f", unit=" times")
    bench.row("the bare parts' cost against it", f"{ratio(ours, found['bare']):.2f}", f"{text(found['bare']['cpu_per_10000'], '.2f')} CPU s per 10,000")
