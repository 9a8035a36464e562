"""End to end: the gateway in one process, a flood in another, over real sockets. A load that fails is a line that says so."""

from __future__ import annotations

import io
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
from msgspec import Struct

from gateway.cli.bench import probe
from gateway.cli.bench.cpu import spent
from gateway.cli.bench.figure import Figure, quantile
from gateway.cli.bench.flood import Plan, flooding
from gateway.cli.bench.service import Service, running
from gateway.cli.bench.town import SEED
from gateway.cli.remote import ask
from gateway.clock import CityClock, Clock
from gateway.errors import CitygateError
from simulators.world.city import City

MANY: Final = 10_000
RATE: Final = "msg/s"
MS: Final = "ms"
ACKED: Final = "citygate_acked_total"
SETTLED: Final = 1.0  # real seconds between the first messages and the first that count


class Seen(Struct):
    """What a load showed. alarms, gaps: real seconds."""

    rate: float = 0.0
    busy: float = 0.0  # CPU seconds of the gateway a second
    others: float = 0.0  # and of whoever else used the machine
    latency: dict[str, float] = {}
    report: dict[str, Any] = {}
    alarms: list[float] = []
    gaps: list[float] = []


class Load(Struct, frozen=True):
    """name: of the line that stands for it where it fails. watch: what our own devices do meanwhile."""

    name: str
    plan: Plan
    figures: Callable[[Seen], list[Figure]]
    watch: str = ""  # alarms | gaps


Observe = Callable[[Load, float], Awaitable[Seen]]


def _cost(seen: Seen) -> str:
    """CPU of all the gateway's threads: with neighbours on the machine this says more than the rate."""
    each = 1e6 * seen.busy / max(seen.rate, 1.0)
    return f"gateway {seen.busy:.0%} of a core, {each:.0f} µs a message; others {seen.others:.0%}"


def _throughput(name: str, budget: float | None) -> Callable[[Seen], list[Figure]]:
    def figures(seen: Seen) -> list[Figure]:
        note = f"{_cost(seen)}; ack p50 {seen.latency['p50']:.0f} ms"
        return [Figure(name, RATE, seen.rate, samples=1, budget=budget, least=True, note=note)]

    return figures


def _latency(rate: int, p50: float, p99: float) -> Callable[[Seen], list[Figure]]:
    def figures(seen: Seen) -> list[Figure]:
        at = f"at {rate:,} msg/s"
        told = f"{seen.rate:,.0f} msg/s acked; {_cost(seen)}"
        n, acks = seen.report["acked"], seen.latency
        turns = [1e3 * one for one in seen.alarms]
        found = [
            Figure(f"ack p50 {at}", MS, acks["p50"], samples=n, budget=p50, note=told),
            Figure(
                f"ack p99 {at}", MS, acks["p99"], samples=n, budget=p99, note=f"longest {acks['max']:.0f}"
            ),
        ]
        for share, budget in ((0.5, p50), (0.99, p99)):
            value = quantile(turns, share)
            note = f"{len(turns)} transitions by the event stream; longest {max(turns):.0f}"
            found.append(
                Figure(
                    f"alarm p{share * 100:.0f} {at}", MS, value, samples=len(turns), budget=budget, note=note
                )
            )
        return found

    return figures


def _gap(seen: Seen) -> list[Figure]:
    gaps = [1e3 * gap for gap in seen.gaps]
    note = f"{seen.rate:,.0f} msg/s acked; {_cost(seen)}"
    return [
        Figure(
            "longest gap between acks at 50,000 msg/s",
            MS,
            max(gaps),
            samples=len(gaps),
            budget=100,
            note=note,
        )
    ]


LOADS: Final = (
    Load(
        "flat out, 100 connections",
        Plan(100, burst=100, window=200),
        _throughput("flat out, 100 connections", None),
    ),
    Load(
        "flat out, 10,000 connections, a message a write",
        Plan(MANY, burst=1, window=2),
        _throughput("flat out, 10,000 connections, a message a write", None),
    ),
    Load(
        "flat out, 10,000 connections, 3 messages a write",
        Plan(MANY, burst=3, window=3),
        _throughput("flat out, 10,000 connections, 3 messages a write", 100_000),
    ),
    Load("at 2,000 msg/s, 10,000 connections", Plan(MANY, 2_000), _latency(2_000, 20, 40), "alarms"),
    Load("at 20,000 msg/s, 10,000 connections", Plan(MANY, 20_000), _latency(20_000, 25, 60), "alarms"),
    Load("at 50,000 msg/s, 10,000 connections", Plan(MANY, 50_000), _gap, "gaps"),
)


async def measure(load: Load, seconds: float, observe: Observe | None = None) -> list[Figure]:
    """The load's figures; one with an error where it failed."""
    try:
        return load.figures(await (observe or _seen)(load, seconds))
    except (CitygateError, OSError, httpx.HTTPError) as error:
        return [Figure(load.name, "", error=f"{type(error).__name__}: {error}")]


async def _seen(load: Load, seconds: float) -> Seen:
    clock = CityClock()
    async with running() as service:
        secrets = await enrol(service, load.plan.connections, clock)
        ours = await probe.enrol(service, {"alarms": 1, "gaps": probe.STROKES}.get(load.watch, 0))
        async with (
            flooding(service, load.plan, secrets, clock) as flood,
            probe.connected(service, ours, clock) as probes,
        ):
            await clock.sleep(SETTLED)
            seen = await _observed(service, load.watch, probes, seconds, [flood.pid, os.getpid()])
        seen.report, seen.latency = flood.report, flood.report["latency_ms"]
        return seen


async def enrol(service: Service, n: int, clock: Clock) -> dict[str, str]:
    """The city's devices, through the import that a city would use; secrets by device."""
    roll = io.StringIO()
    City.build(n, SEED, clock.now()).write_registry(roll)
    done = await ask(service.remote, "POST", "/devices/import", content=roll.getvalue().encode())
    return {one["id"]: one["secret"] for one in done["created"]}


async def _observed(
    service: Service, watch: str, probes: list[probe.Probe], seconds: float, ours: list[int]
) -> Seen:
    """ours: processes of the benchmark beside the gateway."""
    seen, clock, pid = Seen(), CityClock(), service.process.pid
    (before,) = await service.counts(ACKED)
    began, used = clock.monotonic(), spent(pid, ours)
    if watch == "alarms":
        seen.alarms = await probe.alarms(service, probes[0], seconds, clock)
    elif watch == "gaps":
        seen.gaps = await probe.metronome(probes, seconds, clock)
    else:
        await clock.sleep(seconds)
    (after,) = await service.counts(ACKED)
    passed, used = clock.monotonic() - began, spent(pid, ours).since(used)
    seen.rate, seen.busy = (after - before) / passed, used.gateway / passed
    seen.others = (used.machine - used.ours) / passed
    return seen
