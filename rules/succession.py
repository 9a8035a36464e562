"""What passes from one version of a rule to the next: of a device, one version of a line judges, and its alarm goes on.

An alarm that no later version raises by the same name is cleared, with the reason; times of transitions never go back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from rules.devices import Devices, longer
from rules.silence import Silence
from rules.state import IDLE, RAISED
from rules.watch import Watch

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Int64

Version = Watch | Silence
Withdraw = Callable[[Version, "Int64", str], None]
"""(version, devices, reason): clear what it raised on them."""

WITHDRAWN = "rule withdrawn"


def reach(versions: Sequence[Version], devices: Devices) -> None:
    """Which devices each version of a line judges: a canary those in its areas, the published one all others."""
    taken: list[str] = [area for each in versions for area in each.rule.areas]
    for each in versions:
        if each.rule.areas:
            each.mine = devices.within(each.rule.areas)
        else:
            each.mine = ~devices.within(taken) if taken else None


def pass_on(olds: Sequence[Version], news: Sequence[Version], family: str, withdraw: Withdraw) -> None:
    """The set has changed. What nobody goes on with is cleared; the new versions, just made, take over the rest."""
    for old in olds:
        state = old.track.state
        left = state == RAISED
        for new in news:
            if new.rule.alarm == old.rule.alarm:
                left &= ~_mine(new, len(state))
        withdraw(old, left.nonzero()[0], WITHDRAWN)
    for new in news:
        if olds:
            new.track.changed[:] = reduce(np.maximum, [old.track.changed for old in olds])
        for old in olds:
            if new.rule.alarm == old.rule.alarm:
                busy = ((old.track.state != IDLE) & _mine(new, len(old.track.state))).nonzero()[0]
                new.track.adopt(old.track, busy, whole=new.rule.judges_like(old.rule, family))


def move(versions: Sequence[Version], at: Int64, devices: Devices, family: str, withdraw: Withdraw) -> None:
    """These devices are new or may stand in another area now."""
    before = [_mine(each, devices.capacity) for each in versions]
    reach(versions, devices)
    for old, was in zip(versions, before, strict=True):
        left = at[was[at] & ~_mine(old, devices.capacity)[at]]
        heir = next((each for each in versions if each is not old), None)
        if not len(left):
            continue
        if heir is None or heir.rule.alarm != old.rule.alarm:
            withdraw(old, left[old.track.state[left] == RAISED], WITHDRAWN)
        if heir is not None:
            heir.track.changed[left] = np.maximum(heir.track.changed[left], old.track.changed[left])
            if heir.rule.alarm == old.rule.alarm:
                heir.track.adopt(old.track, left, whole=heir.rule.judges_like(old.rule, family))
        old.track.cancel(left)
        old.track.state[left] = IDLE


def _mine(version: Version, capacity: int) -> Bool:
    if version.mine is None:
        return np.ones(capacity, bool)
    return longer(version.mine, capacity, fill=False) if len(version.mine) < capacity else version.mine
