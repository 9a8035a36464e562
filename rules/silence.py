"""Absence: raised at the deadline heard + timeout, by receive time; cleared by the next row heard, whatever it says.

No timeout is shorter than a few of the device's own intervals, so that who reports each hour is not silent each hour.
It is checked at a row before the row counts as heard, and at sweeps; so a replay without sweeps raises the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rules.devices import Devices
from rules.document import Rule
from rules.memory import NEVER, Memory
from rules.parameters import Overrides
from rules.state import IDLE, MOST_SWEPT, RAISED, Track
from rules.tree import MISSED, Silent
from rules.watch import span_of

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

Emit = Callable[["Silence", "Int64", bool, "Int64", "Int64"], None]


class Silence:
    """A silent(…) rule over one family. timeout int or int64[device]: µs; said: as the rule says, before the intervals."""

    def __init__(self, rule: Rule, family: str, capacity: int, emit: Emit) -> None:
        self.rule = rule
        self.track = Track(capacity, holds=False)
        self.mine: Bool | None = None  # the devices that this version judges; None: all
        self.timeout: int | Int64 = 0
        self.said: int | Int64 = 0
        self.shortest = 0
        when = rule.meanings[family].when
        assert isinstance(when, Silent)
        self._span: int | str = when.parameter or when.timeout
        self._emit = emit

    def bind(self, overrides: Overrides, devices: Devices) -> None:
        parameters: dict[str, float | Float64] = {
            name: overrides.resolve(self.rule.id, name, tunable.value, devices)
            for name, tunable in self.rule.parameters.items()
        }
        self.said = self.timeout = span_of(self.rule, self._span, parameters)
        self.shortest = _least(self.said)
        if MISSED * int(devices.interval.max(initial=0)) > self.shortest:
            self.timeout = np.maximum((devices.interval * MISSED).astype(np.int64), self.said)
            self.shortest = _least(self.timeout)
        self.track.due = 0

    def troubled(self, devices: Int64, quiet: Int64) -> Bool:
        """Which rows may raise or clear; quiet: µs since their device was heard."""
        raised: Bool = self.track.state.take(devices) != IDLE
        over = quiet >= self._timeout_of(devices)
        return np.logical_or(raised, over if self.mine is None else over & self.mine.take(devices))

    def _timeout_of(self, devices: Int64) -> Int64 | int:
        return self.timeout if isinstance(self.timeout, int) else self.timeout.take(devices)

    def hear(self, device: Int64, received: Int64, heard: Int64) -> None:
        """One row of one device (arrays of length 1), before it counts as heard."""
        deadline = heard + self._timeout_of(device)
        if self.track.state[device[0]] == IDLE:
            strange = self.mine is not None and not self.mine[device[0]]
            if strange or heard[0] == NEVER or received[0] < deadline[0]:
                return
            self._turn(device, RAISED, deadline, deadline)
        self._turn(device, IDLE, received, received)
        self.track.due = min(self.track.due, int((received + self._timeout_of(device))[0]))

    def sweep(self, now: int, waiting: Int64, heard: Int64, younger: int) -> bool:
        """Deadlines that passed among these devices, heard at these times; True where there are more.

        younger: when the longest silent of all other devices was heard.
        """
        idle = self.track.state.take(waiting) == IDLE
        rows = (idle if self.mine is None else idle & self.mine.take(waiting)).nonzero()[0]
        deadline = heard[rows] + self._timeout_of(waiting[rows])
        over = (deadline <= now).nonzero()[0][:MOST_SWEPT]
        if len(over):
            self._turn(waiting[rows[over]], RAISED, deadline[over], deadline[over])
        rest = int(np.delete(deadline, over).min(initial=2**62))
        self.track.due = min(rest, younger + self.shortest)
        return now >= self.track.due

    def _turn(self, devices: Int64, state: int, time: Int64, received: Int64) -> None:
        self._emit(self, devices, state == RAISED, self.track.turn(devices, state, time), received)


def _least(span: int | Int64) -> int:
    return span if isinstance(span, int) else int(span.min(initial=2**61))


def sweep(silences: list[Silence], now: int, memory: Memory) -> bool:
    """Deadlines of all rules that passed; the devices are looked through once for all. True where there are more."""
    due = [silence for silence in silences if now >= silence.track.due]
    if not due:
        return False
    every = memory.heard[: memory.devices.size]
    cut = now - min(silence.shortest for silence in due)
    old = every <= cut
    waiting = old.nonzero()[0]
    heard = every[waiting]
    kept = memory.devices.alive[waiting] & (heard > NEVER) & ~memory.still[waiting]
    younger = int(every.min(initial=2**61, where=~old))
    waiting, heard = waiting[kept], heard[kept]
    more = [silence.sweep(now, waiting, heard, younger) for silence in due]
    return any(more)
