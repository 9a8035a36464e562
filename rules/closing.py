"""Buckets that end: in order of their ends, each judged with what was known before it, whatever made it close.

A bucket closes when a row of its device passes its end, or a grace after its end by receive time.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np

from rules.memory import Memory
from rules.scene import Moment
from rules.state import MOST_SWEPT
from rules.watch import Watch
from rules.windows import DORMANT, GRACE

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Int64

_NONE: Final = np.empty(0, np.intp)


class Closing:
    """Of one family. watches: its rules that keep windows."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.watches: list[Watch] = []

    def close(self, devices: Int64, limit: Int64, received: Int64, grace: Int64) -> None:
        """Close every bucket that ends at or before the device's limit, in order of time, and judge at each end."""
        rings, soonest = self.memory.rings, self.memory.soonest
        rows = (soonest.take(devices) <= limit).nonzero()[0] if rings else devices[:0]
        while len(rows):
            if len(rows) < len(devices):
                devices, limit, received, grace = (each[rows] for each in (devices, limit, received, grace))
            edges = {key: ring.edge.take(devices) for key, ring in rings.items()}
            edge = soonest[devices] = reduce(np.minimum, edges.values())
            rows = (edge <= limit).nonzero()[0]
            if not len(rows):
                return
            if len(rows) < len(devices):
                columns = (devices, limit, received, grace, edge)
                devices, limit, received, grace, edge = (each[rows] for each in columns)
                edges = {key: column[rows] for key, column in edges.items()}
            self._close_one(devices, edge, edges, (np.minimum(received, edge + grace), grace))
            rows = np.arange(len(devices))

    def _close_one(
        self, devices: Int64, edge: Int64, edges: dict[str, Int64], caused: tuple[Int64, Int64]
    ) -> None:
        """One end of bucket for each device, at its `edge`; caused: (receive time, grace)."""
        received, grace = caused
        ends = {key: _where(column == edge) for key, column in edges.items()}
        closing = [
            (self.memory.rings[key], devices if rows is None else devices[rows])
            for key, rows in ends.items()
            if rows is None or len(rows)
        ]
        judged = [
            (watch, rows)
            for watch in self.watches
            if (rows := _union([ends[key] for key in watch.rings], len(devices))) is not _NONE
        ]
        for watch, rows in judged:
            if watch.track.running:
                some = slice(None) if rows is None else rows
                watch.expire(devices[some], edge[some], received[some], grace[some], by_clock=False)
        for ring, who in closing:
            ring.close(who)
        moment = Moment(self.memory, devices, edge, received)
        for watch, rows in judged:
            if rows is None:
                watch.judge(moment, received, grace)
            else:
                watch.judge(moment.some(rows), received[rows], grace[rows])
        for ring, who in closing:
            ring.rest(who)

    def sweep(self, now: int) -> bool:
        """Close what ended by receive time; True where there is more."""
        rings = [ring for ring in self.memory.rings.values() if now >= ring.due]
        if not rings:
            return False
        grace = self.memory.devices.lateness + GRACE
        limit = now - grace
        ended = (self.memory.soonest <= limit).nonzero()[0]
        self.memory.soonest[ended] = reduce(
            np.minimum, [ring.edge[ended] for ring in self.memory.rings.values()]
        )
        ended = ended[self.memory.soonest[ended] <= limit[ended]]
        some = ended[:MOST_SWEPT]
        if len(some):
            self.close(some, limit[some], np.full(len(some), now), grace[some])
        if len(some) < len(ended):
            return True
        for ring in rings:
            ring.due = int(ring.edge.min(initial=DORMANT)) + GRACE
        return False


def _where(mask: Bool) -> Int64 | None:
    """The rows where it holds; None: all."""
    return None if mask.all() else mask.nonzero()[0]


def _union(several: list[Int64 | None], n: int) -> Int64 | None:
    """Rows that are in any of them; None: all, _NONE: none."""
    if any(rows is None for rows in several):
        return None
    filled = [rows for rows in several if rows is not None and len(rows)]
    if len(filled) < 2:
        return filled[0] if filled else _NONE
    mask = np.zeros(n, bool)
    for rows in filled:
        mask[rows] = True
    return _where(mask)
