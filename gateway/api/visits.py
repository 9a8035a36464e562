"""Visits: several faults at one pole or site are one way for a crew."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Query, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from gateway.api.auth import Reader, Worker, within
from gateway.api.cases import CaseView
from gateway.api.page import Limit
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.cases import frontdesk, visits
from gateway.cases.lifecycle import Verdict
from gateway.cases.record import Change
from gateway.cases.visits import VisitEvent, VisitState
from gateway.registry.roles import Principal

router: Final = resource("/visits", "dispatch")
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Crew = Annotated[str, Query(min_length=1, max_length=64)]


class VisitView(BaseModel):
    """place: parent:<device> or near:<case>. Times µs UTC."""

    model_config = ConfigDict(from_attributes=True)

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


class Visits(BaseModel):
    items: list[VisitView]


class VisitFile(BaseModel):
    """A visit with its cases. left: cases that could not go on with it, because they are elsewhere by now."""

    visit: VisitView
    cases: list[CaseView]
    left: list[int]


class GroupView(BaseModel):
    """Cases of one crew at one place that no visit takes in yet, the most urgent first."""

    model_config = ConfigDict(from_attributes=True)

    crew: str
    place: str
    cases: list[CaseView]


class Groups(BaseModel):
    items: list[GroupView]


class Plan(BaseModel):
    """cases: dispatched to this crew, in no visit yet."""

    model_config = ConfigDict(extra="forbid")

    crew: str = Field(min_length=1, max_length=64)
    cases: list[Annotated[int, Field(ge=1, le=2**31 - 1)]] = Field(min_length=1, max_length=visits.MOST)


class VisitAct(BaseModel):
    """event: start, finish. note, verdict: for every case of it."""

    model_config = ConfigDict(extra="forbid")

    event: VisitEvent
    note: str = Field("", max_length=2000)
    verdict: Verdict = Verdict.NONE


@router.get("")
async def list_visits(
    services: With,
    caller: Reader,
    crew: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Limit = 100,
) -> Visits:
    """Newest first. after: only those with a smaller number."""
    found = await services.store.read(lambda conn: visits.listing(conn, crew, limit=limit, after=after))
    files = [await _file(services, one.id) for one in found] if caller.areas else []
    hidden = {file.visit.id for file in files if not _covered(caller, file)}
    return Visits(items=[VisitView.model_validate(one) for one in found if one.id not in hidden])


@router.get("/proposals")
async def propose_visits(
    services: With, caller: Reader, crew: Crew, within_m: Annotated[float, Query(gt=0, le=5000)] = visits.NEAR
) -> Groups:
    """What the crew could do in one way each: the same pole or site, or so many metres apart."""
    found = await services.store.read(lambda conn: visits.proposals(conn, crew, within_m))
    seen = [one for one in found if all(caller.covers(case.area) for case in one.cases)]
    return Groups(items=[GroupView.model_validate(one) for one in seen])


@router.post("", status_code=status.HTTP_201_CREATED)
async def plan_visit(services: With, caller: Worker, plan: Plan) -> VisitFile:
    """One way for these cases."""
    now = services.clock.now()

    def work(conn: Connection) -> tuple[frontdesk.Visited, list[Change]]:
        planned, changes = frontdesk.plan(services.desk, conn, plan.crew, plan.cases, caller.actor, now)
        for case in visits.cases_of(conn, planned.visit.id):
            within(caller, case.area)
        return planned, changes

    planned, changes = await services.store.write(work)
    services.hub.publish(changes, ())
    return await _file(services, planned.visit.id)


@router.get("/{id}")
async def get_visit(services: With, caller: Reader, id: Id) -> VisitFile:  # noqa: A002 - the field's word, here and below
    return _seen(caller, await _file(services, id))


@router.post("/{id}/events")
async def visit_event(services: With, caller: Worker, id: Id, said: VisitAct) -> VisitFile:  # noqa: A002
    """Start or finish the work on all its cases; those that are elsewhere by now are left, and named."""
    _seen(caller, await _file(services, id))
    now = services.clock.now()
    gone, changes = await services.store.write(
        lambda conn: frontdesk.visit(
            services.desk, conn, id, said.event, frontdesk.Remark(caller.actor, said.note, said.verdict), now
        )
    )
    services.hub.publish(changes, ())
    return (await _file(services, id)).model_copy(update={"left": gone.left})


def _seen(caller: Principal, file: VisitFile) -> VisitFile:
    for case in file.cases:
        within(caller, case.area)
    return file


def _covered(caller: Principal, file: VisitFile) -> bool:
    return all(caller.covers(case.area) for case in file.cases)


async def _file(services: Services, id: int) -> VisitFile:  # noqa: A002
    def read(conn: Connection) -> VisitFile:
        visit = VisitView.model_validate(visits.get(conn, id))
        cases = [CaseView.model_validate(one) for one in visits.cases_of(conn, id)]
        return VisitFile(visit=visit, cases=cases, left=[])

    return await services.store.read(read)
