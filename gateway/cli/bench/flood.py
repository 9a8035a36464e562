"""The simulators' flood in a process of its own: it comes up, floods as long as it is let, and reports."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.cli.bench.service import Service, end, last_words
from gateway.cli.bench.town import SEED
from gateway.clock import Clock
from gateway.errors import LinkError

RAMP: Final = 2_000  # connections a second
SLOWEST: Final = 200  # connections a second below which we give up waiting
LOOK: Final = 0.1  # real seconds between two looks


class Plan(Struct, frozen=True):
    """One load. rate: messages a second, 0 = as fast as they are acknowledged. burst: messages in one write of a device.

    window: unacknowledged messages of a device.
    """

    connections: int
    rate: int = 0
    burst: int = 1
    window: int = 64


class Flood:
    """`report` is there once the block was left."""

    def __init__(self, folder: Path) -> None:
        self.pid = 0
        self.process: Process
        self.file = folder / "flood.json"
        self.errors = folder / "flood.errors"
        self.report: dict[str, Any] = {}


@asynccontextmanager
async def flooding(
    service: Service, plan: Plan, secrets: Mapping[str, str], clock: Clock
) -> AsyncIterator[Flood]:
    """Connected and sending inside the block. Raises LinkError."""
    async with started(service.folder, service.port, plan, secrets) as flood:
        await _connected(service, plan, flood, clock)
        yield flood


@asynccontextmanager
async def started(folder: Path, port: int, plan: Plan, secrets: Mapping[str, str]) -> AsyncIterator[Flood]:
    """On its way to whoever listens there; gone after the block, with its report. Raises LinkError."""
    flood = Flood(folder)
    words = folder / "secrets.json"
    words.write_text(json.dumps(secrets), encoding="utf-8")
    given: dict[str, object] = {
        "--mode": "flood",
        "--devices": plan.connections,
        "--seed": SEED,
        "--to": f"127.0.0.1:{port}",
        "--secrets": words,
        "--rate": plan.rate,
        "--burst": plan.burst,
        "--window": plan.window,
        "--ramp": RAMP,
        "--report": flood.file,
    }
    arguments = [str(word) for pair in given.items() for word in pair]
    flood.file.unlink(missing_ok=True)
    with flood.errors.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulators", *arguments), stdin=DEVNULL, stdout=DEVNULL, stderr=file
        )
    flood.pid, flood.process = process.pid, process
    try:
        yield flood
    finally:
        await end(process)
    if process.returncode or not flood.file.exists():
        raise LinkError(f"the flood ended with {process.returncode}: {last_words(flood.errors)}")
    flood.report = json.loads(flood.file.read_text("utf-8"))


async def _connected(service: Service, plan: Plan, flood: Flood, clock: Clock) -> None:
    """All connections stand and the first messages are acknowledged."""
    patience = 30.0 + plan.connections / SLOWEST
    began, (before,) = clock.monotonic(), await service.counts("citygate_acked_total")
    there = 0.0
    while clock.monotonic() - began < patience and flood.process.returncode is None:
        there, acked = await service.counts("citygate_mqtt_connections", "citygate_acked_total")
        if there >= plan.connections and acked > before:
            return
        await clock.sleep(LOOK)
    raise LinkError(f"{there:.0f} of {plan.connections} connections after {clock.monotonic() - began:.0f} s")
