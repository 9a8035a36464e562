"""One device's last day, asked again and again while ten thousand devices go on talking; and what a row costs the disk."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb
import httpx
import numpy as np

from drivers.families import FAMILIES
from drivers.telemetry import DAY, MINUTE, SECOND, Batch, Quality
from gateway.app import App
from gateway.cli.bench import part
from gateway.cli.bench.cpu import spent
from gateway.cli.bench.figure import Figure, of, quantile
from gateway.cli.bench.flood import Plan, flooding
from gateway.cli.bench.service import Service, running
from gateway.cli.bench.town import POINTS, SEED
from gateway.clock import CityClock, Clock
from gateway.config import Config
from gateway.errors import CitygateError, LinkError
from gateway.history.duck import History
from gateway.history.manifest import Part
from gateway.history.settings import HistorySettings
from rules.control import GatewayUp
from simulators.world.city import City

if TYPE_CHECKING:
    from drivers.telemetry import Int32, Int64

DEVICES: Final = 10_000
RATE: Final = 20_000  # messages a second
SOON: Final = 100.0  # ms
SMALL: Final = 8.0  # bytes
TICK: Final = 20_000  # µs
DELAY: Final = 60_000  # µs: median of a network's, which varies by half
PAUSE: Final = 0.05  # real seconds between two questions
MINUTES: Final = DAY // MINUTE
MISSING: Final = 5  # readings of the day that may not be there, at its ends
PATIENCE: Final = 120.0


class Written(NamedTuple):
    """Of the parts of whole days, by family."""

    rows: dict[str, int]
    bytes: dict[str, int]


async def days(seconds: float, devices: int = DEVICES, rate: int = RATE) -> list[Figure]:
    """The lines of a day's query and of a row's bytes; a figure with an error where it fails."""
    rows = devices * MINUTES
    name = f"one device's last 24 h among {rows / 1e6:.1f} M rows, beside {rate:,} msg/s"
    clock = CityClock()
    end = clock.now() // MINUTE * MINUTE
    city = City.build(devices, SEED, end - DAY)
    try:
        with tempfile.TemporaryDirectory(prefix="citygate-bench-") as given:
            folder = Path(given)
            config = Config(data=folder / "data")
            written = await _write(config, city, end)
            secrets = await _enrol(config, city)
            async with (
                running(folder, patience=PATIENCE) as service,
                flooding(service, Plan(devices, rate), secrets, clock) as flood,
            ):
                found = await _asked(service, city, seconds, clock, name, flood.pid)
    except (CitygateError, OSError, httpx.HTTPError, duckdb.Error) as error:
        return [Figure(name, "ms", budget=SOON, error=f"{type(error).__name__}: {error}")]
    return [*found, _small(written)]


async def _write(config: Config, city: City, end: int) -> Written:
    """A reading a minute of each device over the day before `end`, before the first tick of whoever opens it next."""
    start, rng = end - DAY, np.random.default_rng(SEED)
    with History(config.data / "history", FAMILIES, config.history, CityClock()) as history:
        con = history.cursor()
        try:
            parts = [
                made
                for family in FAMILIES
                for made in _parts(con, history, city, family, range(start, end, MINUTE), rng)
            ]
        finally:
            con.close()
        await history.relist(parts, [])
        await history.commit(2 + DAY // TICK, [], [GatewayUp(end, end)], [])
    whole = [each for each in parts if each.settled]
    families = {each.family for each in whole}
    return Written(
        {name: sum(each.rows for each in whole if each.family == name) for name in families},
        {name: sum(each.bytes for each in whole if each.family == name) for name in families},
    )


def _parts(
    con: duckdb.DuckDBPyConnection,
    history: History,
    city: City,
    family: str,
    minutes: range,
    rng: np.random.Generator,
) -> Iterator[Part]:
    """Of yesterday one a range of devices, settled; of today one a span of all devices, as they become parts by and by."""
    everyone, most = city.cohorts[family].everyone(), HistorySettings().part_rows
    midnight = minutes.stop // DAY * DAY
    past, today = (
        np.array([t for t in minutes if (t < midnight) == over], np.int64) for over in (True, False)
    )
    share = max(1, most // max(1, len(past)))
    pieces = [(everyone[at : at + share], past) for at in range(0, len(everyone), share) if len(past)]
    span = max(1, most // len(everyone))
    pieces += [(everyone, today[at : at + span]) for at in range(0, len(today), span)]
    for n, (some, times) in enumerate(pieces, 1):
        batch = _said(city, family, some, times, rng)
        tick = 1 + (batch.received - minutes.start) // TICK
        yield part.write(con, history, batch, tick, n, settled=times is past)


def _said(city: City, family: str, devices: Int32, times: Int64, rng: np.random.Generator) -> Batch:
    """A device speaks at a second of the minute that is its own, and is heard after a delay that is not."""
    batch = Batch.empty(FAMILIES[family], len(devices) * len(times))
    batch.device[:] = np.repeat(devices, len(times))
    batch.time[:] = np.tile(times, len(devices)) + batch.device % 60 * SECOND
    batch.received[:] = batch.time + (DELAY * rng.lognormal(0, 0.5, len(batch))).astype(np.int64)
    columns = city.values(family, batch.device, batch.time)
    for name in POINTS[family]:
        row = batch.family.index[name]
        batch.values[row], batch.quality[row] = columns[name], Quality.GOOD
    return batch


async def _enrol(config: Config, city: City) -> dict[str, str]:
    """Secrets by device."""
    roll = io.StringIO()
    city.write_registry(roll)
    async with App(config, listening=False) as app:
        done = await app.core.devices.import_csv(io.BytesIO(roll.getvalue().encode()), "bench")
    return {one.id: one.secret for one in done.created}


async def _asked(
    service: Service, city: City, seconds: float, clock: Clock, name: str, flood: int
) -> list[Figure]:
    """Lamp after lamp, from the question until the whole answer is there."""
    lamps, took, rows = city.cohorts["streetlight"].ids, list[float](), 0
    began, used = clock.monotonic(), spent(service.process.pid, [flood, os.getpid()])
    (before,) = await service.counts("citygate_acked_total")
    while clock.monotonic() - began < seconds:
        device = lamps[len(took) * 7919 % len(lamps)]
        asked = clock.monotonic()
        answer = await service.remote.get(f"/devices/{device}/readings", params={"limit": 2_000})
        took.append(1e3 * (clock.monotonic() - asked))
        answer.raise_for_status()
        rows = answer.content.count(b'"kind"')
        if rows < MINUTES - MISSING:
            raise LinkError(f"{device} said {rows} readings in a day, not {MINUTES}")
        await clock.sleep(PAUSE)
    passed, busy = clock.monotonic() - began, spent(service.process.pid, [flood, os.getpid()]).since(used)
    (after,) = await service.counts("citygate_acked_total")
    note = f"{rows:,} rows an answer; {(after - before) / passed:,.0f} msg/s acked meanwhile"
    load = f"longest {max(took):.0f}; gateway {busy.gateway / passed:.0%} of a core"
    return [
        of(f"{name}: p50", "ms", took, SOON, note=note),
        Figure(f"{name}: p99", "ms", quantile(took, 0.99), samples=len(took), budget=SOON, note=load),
    ]


def _small(written: Written) -> Figure:
    each = ", ".join(
        f"{name} {written.bytes[name] / rows:.1f}" for name, rows in sorted(written.rows.items())
    )
    if not written.rows:
        return Figure(
            "a row of five points after compaction", "bytes", error="no whole day lies in the last 24 h"
        )
    value = sum(written.bytes.values()) / sum(written.rows.values())
    return of("a row of five points after compaction", "bytes", [value], SMALL, note=each)
