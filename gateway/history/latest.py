"""The newest value of each device and point, in memory; it never goes back in time.

A row replaces a point only if it is as new as what is known of that point; of equal times the later row wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from drivers.telemetry import NO_TIME, Batch, Family, Quality

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64, UInt8


class Known(NamedTuple):
    value: float
    quality: Quality
    time: int  # µs UTC


class Column(NamedTuple):
    """One point of every device, by index; quality 255 where nothing is known."""

    values: Float64
    quality: UInt8
    time: Int64

    @classmethod
    def empty(cls, n: int) -> Column:
        return cls(np.full(n, np.nan), np.full(n, Quality.ABSENT, np.uint8), np.full(n, NO_TIME, np.int64))

    def grown(self, room: int) -> Column:
        column, n = Column.empty(room), len(self.time)
        column.values[:n], column.quality[:n], column.time[:n] = self
        return column

    def enter(self, device: Any, time: Int64, values: Float64, quality: UInt8) -> None:
        """Rows that carry the point; of one device they stand in order of time."""
        newer: Bool = time >= self.time.take(device)
        if not newer.all():
            device, time, values, quality = device[newer], time[newer], values[newer], quality[newer]
        self.values[device] = values
        self.quality[device] = quality
        self.time[device] = time


class Latest:
    """Points that nobody has ever said take no room."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        self._families = families
        self._of: dict[str, dict[int, Column]] = {name: {} for name in families}
        self._size = dict.fromkeys(families, 0)  # device indexes seen
        self._mark = {name: np.empty(0, np.int64) for name in families}  # scratch, as long as the columns

    def update(self, batch: Batch) -> None:
        """Take in committed rows of any order, kind and flag."""
        if not len(batch):
            return
        known, device = self._grown(batch.family.name, int(batch.device.max()) + 1), batch.device
        if self._repeats(batch):  # then the last assignment to a device must be its newest row
            batch = batch.take(np.argsort(batch.time, kind="stable"))
            device = batch.device
        present = batch.present()
        for point in np.flatnonzero(present.any(axis=1)).tolist():
            if point not in known:
                known[point] = Column.empty(len(self._mark[batch.family.name]))
            rows: Any = present[point]
            if rows.all():
                rows = slice(None)
            known[point].enter(
                device[rows], batch.time[rows], batch.values[point][rows], batch.quality[point][rows]
            )

    def _repeats(self, batch: Batch) -> bool:
        """Whether a device stands in the batch twice."""
        mark, place = self._mark[batch.family.name], np.arange(len(batch))
        mark[batch.device] = place
        return bool((mark.take(batch.device) != place).any())

    def get(self, family: str, index: int) -> dict[str, Known]:
        """What is known of a device, by point; empty for a device that was never heard."""
        if not 0 <= index < self._size[family]:
            return {}
        points, known = self._families[family].points, self._of[family]
        return {
            points[row].name: Known(
                float(column.values[index]), Quality(column.quality[index]), int(column.time[index])
            )
            for row, column in sorted(known.items())
            if column.quality[index] != Quality.ABSENT
        }

    def newest(self, family: str) -> Int64:
        """int64[device]: time of the newest point of every device up to the highest heard; NO_TIME for the others."""
        found = np.full(self._size[family], NO_TIME, np.int64)
        for column in self._of[family].values():
            np.maximum(found, column.time[: len(found)], out=found)
        return found

    def snapshot(self) -> dict[str, Any]:
        """Plain data, copied: the columns of every point that was ever said, by family and name."""
        return {
            name: {
                family.points[row].name: [each[: self._size[name]].copy() for each in column]
                for row, column in self._of[name].items()
            }
            for name, family in self._families.items()
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Become what was saved, whose arrays are its own from now on; points and families that are gone are dropped."""
        for name, family in self._families.items():
            found = {
                family.index[point]: Column(*columns)
                for point, columns in saved.get(name, {}).items()
                if point in family.index
            }
            size = max((len(column.time) for column in found.values()), default=0)
            self._of[name], self._size[name] = found, size
            self._mark[name] = np.empty(size, np.int64)

    def _grown(self, family: str, size: int) -> dict[int, Column]:
        """The columns of a family, with room for `size` devices."""
        known, have = self._of[family], len(self._mark[family])
        if size > have:
            room = max(size, have * 3 // 2, 64)
            for row in known:
                known[row] = known[row].grown(room)
            self._mark[family] = np.empty(room, np.int64)
        self._size[family] = max(self._size[family], size)
        return known
