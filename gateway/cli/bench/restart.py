"""How soon a gateway is ready again: a start with nothing to replay, and one whose snapshot is a million readings old."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from msgspec import Struct

from drivers.families import FAMILIES
from drivers.telemetry import MINUTE, Batch
from gateway.app import App
from gateway.cli.bench.carrier import StepClock
from gateway.cli.bench.cpu import spent
from gateway.cli.bench.figure import Figure, of
from gateway.cli.bench.service import running
from gateway.cli.bench.town import Town
from gateway.clock import CityClock
from gateway.config import Config
from gateway.errors import CitygateError, LinkError
from gateway.history.duck import History

READINGS: Final = 1_000_000
DEVICES: Final = 10_000
CUTS: Final = 5  # ticks of a minute
BUDGET: Final = 5.0  # seconds
REPLAYED: Final = "citygate_replayed_ticks"
READY: Final = "http://local/readyz"


class Start(Struct, frozen=True):
    """passed, busy: seconds until it was ready, as time passed and of its own CPU time. ticks: replayed."""

    passed: float
    busy: float
    ticks: float


async def restarts(readings: int = READINGS, devices: int = DEVICES) -> list[Figure]:
    """From the start of the process until it says that it is ready; a figure with an error where it fails."""
    name = f"ready with {readings:,} readings to replay"
    clock, minutes = CityClock(), -(-readings // devices)
    town = Town(devices, clock.now() - minutes * MINUTE)
    try:
        with tempfile.TemporaryDirectory(prefix="citygate-bench-") as given:
            folder = Path(given)
            config = Config(data=folder / "data")
            await _enrol(config, town)
            idle = await _start(folder)
            await _write(config, town, minutes)
            busy = await _start(folder)
    except (CitygateError, OSError, httpx.HTTPError) as error:
        return [Figure(name, "s", error=f"{type(error).__name__}: {error}")]
    return [
        of("ready with nothing to replay", "s", [idle.passed], note=f"{idle.busy:.1f} s of CPU"),
        of(
            name,
            "s",
            [busy.passed],
            BUDGET,
            note=f"{busy.busy:.1f} s of CPU; {busy.ticks:,.0f} ticks, all packs",
        ),
    ]


async def _enrol(config: Config, town: Town) -> None:
    """Ends with a snapshot of a city that has said nothing."""
    async with App(config, StepClock(town.start - MINUTE), listening=False) as app:
        await app.core.devices.import_csv(io.BytesIO(town.registry()), "bench")


async def _write(config: Config, town: Town, minutes: int) -> None:
    """What the gateway would have committed after its snapshot, a reading of each device a minute."""
    with History(config.data / "history", FAMILIES, config.history, CityClock()) as history:
        for minute in range(minutes):
            batches = [town.batch(family, minute) for family in FAMILIES]
            for cut in range(CUTS):
                some = [_of(batch, cut) for batch in batches]
                fresh = [np.zeros(len(batch), bool) for batch in some]
                await history.commit(history.last_tick() + 1, some, [], fresh)
            if history.checkpoint_due():
                await history.checkpoint()


def _of(batch: Batch, cut: int) -> Batch:
    """The devices that report in this part of the minute."""
    some = batch.take(batch.device % CUTS == cut)
    some.time[:] = some.received[:] = some.time + cut * (MINUTE // CUTS)
    return some


async def _start(folder: Path) -> Start:
    clock = CityClock()
    began = clock.monotonic()
    async with running(folder) as service:
        answer = await service.remote.get(READY)
        passed, busy = clock.monotonic() - began, spent(service.process.pid, []).gateway
        if not answer.is_success:
            raise LinkError(f"not ready: {answer.text}")
        return Start(passed, busy, (await service.counts(REPLAYED))[0])
