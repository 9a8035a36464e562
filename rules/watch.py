"""One rule over one family: when it raises, when its hold runs out, when it clears.

Unknown neither raises nor clears, and cancels a running hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from drivers.telemetry import SECOND
from rules.compile import false_kernel, true_kernel
from rules.devices import Devices
from rules.document import Meaning, Rule
from rules.parameters import Overrides
from rules.scene import Moment
from rules.state import IDLE, MOST_SWEPT, PENDING, RAISED, Track
from rules.tree import OF_LAST_VALUES
from rules.windows import ring_key

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

Emit = Callable[["Watch", "Int64", bool, "Int64", "Int64"], None]
"""(watch, devices, raised, event times, receive times): write these transitions, with the evidence of this moment."""


class Watch:
    """A rule that is judged from values. hold int or int64[device]: µs; parameters: numbers or float64[device]."""

    def __init__(self, rule: Rule, family: str, capacity: int, emit: Emit) -> None:
        self.rule = rule
        self.meaning: Meaning = rule.meanings[family]
        self.rings = {ring_key(window) for window in self.meaning.windows()}
        self.instant = all(isinstance(node, OF_LAST_VALUES) for node in self.meaning.nodes())
        self.hold: int | Int64 = 0
        self.parameters: dict[str, float | Float64] = {}
        self.track = Track(capacity, holds=rule.hold != 0)
        self.mine: Bool | None = None  # the devices that this version judges; None: all
        self._when = true_kernel(self.meaning.when)
        clear = self.meaning.clear
        self._clear = false_kernel(self.meaning.when) if clear is None else true_kernel(clear)
        self._emit = emit

    def bind(self, overrides: Overrides, devices: Devices) -> None:
        """Take the parameters as they are tuned now."""
        self.parameters = {
            name: overrides.resolve(self.rule.id, name, tunable.value, devices)
            for name, tunable in self.rule.parameters.items()
        }
        self.hold = span_of(self.rule, self.rule.hold, self.parameters)
        self.track.due = 0

    def expire(
        self, devices: Int64, passed: Int64, received: Int64, grace: Int64, by_clock: bool = True
    ) -> None:
        """Raise where a hold ran out: the event time `passed` it, or, `by_clock`, nothing came in time to contradict it.

        By receive time an instant rule's hold runs from the receipt of its first row; a windowed rule's ends when the
        bucket that holds its deadline closes.
        """
        if not self.track.running:
            return
        rows = (self.track.state.take(devices) == PENDING).nonzero()[0]
        if not len(rows):
            return
        who = devices[rows]
        deadline, limit = self._limits(who, grace[rows])
        over = passed[rows] > deadline
        if by_clock:
            over |= received[rows] >= limit
        if over.any():
            got = np.minimum(received[rows], limit)
            self._turn(who[over], RAISED, deadline[over], got[over])

    def _limits(self, who: Int64, grace: Int64) -> tuple[Int64, Int64]:
        """(event time, receive time) at which the holds that run on these devices are over."""
        hold = self._hold_of(who)
        deadline = self.track.since.take(who) + hold
        return deadline, deadline + grace if self.rings else self.track.received.take(who) + hold

    def _hold_of(self, devices: Int64) -> Int64 | int:
        return self.hold if isinstance(self.hold, int) else self.hold.take(devices)

    def hot(self, moment: Moment) -> Bool:
        """Where it may say something of these rows, which may be several of a device."""
        when: Bool = self._true(moment) | (self.track.state.take(moment.devices) != IDLE)
        return when

    def _true(self, moment: Moment) -> Bool:
        when = self._when(moment.of(self))
        return when if self.mine is None else when & self.mine.take(moment.devices)

    def judge(self, moment: Moment, received: Int64, grace: Int64) -> None:
        """Judge the moment of these devices; received: receive time of what brought it about."""
        when = self._true(moment)
        state = self.track.state.take(moment.devices)
        rows = (when | (state != IDLE)).nonzero()[0]
        if not len(rows):
            return
        state, when = state.take(rows), when.take(rows)
        self._raise(moment, rows[(state == IDLE) & when], received, grace)
        pending = state == PENDING
        if pending.any():
            self.track.cancel(moment.devices[rows[pending & ~when]])
            self._mature(moment, rows[pending & when], received, grace)
        standing = rows[state == RAISED]
        if len(standing):
            self._clear_some(moment, standing, received)

    def _raise(self, moment: Moment, rows: Int64, received: Int64, grace: Int64) -> None:
        if not len(rows):
            return
        who, time, got = moment.devices[rows], moment.time[rows], received[rows]
        if not self.track.holds:
            self._turn(who, RAISED, time, got)
            return
        self.track.pend(who, time, got)
        limit = self._limits(who, grace[rows])[1]
        self.track.due = min(self.track.due, int(limit.min()))
        self._mature(moment, rows, received, grace)

    def _mature(self, moment: Moment, rows: Int64, received: Int64, grace: Int64) -> None:
        """Holds that are over at this very moment, which is itself true."""
        who, time = moment.devices[rows], moment.time[rows]
        deadline, limit = self._limits(who, grace[rows])
        over = time >= deadline
        if over.any():
            self._turn(who[over], RAISED, deadline[over], np.minimum(received[rows], limit)[over])

    def _clear_some(self, moment: Moment, rows: Int64, received: Int64) -> None:
        part = moment if len(rows) == len(moment) else moment.some(rows)
        over = self._clear(part)
        if over.any():
            self._turn(part.devices[over], IDLE, part.time[over], received[rows][over])

    def _turn(self, devices: Int64, state: int, time: Int64, received: Int64) -> None:
        self._emit(self, devices, state == RAISED, self.track.turn(devices, state, time), received)

    def sweep(self, now: int, grace: Int64) -> bool:
        """Holds that ran out by receive time; True where there are more. grace: by device index."""
        track = self.track
        if not track.running or now < track.due:
            return False
        devices = (track.state == PENDING).nonzero()[0]
        deadline, limit = self._limits(devices, grace.take(devices))
        over = (limit <= now).nonzero()[0][:MOST_SWEPT]
        if len(over):
            self._turn(devices[over], RAISED, deadline[over], limit[over])
        track.due = int(np.delete(limit, over).min(initial=2**62))
        return now >= track.due


def span_of(rule: Rule, span: int | str, parameters: dict[str, float | Float64]) -> int | Int64:
    """A duration that is fixed or a parameter: µs, for all devices or by device."""
    if isinstance(span, int):
        return span
    scale = rule.parameters[span].unit.factor * SECOND
    value = parameters[span]
    return round(value * scale) if isinstance(value, float) else np.rint(value * scale).astype(np.int64)
