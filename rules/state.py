"""Where one rule stands on every device of a family: idle, pending (its hold runs) or raised.

Transitions of one (rule, device) have strictly increasing times, so that their ids are unique: a later one that would fall
on or before an earlier one stands 1 µs after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rules.devices import longer
from rules.memory import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.telemetry import Int64, UInt8

IDLE: Final = 0
PENDING: Final = 1
RAISED: Final = 2
STATES: Final = ("idle", "pending", "raised")
MOST_SWEPT: Final = (
    10_000  # devices a rule's sweep turns at once, so that no sweep stalls a tick; the next one goes on
)


class Track:
    """Arrays by device index. changed: event time of the last transition; since, received: when a hold began."""

    def __init__(self, capacity: int, holds: bool) -> None:
        self.holds = holds
        self.state: UInt8 = np.zeros(capacity, np.uint8)
        self.changed: Int64 = np.full(capacity, NEVER, np.int64)
        self.since: Int64 = np.zeros(capacity if holds else 0, np.int64)
        self.received: Int64 = np.zeros(capacity if holds else 0, np.int64)
        self.running = 0  # how many devices are pending
        self.due = 0  # nothing runs out by receive time before it; a lower bound

    def reserve(self, capacity: int) -> None:
        if capacity <= len(self.state):
            return
        self.state = longer(self.state, capacity, IDLE)
        self.changed = longer(self.changed, capacity, NEVER)
        if self.holds:
            self.since = longer(self.since, capacity, 0)
            self.received = longer(self.received, capacity, 0)

    def adopt(self, old: Track, devices: Int64, whole: bool) -> None:
        """Go on with what another version of the rule has raised on these devices. whole: with its running holds too."""
        state = old.state.take(devices)
        self.state[devices] = state if whole else np.where(state == RAISED, RAISED, IDLE)
        if whole and self.holds:
            self.since[devices] = old.since.take(devices)
            self.received[devices] = old.received.take(devices)
        self.running = int(np.count_nonzero(self.state == PENDING))
        self.due = 0

    def pend(self, devices: Int64, time: Int64, received: Int64) -> None:
        self.state[devices] = PENDING
        self.since[devices] = time
        self.received[devices] = received
        self.running += len(devices)

    def turn(self, devices: Int64, state: int, time: Int64) -> Int64:
        """Raise or clear them; returns the event times of their transitions."""
        if self.running:
            self.running -= int(np.count_nonzero(self.state.take(devices) == PENDING))
        time = np.maximum(time, self.changed.take(devices) + 1)
        self.state[devices] = state
        self.changed[devices] = time
        return time

    def stand(self, device: int) -> dict[str, Any]:
        """state: idle, pending or raised; since: µs, of the hold's first row or of the raise; None while idle."""
        state = int(self.state[device])
        since = self.since if state == PENDING else self.changed
        return {"state": STATES[state], "since": None if state == IDLE else int(since[device])}

    def cancel(self, devices: Int64) -> None:
        """Holds that run on these devices are void."""
        pending = devices[self.state.take(devices) == PENDING]
        self.state[pending] = IDLE
        self.running -= len(pending)

    def carry(self, by: int) -> None:
        """Running holds began `by` µs later, in event time and by receipt."""
        if self.running:
            pending = self.state == PENDING
            self.since[pending] += by
            self.received[pending] += by

    def snapshot(self, size: int) -> dict[str, Any]:
        """Devices that are idle and have never raised, nearly all of a city, are left out."""
        names = ("state", "changed", "since", "received") if self.holds else ("state", "changed")
        devices = ((self.state[:size] != IDLE) | (self.changed[:size] > NEVER)).nonzero()[0]
        return {"devices": devices, **{name: getattr(self, name)[devices] for name in names}}

    def restore(self, state: Mapping[str, Any]) -> None:
        devices = state["devices"]
        for name, column in state.items():
            if name != "devices":
                getattr(self, name)[devices] = column
        self.running = int(np.count_nonzero(self.state == PENDING))
        self.due = 0
