"""A typed read with a token through the gateway, beside plain proxies and other gateways, all to the same stub service."""

import contextlib

from measuring import ours
from measuring.bench import ratio
from measuring.stub import USER_JSON
from rivals import envoy, fast_gateway, floor, haproxy, nginx, replaced, traefik

PATH = "/api_v1/users/1"
#: What each does with a request, for table and chart.
LABELS = {
    "platform": "platform: token, contract checked",
    "logged": "platform, with its access log",
    "nginx": "nginx proxy_pass",
    "haproxy": "HAProxy",
    "envoy": "Envoy",
    "traefik": "Traefik",
    "fast-gateway": "fast-gateway (node)",
    "replaced": "FastAPI + aiohttp: token, model",
    "floor": "bare hyper, 2 workers",
    "floor token": "bare hyper, 2 workers, token",
}
#: Ratios per CPU second that ours is to reach against others.
GOALS = {"nginx": 0.75, "haproxy": None, "envoy": 3, "traefik": 3, "fast-gateway": None, "replaced": None, "floor": None, "floor token": None}


def measure(bench):
    versions(bench)
    floor.build()
    with contextlib.ExitStack() as running:
        stub = running.enter_context(nginx.stub(USER_JSON))
        subjects = {}
        for name, settings in (("logged", {"log.level": "info"}), ("platform", {})):
            gateway, fields = running.enter_context(ours.gateway(bench, stub, settings=settings))
            subjects[name] = ours.subject(gateway, PATH, fields)
        # All others get a token of the same length, whether they look at it or not.
        for name, rival in rivals(stub.address).items():
            subjects[name] = ours.subject(running.enter_context(rival), PATH, fields)
        hs256 = {"Authorization": "Bearer " + replaced.token()}
        for name in ("replaced", "floor token"):
            subjects[name] = (*subjects[name][:2], hs256)
        busy = bench.by_turns(subjects)
        few = {name: subjects[name] for name in ("platform", "nginx", "floor")}
        one = bench.by_turns({**few, "direct": ours.subject(stub, PATH, fields)}, connections=1, seconds=bench.shorter())
    bench.data.update({"64 connections": busy, "1 connection": one})
    report(bench, busy, one)


def versions(bench):
    """Of all that is measured beside ours."""
    for module in (nginx, haproxy, envoy, traefik, fast_gateway):
        bench.versions[module.__name__.rpartition(".")[2].replace("_", "-")] = module.version()
    bench.versions.update(replaced.versions())
    bench.versions["hyper"] = floor.version("hyper")


def rivals(upstream):
    """All, not yet started."""
    return {
        "nginx": nginx.proxy(upstream),
        "haproxy": haproxy.proxy(upstream),
        "envoy": envoy.proxy(upstream),
        "traefik": traefik.proxy(upstream),
        "fast-gateway": fast_gateway.proxy(upstream),
        "replaced": replaced.gateway(upstream),
        "floor": floor.proxy(upstream),
        "floor token": floor.proxy(upstream, "--token", replaced.SECRET),
    }


def report(bench, busy, one):
    """The rows and the chart."""
    for name, found in busy.items():
        bench.measured(LABELS[name], found)
    for name, least in GOALS.items():
        what, value = f"platform against {LABELS[name]}, per CPU second", ratio(busy["platform"], busy[name])
        if least is None:
            bench.row(what, f"{value:.2f}")
        else:
            bench.goal(what, value, least=least)
    bench.row("the floor: bare hyper with a token against nginx proxy_pass, per CPU second", f"{ratio(busy['floor token'], busy['nginx']):.2f}")
    bench.goal("p99 at 64 connections, of nginx's", ratio(busy["platform"], busy["nginx"], "p99_ms"), most=2)
    base = one["direct"]["p50_ms"]["median"]
    added = {name: one[name]["p50_ms"]["median"] - base for name in ("platform", "nginx", "floor")}
    bench.goal(
        "added p50 at 1 connection, of nginx's", added["platform"] / added["nginx"], most=1.5,
        note=f"{added['platform'] * 1000:.0f} µs, nginx {added['nginx'] * 1000:.0f} µs, direct {base * 1000:.0f} µs",
    )
    bench.row("the floor: bare hyper's added p50 at 1 connection, of nginx's", f"{added['floor'] / added['nginx']:.2f}")
    bench.chart_spreads("A read of 250 B, 64 connections", {LABELS[name]: found for name, found in busy.items()})
