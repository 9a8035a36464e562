"""The newest value of each device and point, in memory; it never goes back in time.

A row replaces a point only if it is as new as what is known of that point; of equal times the later row wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from drivers.telemetry import NO_TIME, Batch, Family, Quality

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int64, UInt8


class Known(NamedTuple):
    value: float
    quality: Quality
    time: int  # µs UTC


class Columns(NamedTuple):
    """[point, device index]; quality 255 where nothing is known. Views: they change with the next update."""

    values: Float64
    quality: UInt8
    time: Int64


class Latest:
    def __init__(self, families: Mapping[str, Family]) -> None:
        self._families = families
        self._of = {name: _empty(family, 0) for name, family in families.items()}
        self._size = dict.fromkeys(families, 0)  # device indexes seen; the columns have room for more

    def update(self, batch: Batch) -> None:
        """Take in committed rows of any order, kind and flag."""
        if not len(batch):
            return
        known = self._grown(batch.family.name, int(batch.device.max()) + 1)
        order = np.argsort(
            batch.time, kind="stable"
        )  # then the last assignment to a device is its newest row
        device, time = batch.device[order], batch.time[order]
        present = batch.present()
        for point in np.flatnonzero(present.any(axis=1)).tolist():
            newer = present[point][order] & (time >= known.time[point][device])
            rows, where = order[newer], device[newer]
            known.values[point][where] = batch.values[point][rows]
            known.quality[point][where] = batch.quality[point][rows]
            known.time[point][where] = time[newer]

    def get(self, family: str, index: int) -> dict[str, Known]:
        """What is known of a device, by point; empty for a device that was never heard."""
        if not 0 <= index < self._size[family]:
            return {}
        values, quality, time = (column[:, index].tolist() for column in self._of[family])
        points = self._families[family].points
        return {
            point.name: Known(values[row], Quality(quality[row]), time[row])
            for row, point in enumerate(points)
            if quality[row] != Quality.ABSENT
        }

    def columns(self, family: str) -> Columns:
        """All devices of a family at once, for lists and counts."""
        size, known = self._size[family], self._of[family]
        return Columns(known.values[:, :size], known.quality[:, :size], known.time[:, :size])

    def snapshot(self) -> dict[str, Any]:
        """Plain data, copied: names of points and their columns, by family."""
        return {
            name: {
                "points": [point.name for point in family.points],
                **{what: column.copy() for what, column in self.columns(name)._asdict().items()},
            }
            for name, family in self._families.items()
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a snapshot; points and families that it lacks are unknown, those that are gone are dropped."""
        for name, family in self._families.items():
            if name not in saved:
                continue
            columns = saved[name]
            size = columns["time"].shape[1]
            known = self._of[name] = _empty(family, size)
            self._size[name] = size
            for row, point in enumerate(columns["points"]):
                at = family.index.get(point)
                if at is not None:
                    known.values[at] = columns["values"][row]
                    known.quality[at] = columns["quality"][row]
                    known.time[at] = columns["time"][row]

    def _grown(self, family: str, size: int) -> Columns:
        """The columns of a family, with room for `size` devices."""
        known = self._of[family]
        have = known.time.shape[1]
        if size > have:
            more = _empty(self._families[family], max(size, have * 3 // 2, 64) - have)
            known = self._of[family] = Columns(
                np.concatenate([known.values, more.values], axis=1),
                np.concatenate([known.quality, more.quality], axis=1),
                np.concatenate([known.time, more.time], axis=1),
            )
        self._size[family] = max(self._size[family], size)
        return known


def _empty(family: Family, n: int) -> Columns:
    shape = (len(family), n)
    return Columns(
        np.full(shape, np.nan), np.full(shape, Quality.ABSENT, np.uint8), np.full(shape, NO_TIME, np.int64)
    )
