"""One event time (law 3): which reading is live, which is late, whose clock is wrong, and in what order rules see them.

`stamp` runs before history, so that its verdict is stored with the row; `admit` runs after it, on live and replayed rows alike.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from drivers.telemetry import DAY, NO_TIME, SECOND, Batch, Bool, Family, Flag, Float64, Int64, Kind, UInt8
from rules.control import Control, Devices, WatermarkRestart

UNJUDGED = int(Flag.LATE | Flag.HISTORICAL)
RESTART_INTERVALS = 3  # this many reporting intervals of nothing but old stamps: the clock stepped back
RESTART_SAMPLES = 3


class Stamped(NamedTuple):
    """The rows with their event time and flags; which of them may repeat a stored key; restarts to be logged first."""

    batch: Batch
    suspects: Bool
    restarts: list[WatermarkRestart]


class Held(NamedTuple):
    """A row of a device with lateness, waiting for what may still come before it."""

    time: int
    received: int
    values: Float64
    quality: UInt8


@dataclass(slots=True)
class Watermarks:
    """What is known of the clocks of one family's devices; arrays by device index, µs."""

    family: Family
    frontier: Int64  # samples before it are late
    seen: Int64  # [kind, device] newest stored time
    behind_since: Int64  # receive time of the first late live sample since the last one in time
    behind_count: Int64
    interval: Int64
    lateness: Int64
    mark: Int64  # scratch of _rounds
    waiting: dict[int, list[tuple[int, int]]] = field(
        default_factory=dict
    )  # device with lateness -> (received, time)
    held: dict[int, list[Held]] = field(default_factory=dict)
    released: dict[int, int] = field(
        default_factory=dict
    )  # device with lateness -> frontier of what rules have seen

    @classmethod
    def of(cls, family: Family) -> Watermarks:
        none = np.empty(0, np.int64)
        return cls(family, none, np.empty((len(Kind), 0), np.int64), none, none, none, none, none)

    def grow(self, n: int) -> None:
        have = len(self.frontier)
        if n <= have:
            return
        more = max(n, have * 3 // 2, 64) - have

        def longer(column: Int64, fill: int) -> Int64:
            return np.concatenate([column, np.full((*column.shape[:-1], more), fill, np.int64)], axis=-1)

        self.frontier = longer(self.frontier, NO_TIME)
        self.seen = longer(self.seen, NO_TIME)
        self.behind_since = longer(self.behind_since, 0)
        self.behind_count = longer(self.behind_count, 0)
        self.interval = longer(self.interval, self.family.interval)
        self.lateness = longer(self.lateness, 0)
        self.mark = longer(self.mark, 0)


class Order:
    """The watermarks of all families. ahead, behind: how far (µs) a live stamp may lie from its receipt."""

    def __init__(
        self, families: Mapping[str, Family], ahead: int = 60 * SECOND, behind: int = 7 * DAY
    ) -> None:
        self.ahead = ahead
        self.behind = behind
        self._of = {name: Watermarks.of(family) for name, family in families.items()}

    def control(self, control: Control) -> None:
        if isinstance(control, Devices):
            marks = self._of[control.family]
            marks.grow(1 + max(row.index for row in control.rows))
            for row in control.rows:
                marks.interval[row.index] = row.interval or marks.family.interval
                marks.lateness[row.index] = row.lateness
        elif isinstance(control, WatermarkRestart):
            marks = self._of[control.family]
            marks.grow(control.device + 1)
            marks.frontier[control.device] = control.time
            marks.behind_since[control.device] = marks.behind_count[control.device] = 0
            if control.device in marks.released:
                marks.released[control.device] = control.time
                marks.waiting[control.device] = []

    def stamp(self, batch: Batch) -> Stamped:
        """Give every row its event time and flags, in order of arrival. Changes the batch's columns in place."""
        marks = self._of[batch.family.name]
        marks.grow(int(batch.device.max(initial=-1)) + 1)
        given = batch.time != NO_TIME
        live = (batch.flags & Flag.HISTORICAL) == 0
        wrong = given & (
            (batch.time > batch.received + self.ahead) | (live & (batch.time < batch.received - self.behind))
        )
        batch.flags[wrong] |= np.uint8(Flag.CLOCK)
        batch.time[wrong] = NO_TIME
        suspects = np.zeros(len(batch), bool)
        restarts: list[WatermarkRestart] = []
        for rows in _rounds(marks, batch):
            suspects[rows], more = self._stamp_round(marks, batch, rows)
            restarts += more
        return Stamped(batch, suspects, restarts)

    def observe(self, batch: Batch) -> None:
        """Learn from rows that history holds already: the state is then as if `stamp` had seen them arrive."""
        marks = self._of[batch.family.name]
        marks.grow(int(batch.device.max(initial=-1)) + 1)
        for rows in _rounds(marks, batch):
            self._expire(marks, batch, rows)
            _learn(marks, batch, rows)

    def _stamp_round(
        self, marks: Watermarks, batch: Batch, rows: Int64
    ) -> tuple[Bool, list[WatermarkRestart]]:
        device, received = batch.device[rows], batch.received[rows]
        bare = batch.time[rows] == NO_TIME
        if bare.any():
            at = rows[bare]
            batch.time[at] = np.maximum(received[bare], marks.seen[batch.kind[at], device[bare]] + 1)
        self._expire(marks, batch, rows)
        time = batch.time[rows]
        live = (batch.kind[rows] == Kind.SAMPLE) & ((batch.flags[rows] & Flag.HISTORICAL) == 0)
        late = live & (time < marks.frontier[device])
        restarts: list[WatermarkRestart] = []
        if late.any():
            behind = marks.behind_since[device]
            stuck = late & (behind != 0) & (marks.behind_count[device] + 1 >= RESTART_SAMPLES)
            stuck &= received - behind >= RESTART_INTERVALS * marks.interval[device]
            for row in np.flatnonzero(stuck):
                restarts.append(WatermarkRestart(batch.family.name, int(device[row]), int(time[row])))
                self.control(restarts[-1])
            batch.flags[rows[late & ~stuck]] |= np.uint8(Flag.LATE)
        suspects: Bool = time <= marks.seen[batch.kind[rows], device]
        _learn(marks, batch, rows)
        return suspects, restarts

    def _expire(self, marks: Watermarks, batch: Batch, rows: Int64) -> None:
        """Devices with lateness: what was received `lateness` before these rows has been judged by now."""
        for row in rows[marks.lateness[batch.device[rows]] > 0]:
            device = int(batch.device[row])
            waiting = marks.waiting.setdefault(device, [])
            limit = int(batch.received[row] - marks.lateness[device])
            while waiting and waiting[0][0] <= limit:
                marks.frontier[device] = max(int(marks.frontier[device]), waiting.pop(0)[1])

    def admit(self, batch: Batch) -> Batch:
        """The rows that rules may judge now, in judge order for each device.

        Rows of a device with lateness come when its watermark passes them or `lateness` after receipt; their `received`
        is then the moment of that release, so that batching cannot change it.
        """
        marks = self._of[batch.family.name]
        marks.grow(int(batch.device.max(initial=-1)) + 1)
        judged = (batch.kind == Kind.SAMPLE) & ((batch.flags & UNJUDGED) == 0)
        patient = marks.lateness[batch.device] > 0
        if not patient.any():
            return batch if judged.all() else batch.take(judged)
        out: list[tuple[int, Held]] = []
        for row in np.flatnonzero(patient & judged):
            device, lateness = int(batch.device[row]), int(marks.lateness[batch.device[row]])
            held = Held(
                int(batch.time[row]), int(batch.received[row]), batch.values[:, row], batch.quality[:, row]
            )
            out.extend((device, release) for release in _due(marks, device, held.received))
            insort(marks.held.setdefault(device, []), held, key=itemgetter(0))
            frontier = max(marks.released.get(device, NO_TIME), held.time - lateness)
            out.extend((device, release) for release in _release(marks, device, frontier, held.received))
        return Batch.concat([batch.take(judged & ~patient), _rows(batch.family, out)])

    def due(self, now: int) -> list[Batch]:
        """What was held for `lateness` and has waited long enough by `now` (µs)."""
        batches = []
        for marks in self._of.values():
            out = [(device, held) for device in sorted(marks.held) for held in _due(marks, device, now)]
            if out:
                batches.append(_rows(marks.family, out))
        return batches

    def snapshot(self) -> dict[str, Any]:
        return {
            name: {
                "frontier": marks.frontier,
                "seen": marks.seen,
                "behind_since": marks.behind_since,
                "behind_count": marks.behind_count,
                "interval": marks.interval,
                "lateness": marks.lateness,
                "waiting": {
                    str(device): [list(pair) for pair in pairs] for device, pairs in marks.waiting.items()
                },
                "held": {str(device): [list(held) for held in rows] for device, rows in marks.held.items()},
                "released": {str(device): time for device, time in marks.released.items()},
            }
            for name, marks in self._of.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for name, saved in state.items():
            marks = self._of[name]
            for column in ("frontier", "seen", "behind_since", "behind_count", "interval", "lateness"):
                setattr(marks, column, np.array(saved[column], np.int64))
            marks.mark = np.zeros(len(marks.frontier), np.int64)
            marks.waiting = {
                int(d): [(int(r), int(t)) for r, t in pairs] for d, pairs in saved["waiting"].items()
            }
            marks.held = {int(d): [Held(*row) for row in rows] for d, rows in saved["held"].items()}
            marks.released = {int(d): int(t) for d, t in saved["released"].items()}


def _rounds(marks: Watermarks, batch: Batch) -> Iterator[Int64]:
    """Row numbers, such that each round has a device at most once and rounds follow the order of arrival."""
    rows = np.arange(len(batch))
    while len(rows):
        device = batch.device[rows]
        marks.mark[device[::-1]] = rows[::-1]  # the first row of each device wins
        first = marks.mark[device] == rows
        yield rows[first] if not first.all() else rows
        rows = rows[~first]


def _learn(marks: Watermarks, batch: Batch, rows: Int64) -> None:
    """Advance what is known by stamped rows, each device at most once among them."""
    device, time, kind = batch.device[rows], batch.time[rows], batch.kind[rows]
    marks.seen[kind, device] = np.maximum(marks.seen[kind, device], time)
    live = (kind == Kind.SAMPLE) & ((batch.flags[rows] & Flag.HISTORICAL) == 0)
    late = (batch.flags[rows] & Flag.LATE) != 0
    ahead = live & ~late
    on_time = device if ahead.all() else device[ahead]
    lateness = marks.lateness[on_time]
    marks.frontier[on_time] = np.maximum(marks.frontier[on_time], time[ahead] - lateness)
    marks.behind_since[on_time] = 0
    marks.behind_count[on_time] = 0
    for row in np.flatnonzero(ahead & (marks.lateness[device] > 0)):
        pair = (int(batch.received[rows[row]]), int(time[row]))
        marks.waiting.setdefault(int(device[row]), []).append(pair)
    behind = live & late
    if behind.any():
        old, received = device[behind], batch.received[rows[behind]]
        marks.behind_since[old] = np.where(marks.behind_since[old] == 0, received, marks.behind_since[old])
        marks.behind_count[old] += 1


def _due(marks: Watermarks, device: int, now: int) -> Iterator[Held]:
    """Releases by time-out: each row at its own deadline, with all that lies before it."""
    lateness = int(marks.lateness[device])
    while True:
        held = marks.held.get(device)
        if not held:
            return
        first = min(held, key=itemgetter(1))
        if first.received + lateness > now:
            return
        frontier = max(marks.released.get(device, NO_TIME), first.time)
        yield from _release(marks, device, frontier, first.received + lateness)


def _release(marks: Watermarks, device: int, frontier: int, at: int) -> Iterator[Held]:
    marks.released[device] = frontier
    held = marks.held.get(device, [])
    while held and held[0].time <= frontier:
        row = held.pop(0)
        yield row._replace(received=max(at, row.received))
    if not held:
        marks.held.pop(device, None)


def _rows(family: Family, out: list[tuple[int, Held]]) -> Batch:
    batch = Batch.empty(family, len(out))
    if out:
        batch.device[:] = [device for device, _ in out]
        batch.time[:] = [held.time for _, held in out]
        batch.received[:] = [held.received for _, held in out]
        batch.values[:] = np.stack([held.values for _, held in out], axis=1)
        batch.quality[:] = np.stack([held.quality for _, held in out], axis=1)
    return batch
