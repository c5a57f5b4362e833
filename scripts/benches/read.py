"""A typed read with a token through the gateway, beside plain proxies, all to the same stub service."""

import contextlib

from measuring.bench import ratio
from measuring.stub import ISSUER, USER_JSON
from platform_process import Platform
from rivals import nginx

PATH = "/api_v1/users/1"


def measure(bench):
    bench.versions["nginx"] = nginx.version()
    settings = {"gateway.public_url": ISSUER}
    with contextlib.ExitStack() as running:
        whole = running.enter_context(Platform(bench.binary, settings))
        stub = running.enter_context(nginx.stub(USER_JSON))
        fields = {"Authorization": "Bearer " + whole.sign_in(*whole.make_admin())["access_token"]}
        # The same installation again, its gateway alone, over the stub: the session and the keys are known to it.
        whole.process.terminate()
        whole.process.wait(15)
        apart = {**settings, "data_dir": whole.settings["data_dir"], "users.url": stub.url}
        with Platform(bench.binary, apart, ["gateway"]) as gateway:
            logged = bench.by_turns({"platform": (gateway.url() + PATH, [gateway.process.pid], fields)})["platform"]
        # The others write no access log either; what ours costs is a row of its own.
        gateway = running.enter_context(Platform(bench.binary, {**apart, "log.level": "warn"}, ["gateway"]))
        proxy = running.enter_context(nginx.proxy(stub.address))
        subjects = {
            "platform": (gateway.url() + PATH, [gateway.process.pid], fields),
            "nginx": (proxy.url + PATH, [proxy.pid], fields),
        }
        busy = bench.by_turns(subjects)
        one = bench.by_turns({**subjects, "direct": (stub.url + PATH, [stub.pid], fields)}, connections=1)
    bench.data.update({"64 connections": busy, "1 connection": one, "with access log": logged})
    report(bench, busy, one, logged)


def report(bench, busy, one, logged):
    """The rows and the chart."""
    bench.measured("platform: token, contract checked", busy["platform"])
    bench.measured("platform, with its access log", logged)
    bench.measured("nginx proxy_pass", busy["nginx"])
    bench.goal("of nginx, per CPU second", ratio(busy["platform"], busy["nginx"]), least=0.75)
    bench.goal("p99 at 64 connections, of nginx's", ratio(busy["platform"], busy["nginx"], "p99_ms"), most=2)
    base = one["direct"]["p50_ms"]["median"]
    added = {name: one[name]["p50_ms"]["median"] - base for name in ("platform", "nginx")}
    bench.goal(
        "added p50 at 1 connection, of nginx's", added["platform"] / added["nginx"], most=1.5,
        note=f"{added['platform'] * 1000:.0f} µs, nginx {added['nginx'] * 1000:.0f} µs, direct {base * 1000:.0f} µs",
    )
    labels = {"platform": "platform: token + contract", "nginx": "nginx proxy_pass"}
    bench.chart_spreads("A typed read through the gateway, 64 connections", {label: busy[name] for name, label in labels.items()})
