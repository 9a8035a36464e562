"""A rule judged anew over a month of a thousand dust stations: old version beside new, as a backtest's processes do it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from drivers.families import FAMILIES
from drivers.telemetry import DAY, MINUTE, SECOND, Batch, Family, Quality
from gateway.backtest.occurrences import occurrences, pairs
from gateway.backtest.prepare import Wish, prepare
from gateway.backtest.processes import Processes
from gateway.backtest.settings import BacktestSettings
from gateway.cli.bench import part
from gateway.cli.bench.figure import Figure, of
from gateway.clock import CityClock
from gateway.errors import CitygateError
from gateway.history.duck import History
from gateway.history.manifest import Part
from gateway.history.settings import HistorySettings
from rules import packs
from rules.backtest import RECORDED, Version
from rules.control import DeviceRow, Devices, Parameter, Rules

STATIONS: Final = 1_000
DAYS: Final = 30
A_DAY: Final = 1_440  # readings of a station
BUDGET: Final = 30.0  # seconds
RULE: Final = "dust-pm10-high"
LIMIT: Final = 120.0
ZONE: Final = "Asia/Shanghai"
FIRST_DAY: Final = 20_700  # since the epoch
MEASURED: Final[dict[str, tuple[float, float]]] = {  # (level, spread)
    "pm10": (55.0, 14.0),
    "pm25": (30.0, 8.0),
    "tsp": (120.0, 30.0),
    "noise": (58.0, 6.0),
    "wind_speed": (2.4, 0.9),
    "temperature": (18.0, 3.0),
    "humidity": (60.0, 9.0),
}
DUSTY: Final = 40  # one station-day in so many is


async def backtests(days: int = DAYS, stations: int = STATIONS) -> list[Figure]:
    """From the wish to the differences; a figure with an error where it fails."""
    rows = days * stations * A_DAY
    name = f"backtest, {days} days × {stations:,} dust stations ({rows / 1e6:.1f} M rows)"
    try:
        with tempfile.TemporaryDirectory(prefix="citygate-bench-") as given:
            folder = Path(given)
            with History(folder / "history", FAMILIES, HistorySettings(), CityClock()) as history:
                await _write(history, days, stations)
                began, busy = time.perf_counter(), _busy()
                found = await _judge(history, days, folder / "study")
                passed, busy = time.perf_counter() - began, _busy() - busy
    except (CitygateError, OSError, duckdb.Error) as error:
        return [Figure(name, "s", budget=BUDGET, error=f"{type(error).__name__}: {error}")]
    budget = BUDGET if (days, stations) == (DAYS, STATIONS) else None
    return [of(name, "s", [passed], budget, note=f"{busy:.1f} s of CPU; {found}")]


def _busy() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


async def _judge(history: History, days: int, folder: Path) -> str:
    document = next(each for each in packs.load() if each["id"] == RULE)
    new = Version(document, [Parameter(RULE, "limit", "", LIMIT)])
    since, until = FIRST_DAY * DAY, (FIRST_DAY + days) * DAY
    wish = Wish(RULE, {"new": new}, since, until, "", recorded=True)
    prepared = prepare(history, wish, ZONE, until, BacktestSettings(), folder)
    rows: list[int] = [0]
    processes = Processes(folder, prepared.shares, rows.append)
    try:
        said = await processes.judge()
    finally:
        await processes.close()
    lines = [occurrences(said, line, since, until) for line in (RECORDED, "new")]
    changes = [pair.change for pair in pairs(*lines)]
    return (
        f"{rows[-1]:,} rows, {prepared.shares} processes; {len(lines[0]):,} alarms and {len(lines[1]):,} with "
        f"limit={LIMIT:g}, {changes.count('same'):,} of them the same"
    )


async def _write(history: History, days: int, stations: int) -> None:
    """As the compactor leaves it: a settled part a day and half of the stations, every point of a station."""
    family = FAMILIES["dust"]
    rows = [
        DeviceRow(n, f"DU-{n:05d}", "generic-dust", f"district-{n % 8}/street-{n % 40}", interval=MINUTE)
        for n in range(stations)
    ]
    await history.commit(1, [], [Devices("dust", rows), Rules(packs.load())], [])
    rng, con = np.random.default_rng(5), history.cursor()
    try:
        for day in range(days):
            parts = list(_parts(con, history, family, day, stations, rng))
            await history.relist(parts, [])
    finally:
        con.close()


def _parts(
    con: duckdb.DuckDBPyConnection,
    history: History,
    family: Family,
    day: int,
    stations: int,
    rng: np.random.Generator,
) -> Iterator[Part]:
    for half, some in enumerate(np.array_split(np.arange(stations), 2)):
        batch = _day(family, some, day, rng)
        tick = 2 + (batch.received - FIRST_DAY * DAY) // MINUTE  # one a minute of receipt
        yield part.write(con, history, batch, tick, half + 1, settled=True)


def _day(family: Family, stations: Any, day: int, rng: np.random.Generator) -> Batch:
    """A reading a minute of each; some stations are dusty for some hours."""
    batch = Batch.empty(family, len(stations) * A_DAY)
    batch.device[:] = np.repeat(stations, A_DAY)
    minute = np.tile(np.arange(A_DAY), len(stations))
    batch.time[:] = (FIRST_DAY + day) * DAY + minute * MINUTE + batch.device % 60 * SECOND
    batch.received[:] = batch.time + 2 * SECOND
    for name, (level, spread) in MEASURED.items():
        row = family.index[name]
        batch.values[row] = np.round(level + spread * rng.standard_normal(len(batch)), 1).clip(0)
        batch.quality[row] = Quality.GOOD
    dusty = (rng.random(len(stations)) < 1 / DUSTY).repeat(A_DAY) & (minute > 480) & (minute < 700)
    high = np.repeat(rng.uniform(40, 160, len(stations)), A_DAY)
    pm10 = family.index["pm10"]
    batch.values[pm10] = np.round(batch.values[pm10] + np.where(dusty, high, 0.0), 1)
    return batch
