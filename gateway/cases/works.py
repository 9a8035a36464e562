"""Each dispatch of each case as it stood at the end of a span, read from timelines: what happens later changes no report.

Timelines are append-only; the row of a case forgets what a return, a rework and a reopening take back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Select, and_, or_, select

from gateway.cases.lifecycle import CaseEvent, CaseState, Entry, Verdict
from gateway.cases.record import GATEWAY
from gateway.cases.said import UNJUDGED
from gateway.registry.roles import Areas
from gateway.registry.rows import within
from gateway.store.schema.cases import case, case_event


class Work(Struct):
    """A case that waits for its first dispatch, or one dispatch of a case; times µs UTC.

    state, verdict, returns: of the case. returned: when it was handed back undone; handled: when the crew handed it
    back done, or the cause went away. last: what is said of a case as a whole is counted with this one.
    """

    area: str
    family: str
    template: str
    grid: str
    origin: str
    filed: int
    crew: str = ""
    department: str = ""
    state: CaseState = CaseState.FILED
    verdict: Verdict = Verdict.NONE
    returns: int = 0
    dispatched: int | None = None
    deadline: int | None = None
    returned: int | None = None
    handled: int | None = None
    closed: int | None = None
    reworked: int = 0
    extended: int = 0
    last: bool = True


class Line(NamedTuple):
    """Of a timeline. told: its detail; that of an older release lacks the deadline, which then is the row's."""

    case: int
    time: int
    event: str
    state: str
    told: Mapping[str, Any] | None


def works(conn: Connection, since: int, until: int, areas: Areas) -> list[Work]:
    """What may count in since ≤ time < until, as of `until`. areas: that the caller is limited to."""
    c = case.c
    due = and_(c.deadline >= since, c.deadline < until)
    carried = or_(c.closed.is_(None), c.closed >= since, and_(c.state != CaseState.VOID, due))
    chosen = (
        c.filed < until,
        or_(c.filed >= since, carried),
        within(c.area, areas),
        c.origin != GATEWAY,  # a storm's cases count, not the storm
    )
    fixed = (c.area, c.family, c.template, c.grid, c.origin, c.filed)
    rows = conn.execute(select(c.id, c.crew, c.department, c.deadline, *fixed).where(*chosen)).all()
    timelines = dict(_timelines(conn, select(c.id).where(*chosen), until))
    found: list[Work] = []
    for row in rows:
        first = Work(row.area, row.family, row.template, row.grid, row.origin, row.filed)
        known = {"crew": row.crew, "department": row.department, "deadline": row.deadline}
        found += dispatches(first, timelines.get(row.id, ()), known)
    return found


def dispatches(first: Work, timeline: Iterable[Line], known: Mapping[str, Any]) -> list[Work]:
    """`first` and what came of it. known: what an older release wrote into the row only."""
    blank, found = replace(first), [first]
    state, verdict, returns = str(first.state), str(first.verdict), first.returns
    for _, time, event, state_then, said in timeline:
        told = said or {}
        if event == CaseEvent.DISPATCH and found[-1].dispatched is not None:
            found[-1].last = False
            found.append(replace(blank))
        if event in HAPPENS:
            HAPPENS[event](found[-1], time, told if "deadline" in told else {**known, **told})
        state = state_then
        verdict = "" if event in UNJUDGED else told.get("verdict", verdict)
        returns += event == CaseEvent.RETURN
    for work in found:
        work.state, work.verdict, work.returns = CaseState(state), Verdict(verdict), returns
    return found


def _timelines(conn: Connection, chosen: Select[Any], until: int) -> Iterator[tuple[int, list[Line]]]:
    """By case, each in order."""
    c = case_event.c
    query = (
        select(c.case, c.time, c.event, c.state, c.detail)
        .where(c.case.in_(chosen), c.time < until, c.event.in_(sorted(TELLING)))
        .order_by(c.case, c.revision)
    )
    for number, lines in groupby(conn.execute(query), itemgetter(0)):
        yield number, [Line(*line) for line in lines]


def _dispatch(work: Work, time: int, told: Mapping[str, Any]) -> None:
    work.dispatched, work.deadline = time, told["deadline"]
    work.crew, work.department = told.get("crew", ""), told.get("department", "")


def _return(work: Work, time: int, _told: Mapping[str, Any]) -> None:
    work.returned = time


def _clock(work: Work, _time: int, told: Mapping[str, Any]) -> None:
    work.deadline = told["deadline"]


def _extend(work: Work, _time: int, told: Mapping[str, Any]) -> None:
    work.extended, work.deadline = work.extended + 1, told["deadline"]


def _rework(work: Work, _time: int, told: Mapping[str, Any]) -> None:
    work.reworked, work.deadline = work.reworked + 1, told["deadline"]
    work.handled = None


def _handle(work: Work, time: int, _told: Mapping[str, Any]) -> None:
    work.handled = work.handled or time


def _close(work: Work, time: int, _told: Mapping[str, Any]) -> None:
    work.handled, work.closed = work.handled or time, work.closed or time


HAPPENS: Final[Mapping[str, Callable[[Work, int, Mapping[str, Any]], None]]] = {
    CaseEvent.DISPATCH: _dispatch,
    CaseEvent.RETURN: _return,
    CaseEvent.RESUME: _clock,
    Entry.RECKONED: _clock,
    CaseEvent.EXTEND: _extend,
    CaseEvent.REPAIRED: _handle,
    CaseEvent.RECOVER: _handle,
    CaseEvent.REWORK: _rework,
    CaseEvent.CLOSE: _close,
}
TELLING: Final = {
    *HAPPENS,
    CaseEvent.SUSPEND,
    CaseEvent.REOPEN,
    CaseEvent.VOID,
    CaseEvent.MERGE,
    CaseEvent.FOLD,
}
