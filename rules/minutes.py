"""What other devices may see of a device: its points as they stood at the end of the last closed event-time minute.

A minute closes 60 s after its end by receive time; a row of a closed minute counts in the next. What is older than three of
its device's reporting intervals, and than three minutes, is not known any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.telemetry import MINUTE
from rules.buckets import Column, Table
from rules.devices import Devices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drivers.telemetry import Bool, Float64, Int64

SLOTS: Final = 4  # open minutes at once: two behind receipt, the one of receipt, one ahead
KNOWN_FOR: Final = 3  # reporting intervals, of at least a minute
NEVER: Final = -(2**62)


def end_of_closed(received: Int64) -> Int64:
    """The end (µs) of the last event-time minute that has closed by then."""
    return (received // MINUTE - 1) * MINUTE


class Minutes:
    """The watched points of one family, by device. value, at: of the closed minutes' newest row that carries the point."""

    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self.points: dict[int, Table] = {}

    def watch(self, rows: Iterable[int]) -> None:
        """Collect these points and no others; those at hand stay as they are."""
        self.points = {row: self.points.get(row) or self._table() for row in sorted(set(rows))}

    def _table(self) -> Table:
        value, at = Column(np.float64, np.nan), Column(np.int64, NEVER)
        slots = {"open": value._replace(cells=SLOTS), "times": at._replace(cells=SLOTS)}
        return Table(self.devices.capacity, {"value": value, "at": at, **slots})

    def reserve(self, capacity: int) -> None:
        for table in self.points.values():
            table.reserve(capacity)

    def enter(self, devices: Int64, time: Int64, minute: Int64, columns: tuple[Float64, Bool]) -> set[int]:
        """Rows in judge order, in their minutes; columns: values and presence, [point, n]. Returns the minutes that they fill."""
        values, present = columns
        filled: set[int] = set()
        for row, table in self.points.items():
            rows = present[row].nonzero()[0]
            if len(rows):
                slot, who = minute[rows] % SLOTS, devices[rows]
                table.cells("open")[slot, who] = values[row][rows]
                table.cells("times")[slot, who] = time[rows]
                filled.update(np.unique(minute[rows]).tolist())
        return filled

    def close(self, minute: int) -> None:
        """What the minute brought is now what others see."""
        for table in self.points.values():
            times = table.cells("times")[minute % SLOTS]
            who = (times > NEVER).nonzero()[0]
            table["value"][who] = table.cells("open")[minute % SLOTS, who]
            table["at"][who] = times[who]
            times[who] = NEVER

    def read(self, row: int, devices: Int64, end: Int64 | int) -> Float64:
        """The point as others see it when the minute that ends at `end` (µs) was the last to close; devices -1: nobody."""
        table = self.points[row]
        if not len(table["value"]):
            return np.full(len(devices), np.nan)
        since = table["at"].take(devices)
        interval = np.maximum(self.devices.interval.take(devices), MINUTE)
        fresh = (devices >= 0) & (since >= end - KNOWN_FOR * interval)
        return np.where(fresh, table["value"].take(devices), np.nan)

    def forget(self, devices: Int64) -> None:
        for table in self.points.values():
            table.forget(devices)

    def snapshot(self, size: int) -> dict[str, Any]:
        return {
            self.devices.family.points[row].name: each.snapshot(size) for row, each in self.points.items()
        }

    def restore(self, state: Mapping[str, Any], capacity: int) -> None:
        for row, table in self.points.items():
            name = self.devices.family.points[row].name
            if name in state:
                table.restore(state[name], capacity)
