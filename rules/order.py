"""One event time (law 3): which reading is live, which is late, whose clock is wrong, and in what order rules see them.

`stamp` runs before history, so that its verdict is stored with the row; `admit` runs after it, on live and replayed rows alike.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from drivers.telemetry import DAY, NO_TIME, SECOND, Batch, Bool, Family, Flag, Kind
from rules.control import Control, Devices, WatermarkRestart
from rules.watermarks import Held, Watermarks

UNJUDGED = int(Flag.LATE | Flag.HISTORICAL)


class Stamped(NamedTuple):
    """The rows with their event time and flags; which of them may repeat a stored key; restarts to be logged first."""

    batch: Batch
    suspects: Bool
    restarts: list[WatermarkRestart]


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
            marks.restart(control.device, control.time)

    def interval(self, family: str, index: int) -> int:
        """µs between two reports of a device, as it is registered."""
        marks = self._of[family]
        return int(marks.interval[index]) if index < len(marks.interval) else marks.family.interval

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
        single = marks.may_restart(batch) | (marks.lateness.take(batch.device) > 0)
        for kind, run in marks.by_kind(batch, _others(single)):
            suspects[run.rows] = marks.stamp(batch, kind, run)
        for row in single.nonzero()[0].tolist():
            suspects[row] = self._stamp_one(marks, batch, row, restarts)
        return Stamped(batch, suspects, restarts)

    def _stamp_one(self, marks: Watermarks, batch: Batch, row: int, restarts: list[WatermarkRestart]) -> bool:
        """Whether the row may repeat a stored key."""
        device, received = int(batch.device[row]), int(batch.received[row])
        seen = int(marks.seen_of(int(batch.kind[row]))[device])
        if batch.time[row] == NO_TIME:
            batch.time[row] = max(received, seen + 1)
        time = int(batch.time[row])
        marks.expire(device, received)
        live = batch.kind[row] == Kind.SAMPLE and not batch.flags[row] & Flag.HISTORICAL
        if live and time < marks.frontier[device]:
            if marks.stuck(device, received):
                restarts.append(WatermarkRestart(batch.family.name, device, time))
                self.control(restarts[-1])
            else:
                batch.flags[row] |= np.uint8(Flag.LATE)
        marks.learn_one(batch, row)
        return time <= seen

    def observe(self, batch: Batch) -> None:
        """Learn from rows that history holds already: the state is then as if `stamp` had seen them arrive."""
        marks = self._of[batch.family.name]
        marks.grow(int(batch.device.max(initial=-1)) + 1)
        patient = marks.lateness.take(batch.device) > 0
        for kind, run in marks.by_kind(batch, _others(patient)):
            marks.learn(batch, kind, run)
        for row in patient.nonzero()[0].tolist():
            marks.expire(int(batch.device[row]), int(batch.received[row]))
            marks.learn_one(batch, row)

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
        return {name: marks.snapshot() for name, marks in self._of.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name, saved in state.items():
            self._of[name].restore(saved)


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


def _others(rows: Bool) -> Any:
    """All but these rows."""
    return (~rows).nonzero()[0] if rows.any() else slice(None)
