"""Windows made of event-time buckets: one open, up to fifteen closed, for each device. What comes for a closed bucket is late.

A bucket is closed by the device's next row past its end, or, a grace after its end, by receive time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from drivers.telemetry import SECOND, Family
from rules.buckets import Column, Ends, Extremes, Table, Totals, kept_for, kept_kind
from rules.tree import PointValue, Window, text, walk
from rules.units import spell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.telemetry import Float64, Int64

BUCKETS: Final = 15
DORMANT: Final = 2**62  # the edge of a window in which nothing has come for its whole length
GRACE: Final = 60 * SECOND
_MEANS: Final = frozenset({"mean", "share"})


class Reading(NamedTuple):
    """value float64[n] over the closed buckets, NaN where they do not give it; filled uint8[n]: buckets with a value, as
    many as the interval could fill since the device was first heard in the window.
    """

    value: Float64
    filled: Int64


def ring_key(window: Window) -> str:
    """What is collected for a window; windows of one key share a ring, so one rule's change never touches another's."""
    return f"{kept_kind(window)}({text(window.source)}, {spell(window.length)})"


def needs_cover(window: Window) -> bool:
    """Whether missing rows make the window doubtful. Events are only sent when there are some: their absence is no gap."""
    return any(isinstance(node, PointValue) and node.name != "event" for node in walk(window.source))


def buckets_of(length: int) -> int:
    """How many closed buckets a window holds."""
    return min(BUCKETS, length // width_of(length))


def width_of(length: int) -> int:
    """µs of one bucket: a fifteenth of the window, at least 1 s."""
    return max(length // BUCKETS, SECOND)


class Ring:
    """The buckets of one window over one source, for every device of a family.

    edge: end of the open bucket (µs), DORMANT where none is open. expected: how many closed buckets a device fills.
    """

    def __init__(self, window: Window, family: Family, capacity: int) -> None:
        self.length = window.length
        self.width = width_of(window.length)
        self.buckets = buckets_of(window.length)
        self._least = int(needs_cover(window))
        self.sparse = False  # whether a device's interval is longer than a bucket
        self.due = 0  # no bucket closes by receive time before it; a lower bound
        self.expected = np.ones(capacity, np.uint8)
        self._table = Table(
            capacity,
            {
                "edge": Column(np.int64, DORMANT),
                "open": Column(np.uint32, 0),
                "count": Column(np.uint32, 0),
                "filled": Column(np.uint8, 0),
                "oldest": Column(np.uint8, 0),  # `buckets` more once the window has passed (`_slot`)
                "slots": Column(np.uint32, 0, self.buckets),
            },
        )
        self._kept = kept_for(window, family, capacity, self.buckets)
        turns = np.arange(2 * self.buckets)  # buckets closed since it woke, and from then on round and round
        self._slot = turns % self.buckets
        self._next = np.append(turns[1:], self.buckets).astype(np.uint8)

    @property
    def edge(self) -> Int64:
        return self._table["edge"]

    def reserve(self, capacity: int) -> None:
        have = len(self.expected)
        if capacity > have:
            self.expected = np.concatenate([self.expected, np.ones(capacity - have, np.uint8)])
            self._table.reserve(capacity)
            if self._kept is not None:
                self._kept.table.reserve(capacity)

    def expect(self, devices: Int64, interval: Int64) -> None:
        """The devices report every `interval` µs."""
        self.sparse = self.sparse or bool((interval > self.width).any())
        self.expected[devices] = self._least * np.clip(
            self.length // np.maximum(interval, 1), 1, self.buckets
        )

    def enter(self, devices: Int64, time: Int64, closing: Int64, value: Float64, soonest: Int64) -> None:
        """Put the rows' values (NaN: none) into their buckets; a bucket that ends at or before `closing` is closed.

        No open bucket ends at or before its row's time. soonest, by device: is told of buckets that open.
        """
        edge = self.edge.take(devices)
        here = time >= edge - self.width
        here |= edge == DORMANT
        here &= ~np.isnan(value)
        rows = here.nonzero()[0]
        if len(rows) < len(devices):
            devices, time, closing, value, edge = (
                devices[rows],
                time[rows],
                closing[rows],
                value[rows],
                edge[rows],
            )
        asleep = (edge == DORMANT).nonzero()[0]
        if len(asleep):
            new = (time[asleep] // self.width + 1) * self.width
            late = new <= closing[asleep]
            woken = devices[asleep[~late]]
            self.edge[woken] = new[~late]
            soonest[woken] = np.minimum(soonest[woken], new[~late])
            self.due = min(self.due, int(new.min()) + GRACE)
            if late.any():
                kept = np.delete(np.arange(len(devices)), asleep[late])
                devices, time, value = devices[kept], time[kept], value[kept]
        count = self._table["open"].take(devices)
        self._table["open"][devices] = count + np.uint32(1)
        if self._kept is not None:
            self._kept.enter(devices, time, value, count == 0)

    def close(self, devices: Int64) -> None:
        """Their open buckets close, each in place of its oldest; the next ones open, empty."""
        table = self._table
        oldest = table["oldest"].take(devices)
        cell = self._slot.take(oldest) * table.capacity + devices
        slots = table.flat("slots")
        new, old = table["open"].take(devices), slots.take(cell)
        filled = new > 0
        table["count"][devices] += new - old  # modulo 2**32, and so right
        table["filled"][devices] += filled.view(np.uint8) - (old > 0).view(np.uint8)
        slots[cell] = new
        table["open"][devices] = 0
        table["oldest"][devices] = self._next.take(oldest)
        table["edge"][devices] += self.width
        if self._kept is not None:
            self._kept.close(devices, cell, filled)

    def rest(self, devices: Int64) -> None:
        """Those in which nothing is left go dormant: their buckets close no more until a value comes."""
        drained = (self._table["filled"].take(devices) == 0) & (self._table["open"].take(devices) == 0)
        if drained.any():
            self.edge[devices[drained]] = DORMANT
            self._table["oldest"][devices[drained]] = 0

    def carry(self, by: int) -> None:
        """All buckets go ahead by `by` µs, or by what of it are whole buckets."""
        edge = self.edge
        edge[edge < DORMANT] += by // self.width * self.width

    def forget(self, devices: Int64) -> None:
        """Begin anew, as if nothing had ever come."""
        self._table.forget(devices)
        if self._kept is not None:
            self._kept.table.forget(devices)

    def read(self, statistic: str, devices: Int64, interval: Int64) -> Reading:
        """The statistic over the closed buckets; delta and rate need two values. interval: µs, by device index."""
        count = self._table["count"].take(devices)
        filled = self._filled(devices, interval)
        match self._kept:
            case Totals() as totals:
                value = totals.total(devices) / (
                    totals.scale * count if statistic in _MEANS else totals.scale
                )
            case Extremes() as extremes:
                value = np.where(count == 0, np.nan, extremes.best(devices))
            case Ends() as ends:
                change = ends.rate if statistic == "rate" else ends.delta
                value = np.where(count < 2, np.nan, change(devices, self._oldest(devices)))
            case _ if statistic == "coverage":
                value = self._coverage(devices, count, filled, interval)
            case _:
                value = count.astype(np.float64)
        return Reading(value, filled)

    def _filled(self, devices: Int64, interval: Int64) -> Int64:
        """Who reports faster than its interval says has not seen more of the window's time by that."""
        filled = self._table["filled"].take(devices)
        if not self.sparse:
            return filled
        closed = self._table["oldest"].take(devices)
        young = (closed < self.buckets).nonzero()[0]
        if len(young):
            seen = closed[young].astype(np.int64) * self.width
            filled[young] = np.minimum(filled[young], -(-seen // np.maximum(interval[devices[young]], 1)))
        return filled

    def _coverage(self, devices: Int64, count: Int64, filled: Int64, interval: Int64) -> Float64:
        """The share of buckets that are filled or of readings that came, whichever is less."""
        wanted = np.maximum(self.length // np.maximum(interval.take(devices), 1), 1)
        buckets = filled / self.expected.take(devices)
        coverage: Float64 = np.minimum(np.minimum(buckets, count / wanted), 1.0)
        return coverage

    def _oldest(self, devices: Int64) -> Int64:
        """The cell of the oldest closed bucket that holds a value."""
        begin = self._table["oldest"].take(devices).astype(np.int64)
        order = (begin + np.arange(self.buckets)[:, None]) % self.buckets
        cells = order * self._table.capacity + devices
        first = (self._table.flat("slots").take(cells) > 0).argmax(axis=0)
        oldest: Int64 = cells[first, np.arange(len(devices))]
        return oldest

    def snapshot(self, size: int) -> dict[str, Any]:
        kept = {} if self._kept is None else self._kept.table.snapshot(size)
        return {"ring": self._table.snapshot(size), "kept": kept}

    def restore(self, state: Mapping[str, Any], capacity: int) -> None:
        self.expected = np.ones(capacity, np.uint8)
        self._table.restore(state["ring"], capacity)
        if self._kept is not None:
            self._kept.table.restore(state["kept"], capacity)
