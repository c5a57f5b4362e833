"""Sign-ins on all cores beside Argon2id alone at the same parameters; and what a storm of them does to others' reads."""

import concurrent.futures
import json
import os
import subprocess
import time

from measuring import load
from measuring.bench import text
from platform_process import Platform
from rivals import floor

#: As the platform hashes: `users.argon2_memory_kib`, `users.argon2_iterations`.
MEMORY_KIB, PASSES = 19456, 2
#: Connections that sign in at once: as many as keep every core hashing, and as many as come when all come back after an outage.
SIGNING_IN, STORM = 16, 500
#: A POST of one body.
POST = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[%s]]
"""


def measure(bench):
    program = floor.build() / "hashes"
    cores = os.cpu_count()
    signed, hashed = [], []
    # One account from one address signs in all the time here, which the throttle would slow down.
    settings = {"log.level": "warn", "gateway.login_attempts": 1000}
    with Platform(bench.binary, settings) as platform:
        account, pids = platform.make_admin(), [platform.process.pid]
        url, script = platform.url() + "/api_v1/auth/access", credentials(account)
        load.run(url, pids, 1, SIGNING_IN, script=script)
        for _ in range(bench.rounds):
            signed.append(load.run(url, pids, bench.seconds, SIGNING_IN, script=script))
            told = subprocess.run([program, *map(str, (cores, bench.seconds, MEMORY_KIB, PASSES))], capture_output=True, text=True, check=True)
            alone = json.loads(told.stdout)
            hashed.append({"hashes_per_second": alone["hashes"] / alone["seconds"]})
        bench.data.update(sign_in=load.spread(signed), hashes=load.spread(hashed))
        storm(bench, platform, account)
    sign_in, hashes = bench.data["sign_in"]["requests_per_second"], bench.data["hashes"]["hashes_per_second"]
    bench.row(f"sign-ins, {SIGNING_IN} at once", f"{text(sign_in, '.1f')} a second")
    bench.row(f"Argon2id alone, {cores} threads", f"{text(hashes, '.1f')} a second", f"{MEMORY_KIB} KiB, {PASSES} passes")
    bench.goal("sign-ins of Argon2id's rate", sign_in["median"] / hashes["median"], least=0.95)
    calm, stormy = (bench.data["storm"][name]["p99_ms"]["median"] for name in ("calm", "storm"))
    bench.goal("p99 of reads in a storm of sign-ins, of the calm one", stormy / calm, most=2, note=f"{stormy:.1f} ms, {calm:.1f} ms without")


def credentials(account):
    return POST % json.dumps(dict(zip(("email", "password"), account)))


def storm(bench, platform, account):
    """Reads while nobody signs in, and while hundreds do."""
    pids = [platform.process.pid]
    fields = {"Authorization": "Bearer " + platform.sign_in(*account)["access_token"]}
    read, sign_in = platform.url() + "/api_v1/users/me", platform.url() + "/api_v1/auth/access"
    calm, stormy, storms = [], [], []
    for _ in range(bench.rounds):
        calm.append(load.run(read, pids, bench.seconds, 16, fields))
        with concurrent.futures.ThreadPoolExecutor() as beside:
            signing = beside.submit(
                load.run, sign_in, pids, bench.seconds + 2, STORM, script=credentials(account), refused=True
            )
            time.sleep(1)
            stormy.append(load.run(read, pids, bench.seconds, 16, fields))
            storms.append(signing.result())
    bench.data["storm"] = spread = {"calm": load.spread(calm), "storm": load.spread(stormy), "sign_ins": load.spread(storms)}
    refused = sum(one["failed"] for one in storms) / sum(one["requests"] for one in storms)
    bench.data["storm"]["refused"] = refused
    for name, what in (("calm", "p99 of reads, nobody signing in"), ("storm", f"p99 of reads while {STORM} sign in at once")):
        one = spread[name]
        note = f"p50 {one['p50_ms']['median']:.1f} ms, {one['requests_per_second']['median']:,.0f} requests/s"
        if name == "storm":
            note += f"; {refused:.0%} of the sign-ins got 503"
        bench.row(what, f"{text(one['p99_ms'], '.1f')} ms", note)
