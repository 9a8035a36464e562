"""What a window keeps of its buckets, by device: counts and totals, extremes, or ends; always with the figure at hand.

Totals are whole numbers of a decimal fraction of the point's range, so that sums are exact and their order means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from drivers.telemetry import HOUR, Family
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


def wider(cells: npt.NDArray[Any], capacity: int, fill: float) -> npt.NDArray[Any]:
    """[cell, device] with room for `capacity` devices; the array itself where it has that."""
    if cells.shape[1] == capacity:
        return cells
    shape = (len(cells), capacity)
    whole = np.full(shape, fill, cells.dtype) if fill else np.zeros(shape, cells.dtype)
    whole[:, : cells.shape[1]] = cells
    return whole


class Table:
    """Named columns by device. One with k cells has a row a cell, so that devices in step touch neighbours in memory:

    cell c of device d is element c * capacity + d of `flat`.
    """

    def __init__(self, capacity: int, columns: Mapping[str, Column]) -> None:
        self.capacity = capacity
        self._columns = columns
        self._at: dict[str, npt.NDArray[Any]] = {
            name: wider(np.empty((column.cells, 0), column.dtype), capacity, column.empty)
            for name, column in columns.items()
        }

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """[device] of a column with one cell."""
        column: npt.NDArray[Any] = self._at[name][0]
        return column

    def cells(self, name: str) -> npt.NDArray[Any]:
        """[cell, device]"""
        return self._at[name]

    def flat(self, name: str) -> npt.NDArray[Any]:
        return self._at[name].reshape(-1)

    def reserve(self, capacity: int) -> None:
        if capacity > self.capacity:
            self.capacity = capacity
            for name, column in self._columns.items():
                self._at[name] = wider(self._at[name], capacity, column.empty)

    def forget(self, devices: Int64) -> None:
        for name, column in self._columns.items():
            self._at[name][:, devices] = column.empty

    def snapshot(self, size: int) -> dict[str, Any]:
        return {name: at[:, :size].copy() for name, at in self._at.items()}

    def restore(self, state: Mapping[str, Any], capacity: int) -> None:
        """Columns that fit are taken over, not copied: those of a million devices would stand twice."""
        for name, column in self._columns.items():
            if len(state[name]) != column.cells:
                raise ValueError(f"{name} has {len(state[name])} cells a device, expected {column.cells}")
            self._at[name] = wider(state[name], capacity, column.empty)
        self.capacity = capacity


class Kept(Protocol):
    """One thing that a ring keeps besides its counts."""

    table: Table

    def enter(self, devices: Int64, time: Int64, value: Float64, first: Bool) -> None:
        """A value for each device's open bucket; first: it was empty."""

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        """The open bucket takes the place of the oldest, at `cell`; filled: it holds a value."""


class Totals:
    """Sums in whole fractions: value = whole / scale."""

    def __init__(self, capacity: int, buckets: int, scale: float, dtype: npt.DTypeLike) -> None:
        self.scale = scale
        whole = Column(dtype, 0)
        self.table = Table(capacity, {"open": whole, "all": whole, "slots": whole._replace(cells=buckets)})

    def enter(self, devices: Int64, time: Int64, value: Float64, first: Bool) -> None:
        del time, first
        whole = np.clip(np.rint(value * self.scale), -LARGEST, LARGEST).astype(np.int64)
        self.table["open"][devices] += whole

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        del filled
        new = self.table["open"].take(devices)
        slots = self.table.flat("slots")
        self.table["all"][devices] += new - slots.take(cell)
        slots[cell] = new
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
        self.table = Table(capacity, {"open": worst, "all": worst, "slots": worst._replace(cells=buckets)})

    def enter(self, devices: Int64, time: Int64, value: Float64, first: Bool) -> None:
        del time, first
        opened = self.table["open"]
        opened[devices] = self._better(opened.take(devices), value)

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        del filled
        opened, best, slots = self.table["open"], self.table["all"], self.table.flat("slots")
        new, old, had = opened.take(devices), slots.take(cell), best.take(devices)
        slots[cell] = new
        opened[devices] = self._worst
        now = self._better(had, new)
        gone = np.flatnonzero((old == had) & (now == had))
        if len(gone):
            left = self.table.cells("slots").take(devices[gone], axis=1)
            now[gone] = self._better.reduce(left, axis=0)
        best[devices] = now

    def best(self, devices: Int64) -> Float64:
        return self.table["all"].take(devices)


class Ends:
    """The first value of each bucket with its time, and the newest of all."""

    def __init__(self, capacity: int, buckets: int) -> None:
        one, when = Column(np.float64, np.nan), Column(np.int64, 0)
        columns = {"first": one, "last": one, "all": one, "slots": one._replace(cells=buckets)}
        times = {"began": when, "ended": when, "newest": when, "times": when._replace(cells=buckets)}
        self.table = Table(capacity, {**columns, **times})

    def enter(self, devices: Int64, time: Int64, value: Float64, first: Bool) -> None:
        rows = first.nonzero()[0]
        if len(rows):
            self.table["first"][devices[rows]] = value[rows]
            self.table["began"][devices[rows]] = time[rows]
        self.table["last"][devices] = value
        self.table["ended"][devices] = time

    def close(self, devices: Int64, cell: Int64, filled: Bool) -> None:
        self.table.flat("slots")[cell] = self.table["first"].take(devices)
        self.table.flat("times")[cell] = self.table["began"].take(devices)
        who = devices[filled]
        self.table["all"][who] = self.table["last"].take(who)
        self.table["newest"][who] = self.table["ended"].take(who)

    def delta(self, devices: Int64, oldest: Int64) -> Float64:
        """Newest less oldest; oldest: the cell of the oldest bucket that holds a value."""
        delta: Float64 = self.table["all"].take(devices) - self.table.flat("slots").take(oldest)
        return delta

    def rate(self, devices: Int64, oldest: Int64) -> Float64:
        """The same an hour; unknown where no time lies between them."""
        passed = self.table["newest"].take(devices) - self.table.flat("times").take(oldest)
        hours = np.where(passed > 0, passed / HOUR, np.nan)
        rate: Float64 = self.delta(devices, oldest) / hours
        return rate


def scale_of(source: object, family: Family) -> float:
    """The finest power of ten in which every value of the point is at most LARGEST; 1 for the truth of a condition."""
    if not isinstance(source, PointValue):
        return 1.0
    point = family.points[source.row]
    bound = max(abs(point.low), abs(point.high), 1e-6)
    scale = 1.0
    while bound * scale * 10 <= LARGEST:
        scale *= 10
    return scale


def whole_of(source: object) -> npt.DTypeLike:
    """What sums of it are held in: of a truth, 1 or 0, half the room is enough."""
    return np.int64 if isinstance(source, PointValue) else np.int32


def kept_for(window: Window, family: Family, capacity: int, buckets: int) -> Kept | None:
    """What the window's statistic needs; a count of values needs nothing more."""
    match kept_kind(window):
        case "total":
            return Totals(capacity, buckets, scale_of(window.source, family), whole_of(window.source))
        case "min" | "max" as which:
            return Extremes(capacity, buckets, highest=which == "max")
        case "ends":
            return Ends(capacity, buckets)
        case _:
            return None


def kept_kind(window: Window) -> str:
    """Statistics of one kind over one source and length are read from the same cells."""
    if window.statistic == "count" and not isinstance(window.source, PointValue):
        return "total"
    return _KINDS.get(window.statistic, window.statistic)


_KINDS: Final = {
    **dict.fromkeys(("mean", "sum", "share", "changes", "cycles"), "total"),
    **dict.fromkeys(("delta", "rate"), "ends"),
    "coverage": "count",
}
