"""A city of a million devices, each heard once: how soon a gateway is ready for it again, and in how much memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from msgspec import Struct

from drivers.families import FAMILIES
from drivers.telemetry import MINUTE
from gateway.app import App
from gateway.cli.bench.carrier import StepClock
from gateway.cli.bench.cpu import spent
from gateway.cli.bench.figure import Figure, of
from gateway.cli.bench.restart import READY
from gateway.cli.bench.service import running
from gateway.cli.bench.town import SEED, readings
from gateway.clock import CityClock
from gateway.config import Config
from gateway.errors import CitygateError, LinkError
from gateway.history.duck import History
from simulators.world.city import City

DEVICES: Final = 1_000_000
LAMPS: Final = {  # the cabinets first: a roll names a device's parent before it
    "cabinet": 0.01,
    "streetlight": 0.80,
    "manhole": 0.06,
    "dust": 0.005,
    "fume": 0.015,
    "parking": 0.11,
}
ROLL: Final = 200_000  # lines of an import
TICK: Final = 50_000  # readings
SOON: Final = 10.0  # seconds
SMALL: Final = 2048.0  # MiB
PATIENCE: Final = 300.0  # real seconds
SETTLED: Final = 5.0  # real seconds in service before memory is looked at


class Start(Struct, frozen=True):
    """passed, busy: seconds until it was ready, as time passed and of its own CPU time. now, most: MiB of memory."""

    passed: float
    busy: float
    now: float
    most: float


async def million(devices: int = DEVICES) -> list[Figure]:
    """Of a restart; a figure with an error where it fails."""
    clock = CityClock()
    began, city = clock.monotonic(), City.build(devices, SEED, clock.now(), LAMPS)
    try:
        with tempfile.TemporaryDirectory(prefix="citygate-bench-") as given:
            folder = Path(given)
            config = Config(data=folder / "data")
            await _enrol(config, city)
            await _speak(config, city)
            async with App(config, listening=False):
                pass  # it replays what was said, and ends with a snapshot
            made = clock.monotonic() - began
            start = await _start(folder)
    except (CitygateError, OSError, httpx.HTTPError) as error:
        return [Figure(f"{devices:,} devices", "s", error=f"{type(error).__name__}: {error}")]
    note = f"{start.busy:.1f} s of CPU; the city was made in {made:.0f} s"
    peak = f"at most {start.most:,.0f} MiB while it started"
    return [
        of(f"{devices:,} devices: ready", "s", [start.passed], SOON, note=note),
        of(f"{devices:,} devices: memory in service", "MiB", [start.now], SMALL, note=peak),
    ]


async def _enrol(config: Config, city: City) -> None:
    async with App(config, StepClock(city.start - MINUTE), listening=False) as app:
        for roll in _rolls(city):
            await app.core.devices.import_csv(io.BytesIO(roll), "bench")


def _rolls(city: City) -> Iterator[bytes]:
    file = io.StringIO()
    city.write_registry(file)
    file.seek(0)
    header = next(file)
    while lines := "".join(islice(file, ROLL)):
        yield (header + lines).encode()


async def _speak(config: Config, city: City) -> None:
    """A reading of each device, as the gateway would have committed it."""
    with History(config.data / "history", FAMILIES, config.history, CityClock()) as history:
        for family in FAMILIES:
            batch = readings(city, family, city.start)
            for start in range(0, len(batch), TICK):
                some = batch.take(np.arange(start, min(start + TICK, len(batch))))
                await history.commit(history.last_tick() + 1, [some], [], [np.zeros(len(some), bool)])


async def _start(folder: Path) -> Start:
    clock = CityClock()
    began = clock.monotonic()
    async with running(folder, patience=PATIENCE) as service:
        answer = await service.remote.get(READY)
        if not answer.is_success:
            raise LinkError(f"not ready: {answer.text}")
        passed, pid = clock.monotonic() - began, service.process.pid
        busy = spent(pid, []).gateway
        await clock.sleep(SETTLED)
        return Start(passed, busy, *_memory(pid))


def _memory(pid: int) -> tuple[float, float]:
    """Resident, and the most so far; MiB, where the system tells (Linux), NaN elsewhere."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return float("nan"), float("nan")
    found = dict(line.split(":", 1) for line in lines)
    now, most = (int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most
