"""A statistic over the other members of a group: sorted once for all, each member left out of its own.

Means are of whole fractions, so that the order of members means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rules.buckets import LARGEST

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64


class Groups:
    """Members with a value (NaN: none) and a group's number (-1: in none)."""

    def __init__(self, value: Float64, group: Int64, groups: int, scale: float) -> None:
        self._value, self._group, self._scale = value, group, scale
        self.counted: Bool = ~np.isnan(value) & (group >= 0)
        who = self.counted.nonzero()[0]
        order = who[np.lexsort((value[who], group[who]))]
        self._sorted = value[order]
        self._count = np.bincount(group[who], minlength=max(groups, 1))
        self._start = np.cumsum(self._count) - self._count
        self._rank = np.full(len(value), np.iinfo(np.int64).max)  # not left out: its rank comes after all
        self._rank[order] = np.arange(len(order)) - self._start[group[order]]

    def others(self, statistic: str, least: int) -> Float64:
        """For every member, over the others of its group; NaN where they are fewer than `least`."""
        return self._over(statistic, least, self._group, self._rank, self.counted)

    def whole(self, statistic: str, least: int, group: Int64) -> Float64:
        """For these groups (-1: none), over all of their members."""
        nobody = np.full(len(group), np.iinfo(np.int64).max)
        return self._over(statistic, least, group, nobody, np.zeros(len(group), bool))

    def _over(self, statistic: str, least: int, group: Int64, rank: Int64, out: Bool) -> Float64:
        found = np.full(len(group), np.nan)
        size = np.where(group >= 0, self._count.take(group), 0) - out
        asked = (size >= max(least, 1)).nonzero()[0]
        if not len(asked):
            return found
        group, rank, size = group[asked], rank[asked], size[asked]
        if statistic == "mean":
            found[asked] = self._mean(group, np.where(out[asked], self._fractions()[asked], 0), size)
            return found
        low, high = {"min": (0 * size, 0 * size), "max": (size - 1, size - 1)}.get(
            statistic, ((size - 1) // 2, size // 2)
        )
        start = self._start.take(group)
        first, last = (self._sorted.take(start + each + (each >= rank)) for each in (low, high))
        found[asked] = (first + last) / 2
        return found

    def _fractions(self) -> Int64:
        filled = np.where(self.counted, self._value, 0.0)
        return np.clip(np.rint(filled * self._scale), -LARGEST, LARGEST).astype(np.int64)

    def _mean(self, group: Int64, own: Int64, size: Int64) -> Float64:
        total = np.zeros(len(self._count), np.int64)
        np.add.at(total, self._group[self.counted], self._fractions()[self.counted])
        mean: Float64 = (total.take(group) - own) / (self._scale * size)
        return mean
