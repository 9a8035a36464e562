"""The rule engine alone: evaluations a second, its sweep over a million devices, and rows that come in unequal ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from drivers.families import FAMILIES
from drivers.telemetry import HOUR, MINUTE, SECOND, Batch
from gateway.cli.bench.bare import US, WARM, Size
from gateway.cli.bench.figure import Figure, of
from gateway.cli.bench.stopwatch import collected_as_in_service
from rules import packs
from rules.control import DeviceRow, Devices, Rules
from rules.engine import Engine
from rules.tree import Window, walk

TIMERS: Final = 10
MANY: Final = 100  # times the devices of a tick are registered where timers are swept: a million
PER_ROUND: Final = 100  # devices, and readings of each, of an unequal batch
OVERDUE: Final = 10  # devices of which each timer runs out in a sweep
LAP: Final = SECOND // 4
LAMPS: Final = "streetlight"
TYPICAL: Final[dict[str, dict[str, float]]] = {
    LAMPS: {"switch": 1, "dimming": 100, "power": 120, "voltage": 225, "current": 0.55},
    "dust": {"pm10": 60, "pm25": 30, "tsp": 120, "noise": 55, "wind_speed": 2},
}


def rules(size: Size) -> list[Figure]:
    """Evaluations with ten rules a family, packs with windows, talkative devices, and timers."""
    lamps, many = _ten_of(LAMPS), size.devices * MANY
    with collected_as_in_service():
        quick = _costs(size, LAMPS, lamps, size.devices, 1)
        return [
            of(
                "rule evaluations a second, ten rules",
                "/s",
                (TIMERS * 1e6 / each for each in quick),
                20e6,
                least=True,
                note=f"batches of {size.devices:,} lamps",
            ),
            of(
                "rules of dust with their windows",
                US,
                _costs(size, "dust", _of("dust"), size.devices, 1),
                0.8,
            ),
            of(
                f"ten rules, {PER_ROUND} devices × {PER_ROUND} readings",
                US,
                _costs(size, LAMPS, lamps, PER_ROUND, PER_ROUND),
                note="of the same devices in one tick",
            ),
            of(f"sweep, {many:,} devices × {TIMERS} timers", "ms", _sweeps(size, many), 10),
            of(f"the same, {OVERDUE} timers of each run out", "ms", _sweeps(size, many, OVERDUE), 10),
        ]


def _of(family: str) -> list[dict[str, Any]]:
    return [rule for rule in packs.load() if rule.get("family") == family]


def _ten_of(family: str) -> list[dict[str, Any]]:
    """Ten rules judged at every reading: no timer and no window among them."""
    engine = Engine(FAMILIES)
    engine.control(Rules([rule for rule in _of(family) if "silent" not in rule["when"]]))
    instant = [
        dict(rule.document)
        for rule in engine.rules
        if not any(isinstance(node, Window) for node in walk(rule.meanings[family].when))
    ]
    return instant[:TIMERS]


def _costs(
    size: Size, family: str, documents: list[dict[str, Any]], devices: int, readings: int
) -> list[float]:
    """µs a reading, of each tick."""
    engine = _engine(family, documents, devices)
    found = []
    for tick in range(WARM + size.ticks):
        batch = _batch(family, devices, readings, tick)
        found.append(_cpu(lambda batch=batch: engine.tick([batch], [batch])) / 1e3 / len(batch))  # type: ignore[misc]
    return found[WARM:]


def _sweeps(size: Size, devices: int, overdue: int = 0) -> Iterator[float]:
    """ms of a sweep, a quarter of a second after the last one; most have been heard within the last five minutes.

    overdue: so many devices were last heard when their timers, of each as many, run out in just this sweep.
    """
    engine = _engine(LAMPS, [_silent(number) for number in range(TIMERS)], devices)
    batch = _batch(LAMPS, devices, 1, 0)
    now = int(batch.received[0]) + 2 * HOUR
    engine.sweep(now - 70 * MINUTE)
    batch.received[:] = now - HOUR // 2
    late = (WARM + size.ticks) * TIMERS * overdue
    ends = now + np.arange(late) // (TIMERS * max(overdue, 1)) * LAP - LAP // 2  # of their timers
    batch.received[:late] = ends - (60 + np.arange(late) // max(overdue, 1) % TIMERS) * MINUTE
    engine.hear(batch)
    batch.received[:] = now - np.random.default_rng(1).integers(0, 5 * MINUTE, devices)
    engine.hear(batch.take(np.arange(late, devices)))
    while engine.sweep(now - LAP):
        pass
    for lap in range(WARM + size.ticks):
        cost = _cpu(lambda lap=lap: engine.sweep(now + lap * LAP)) / 1e6  # type: ignore[misc]
        if lap >= WARM:
            yield cost


def _silent(number: int) -> dict[str, Any]:
    return {
        "id": f"silent-{number}",
        "family": LAMPS,
        "when": f"silent({60 + number}m)",
        "severity": "minor",
        "alarm": f"silent{number}",
    }


def _engine(family: str, documents: list[dict[str, Any]], devices: int) -> Engine:
    engine = Engine(FAMILIES)
    rows = [
        DeviceRow(
            index, f"{family}-{index}", "p", "city/area", 31.2, 121.5, attributes={"rated_power": 120.0}
        )
        for index in range(devices)
    ]
    engine.control(Devices(family, rows))
    engine.control(Rules(documents))
    return engine


def _batch(family: str, devices: int, readings: int, tick: int) -> Batch:
    """Values of a quiet evening; two minutes a tick, the readings of a device a second apart."""
    batch = Batch.empty(FAMILIES[family], devices * readings)
    random = np.random.default_rng(tick)
    batch.device[:] = np.tile(np.arange(devices), readings)
    batch.time[:] = (
        1_790_078_400 * SECOND + tick * 2 * MINUTE + np.repeat(np.arange(readings), devices) * SECOND
    )
    batch.received[:] = batch.time
    for name, value in TYPICAL[family].items():
        row = batch.family.index[name]
        about = 1.0 if batch.family.points[row].labels else 0.95 + random.random(len(batch)) / 10
        batch.values[row], batch.quality[row] = value * about, 0
    return batch


def _cpu(work: Callable[[], object]) -> float:
    """ns of this thread."""
    before = time.thread_time_ns()
    work()
    return time.thread_time_ns() - before
