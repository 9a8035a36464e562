"""What each event of the lifecycle does to a case's own fields, one entry an event.

The limit's clock starts at dispatch, stands still from hand-back on, and runs on through rework (domain G.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gateway.cases.deadline import LENGTH, WorkClock
from gateway.cases.lifecycle import CaseEvent
from gateway.cases.record import Case
from gateway.cases.template import Limit

Effect = Callable[[Case, int, Limit, WorkClock], None]


def _file(case: Case, now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.filed = now


def _dispatch(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.dispatched, case.overdue, case.time_left = now, None, None
    case.deadline = clock.end(limit.unit, now, round(limit.amount * LENGTH[limit.unit]))


def _return(case: Case, _now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.crew, case.deadline = "", None  # the dispatcher must choose anew


def _repaired(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.repaired = now
    case.time_left = None if case.deadline is None else clock.run(limit.unit, now, case.deadline)


def _rework(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.reworked += 1
    case.repaired, case.verified = None, None
    if case.time_left:
        case.deadline = clock.end(limit.unit, now, case.time_left)


def _verified(case: Case, now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.verified = now


def _over(case: Case, now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.closed = now


def _reopen(case: Case, now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.reopened += 1
    case.repaired, case.verified, case.closed = None, None, None
    case.deadline, case.overdue, case.time_left = None, None, None
    case.quiet_since = None if case.standing else now  # what was proved before does not count again


def _nothing(_case: Case, _now: int, _limit: Limit, _clock: WorkClock) -> None:
    """Only the state changes."""


EFFECTS: Final[Mapping[CaseEvent, Effect]] = {
    CaseEvent.FILE: _file,
    CaseEvent.DISPATCH: _dispatch,
    CaseEvent.ACCEPT: _nothing,
    CaseEvent.START: _nothing,
    CaseEvent.RETURN: _return,
    CaseEvent.REPAIRED: _repaired,
    CaseEvent.RECOVER: _verified,
    CaseEvent.VERIFY: _verified,
    CaseEvent.REWORK: _rework,
    CaseEvent.CLOSE: _over,
    CaseEvent.REOPEN: _reopen,
    CaseEvent.VOID: _over,
}
