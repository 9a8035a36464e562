"""One way there for several faults: a visit is one crew's, to one place, and what it does there it does to all its cases.

A place is what the cases' devices stand on (their parent: a pole's cabinet, a site), or all within some metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, convert
from sqlalchemy import Connection, insert, select, update

from gateway.cases.lifecycle import CaseEvent, CaseState
from gateway.cases.nearest import distance
from gateway.cases.record import Case, plain
from gateway.errors import Conflict, Invalid, NotFound
from gateway.store.schema.cases import OPEN
from gateway.store.schema.cases import case as case_table
from gateway.store.schema.dispatch import visit as table

AT_WORK: Final = frozenset({CaseState.DISPATCHED, CaseState.ACCEPTED, CaseState.IN_REPAIR})
NEAR: Final = 30.0  # metres
MOST: Final = 100  # cases of one visit


class VisitState(StrEnum):
    PLANNED = "planned"
    STARTED = "started"
    FINISHED = "finished"


class VisitEvent(StrEnum):
    START = "start"
    FINISH = "finish"


ACTS: Final = {VisitEvent.START: CaseEvent.START, VisitEvent.FINISH: CaseEvent.REPAIRED}
FROM: Final = {
    CaseEvent.START: frozenset({CaseState.DISPATCHED, CaseState.ACCEPTED}),
    CaseEvent.REPAIRED: AT_WORK,
}
_NEXT: Final = {
    (VisitState.PLANNED, VisitEvent.START): VisitState.STARTED,
    (VisitState.STARTED, VisitEvent.FINISH): VisitState.FINISHED,
}


class Visit(Struct, frozen=True):
    """place: parent:<device> or near:<case>. Times µs UTC."""

    id: int
    crew: str
    place: str
    lat: float | None
    lon: float | None
    state: VisitState
    created: int
    started: int | None
    finished: int | None
    actor: str
    note: str
    revision: int


class Group(Struct, frozen=True):
    """Cases of one crew at one place, the most urgent first."""

    crew: str
    place: str
    cases: list[Case]


def proposals(conn: Connection, crew: str, metres: float = NEAR) -> list[Group]:
    """What the crew has open and no visit takes in yet, grouped by place; the most urgent place first."""
    left = sorted(_open(conn, crew), key=_urgency)
    groups: list[Group] = []
    while left:
        first = left[0]
        there = _together(first, left, metres)
        taken = {one.id for one in there}
        left = [one for one in left if one.id not in taken]
        groups.append(Group(crew, _place(first), there))
    return groups


def plan(conn: Connection, crew: str, cases: Sequence[int], actor: str, now: int) -> tuple[Visit, list[int]]:
    """A visit for these cases, which must be the crew's and at no visit; raises Invalid, Conflict."""
    if not 0 < len(set(cases)) <= MOST:
        raise Invalid(f"a visit has 1 to {MOST} cases", field="cases")
    mine = {one.id: one for one in _open(conn, crew)}
    if strange := [number for number in cases if number not in mine]:
        raise Conflict(
            f"case {strange[0]} is not at work with {crew}, or is part of a visit", case=strange[0]
        )
    first = min((mine[number] for number in cases), key=_urgency)
    values = {
        "crew": crew,
        "place": _place(first),
        "lat": first.lat,
        "lon": first.lon,
        "state": VisitState.PLANNED,
        "created": now,
        "actor": actor,
        "note": "",
        "revision": 1,
    }
    key = conn.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return get(conn, key[0]), sorted(set(cases))


def get(conn: Connection, number: int) -> Visit:
    """Raises NotFound."""
    rows = plain(conn.execute(select(table).where(table.c.id == number)))
    if not rows:
        raise NotFound(f"there is no visit {number}")
    return convert(rows[0], Visit)


def listing(conn: Connection, crew: str = "", *, limit: int = 100, after: int = 0) -> list[Visit]:
    """Newest first; after: only those with a smaller number."""
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if crew:
        query = query.where(table.c.crew == crew)
    if after:
        query = query.where(table.c.id < after)
    return convert(plain(conn.execute(query)), list[Visit])


def cases_of(conn: Connection, number: int) -> list[Case]:
    """The cases of a visit, in order."""
    c = case_table.c
    rows = conn.execute(select(case_table).where(c.visit == number).order_by(c.id))
    return convert(plain(rows), list[Case])


def step(conn: Connection, visit: Visit, event: VisitEvent, note: str, now: int) -> Visit:
    """The visit after the event; raises Conflict."""
    state = _NEXT.get((visit.state, event))
    if state is None:
        raise Conflict(f"visit {visit.id} is {visit.state}; it cannot {event}", state=str(visit.state))
    values: dict[str, Any] = {"state": state, "revision": visit.revision + 1}
    values["started" if event is VisitEvent.START else "finished"] = now
    if note:
        values["note"] = note
    here = (table.c.id == visit.id) & (table.c.revision == visit.revision)
    if not conn.execute(update(table).where(here).values(values)).rowcount:
        raise Conflict(f"visit {visit.id} was changed by someone else meanwhile; look again")
    return get(conn, visit.id)


def _open(conn: Connection, crew: str) -> list[Case]:
    c = case_table.c
    query = select(case_table).where(OPEN, c.crew == crew, c.state.in_(sorted(AT_WORK)), c.visit.is_(None))
    return convert(plain(conn.execute(query)), list[Case])


def _together(first: Case, others: Sequence[Case], metres: float) -> list[Case]:
    return [one for one in others if one is first or _same_place(first, one, metres)][:MOST]


def _same_place(one: Case, other: Case, metres: float) -> bool:
    if one.parent and one.parent == other.parent:
        return True
    away = distance((one.lat, one.lon), (other.lat, other.lon))
    return one.device == other.device if away is None else away <= metres


def _place(case: Case) -> str:
    return f"parent:{case.parent}" if case.parent else f"near:{case.id}"


def _urgency(case: Case) -> tuple[int, int]:
    return case.deadline if case.deadline is not None else 2**62, case.id
