"""What citizens and inspectors report enters the same desk: one fault is one case, whoever saw it first.

A report joins the open case of the same kind nearby; else it is a case of its own, which a sensor's alarm may join later.
Who reported is kept apart from what.
"""

from __future__ import annotations

import math
from typing import Any, Final

from msgspec import Struct, convert
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from gateway.cases import grid as codes
from gateway.cases.nearest import distance
from gateway.cases.record import PEOPLE, Case, plain
from gateway.cases.template import Template, Templates
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.registry.roles import Areas
from gateway.registry.rows import within
from gateway.store.schema import dispatch as schema
from gateway.store.schema.cases import OPEN
from gateway.store.schema.cases import case as case_table

JOINED: Final = "joined"
CREATED: Final = "created"
METRES_PER_DEGREE: Final = 111_195.0
MOST_NEARBY: Final = 20


class Contact(Struct, frozen=True):
    name: str = ""
    phone: str = ""
    email: str = ""


class NewReport(Struct, frozen=True):
    """category: a case template's id, title or one of its categories. number: the hot line's own. join: a case to join.

    areas: what its bearer is limited to; it touches and names no case elsewhere.
    """

    category: str
    text: str
    origin: str = "citizen"
    number: str = ""
    address: str = ""
    area: str = ""
    grid: str = ""
    part: str = ""
    lat: float | None = None
    lon: float | None = None
    contact: Contact | None = None
    join: int | None = None
    areas: Areas = ()


class Report(Struct, frozen=True):
    """nearby: other open cases that it may be of, the nearest first. Times µs UTC."""

    id: int
    number: str | None
    origin: str
    time: int
    actor: str
    category: str
    template: str
    text: str
    address: str
    area: str
    grid: str
    part: str
    lat: float | None
    lon: float | None
    case: int
    match: str
    nearby: list[int]


def template_of(templates: Templates, category: str) -> Template:
    """Raises Invalid where nobody handles such a thing."""
    if category in templates:
        return templates[category]
    found = [one for one in templates.values() if category in {one.en, one.zh, *one.categories}]
    if len(found) != 1:
        raise Invalid(
            f"no kind of case is called {category!r:.64}; GET /api/v1/reports/categories lists them",
            field="category",
        )
    return found[0]


def check(new: NewReport) -> None:
    """Raises Invalid."""
    codes.cell(new.grid)
    codes.part(new.part)
    if not new.text.strip():
        raise Invalid("say what there is to see", field="text")
    if (new.lat is None) != (new.lon is None):
        raise Invalid("give both lat and lon, or neither", field="lat")
    if new.lat is None and not (new.address or new.area or new.grid or new.part):
        raise Invalid("say where: lat and lon, address, area, grid or part", field="address")


def nearby(
    conn: Connection, new: NewReport, template: Template, family: str, reach: tuple[float, int], now: int
) -> tuple[Case | None, list[int]]:
    """(the case that it is a report of, other cases that it may be of). reach: metres; µs, for those of another kind.

    An open case of the same kind is the same fault however long nobody has touched it.
    """
    metres, lately = reach
    c = case_table.c
    near: list[ColumnElement[bool]] = [
        within(c.area, new.areas),
        or_(c.template == template.id, c.updated >= now - lately),
    ]
    if new.lat is not None and new.lon is not None:
        north = metres / METRES_PER_DEGREE
        east = north / max(0.01, math.cos(math.radians(new.lat)))
        near += [
            c.lat.between(new.lat - north, new.lat + north),
            c.lon.between(new.lon - east, new.lon + east),
        ]
    elif new.part:
        near.append(c.part == new.part)
    else:
        return None, []
    here = (new.lat, new.lon)
    cases = convert(plain(conn.execute(select(case_table).where(OPEN, *near))), list[Case])
    ways = [(distance(here, (one.lat, one.lon)) or 0.0, one) for one in cases]
    close = sorted(((way, one.id, one) for way, one in ways if way <= metres), key=lambda each: each[:2])
    same = next((one for _, _, one in close if one.template == template.id), None)
    kin = [
        one.id
        for _, _, one in close
        if one is not same and (one.family == family or one.template == template.id)
    ]
    return same, kin[:MOST_NEARBY]


def write(
    conn: Connection,
    new: NewReport,
    template: Template,
    found: tuple[Case, str, list[int]],
    who: tuple[str, int],
) -> Report:
    """The report of a case; raises Conflict where its number is known. who: actor, now."""
    (case, match, others), (actor, now) = found, who
    if (
        new.number
        and conn.execute(select(schema.report.c.id).where(schema.report.c.number == new.number)).first()
    ):
        raise Conflict(f"report {new.number} is here already", number=new.number)
    values: dict[str, Any] = {
        "number": new.number or None,
        "origin": new.origin,
        "time": now,
        "actor": actor,
        "category": new.category,
        "template": template.id,
        "case": case.id,
        "match": match,
        "nearby": others,
        **{name: getattr(new, name) for name in ("text", "address", "area", "grid", "part", "lat", "lon")},
    }
    key = conn.execute(insert(schema.report).values(values)).inserted_primary_key
    assert key is not None
    if new.contact is not None:
        kept = {"name": new.contact.name, "phone": new.contact.phone, "email": new.contact.email}
        conn.execute(insert(schema.report_contact).values(report=key[0], **kept))
    return get(conn, key[0])


def get(conn: Connection, number: int) -> Report:
    """Raises NotFound."""
    rows = plain(conn.execute(select(schema.report).where(schema.report.c.id == number)))
    if not rows:
        raise NotFound(f"there is no report {number}")
    return convert(rows[0], Report)


def seen(conn: Connection, report: Report, areas: Areas) -> Report:
    """What who is limited to these areas sees of it; raises Forbidden where its case lies elsewhere."""
    if not areas:
        return report
    c = case_table.c
    mine = set(
        conn.scalars(select(c.id).where(c.id.in_([report.case, *report.nearby]), within(c.area, areas)))
    )
    if report.case not in mine:
        raise Forbidden("this lies outside the areas that you are limited to", areas=list(areas))
    return replace(report, nearby=[one for one in report.nearby if one in mine])


def of_case(conn: Connection, case: int) -> list[Report]:
    """In order of time."""
    c = schema.report.c
    return convert(
        plain(conn.execute(select(schema.report).where(c.case == case).order_by(c.id))), list[Report]
    )


def contact(conn: Connection, number: int) -> Contact:
    """Who reported; raises NotFound."""
    rows = plain(conn.execute(select(schema.report_contact).where(schema.report_contact.c.report == number)))
    if not rows:
        raise NotFound(f"nobody left a name with report {number}")
    return Contact(rows[0]["name"], rows[0]["phone"], rows[0]["email"])


def follow(conn: Connection, case: int, into: int) -> None:
    """The reports of a merged case are reports of the one that goes on."""
    conn.execute(update(schema.report).where(schema.report.c.case == case).values(case=into))


def unsensed(conn: Connection) -> list[Case]:
    """Open cases that people reported and no alarm has joined."""
    c = case_table.c
    query = select(case_table).where(OPEN, c.origin.in_(sorted(PEOPLE)), c.alarms == 0)
    return convert(plain(conn.execute(query)), list[Case])


def pictures(conn: Connection, case: int, since: int) -> int:
    """How many photos of the case came at or after `since` (µs UTC)."""
    c = schema.photo.c
    query = select(func.count()).select_from(schema.photo).where(c.case == case, c.time >= since)
    return conn.scalar(query) or 0
