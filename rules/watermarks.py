"""What is known of the clocks of one family's devices, and how rows change it: many at once, or one after the other.

Both say the same. One after the other go devices with lateness and those whose clock may have stepped back: they are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from drivers.telemetry import NO_TIME, Batch, Family, Flag, Kind
from rules.devices import longer
from rules.runs import Runs, runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.telemetry import Bool, Float64, Int64, UInt8

RESTART_INTERVALS: Final = (
    3  # this many reporting intervals of nothing but old stamps: the clock stepped back
)
RESTART_SAMPLES: Final = 3
_COLUMNS: Final = ("frontier", "behind_since", "behind_count", "interval", "lateness")


class Held(NamedTuple):
    """A row of a device with lateness, waiting for what may still come before it."""

    time: int
    received: int
    values: Float64
    quality: UInt8


@dataclass(slots=True)
class Watermarks:
    """Arrays by device index, with room for more than `size`; µs."""

    family: Family
    frontier: Int64  # samples before it are late
    behind_since: Int64  # receive time of the first late live sample since the last one in time
    behind_count: Int64
    interval: Int64
    lateness: Int64
    mark: Int64  # scratch of `runs`
    size: int = 0
    seen: dict[int, Int64] = field(default_factory=dict)  # by kind: newest stored time
    # of devices with lateness:
    waiting: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # (received, time)
    held: dict[int, list[Held]] = field(default_factory=dict)
    released: dict[int, int] = field(default_factory=dict)  # frontier of what rules have seen

    @classmethod
    def of(cls, family: Family) -> Watermarks:
        none = np.empty(0, np.int64)
        return cls(family, none, none, none, none, none, none)

    def grow(self, n: int) -> None:
        self.size = max(self.size, n)
        if n <= len(self.frontier):
            return
        room = max(n, len(self.frontier) * 3 // 2, 64)
        self.frontier = longer(self.frontier, room, NO_TIME)
        self.behind_since = longer(self.behind_since, room, 0)
        self.behind_count = longer(self.behind_count, room, 0)
        self.interval = longer(self.interval, room, self.family.interval)
        self.lateness = longer(self.lateness, room, 0)
        self.mark = np.zeros(room, np.int64)
        self.seen = {kind: longer(column, room, NO_TIME) for kind, column in self.seen.items()}

    def seen_of(self, kind: int) -> Int64:
        """A kind that no device sends takes no room."""
        if kind not in self.seen:
            self.seen[kind] = np.full(len(self.frontier), NO_TIME, np.int64)
        return self.seen[kind]

    def restart(self, device: int, time: int) -> None:
        """The device's clock stepped back to `time`."""
        self.frontier[device] = time
        self.behind_since[device] = self.behind_count[device] = 0
        if device in self.released:
            self.released[device] = time
            self.waiting[device] = []

    # -- many rows at once

    def may_restart(self, batch: Batch) -> Bool:
        """Rows of devices of which one could be old for so long that the clock must have stepped back; never too few."""
        oldest, newest = batch.received.min(initial=2**62), batch.received.max(initial=0)
        since: Any = oldest
        behind = self.behind_count.take(batch.device) > 0
        if behind.any():
            since = np.where(behind, self.behind_since.take(batch.device), oldest)
        long: Bool = newest - since >= RESTART_INTERVALS * self.interval.take(batch.device)
        return long

    def by_kind(self, batch: Batch, rows: Any) -> Iterator[tuple[int, Runs]]:
        """Rows of each kind on their own: what one kind says of a device's time means nothing to another."""
        kinds = batch.kind[rows]
        device = batch.device[rows]
        if not len(kinds):
            return
        if (kinds == kinds[0]).all():
            yield int(kinds[0]), runs(device, rows, self.mark)
            return
        rows = np.arange(len(batch))[rows]
        for kind in np.unique(kinds).tolist():
            mine = kinds == kind
            yield kind, runs(device[mine], rows[mine], self.mark)

    def stamp(self, batch: Batch, kind: int, run: Runs) -> Bool:
        """Give rows of one kind their time, and the late bit; returns which may repeat a stored key."""
        device, time = batch.device[run.rows], batch.time[run.rows]
        seen, bare = self.seen_of(kind), time == NO_TIME
        if (
            bare.any()
        ):  # each is 1 µs after all before it, or later: less their number, again a running maximum
            count = run.running_count(bare)
            claimed = np.where(bare, batch.received[run.rows], time) - count
            top, past = run.running_max(claimed, seen.take(device))
            top, past = top + count, past + (count - bare)
            time = np.where(bare, top, time)
            batch.time[run.rows] = time
        else:
            top, past = run.running_max(time, seen.take(device))
        seen[device[run.last]] = top[run.last]
        if kind == Kind.SAMPLE:
            self._find_late(batch, run, time)
        suspects: Bool = time <= past
        return suspects

    def _find_late(self, batch: Batch, run: Runs, time: Int64) -> None:
        device, flags = batch.device[run.rows], batch.flags[run.rows]
        live = (flags & Flag.HISTORICAL) == 0
        top, past = run.running_max(np.where(live, time, NO_TIME), self.frontier.take(device))
        self.frontier[device[run.last]] = top[run.last]
        late = live & (time < past)
        if late.any():
            flags[late] |= np.uint8(Flag.LATE)
            batch.flags[run.rows] = flags
        self._count_behind(batch, run, live, late)

    def learn(self, batch: Batch, kind: int, run: Runs) -> None:
        """What `stamp` would have left behind, of rows that have been through it."""
        device, time, flags = batch.device[run.rows], batch.time[run.rows], batch.flags[run.rows]
        seen = self.seen_of(kind)
        seen[device[run.last]] = run.running_max(time, seen.take(device))[0][run.last]
        if kind == Kind.SAMPLE:
            live, late = (flags & Flag.HISTORICAL) == 0, (flags & Flag.LATE) != 0
            claimed = np.where(live & ~late, time, NO_TIME)
            top, _ = run.running_max(claimed, self.frontier.take(device))
            self.frontier[device[run.last]] = top[run.last]
            self._count_behind(batch, run, live, live & late)

    def _count_behind(self, batch: Batch, run: Runs, live: Bool, late: Bool) -> None:
        """Of each run, the late rows after its last one in time."""
        who = batch.device[run.rows][run.first]
        count = self.behind_count.take(who)
        if not late.any() and not count.any():
            return
        n, place = len(late), np.arange(len(late))
        in_time = np.maximum.reduceat(np.where(live & ~late, place, -1), run.first)
        tail = late & (place > np.repeat(in_time, run.last - run.first + 1))
        begun = np.minimum.reduceat(np.where(tail, place, n - 1), run.first)
        more = np.add.reduceat(tail.astype(np.int64), run.first)
        anew = (in_time >= 0) | (count == 0)
        since = np.where(more > 0, batch.received[run.rows][begun], 0)
        self.behind_since[who] = np.where(anew, since, self.behind_since.take(who))
        self.behind_count[who] = np.where(in_time >= 0, 0, count) + more

    # -- one row after the other

    def expire(self, device: int, received: int) -> None:
        """Of a device with lateness: what was received `lateness` before has been judged by now."""
        lateness = int(self.lateness[device])
        if not lateness:
            return
        waiting = self.waiting.setdefault(device, [])
        while waiting and waiting[0][0] <= received - lateness:
            self.frontier[device] = max(int(self.frontier[device]), waiting.pop(0)[1])

    def stuck(self, device: int, received: int) -> bool:
        """One more late sample means that the clock stepped back."""
        since = int(self.behind_since[device])
        long = received - since >= RESTART_INTERVALS * self.interval[device]
        return bool(since and self.behind_count[device] + 1 >= RESTART_SAMPLES and long)

    def learn_one(self, batch: Batch, row: int) -> None:
        """A stamped row."""
        device, time, received = int(batch.device[row]), int(batch.time[row]), int(batch.received[row])
        seen, flags = self.seen_of(int(batch.kind[row])), int(batch.flags[row])
        seen[device] = max(int(seen[device]), time)
        if batch.kind[row] != Kind.SAMPLE or flags & Flag.HISTORICAL:
            return
        if flags & Flag.LATE:
            self.behind_since[device] = self.behind_since[device] or received
            self.behind_count[device] += 1
            return
        lateness = int(self.lateness[device])
        self.frontier[device] = max(int(self.frontier[device]), time - lateness)
        self.behind_since[device] = self.behind_count[device] = 0
        if lateness:
            self.waiting.setdefault(device, []).append((received, time))

    def snapshot(self) -> dict[str, Any]:
        """Plain data, copied."""
        return {
            **{name: getattr(self, name)[: self.size].copy() for name in _COLUMNS},
            "seen": {str(kind): column[: self.size].copy() for kind, column in self.seen.items()},
            "waiting": {
                str(device): [list(pair) for pair in pairs] for device, pairs in self.waiting.items()
            },
            "held": {str(device): [list(held) for held in rows] for device, rows in self.held.items()},
            "released": {str(device): time for device, time in self.released.items()},
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Become what was saved, whose arrays are its own from now on."""
        for name in _COLUMNS:
            setattr(self, name, np.asarray(saved[name], np.int64))
        self.seen = {int(kind): np.asarray(column, np.int64) for kind, column in saved["seen"].items()}
        self.size = len(self.frontier)
        self.mark = np.zeros(self.size, np.int64)
        self.waiting = {int(d): [(int(r), int(t)) for r, t in pairs] for d, pairs in saved["waiting"].items()}
        self.held = {int(d): [Held(*row) for row in rows] for d, rows in saved["held"].items()}
        self.released = {int(d): int(t) for d, t in saved["released"].items()}
