"""What a window keeps of its buckets, by device: counts and totals, extremes, or ends; always with the figure at hand.

Totals are whole numbers of a decimal fraction of the point's range, so that sums are exact and their order means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from drivers.telemetry import Family
from rules.devices import longer
from rules.tree import PointValue, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from drivers.telemetry import Bool, Float64, Int64

LARGEST: Final = 2**40  # of one value, counted in fractions: 2**22 of them add up in int64


class Column(NamedTuple):
    dtype: Any
    empty: float
    cells: int = 1  # a device


class Table:
    """Named columns by device; cell c of device d of a column with k cells a device is its element d * k + c."""

    def __init__(self, capacity: int, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self.at: dict[str, npt.NDArray[Any]] = {
            name: np.full(capacity * column.cells, column.empty, column.dtype)
            for name, column in columns.items()
        }

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.at[name]

    def reserve(self, capacity: int) -> None:
        for name, column in self._columns.items():
            self.at[name] = longer(self.at[name], capacity * column.cells, column.empty)

    def forget(self, devices: Int64) -> None:
        for name, column in self._columns.items():
            self.at[name].reshape(-1, column.cells)[devices] = column.empty

    def snapshot(self, size: int) -> dict[str, Any]:
        return {name: self.at[name][: size * column.cells].copy() for name, column in self._columns.items()}

    def restore(self, state: Mapping[str, Any], size: int) -> None:
        for name, column in self._columns.items():
            self.at[name][: size * column.cells] = state[name]


class Kept(Protocol):
    """One thing that a ring keeps besides its counts."""

    table: Table

    def enter(self, devices: Int64, value: Float64, first: Bool) -> None:
        """A value for each device's open bucket; first: it was empty."""

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        """The open bucket takes the place of the oldest, at `cell`; filled: it holds a value."""


class Totals:
    """Sums in whole fractions: value = whole / scale."""

    def __init__(self, capacity: int, buckets: int, scale: float) -> None:
        self.scale = scale
        whole = Column(np.int64, 0)
        self.table = Table(capacity, {"open": whole, "all": whole, "slots": Column(np.int64, 0, buckets)})

    def enter(self, devices: Int64, value: Float64, first: Bool) -> None:
        del first
        whole = np.clip(np.rint(value * self.scale), -LARGEST, LARGEST).astype(np.int64)
        self.table["open"][devices] += whole

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        del filled
        new = self.table["open"].take(devices)
        self.table["all"][devices] += new - self.table["slots"].take(cell)
        self.table["slots"][cell] = new
        self.table["open"][devices] = 0

    def total(self, devices: Int64) -> Int64:
        """In fractions."""
        return self.table["all"].take(devices)


class Extremes:
    """The lowest (or highest) value; looked for anew when the bucket that held it leaves."""

    def __init__(self, capacity: int, buckets: int, highest: bool) -> None:
        self._better = np.maximum if highest else np.minimum
        worst = Column(np.float64, -np.inf if highest else np.inf)
        self._worst = worst.empty
        self._buckets = buckets
        self.table = Table(capacity, {"open": worst, "all": worst, "slots": worst._replace(cells=buckets)})

    def enter(self, devices: Int64, value: Float64, first: Bool) -> None:
        del first
        opened = self.table["open"]
        opened[devices] = self._better(opened.take(devices), value)

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        del filled
        opened, best, slots = self.table["open"], self.table["all"], self.table["slots"]
        new, old, had = opened.take(devices), slots.take(cell), best.take(devices)
        slots[cell] = new
        opened[devices] = self._worst
        now = self._better(had, new)
        gone = np.flatnonzero((old == had) & (now == had))
        if len(gone):
            left = slots.reshape(-1, self._buckets).take(devices[gone], axis=0)
            now[gone] = self._better.reduce(left, axis=1)
        best[devices] = now

    def best(self, devices: Int64) -> Float64:
        return self.table["all"].take(devices)


class Ends:
    """The first value of each bucket, and the newest of all."""

    def __init__(self, capacity: int, buckets: int) -> None:
        one = Column(np.float64, np.nan)
        self.table = Table(
            capacity, {"first": one, "last": one, "all": one, "slots": one._replace(cells=buckets)}
        )

    def enter(self, devices: Int64, value: Float64, first: Bool) -> None:
        begun = self.table["first"]
        begun[devices] = np.where(first, value, begun.take(devices))
        self.table["last"][devices] = value

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        self.table["slots"][cell] = self.table["first"].take(devices)
        who = devices[filled]
        self.table["all"][who] = self.table["last"].take(who)

    def delta(self, devices: Int64, oldest: Int64) -> Float64:
        """Newest less oldest; oldest: the cell of the oldest bucket that holds a value."""
        delta: Float64 = self.table["all"].take(devices) - self.table["slots"].take(oldest)
        return delta


def scale_of(window: Window, family: Family) -> float:
    """The finest power of ten in which every value of the window's source is at most LARGEST."""
    bound = 1.0
    if isinstance(window.source, PointValue):
        point = family.points[window.source.row]
        bound = max(abs(point.low), abs(point.high), 1e-6)
    scale = 1.0
    while bound * scale * 10 <= LARGEST:
        scale *= 10
    return scale


def kept_for(window: Window, family: Family, capacity: int, buckets: int) -> Kept | None:
    """What the window's statistic needs; a count needs nothing more."""
    match window.statistic:
        case "mean" | "sum" | "share":
            return Totals(capacity, buckets, scale_of(window, family))
        case "min" | "max":
            return Extremes(capacity, buckets, highest=window.statistic == "max")
        case "delta":
            return Ends(capacity, buckets)
        case _:
            return None
