"""Users read by their ids, straight from the users service, beside the bare driver that makes the same query on the same server."""

import contextlib

from benches.lists import HASH
from measuring import load
from measuring.bench import ratio
from measuring.postgres import Postgres
from measuring.process import Process
from platform_process import Platform
from rivals import floor

CONNECTIONS = 64
#: Whose rows are read, by turns: one that is read again and again would cost less than it does.
USERS = 1000
SCRIPT = f"""
local count = 0
function request()
  count = count + 1
  return wrk.format("GET", "/api_v1/users/" .. count % {USERS} + 1)
end
"""
ACCOUNT = "bench"


def measure(bench):
    program = floor.build("database") / "read-by-id"
    for name in ("SQLite", "PostgreSQL"):
        with contextlib.ExitStack() as running:
            settings = {"log.level": "warn"}
            if name == "PostgreSQL":
                settings.update(running.enter_context(Postgres()).settings)
            whole = running.enter_context(Platform(bench.binary, settings))
            fill(whole)
            url = settings.get("users.database_url", f"sqlite://{whole.settings['data_dir']}/users.db")
            bare = running.enter_context(Process("read-by-id", lambda server: [program, server.address, url]))
            found = rounds(bench, whole, secret(whole), bare)
        bench.data[name] = found
        bench.measured(f"users service, {name}", found["platform"], "internal token, contract, rules")
        bench.measured(f"bare sqlx, {name}", found["bare"], "the same query, columns and server")
        bench.goal(f"of the bare driver, per CPU second, {name}", ratio(found["platform"], found["bare"]), least=0.8)
        bench.row(f"of the bare driver, requests a second, {name}", f"{ratio(found['platform'], found['bare'], 'requests_per_second'):.2f}")


def rounds(bench, whole, password, bare):
    """By turns as ever; a new token for each round, since it lives for a minute."""
    found = {"platform": [], "bare": []}
    for number in range(bench.rounds + 1):
        subjects = {
            "platform": (whole.url("users"), [whole.process.pid], {"Authorization": f"Bearer {token(whole, password)}"}),
            "bare": (bare.url, [bare.pid], {}),
        }
        for name, (url, pids, fields) in subjects.items():
            one = load.run(url, pids, bench.seconds if number else 1, CONNECTIONS, fields, SCRIPT)
            if number:
                found[name].append(one)
    return {name: load.spread(each) for name, each in found.items()}


def fill(whole):
    """Makes the users, 1 to the last."""
    path = whole.folder / "users.csv"
    rows = (f"user{number}@example.com,{HASH},First{number},Last{number}" for number in range(USERS))
    path.write_text("\n".join(["email,password_hash,first_name,last_name", *rows]) + "\n")
    done = whole.command("user", "import", str(path))
    if done.returncode:
        raise RuntimeError(done.stderr)


def secret(whole):
    """The secret of an account that may read users directly."""
    done = whole.command("service-account", "create", ACCOUNT, "--role", "admin", "--scope", "users:read", "--audience", "users")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def token(whole, password):
    """An internal token for the users service, as a service's account gets it."""
    done = whole.command("token", "issue", "--service-account", ACCOUNT, "--audience", "users", "--secret-stdin", stdin=password + "\n")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()
