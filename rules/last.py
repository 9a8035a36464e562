"""The newest judged value of each point and device. Points that nobody has ever said share one column of NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rules.devices import longer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.telemetry import Float64


class Last:
    """float64[device] by point, with room for `capacity` devices; NaN where nothing is known that may be judged."""

    def __init__(self, points: int) -> None:
        self._nothing: Float64 = np.empty(0)
        self._columns = [self._nothing] * points

    def __getitem__(self, point: int) -> Float64:
        """To be read only."""
        return self._columns[point]

    def column(self, point: int) -> Float64:
        """To be written."""
        if self._columns[point] is self._nothing:
            self._columns[point] = np.full(len(self._nothing), np.nan)
        return self._columns[point]

    @property
    def said(self) -> Iterable[int]:
        """The points that somebody has said."""
        return [point for point, column in enumerate(self._columns) if column is not self._nothing]

    def reserve(self, capacity: int) -> None:
        nothing = np.full(capacity, np.nan)
        self._columns = [
            nothing if column is self._nothing else longer(column, capacity, np.nan)
            for column in self._columns
        ]
        self._nothing = nothing

    def restore(self, point: int, column: Float64) -> None:
        """A column that fits is taken over, not copied."""
        capacity = len(self._nothing)
        self._columns[point] = column if len(column) == capacity else longer(column, capacity, np.nan)
