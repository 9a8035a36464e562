"""A device's own past: the means of whole hours (UTC) of the last days, and what is usual at an hour of the day.

One ring of 24 hours a day, in float32, each device at its own hour; a row of an hour that is over does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.telemetry import HOUR, Family
from rules.buckets import LARGEST, Column, Table, scale_of
from rules.tree import Usual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.telemetry import Float64, Int64

_BEFORE: Final = -(2**31)  # no hour yet
A_DAY: Final = 24


class Hours:
    """The hourly means of one point, by device; hour: number of the open hour since 1970."""

    def __init__(self, usual: Usual, family: Family, capacity: int) -> None:
        self.days = usual.days
        self.row = usual.point.row
        self.cells = A_DAY * usual.days
        self._scale = scale_of(usual.point, family)
        self.table = Table(
            capacity,
            {
                "hour": Column(np.int32, _BEFORE),
                "count": Column(np.uint32, 0),
                "total": Column(np.int64, 0),
                "means": Column(np.float32, np.nan, self.cells),
            },
        )

    def enter(self, devices: Int64, time: Int64, value: Float64) -> None:
        """value: NaN where there is none that may be judged."""
        hour = time // HOUR
        opened = self.table["hour"].take(devices)
        rows = ((hour >= opened) & ~np.isnan(value)).nonzero()[0]
        devices, hour, opened, value = devices[rows], hour[rows], opened[rows], value[rows]
        newer = hour > opened
        if newer.any():
            self._open(devices[newer], hour[newer], opened[newer])
        whole = np.clip(np.rint(value * self._scale), -LARGEST, LARGEST).astype(np.int64)
        self.table["total"][devices] += whole
        self.table["count"][devices] += np.uint32(1)

    def _open(self, devices: Int64, hour: Int64, opened: Int64) -> None:
        """The open hour's mean takes its cell; the cells of hours that passed without a value are emptied."""
        means = self.table.cells("means")
        begun = (opened > _BEFORE).nonzero()[0]
        who, last = devices[begun], opened[begun].astype(np.int64)
        means[last % self.cells, who] = self._open_mean(who)
        skipped = np.minimum(hour[begun] - last - 1, self.cells)
        for step in range(1, int(skipped.max(initial=0)) + 1):
            empty = skipped >= step
            means[(last[empty] + step) % self.cells, who[empty]] = np.nan
        self.table["hour"][devices] = hour
        self.table["total"][devices] = 0
        self.table["count"][devices] = 0

    def _open_mean(self, devices: Int64) -> Any:
        count = self.table["count"].take(devices)
        return (self.table["total"].take(devices) / (self._scale * count)).astype(np.float32)

    def usual(self, devices: Int64, time: Int64) -> tuple[Float64, Int64]:
        """(median of the same hour of the last days, how many of these days are known); NaN where none is."""
        opened = self.table["hour"].take(devices).astype(np.int64)
        past = (time // HOUR)[:, None] - A_DAY * np.arange(1, self.days + 1)
        means = self.table.cells("means")[past % self.cells, devices[:, None]].astype(np.float64)
        opened = opened[:, None]
        means[(past >= opened) | (past < opened - self.cells)] = np.nan
        rows, columns = (past == opened).nonzero()
        if len(rows):
            means[rows, columns] = self._open_mean(devices[rows])
        means.sort(axis=1)
        known = self.days - np.count_nonzero(np.isnan(means), axis=1)
        every = np.arange(len(devices))
        low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, self.days - 1)
        return (means[every, low] + means[every, high]) / 2, known

    def snapshot(self, size: int) -> dict[str, Any]:
        return self.table.snapshot(size)

    def restore(self, state: Mapping[str, Any], capacity: int) -> None:
        self.table.restore(state, capacity)
