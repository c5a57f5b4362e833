"""Sign-ins on all cores beside Argon2id alone at the same parameters; and what a storm of them does to others' reads."""

import json
import os
import subprocess

from benches import identity
from measuring import load
from measuring.bench import text
from platform_process import Platform
from rivals import floor

#: As the platform hashes: `users.argon2_memory_kib`, `users.argon2_iterations`.
MEMORY_KIB, PASSES = 19456, 2


def measure(bench):
    program = floor.build() / "hashes"
    cores = os.cpu_count()
    signed, hashed = [], []
    # One account from one address signs in all the time here, which the throttle would slow down.
    settings = {"log.level": "warn", "gateway.login_attempts": 1000}
    with Platform(bench.binary, settings) as platform:
        account, pids = platform.make_admin(), [platform.process.pid]
        url, script = platform.url() + "/api_v1/auth/access", identity.credentials(account)
        load.run(url, pids, 1, identity.SIGNING_IN, script=script)
        for _ in range(bench.rounds):
            signed.append(load.run(url, pids, bench.seconds, identity.SIGNING_IN, script=script))
            told = subprocess.run([program, *map(str, (cores, bench.seconds, MEMORY_KIB, PASSES))], capture_output=True, text=True, check=True)
            alone = json.loads(told.stdout)
            hashed.append({"hashes_per_second": alone["hashes"] / alone["seconds"]})
        bench.data.update(sign_in=load.spread(signed), hashes=load.spread(hashed))
        identity.storm(bench, bench.rounds, platform, account, bench.data)
    sign_in, hashes = bench.data["sign_in"]["requests_per_second"], bench.data["hashes"]["hashes_per_second"]
    bench.row(f"sign-ins, {identity.SIGNING_IN} at once", f"{text(sign_in, '.1f')} a second")
    bench.row(f"Argon2id alone, {cores} threads", f"{text(hashes, '.1f')} a second", f"{MEMORY_KIB} KiB, {PASSES} passes")
    bench.goal("sign-ins of Argon2id's rate", sign_in["median"] / hashes["median"], least=0.95)
    calm, storm = (bench.data["storm"][name]["p99_ms"]["median"] for name in ("calm", "storm"))
    bench.goal("p99 of reads in a storm of sign-ins, of the calm one", storm / calm, most=2, note=f"{storm:.1f} ms, {calm:.1f} ms without")
