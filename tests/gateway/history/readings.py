"""Small batches, written as a reader would say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from drivers.telemetry import MINUTE, Batch, Bool, Family, Kind, Point, Quality
from gateway.clock import CityClock
from gateway.history.duck import History
from gateway.history.settings import HistorySettings

DUST = Family("dust", tuple(Point(name, "ug/m3", 0, 1000) for name in ("pm10", "pm25", "tsp")), (), MINUTE)
LOT = Family("lot", (Point("busy", "", 0, 1),), (), MINUTE)
FAMILIES = {"dust": DUST, "lot": LOT}


class Said(NamedTuple):
    """One reading: point → value, or (value, quality)."""

    device: int
    time: int
    points: Mapping[str, float | tuple[float, int]]
    kind: Kind = Kind.SAMPLE
    received: int = 0
    flags: int = 0


def batch_of(said: Iterable[Said], family: Family = DUST) -> Batch:
    rows = list(said)
    batch = Batch.empty(family, len(rows))
    for at, row in enumerate(rows):
        batch.device[at], batch.time[at], batch.kind[at] = row.device, row.time, row.kind
        batch.received[at], batch.flags[at] = row.received or row.time, row.flags
        for name, given in row.points.items():
            value, quality = given if isinstance(given, tuple) else (given, Quality.GOOD)
            batch.values[family.index[name], at] = value
            batch.quality[family.index[name], at] = quality
    return batch


def said_by(batch: Batch) -> list[Said]:
    """The inverse of batch_of; NaN is told as -1 so that readings can be compared."""
    rows = []
    for at in range(len(batch)):
        points = {
            point.name: (float(np.nan_to_num(batch.values[row, at], nan=-1)), int(batch.quality[row, at]))
            for row, point in enumerate(batch.family.points)
            if batch.quality[row, at] != Quality.ABSENT
        }
        device, time, received = (int(c[at]) for c in (batch.device, batch.time, batch.received))
        rows.append(Said(device, time, points, Kind(int(batch.kind[at])), received, int(batch.flags[at])))
    return rows


def told(said: Iterable[Said], family: Family = DUST) -> list[Said]:
    """What `said` reads as, once it went through a batch."""
    return said_by(batch_of(said, family))


def opened(folder: Path, settings: HistorySettings | None = None) -> History:
    return History(folder, FAMILIES, settings or HistorySettings(memory_mb=128), CityClock())


def fresh(batch: Batch) -> Bool:
    """No row is suspected of anything."""
    return np.zeros(len(batch), bool)


def suspected(batch: Batch) -> Bool:
    return np.ones(len(batch), bool)
