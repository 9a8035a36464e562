"""What a crew's member has to do: the cases of their crews, several at one place as one visit."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from msgspec import Struct
from pydantic import ValidationError
from sqlalchemy import Connection

from gateway.api import visits as api
from gateway.api.auth import Reader, Worker
from gateway.api.cases import CaseView
from gateway.api.services import Services, With
from gateway.api.visits import Plan, VisitAct
from gateway.cases import roster, visits, worklist
from gateway.cases.visits import Group, Visit, VisitEvent, VisitState
from gateway.cases.worklist import Wanted
from gateway.console import actions
from gateway.console.route import PageRoute, invalid
from gateway.console.sheet import Sheet, seen
from gateway.registry.roles import Principal

router: Final = APIRouter(route_class=PageRoute, include_in_schema=False)
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
ROWS: Final = 50
WAYS: Final = {VisitState.PLANNED: VisitEvent.START, VisitState.STARTED: VisitEvent.FINISH}


class Work(Struct, frozen=True):
    """visits: that are not finished, each with its cases. groups: cases at one place that could be one visit."""

    crews: list[str]
    cases: list[CaseView]
    after: str
    visits: list[tuple[Visit, list[CaseView]]]
    groups: list[Group]


@router.get("/mine")
async def mine(
    request: Request,
    services: With,
    caller: Reader,
    after: Annotated[str, Query(max_length=64)] = "",
    done: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    sheet = Sheet(request, services, caller)
    work = await _work(services, caller, after)
    return sheet.page(
        "mine.html",
        work=work,
        ways={str(state): str(event) for state, event in WAYS.items()},
        later=sheet.query(after=work.after) if work.after else "",
        chosen={"after": after},
        first="/mine",
        done=done,
    )


@router.post("/visits")
async def plan(request: Request, services: With, caller: Worker) -> Response:
    form = await request.form()
    said = actions.spoken(dict(form), {"cases": [str(one) for one in form.getlist("cases")]})
    try:
        wanted = Plan.model_validate(said)
    except ValidationError as error:
        raise invalid(error) from error
    await api.plan_visit(services, caller, wanted)
    return seen("/mine", "visit")


@router.post("/visits/{id}")
async def act(request: Request, services: With, caller: Worker, id: Id) -> Response:  # noqa: A002 - the field's word
    try:
        said = VisitAct.model_validate(actions.spoken(dict(await request.form()), {}))
    except ValidationError as error:
        raise invalid(error) from error
    await api.visit_event(services, caller, id, said)
    return seen("/mine", "visit")


async def _work(services: Services, caller: Principal, after: str) -> Work:
    patience = services.desk.settings.dispatch_within

    def read(conn: Connection) -> Work:
        crews = [crew.name for crew in roster.crews(conn) if caller.actor in crew.members]
        want = Wanted(areas=caller.areas, crews=crews)
        found = worklist.page(conn, want, patience, ROWS, after)
        ways = [one for crew in crews for one in visits.listing(conn, crew) if one.state in WAYS]
        groups = [group for crew in crews for group in visits.proposals(conn, crew) if len(group.cases) > 1]
        return Work(
            crews,
            [CaseView(**row) for row in found.items],
            found.after,
            [(way, cases) for way in ways if (cases := _seen(caller, visits.cases_of(conn, way.id)))],
            [group for group in groups if all(caller.covers(case.area) for case in group.cases)],
        )

    return await services.store.read(read)


def _seen(caller: Principal, cases: list[Any]) -> list[CaseView]:
    """Of a visit, or none where some of it lies outside the caller's areas."""
    inside = all(caller.covers(case.area) for case in cases)
    return [CaseView.model_validate(case) for case in cases] if inside else []
