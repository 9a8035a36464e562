"""The first page and the lists: what wants somebody now, all cases, all alarms."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from gateway.api import alarms as alarms_api
from gateway.api import cases as cases_api
from gateway.api.auth import Reader
from gateway.api.cases import CaseView
from gateway.api.services import Services, With
from gateway.cases import worklist
from gateway.cases.lifecycle import OVER, AlarmState, CaseState
from gateway.cases.query import Page
from gateway.cases.worklist import HEARD, Tally, Wanted
from gateway.console.route import PageRoute
from gateway.console.sheet import Sheet
from gateway.errors import Invalid

router: Final = APIRouter(route_class=PageRoute, include_in_schema=False)
ROWS: Final = 25
SOME: Final = 8  # alarms on the first page
Text = Annotated[str, Query(max_length=256)]
CASE_STATES: Final = [state for state in CaseState if state is not CaseState.NEW]
OPEN_STATES: Final = [state for state in CASE_STATES if state not in OVER]
ALARM_STATES: Final = [state for state in AlarmState if state is not AlarmState.NEW]


@router.get("/")
async def overview(
    request: Request,
    services: With,
    caller: Reader,
    family: Text = "",
    area: Text = "",
    state: Text = "",
    after: Text = "",
) -> Response:
    """Open cases by what is due first, and the newest alarms that somebody should hear of."""
    sheet = Sheet(request, services, caller)
    want = Wanted(family, area, state, caller.areas)
    if state and state not in OPEN_STATES:
        raise Invalid(f"no open case is in the state {state!r:.40}", field="state")
    found, places, tally = await _read(services, want, after, sheet.say.now)
    alarms = await alarms_api.list_alarms(
        services, caller, family=family, state=list(HEARD), area=area, limit=SOME, lang=sheet.say.language
    )
    return sheet.page(
        "overview.html",
        cases=[CaseView(**row) for row in found.items],
        alarms=alarms.items,
        more_alarms=bool(alarms.after),
        tally=tally,
        later=sheet.query(after=found.after) if found.after else "",
        first=sheet.query(after="") or "/",
        chosen={"family": family, "area": area, "state": state, "after": after},
        areas=places,
        states=OPEN_STATES,
    )


@router.get("/cases")
async def cases(
    request: Request,
    services: With,
    caller: Reader,
    family: Text = "",
    area: Text = "",
    state: Text = "",
    after: Text = "",
) -> Response:
    """All there ever were, the newest first."""
    sheet = Sheet(request, services, caller)
    if state and state not in CASE_STATES:
        raise Invalid(f"no case is ever {state!r:.40}", field="state")
    states = [CaseState(state)] if state else None
    found = await cases_api.list_cases(
        services, caller, family=family, state=states, area=area, after=after, limit=ROWS
    )
    return await _list(sheet, "cases.html", found.items, found.after, CASE_STATES)


@router.get("/alarms")
async def alarms(
    request: Request,
    services: With,
    caller: Reader,
    family: Text = "",
    area: Text = "",
    state: Text = "",
    after: Text = "",
) -> Response:
    """All there ever were, the newest first."""
    sheet = Sheet(request, services, caller)
    if state and state not in ALARM_STATES:
        raise Invalid(f"no alarm is ever {state!r:.40}", field="state")
    states = [AlarmState(state)] if state else None
    found = await alarms_api.list_alarms(
        services,
        caller,
        family=family,
        state=states,
        area=area,
        after=after,
        limit=ROWS,
        lang=sheet.say.language,
    )
    return await _list(sheet, "alarms.html", found.items, found.after, ALARM_STATES)


async def _list(sheet: Sheet, template: str, items: object, after: str, states: object) -> Response:
    caller, given = sheet.caller, sheet.request.query_params
    limited = caller.areas if caller else ()
    places = await sheet.services.store.read(lambda conn: worklist.areas(conn, limited))
    return sheet.page(
        template,
        items=items,
        later=sheet.query(after=after) if after else "",
        first=sheet.query(after="") or sheet.request.url.path,
        chosen={name: given.get(name, "") for name in ("family", "area", "state", "after")},
        areas=places,
        states=states,
    )


async def _read(
    services: Services, want: Wanted, after: str, now: int
) -> tuple[Page, list[str], dict[str, Tally]]:
    patience, limited = services.desk.settings.dispatch_within, want.areas

    def read(conn: Connection) -> tuple[Page, list[str], dict[str, Tally]]:
        return (
            worklist.page(conn, want, patience, ROWS, after),
            worklist.areas(conn, limited),
            worklist.tally(conn, limited, now),
        )

    return await services.store.read(read)
