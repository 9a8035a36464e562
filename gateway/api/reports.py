"""What citizens and inspectors report (12319). Who they are stands apart, for those alone who may ask them back."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import Path, Query, status
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from gateway.api.auth import Operator, Permission, Reader, Reporter, Self, may, within
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.standard import StandardView
from gateway.cases import frontdesk, intake, query
from gateway.cases.intake import Contact, NewReport, Report
from gateway.errors import Forbidden
from gateway.store import audit

router: Final = resource("/reports", "reports")
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
CaseId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ContactForm(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)

    name: str = Field("", max_length=128)
    phone: str = Field("", max_length=64)
    email: str = Field("", max_length=192)


class ReportForm(BaseModel):
    """category: see GET /reports/categories. number: the hot line's own, once. grid, part: codes of 15 and 16 digits.

    lat, lon: WGS-84. join: the case that it is of; else the open one of this kind nearby, else a new one.
    """

    model_config = ConfigDict(extra="forbid")

    category: str = Field(min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=4000)
    origin: Literal["citizen", "inspector"] = "citizen"
    number: str = Field("", max_length=64)
    address: str = Field("", max_length=256)
    area: str = Field("", max_length=256)
    grid: str = Field("", max_length=15)
    part: str = Field("", max_length=16)
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    contact: ContactForm | None = None
    join: CaseId | None = None


class ReportView(BaseModel):
    """match: joined an open case, or created one. nearby: other open cases it may be of: merge them where they are one."""

    model_config = ConfigDict(from_attributes=True)

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


class Reports(BaseModel):
    items: list[ReportView]


class Category(StandardView):
    """category: what to report it as; also: other words for it that are taken."""

    category: str
    en: str
    zh: str
    code: str
    also: list[str]


class Categories(BaseModel):
    items: list[Category]


@router.get("/categories")
async def report_categories(services: With, _: Self) -> Categories:
    """The kinds of cases that can be reported."""
    known = services.desk.casework.templates.values()
    items = [
        Category(
            **StandardView.model_validate(one).model_dump(),
            category=one.id,
            en=one.en,
            zh=one.zh,
            code=one.code,
            also=list(one.categories),
        )
        for one in known
    ]
    return Categories(items=sorted(items, key=lambda one: one.category))


@router.post("", status_code=status.HTTP_201_CREATED)
async def report(services: With, caller: Reporter, form: ReportForm) -> ReportView:
    """It joins the open case of its kind nearby, or becomes a case that waits for a dispatcher.

    Who may only report names no case to join, and is told of no other.
    """
    within(caller, form.area)
    reads = may(caller, Permission.READ)
    if form.join is not None and not reads:
        raise Forbidden(
            f"role {caller.role} may not read cases: leave join out", permission=str(Permission.READ)
        )
    given = form.model_dump(exclude={"contact"})
    contact = Contact(**form.contact.model_dump()) if form.contact else None
    new, now = NewReport(**given, contact=contact, areas=caller.areas), services.clock.now()
    found, changes = await services.store.write(
        lambda conn: frontdesk.report(services.desk, conn, new, caller.actor, now)
    )
    services.hub.publish(changes, ())
    return ReportView.model_validate(found if reads else replace(found, nearby=[]))


@router.get("")
async def list_reports(
    services: With, caller: Reader, case: Annotated[int, Query(ge=1, le=2**31 - 1)]
) -> Reports:
    """The reports of a case, in order of time."""
    found = await services.store.read(lambda conn: query.case(conn, case))
    within(caller, found.case.area)

    def read(conn: Connection) -> list[Report]:
        return [intake.seen(conn, one, caller.areas) for one in intake.of_case(conn, case)]

    return Reports(items=[ReportView.model_validate(one) for one in await services.store.read(read)])


@router.get("/{id}")
async def get_report(services: With, caller: Reader, id: Id) -> ReportView:  # noqa: A002 - the field's word, here and below
    found = await services.store.read(lambda conn: intake.seen(conn, intake.get(conn, id), caller.areas))
    return ReportView.model_validate(found)


@router.get("/{id}/contact")
async def get_contact(services: With, caller: Operator, id: Id) -> ContactForm:  # noqa: A002
    """Who reported it. That it was asked is kept in the audit."""

    def read(conn: Connection) -> Contact:
        intake.seen(conn, intake.get(conn, id), caller.areas)
        return intake.contact(conn, id)

    contact = await services.store.read(read)
    now = services.clock.now()
    await services.store.write(
        lambda conn: audit.record(conn, now, caller.actor, "contact asked", f"report:{id}")
    )
    return ContactForm.model_validate(contact)
