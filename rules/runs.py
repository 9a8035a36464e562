"""Rows grouped by device, each group in order of arrival: what one row after the other would see, without a step a row.

A running maximum takes as many steps as the longest group has doublings; where every device stands once it takes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Int32, Int64


class Runs(NamedTuple):
    """rows: of the batch, a device's together. place: of a row in its run. first, last: where runs begin and end."""

    rows: Any
    place: Int64
    first: Int64
    last: Int64

    @property
    def single(self) -> bool:
        """Every device stands once."""
        return len(self.first) == len(self.place)

    def running_max(self, values: Int64, before: Int64) -> tuple[Int64, Int64]:
        """The highest of a run up to each row, and up to the row before it; `before` counts as the row before the first."""
        if self.single:
            return np.maximum(values, before), before
        top, first = values.copy(), self.first
        top[first] = np.maximum(top[first], before[first])
        step, longest = 1, int(self.place.max())
        while step <= longest:
            rows = (self.place >= step).nonzero()[0]
            top[rows] = np.maximum(top[rows], top[rows - step])
            step *= 2
        past = np.empty_like(top)
        past[1:] = top[:-1]
        past[first] = before[first]
        return top, past

    def running_count(self, rows: Bool) -> Int64:
        """How many of these rows a run has up to each row."""
        count = np.cumsum(rows)
        return count - np.repeat(count[self.first] - rows[self.first], self.last - self.first + 1)


def runs(device: Int32, rows: Any, mark: Int64) -> Runs:
    """The runs of these rows of a batch; device: theirs. mark int64[device]: scratch, as long as there are devices."""
    n = len(device)
    every = np.arange(n)
    mark[device] = every
    if (mark.take(device) == every).all():
        return Runs(rows, np.zeros(n, np.int64), every, every)
    order = np.argsort(device, kind="stable")
    first = np.flatnonzero(np.diff(device[order], prepend=-1))
    last = np.append(first[1:], n) - 1
    place = every - np.repeat(first, last - first + 1)
    return Runs(order if isinstance(rows, slice) else rows[order], place, first, last)
