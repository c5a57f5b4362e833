"""`GET /users/me` through the whole chain, gateway and users service as processes of their own, on SQLite."""

from measuring.bench import text
from measuring.process import free_port
from platform_process import Platform

#: CPU seconds that 10,000 of them took the replaced system, all processes.
REPLACED = 59


def measure(bench):
    ports = {name: f"127.0.0.1:{free_port()}" for name in ("gateway.listen", "users.listen")}
    with Platform(bench.binary, ports) as whole:
        account = whole.make_admin()
        whole.process.terminate()
        whole.process.wait(15)
        both = {**ports, "data_dir": whole.settings["data_dir"]}
        with Platform(bench.binary, both, ["users"]) as users, Platform(bench.binary, both, ["gateway"]) as gateway:
            fields = {"Authorization": "Bearer " + gateway.sign_in(*account)["access_token"]}
            url, pids = gateway.url() + "/api_v1/users/me", [gateway.process.pid, users.process.pid]
            found = bench.by_turns({"whole chain": (url, pids, fields)})["whole chain"]
    bench.data.update(found)
    bench.row(
        "GET /users/me, gateway + users + SQLite", f"{text(found['requests_per_second'], ',.0f')} requests/s",
        f"{text(found['cpu_per_10000'], '.2f')} CPU s per 10,000",
    )
    bench.goal("the replaced system's recorded cost, against it", REPLACED / found["cpu_per_10000"]["median"], least=100, form=".0f", unit=" times")
