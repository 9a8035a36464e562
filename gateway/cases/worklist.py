"""Open cases in the order in which they want somebody: what waits for a crew and what is due, the earliest first."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from gateway.cases.lifecycle import RUNNING, AlarmState, CaseState
from gateway.cases.query import Page
from gateway.cases.record import plain
from gateway.errors import Invalid
from gateway.registry.roles import Areas
from gateway.registry.rows import below, within
from gateway.store.schema import cases as schema

NEVER: Final = 2**62  # µs: nobody waits for it
HEARD: Final = (AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED)
AREAS: Final = 300  # that are listed to choose from

_C: Final = schema.case.c
_RUNS: Final = _C.state.in_(sorted(RUNNING))


class Wanted(Struct, frozen=True):
    """What to list; an empty field selects everything. areas: that the caller is limited to.

    crews: only what was dispatched to these.
    """

    family: str = ""
    area: str = ""
    state: str = ""
    areas: Areas = ()
    crews: Collection[str] | None = None


class Tally(Struct, frozen=True):
    """Of one family: open cases, those of them that are over their limit, and alarms that stand and are heard."""

    cases: int
    late: int
    alarms: int


def page(conn: Connection, want: Wanted, patience: int, limit: int, after: str = "") -> Page:
    """patience: µs that a filed case may wait for a crew."""
    due = case(
        (_RUNS, func.coalesce(_C.deadline, NEVER)),
        (_C.state == CaseState.FILED, func.coalesce(_C.waiting, _C.filed) + patience),
        else_=NEVER,
    )
    query = select(schema.case, due.label("due")).where(*_where(want))
    if after:
        query = query.where(_beyond(due, after))
    rows = plain(conn.execute(query.order_by(due, _C.id).limit(limit + 1)))
    items = rows[:limit]
    return Page(items, f"{items[-1]['due']}.{items[-1]['id']}" if len(rows) > limit else "")


def tally(conn: Connection, areas: Areas, now: int) -> dict[str, Tally]:
    """By family, where there is anything."""
    late = func.sum(case((and_(_RUNS, _C.deadline <= now), 1), else_=0))
    of_cases = select(_C.family, func.count(), late).where(schema.OPEN, within(_C.area, areas))
    found = {family: (n, int(over)) for family, n, over in conn.execute(of_cases.group_by(_C.family))}
    c = schema.alarm.c
    of_alarms = select(c.family, func.count()).where(c.state.in_(HEARD), within(c.area, areas))
    alarms: dict[str, int] = {row[0]: row[1] for row in conn.execute(of_alarms.group_by(c.family))}
    return {
        family: Tally(*found.get(family, (0, 0)), alarms.get(family, 0))
        for family in sorted(found.keys() | alarms.keys())
    }


def areas(conn: Connection, limited: Areas) -> list[str]:
    """Where open cases lie, and what those areas lie in."""
    query = select(_C.area).where(schema.OPEN, within(_C.area, limited), _C.area != "").distinct()
    found: set[str] = set()
    for area in conn.scalars(query.order_by(_C.area).limit(AREAS)):
        parts = area.split("/")
        found |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return sorted(found)


def _where(want: Wanted) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [within(_C.area, want.areas)]
    where.append(_C.state == want.state if want.state else schema.OPEN)  # type: ignore[arg-type]
    if want.family:
        where.append(_C.family == want.family)
    if want.area:
        where.append(below(_C.area, want.area.rstrip("/")))
    if want.crews is not None:
        where += [_C.crew.in_(sorted(want.crews)), _C.state != CaseState.FILED]
    return where


def _beyond(due: ColumnElement[Any], after: str) -> ColumnElement[bool]:
    try:
        last_due, last_id = (int(part) for part in after.split(".", 1))
    except ValueError as error:
        raise Invalid("this is no page mark of ours", field="after") from error
    if not (0 <= last_due <= NEVER and 0 <= last_id < 2**31):
        raise Invalid("this is no page mark of ours", field="after")
    return or_(due > last_due, and_(due == last_due, _C.id > last_id))
