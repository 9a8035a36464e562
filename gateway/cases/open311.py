"""Service requests of GeoReport v2 are the reports of the desk: one each, open as long as its case is.

Of who reported nothing is read here; what people wrote leaves without the numbers and addresses that are theirs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct, convert, to_builtins
from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from gateway.cases import frontdesk, intake
from gateway.cases.desk import Desk
from gateway.cases.intake import NewReport
from gateway.cases.lifecycle import OVER, CaseState
from gateway.cases.record import Change, plain
from gateway.cases.storm import STORM
from gateway.cases.template import Template
from gateway.errors import CallerError, Invalid, NotFound
from gateway.registry.roles import Areas
from gateway.registry.rows import within
from gateway.store.schema.cases import case as case_table
from gateway.store.schema.dispatch import report as report_table
from gateway.store.schema.open311 import WAITING
from gateway.store.schema.open311 import request as table

MOST: Final = 1000  # requests of one answer, as the specification says
AT_ONCE: Final = 100  # waiting requests of one round
_PERSONAL: Final = re.compile(  # e-mail, identity card, mobile and international numbers
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)|\+\d[\d -]{7,}\d"
)


class Extra(Struct, frozen=True):
    """What a request says that a report has no place for."""

    media_url: str = ""
    address_id: str = ""
    zipcode: str = ""


class Taken(Struct, frozen=True):
    """One of both is there: the number of the request, or the token to ask for it by."""

    number: int | None
    token: str | None


class ServiceRequest(Struct, frozen=True):
    """A report with what its case says of it. Times µs UTC."""

    id: int
    time: int
    template: str
    text: str
    address: str
    lat: float | None
    lon: float | None
    grid: str
    part: str
    state: CaseState
    department: str
    deadline: int | None
    updated: int
    closed: int | None
    media_url: str | None
    address_id: str | None
    zipcode: str | None

    @property
    def over(self) -> bool:
        return self.state in OVER


class Wanted(Struct, frozen=True):
    """ids: in place of all else. since, until: µs UTC. over: None = both."""

    ids: Collection[int] = ()
    templates: Collection[str] = ()
    since: int = 0
    until: int = 2**62
    over: bool | None = None
    areas: Areas = ()


def masked(text: str) -> str:
    """Without what identifies people."""
    return _PERSONAL.sub("***", text)


def offered(desk: Desk) -> dict[str, Template]:
    """The services, by their code."""
    return {name: one for name, one in sorted(desk.casework.templates.items()) if name != STORM}


def receive(
    desk: Desk, conn: Connection, new: NewReport, extra: Extra, actor: str, now: int
) -> tuple[Taken, list[Change]]:
    """A report at once; raises Invalid, Conflict."""
    report, changes = frontdesk.report(desk, conn, new, actor, now)
    conn.execute(insert(table).values(**_row(extra, actor, now), report=report.id))
    return Taken(report.id, None), changes


def queue(conn: Connection, new: NewReport, extra: Extra, actor: str, now: int) -> Taken:
    """A report in a moment; raises Invalid."""
    intake.check(new)
    token = secrets.token_hex(16)
    conn.execute(insert(table).values(**_row(extra, actor, now), token=token, form=to_builtins(new)))
    return Taken(None, token)


def take(desk: Desk, conn: Connection, now: int) -> list[Change]:
    """What waits becomes reports, the oldest first; one that cannot says why and stops no other."""
    changes: list[Change] = []
    for row in conn.execute(select(table).where(WAITING).order_by(table.c.id).limit(AT_ONCE)).all():
        changes += _take(desk, conn, row, now)
    return changes


def _take(desk: Desk, conn: Connection, row: Row[Any], now: int) -> list[Change]:
    values: dict[str, Any] = {"form": None}
    changes: list[Change] = []
    try:
        with conn.begin_nested():
            new = convert(row.form, NewReport)
            report, changes = frontdesk.report(desk, conn, new, row.actor, now)
            values["report"] = report.id
    except CallerError as error:
        values["error"] = error.detail
    conn.execute(update(table).where(table.c.id == row.id).values(values))
    return changes


def redeem(conn: Connection, token: str) -> int | None:
    """The number of a token's request; None while it waits. Raises NotFound, Invalid where it became none."""
    found = conn.execute(select(table).where(table.c.token == token)).first()
    if found is None:
        raise NotFound("token was not found")
    if found.error:
        raise Invalid(f"the request was not accepted: {found.error}")
    return None if found.report is None else int(found.report)


def requests(conn: Connection, want: Wanted) -> list[ServiceRequest]:
    """The newest first."""
    r, c, x = report_table.c, case_table.c, table.c
    query = (
        select(
            *(
                r[name]
                for name in ("id", "time", "template", "text", "address", "lat", "lon", "grid", "part")
            ),
            *(c[name] for name in ("state", "department", "deadline", "updated", "closed")),
            *(x[name] for name in ("media_url", "address_id", "zipcode")),
        )
        .join(case_table, c.id == r.case)
        .join(table, x.report == r.id, isouter=True)
        .where(within(c.area, want.areas), *_where(want))
        .order_by(r.time.desc(), r.id.desc())
        .limit(MOST)
    )
    return convert(plain(conn.execute(query)), list[ServiceRequest])


def _where(want: Wanted) -> list[ColumnElement[bool]]:
    r = report_table.c
    if want.ids:
        return [r.id.in_(list(want.ids))]
    where: list[ColumnElement[bool]] = [r.time >= want.since, r.time <= want.until]
    if want.templates:
        where.append(r.template.in_(list(want.templates)))
    if want.over is not None:
        over = case_table.c.state.in_(sorted(OVER))
        where.append(over if want.over else ~over)
    return where


def _row(extra: Extra, actor: str, now: int) -> dict[str, Any]:
    return {"time": now, "actor": actor, "error": "", **to_builtins(extra)}
