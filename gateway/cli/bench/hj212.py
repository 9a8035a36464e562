"""HJ 212: two thousand stations, each on its own connection, that report every thirty seconds to the running gateway."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path
from typing import Final

import httpx

from gateway.cli.bench.cpu import spent
from gateway.cli.bench.figure import Figure
from gateway.cli.bench.service import CONFIG, Service, running
from gateway.cli.bench.simulator import simulating
from gateway.cli.remote import ask
from gateway.clock import CityClock
from gateway.errors import CitygateError, LinkError
from simulators.hj212_fleet import PRODUCT, mn

STATIONS: Final = 2_000
PERIOD: Final = 30.0  # seconds
FLEET: Final = "simulators.hj212_fleet"
DOOR: Final = """
[hj212]
enabled = true
host = "127.0.0.1"
port = {port}
"""


async def hj212(seconds: float, stations: int = STATIONS, period: float = PERIOD) -> list[Figure]:
    """The lines of HJ 212; a figure with an error where it fails."""
    name = f"HJ 212: {stations:,} stations, {period:g} s"
    try:
        return await _measured(name, seconds, stations, period)
    except (CitygateError, OSError, httpx.HTTPError) as error:
        return [Figure(name, "", error=f"{type(error).__name__}: {error}")]


async def _measured(name: str, seconds: float, stations: int, period: float) -> list[Figure]:
    """From the sample to its 9014, greeting and settings of every station among the load."""
    clock, port = CityClock(), _free_port()
    with tempfile.TemporaryDirectory(prefix="citygate-bench-") as given:
        folder = Path(given)
        async with running(folder, CONFIG + DOOR.format(port=port)) as service:
            await _enrol(service, stations)
            async with simulating(folder, FLEET, port, stations, period) as fleet:
                began, used = clock.monotonic(), spent(service.process.pid, [fleet.pid])
                await clock.sleep(max(seconds, period))  # everyone reports once at least
                passed = clock.monotonic() - began
                used = spent(service.process.pid, [fleet.pid]).since(used)
                report = json.loads(await fleet.finish())
    if not report["acknowledged"]:
        raise LinkError(f"no station was answered: {report}")
    waits, busy = report["latency_ms"], used.gateway / passed
    note = (
        f"{report['acknowledged']:,} uploads, {report['unanswered']} unanswered, {report['again']} sent again, "
        f"{report['connected']:,} connected at the end"
    )
    load = f"gateway {busy:.0%} of a core; others {(used.machine - used.ours) / passed:.0%}; longest {waits['max']:.0f}"
    n = report["acknowledged"]
    return [
        Figure(f"{name}: 9014 p50", "ms", waits["p50"], samples=n, note=note),
        Figure(f"{name}: 9014 p99", "ms", waits["p99"], samples=n, note=load),
    ]


async def _enrol(service: Service, stations: int) -> None:
    roll = "id,product,lat,lon\n" + "".join(f"{mn(n)},{PRODUCT},31.2,121.4\n" for n in range(stations))
    done = await ask(service.remote, "POST", "/devices/import", content=roll.encode())
    if len(done["created"]) < stations:
        raise LinkError(f"only {len(done['created'])} of {stations} stations could be registered")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
