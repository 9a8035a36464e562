"""What each event of the lifecycle does to a case's own fields, one entry an event.

The limit's clock starts at dispatch, stands still from hand-back on and while suspended, and runs on through rework
(domain G.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gateway.cases.deadline import LENGTH, LimitUnit, WorkClock
from gateway.cases.lifecycle import CaseEvent, Doubt
from gateway.cases.record import TELEMETRY, Case
from gateway.cases.template import Limit
from gateway.errors import Conflict

Effect = Callable[[Case, int, Limit, WorkClock], None]


def _file(case: Case, now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.filed = case.waiting = now


def _dispatch(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.dispatched, case.overdue, case.waiting, case.reminded = now, None, None, 0.0
    case.returned, case.unit = "", limit.unit
    case.allowed = case.time_left = round(limit.amount * LENGTH[limit.unit])
    start(case, now, limit.unit, clock)


def _return(case: Case, now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.returned, case.returns = case.department or case.crew, case.returns + 1
    case.crew, case.department = "", ""  # the dispatcher must choose anew
    case.deadline, case.clock_from, case.visit = None, None, None
    case.time_left, case.waiting, case.reminded, case.provisional = None, now, 0.0, False


def _suspend(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.suspended = now
    stop(case, now, limit.unit, clock)
    if case.time_left is not None and case.time_left > 0:
        case.deadline = None  # nobody knows


def _resume(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.suspended = None
    start(case, now, limit.unit, clock)


def _repaired(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.repaired = now
    stop(case, now, limit.unit, clock)


def _rework(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.reworked += 1
    case.repaired, case.verified, case.repaired_by = None, None, ""
    case.verification, case.doubt = TELEMETRY, Doubt.NONE
    start(case, now, limit.unit, clock)


def _verified(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.verified = now
    case.waiting = case.suspended = None
    stop(case, now, limit.unit, clock)


def _over(case: Case, now: int, limit: Limit, clock: WorkClock) -> None:
    case.closed = now
    case.waiting = case.suspended = None
    stop(case, now, limit.unit, clock)


def _reopen(case: Case, now: int, _limit: Limit, _clock: WorkClock) -> None:
    case.reopened += 1
    case.repaired, case.verified, case.closed, case.suspended = None, None, None, None
    case.repaired_by, case.verification, case.doubt, case.visit = "", TELEMETRY, Doubt.NONE, None
    case.deadline, case.overdue, case.time_left, case.clock_from = None, None, None, None
    case.waiting, case.reminded, case.provisional = now, 0.0, False
    case.quiet_since = None if case.standing else now  # what was proved before does not count again


def _nothing(_case: Case, _now: int, _limit: Limit, _clock: WorkClock) -> None:
    """Only the state changes."""


def start(case: Case, now: int, unit: LimitUnit, clock: WorkClock) -> None:
    """The clock of the limit runs from now on; one that has run out stays so."""
    if case.time_left is None:
        return
    case.clock_from = now
    if case.time_left > 0:
        case.deadline = clock.end(unit, now, case.time_left)
        case.provisional = not clock.sure(unit, now, case.deadline)


def reckon(case: Case, unit: LimitUnit, clock: WorkClock) -> None:
    """When the running limit ends, by the calendar of now; one that has run out stays so."""
    if case.clock_from is not None and case.overdue is None:
        start(case, case.clock_from, unit, clock)


def stop(case: Case, now: int, unit: LimitUnit, clock: WorkClock) -> None:
    """The clock of the limit stands still. Below 0 is left: how far it has run beyond the limit."""
    if case.clock_from is None or case.time_left is None or case.deadline is None:
        return
    if case.time_left > 0 and now <= case.deadline:
        case.time_left = clock.run(unit, now, case.deadline)
    else:
        case.time_left = min(case.time_left, 0) - clock.run(unit, max(case.clock_from, case.deadline), now)
        case.overdue = case.overdue or case.deadline
    case.clock_from, case.provisional = None, False


def extend(case: Case, extra: int, now: int, unit: LimitUnit, clock: WorkClock) -> None:
    """So much more time (µs of the unit's kind), for a limit that has not run out; raises Conflict."""
    over = case.overdue is not None or case.deadline is None or now > case.deadline
    if over or case.clock_from is None or case.time_left is None:
        raise Conflict("the limit has run out; an overdue case cannot be extended", state=str(case.state))
    case.extended += 1
    case.allowed += extra
    case.time_left += extra
    start(case, case.clock_from, unit, clock)


EFFECTS: Final[Mapping[CaseEvent, Effect]] = {
    CaseEvent.FILE: _file,
    CaseEvent.DISPATCH: _dispatch,
    CaseEvent.ACCEPT: _nothing,
    CaseEvent.START: _nothing,
    CaseEvent.RETURN: _return,
    CaseEvent.SUSPEND: _suspend,
    CaseEvent.RESUME: _resume,
    CaseEvent.EXTEND: _nothing,  # by how much: see extend
    CaseEvent.REPAIRED: _repaired,
    CaseEvent.RECOVER: _verified,
    CaseEvent.VERIFY: _verified,
    CaseEvent.REWORK: _rework,
    CaseEvent.CLOSE: _over,
    CaseEvent.REOPEN: _reopen,
    CaseEvent.VOID: _over,
    CaseEvent.MERGE: _over,
    CaseEvent.FOLD: _over,
    CaseEvent.SPLIT: _nothing,  # which alarms leave it: see transfer
}
