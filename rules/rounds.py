"""Rows of a batch in rounds: each device at most once a round, rounds in the order of the rows.

So a vectorised round sees what one row alone would see, and a batch judges as its rows would one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64
    from rules.last import Last


MOST_SMALL: Final = 2**16


class Columns(NamedTuple):
    """Rows. values float64[point, n]: NaN where absent or not judged; present bool[point, n].

    calm bool[n]: no rule that sees last values alone has anything to say of the device in this batch.
    """

    devices: Int64
    time: Int64
    received: Int64
    values: Float64
    present: Bool
    calm: Bool

    def take(self, rows: Any) -> Columns:
        return Columns(
            self.devices[rows],
            self.time[rows],
            self.received[rows],
            self.values[:, rows],
            self.present[:, rows],
            self.calm[rows],
        )


def single(rows: Columns, mark: Int64) -> bool:
    """Whether no device comes twice. mark int64[device]: scratch, as long as there are devices."""
    place = np.arange(len(rows.devices))
    mark[rows.devices] = place
    return bool((mark.take(rows.devices) == place).all())


def rounds(rows: Columns) -> Iterator[Columns]:
    """The rows of each round."""
    n = len(rows.devices)
    place = np.arange(n)
    order = np.argsort(rows.devices, kind="stable")
    devices = rows.devices[order]
    first = np.flatnonzero(np.diff(devices, prepend=-1))
    rank = place - np.repeat(first, np.diff(first, append=n))
    counts = np.bincount(rank)
    small = (
        rank.astype(np.uint16) if len(counts) <= MOST_SMALL else rank
    )  # a stable sort of two bytes is one of digits
    rows = rows.take(order[np.argsort(small, kind="stable")])
    start = 0
    for count in counts:
        yield rows.take(slice(start, start + count))
        start += count


class Lines(NamedTuple):
    """All rows, device by device, each with the last values that it leaves behind. order: where each row came from."""

    order: Int64
    devices: Int64
    starts: Int64  # of each device's rows
    columns: dict[int, Float64]

    def whole(self, hot: Bool) -> Bool:
        """Per row as they came: whether its device has no row that is hot."""
        calm = np.repeat(~np.logical_or.reduceat(hot, self.starts), np.diff(self.starts, append=len(hot)))
        back: Bool = np.empty(len(hot), bool)
        back[self.order] = calm
        return back


def lines(rows: Columns, last: Last) -> Lines:
    """last: values before the rows. There is at least one row."""
    order = np.argsort(rows.devices, kind="stable")
    devices = rows.devices[order]
    first = np.diff(devices, prepend=-1) != 0
    place = np.arange(len(order))
    columns = {}
    for point in np.flatnonzero(rows.present.any(axis=1)).tolist():
        present = rows.present[point].take(order)
        column = rows.values[point].take(order)
        if not present.all():
            column = np.where(present, column, last[point].take(devices))
            column = column.take(np.maximum.accumulate(np.where(present | first, place, 0)))
        columns[point] = column
    return Lines(order, devices, np.flatnonzero(first), columns)
