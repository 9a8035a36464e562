"""Reading alarms and cases: lists by page, newest first, and one case with its timeline."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct, convert
from sqlalchemy import Column, ColumnElement, Connection, Table, and_, func, or_, select

from gateway.cases.record import Alarm, Case, plain
from gateway.errors import Invalid, NotFound
from gateway.registry.roles import Areas
from gateway.registry.rows import within
from gateway.store.schema import cases as schema
from gateway.store.schema import dispatch

PAGE: Final = 100
LARGEST_PAGE: Final = 1000


class Filter(Struct, frozen=True):
    """What to list; an empty field selects everything. area: a path and all below it. since: µs UTC.

    areas: that the caller is limited to. by: what suppresses the alarms. storm: the case that lists the cases.
    """

    family: str = ""
    states: Collection[str] = ()
    area: str = ""
    device: str = ""
    case: int | None = None
    since: int | None = None
    areas: Areas = ()
    by: str = ""
    storm: int | None = None


class Page(Struct, frozen=True):
    """items: rows by column name. after: pass it on to get the next page; "" at the end."""

    items: list[dict[str, Any]]
    after: str


class Entry(Struct, frozen=True):
    """One line of a timeline."""

    time: int
    event: str
    state: str
    actor: str
    note: str
    revision: int
    alarm: str | None = None
    detail: dict[str, Any] | None = None


class Dossier(Struct, frozen=True):
    """A case with all that happened to it, and its alarms."""

    case: Case
    timeline: list[Entry]
    alarms: list[Alarm]


class AlarmDossier(Struct, frozen=True):
    alarm: Alarm
    timeline: list[Entry]


def alarms(conn: Connection, want: Filter | None = None, limit: int = PAGE, after: str = "") -> Page:
    """Alarms by the time they were raised, newest first."""
    return _page(conn, schema.alarm, schema.alarm.c.raised, want or Filter(), limit, after)


def cases(conn: Connection, want: Filter | None = None, limit: int = PAGE, after: str = "") -> Page:
    """Cases by the time they were filed, newest first."""
    return _page(conn, schema.case, schema.case.c.filed, want or Filter(), limit, after)


def case(conn: Connection, case_id: int) -> Dossier:
    rows = plain(conn.execute(select(schema.case).where(schema.case.c.id == case_id)))
    if not rows:
        raise NotFound(f"there is no case {case_id}")
    events, joined = schema.case_event, schema.alarm
    entries = conn.execute(select(events).where(events.c.case == case_id).order_by(events.c.revision))
    of_case = conn.execute(select(joined).where(joined.c.case == case_id).order_by(joined.c.raised))
    return Dossier(
        case=convert(rows[0], Case),
        timeline=convert(plain(entries), list[Entry]),
        alarms=convert(plain(of_case), list[Alarm]),
    )


def alarm(conn: Connection, alarm_id: str) -> AlarmDossier:
    rows = plain(conn.execute(select(schema.alarm).where(schema.alarm.c.id == alarm_id)))
    if not rows:
        raise NotFound(f"there is no alarm {alarm_id}")
    events = schema.alarm_event
    entries = conn.execute(select(events).where(events.c.alarm == alarm_id).order_by(events.c.revision))
    return AlarmDossier(alarm=convert(rows[0], Alarm), timeline=convert(plain(entries), list[Entry]))


def photos(conn: Connection, case_id: int) -> list[dict[str, Any]]:
    """The pictures of a case, in the order they came."""
    c = dispatch.photo.c
    query = select(c.sha256, c.media, c.bytes, c.time, c.actor).where(c.case == case_id)
    return plain(conn.execute(query.order_by(c.time, c.sha256)))


def photo(conn: Connection, case_id: int, sha256: str) -> str:
    """The media type of a picture of this case; raises NotFound."""
    c = dispatch.photo.c
    media = conn.scalar(select(c.media).where(c.case == case_id, c.sha256 == sha256))
    if media is None:
        raise NotFound(f"case {case_id} has no such photo")
    return str(media)


def counts(conn: Connection, areas: Areas = ()) -> dict[str, dict[str, dict[str, int]]]:
    """How many alarms and cases there are, by family and state: {"alarms": {family: {state: n}}, "cases": …}."""
    tally: dict[str, dict[str, dict[str, int]]] = {"alarms": {}, "cases": {}}
    for word, table in (("alarms", schema.alarm), ("cases", schema.case)):
        query = select(table.c.family, table.c.state, func.count()).where(within(table.c.area, areas))
        query = query.group_by(table.c.family, table.c.state)
        for family, state, n in conn.execute(query):
            tally[word].setdefault(family, {})[state] = n
    return tally


def _page(conn: Connection, table: Table, order: Column[int], want: Filter, limit: int, after: str) -> Page:
    if not 0 < limit <= LARGEST_PAGE:
        raise Invalid(f"a page has 1 to {LARGEST_PAGE} rows", field="limit")
    query = select(table).where(*_where(table, order, want))
    if after:
        query = query.where(_beyond(table, order, after))
    rows = plain(conn.execute(query.order_by(order.desc(), table.c.id.desc()).limit(limit + 1)))
    items = rows[:limit]
    more = len(rows) > limit
    return Page(items, f"{items[-1][order.name]}.{items[-1]['id']}" if more else "")


def _where(table: Table, order: Column[int], want: Filter) -> list[ColumnElement[bool]]:
    c = table.c
    where = [column == value for column, value in _exact(table, want) if value not in {"", None}]
    if want.states:
        where.append(c.state.in_(list(want.states)))
    if want.area:
        area = want.area.rstrip("/")
        where.append(or_(c.area == area, c.area.startswith(area + "/", autoescape=True)))
    if want.areas:
        where.append(within(c.area, want.areas))
    if want.since is not None:
        where.append(order >= want.since)
    return where


def _exact(table: Table, want: Filter) -> list[tuple[ColumnElement[Any], str | int | None]]:
    c, own = table.c, table is schema.case
    found: list[tuple[ColumnElement[Any], str | int | None]] = [
        (c.family, want.family),
        (c.device, want.device),
    ]
    found += (
        [(c.id, want.case), (c.storm, want.storm)]
        if own
        else [(c.case, want.case), (c.suppressed_by, want.by)]
    )
    return found


def _beyond(table: Table, order: Column[int], after: str) -> ColumnElement[bool]:
    time, _, key = after.partition(".")
    try:
        last_time = int(time)
        last_key = key if table is schema.alarm else int(key)
    except ValueError as error:
        raise Invalid("this is no page mark of ours", field="after") from error
    return or_(order < last_time, and_(order == last_time, table.c.id < last_key))
