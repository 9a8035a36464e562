"""What a row changes against what was known before it: the value of a point, or the truth of a condition.

A value that may not be judged is no value: what was known before it stays known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rules.buckets import Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.telemetry import Bool, Float64, Int64


class Trace:
    """By device; before: the last known value; fresh: what the newest row did to it: 1 changed, 0 not, NaN unknown.

    rises: only a change upwards counts, as of a condition that becomes true.
    """

    def __init__(self, capacity: int, rises: bool) -> None:
        self.rises = rises
        nothing = Column(np.float64, np.nan)
        self.table = Table(capacity, {"before": nothing} if rises else {"before": nothing, "fresh": nothing})

    def step(self, devices: Int64, value: Float64, carried: Bool) -> Float64:
        """What rows with these values (NaN: none that may be judged) bring to a window: 1 changed, 0 not, NaN nothing."""
        before = self.table["before"].take(devices)
        moved = np.greater(value, before) if self.rises else np.not_equal(value, before)
        known = ~np.isnan(value)
        brings: Float64 = np.where(known & ~np.isnan(before), moved, np.nan)
        self.table["before"][devices] = np.where(known, value, before)
        if not self.rises:
            self.table["fresh"][devices] = np.where(carried, brings, np.where(np.isnan(before), np.nan, 0.0))
        return brings

    def fresh(self, devices: Int64) -> Float64:
        return self.table["fresh"].take(devices)

    def snapshot(self, size: int) -> dict[str, Any]:
        return self.table.snapshot(size)

    def restore(self, state: Mapping[str, Any], capacity: int) -> None:
        self.table.restore(state, capacity)
