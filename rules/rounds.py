"""Rows of a batch in rounds: each device at most once a round, rounds in the order of the rows.

So a vectorised round sees what one row alone would see, and a batch judges as its rows would one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64


class Columns(NamedTuple):
    """Rows of different devices. values float64[point, n]: NaN where absent or not judged; present bool[point, n]."""

    devices: Int64
    time: Int64
    received: Int64
    values: Float64
    present: Bool

    def take(self, rows: Any) -> Columns:
        return Columns(
            self.devices[rows],
            self.time[rows],
            self.received[rows],
            self.values[:, rows],
            self.present[:, rows],
        )


def rounds(rows: Columns, mark: Int64) -> Iterator[Columns]:
    """The rows of each round. mark int64[device]: scratch, as long as there are devices."""
    n = len(rows.devices)
    place = np.arange(n)
    mark[rows.devices] = place
    if (mark.take(rows.devices) == place).all():
        if n:
            yield rows
        return
    order = np.argsort(rows.devices, kind="stable")
    devices = rows.devices[order]
    first = np.flatnonzero(np.diff(devices, prepend=-1))
    rank = place - np.repeat(first, np.diff(first, append=n))
    rows = rows.take(order[np.argsort(rank, kind="stable")])
    start = 0
    for count in np.bincount(rank):
        yield rows.take(slice(start, start + count))
        start += count
