"""What is said of a limit, and when: warnings before it ends, and whom it needs from then on.

A case remembers the share of its limit of which it was told last, so that other steps may be set while it is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.cases.deadline import LimitUnit, WorkClock
from gateway.cases.lifecycle import RUNNING, CaseState, Entry
from gateway.cases.record import Case
from gateway.cases.settings import DeskSettings, Step


class Reminders(NamedTuple):
    """steps: in order. dispatch_within: µs that a filed case may wait for a crew; 0 = for ever."""

    steps: tuple[Step, ...]
    dispatch_within: int

    @classmethod
    def of(cls, settings: DeskSettings) -> Reminders:
        return cls(settings.steps(), settings.dispatch_within)

    def next(self, case: Case, unit: LimitUnit, clock: WorkClock) -> int | None:
        """When something is to be said next, µs UTC; None where nothing is left, or its clock stands still."""
        return next((at for _, at in self._ahead(case, unit, clock)), None)

    def passed(self, case: Case, now: int, unit: LimitUnit, clock: WorkClock) -> list[Step]:
        """What is to be said now: of warnings the newest, and none once the limit has run out; all that goes beyond."""
        found = [step for step, at in self._ahead(case, unit, clock) if at <= now]
        return [step for step in found if step.at >= 1] or found[-1:]

    def forget(self, case: Case, now: int, unit: LimitUnit, clock: WorkClock) -> None:
        """The limit is another one: what lies ahead of it again is to be said again."""
        before, case.reminded = case.reminded, 0.0
        run = [step.at for step, at in self._ahead(case, unit, clock) if at <= now]
        case.reminded = min(before, max(run, default=0.0))

    def _ahead(self, case: Case, unit: LimitUnit, clock: WorkClock) -> Iterator[tuple[Step, int]]:
        for step in self.steps:
            at = self._time(case, step, unit, clock) if step.at > case.reminded else None
            if at is not None:
                yield step, at

    def _time(self, case: Case, step: Step, unit: LimitUnit, clock: WorkClock) -> int | None:
        """A clock that ran out before it last stood still goes on from there."""
        if case.state is CaseState.FILED:
            if case.waiting is None or not self.dispatch_within or step.at < 1:
                return None
            return case.waiting + round(step.at * self.dispatch_within)
        if case.state not in RUNNING or case.deadline is None:
            return None
        start, left = case.clock_from, case.time_left
        if start is None or left is None:
            start, left = case.deadline, 0
        try:
            return clock.end(unit, start, left + round((step.at - 1) * case.allowed))
        except ValueError:  # further ahead than any calendar goes
            return None


def entry_of(case: Case, step: Step) -> Entry:
    """The word for it."""
    if step.at < 1:
        return Entry.DUE_SOON
    if step.at > 1:
        return Entry.ESCALATED
    return Entry.UNDISPATCHED if case.state is CaseState.FILED else Entry.OVERDUE
