"""Resident memory of everything in one process, idle and after load."""

import time

from measuring import load
from platform_process import Platform


def measure(bench):
    with Platform(bench.binary) as whole:
        time.sleep(1)
        idle = load.resident_mib([whole.process.pid])
        fields = {"Authorization": "Bearer " + whole.sign_in(*whole.make_admin())["access_token"]}
        signed_in = load.resident_mib([whole.process.pid])
        load.run(whole.url() + "/api_v1/users/me", [whole.process.pid], 2 * bench.seconds, 64, fields)
        after = load.resident_mib([whole.process.pid])
    bench.data.update(idle_mib=idle, signed_in_mib=signed_in, after_mib=after)
    bench.goal("serve, everything in one process, idle", idle, most=40, form=".1f", unit=" MiB")
    bench.row("the same after a user was created and signed in", f"{signed_in:.1f} MiB", "one hash takes 19 MiB")
    bench.row("the same after the run", f"{after:.1f} MiB", "the goal is 80 after 1,000,000 requests")
