"""Cases: the work that alarms make, and what people say of it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.alarms import AlarmView, EventView, Remark
from gateway.api.auth import Permission, Reader, Worker, may, within
from gateway.api.page import CaseNumber, Limit, Page
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.span import Moment
from gateway.api.standard import StandardView
from gateway.cases import query
from gateway.cases.deadline import LimitUnit
from gateway.cases.lifecycle import CaseEvent, CaseState, Doubt, Verdict
from gateway.errors import Forbidden

router: Final = resource("/cases", "cases")
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
CREW: Final = frozenset({CaseEvent.ACCEPT, CaseEvent.START, CaseEvent.RETURN, CaseEvent.REPAIRED})


SUPERVISED: Final = frozenset({CaseEvent.EXTEND, CaseEvent.SUSPEND, CaseEvent.VOID, CaseEvent.REOPEN})


def permission(event: CaseEvent) -> Permission:
    """What it takes to say this of a case."""
    if event in SUPERVISED:
        return Permission.SUPERVISE
    return Permission.WORK if event in CREW else Permission.OPERATE


class CaseView(BaseModel):
    """Times µs UTC; null: not yet. code: GB/T 30428.2 style. alarms: that ever joined it; standing: that hold now.

    time_left: of the limit (µs of its kind of time) when its clock last started or stopped, below 0 beyond
    it; allowed: of it in all; unit: what it was dispatched with.
    clock_from: when that clock started; null while it stands still. provisional: holidays until the deadline are not
    published yet. waiting: for a dispatcher since. proof: when telemetry will have proved the repair. returned: who
    handed it back last, so that the dispatcher chooses another. grid, part: codes of GB/T 30428. origin: telemetry,
    citizen, inspector. merged_into: the case that goes on in its place. verification: person where telemetry cannot
    know; doubt says why: no_alarm, silent, rule_gone, retired.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    cause: str
    template: str
    en: str
    zh: str
    code: str
    severity: str
    family: str
    device: str
    device_name: str
    area: str
    parent: str
    lat: float | None
    lon: float | None
    state: str
    crew: str
    alarms: int
    standing: int
    quiet_since: int | None
    filed: int
    waiting: int | None
    dispatched: int | None
    deadline: int | None
    provisional: bool
    allowed: int
    clock_from: int | None
    time_left: int | None
    unit: LimitUnit | None
    extended: int
    suspended: int | None
    overdue: int | None
    repaired: int | None
    proof: int | None
    verified: int | None
    closed: int | None
    reworked: int
    reopened: int
    department: str
    returned: str
    returns: int
    grid: str
    part: str
    origin: str
    verdict: Verdict
    merged_into: int | None
    visit: int | None
    verification: Literal["telemetry", "person"]
    doubt: Doubt
    storm: int | None
    updated: int
    revision: int


class CaseFile(BaseModel):
    """A case with all that happened to it, and its alarms. standard: null where its template is gone."""

    model_config = ConfigDict(from_attributes=True)

    case: CaseView
    timeline: list[EventView]
    alarms: list[AlarmView]
    standard: StandardView | None = None


class Act(Remark):
    """event: accept, start, return, repaired (crews); dispatch, split, merge, suspend, resume, extend, verify, rework,
    close, reopen, void (operators and supervisors).

    crew: whom to dispatch; or department: its nearest free crew that is on duty. force: to whom handed it back, or
    (supervisors) to verify in the place of telemetry, with a note. extra: by how much to extend, in the limit's unit. verdict: with return, repaired, close, void, merge. into:
    the case that goes on after merge. alarms: ids that leave with split. note: must be given to return, suspend, extend,
    rework or void. Who repaired a case does not verify it.
    """

    event: CaseEvent
    crew: str = Field("", max_length=64)
    department: str = Field("", max_length=64)
    force: bool = False
    extra: float = Field(0, ge=0, le=1000)
    verdict: Verdict = Verdict.NONE
    into: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    alarms: list[Annotated[str, Field(max_length=32)]] = Field(default=[], max_length=1000)


@router.get("")
async def list_cases(
    services: With,
    caller: Reader,
    family: str = "",
    state: Annotated[list[CaseState] | None, Query()] = None,
    area: str = "",
    device: str = "",
    storm: CaseNumber | None = None,
    since: Moment | None = None,
    after: str = "",
    limit: Limit = 100,
) -> Page[CaseView]:
    """Newest first. area: this path and all below it. storm: the cases in this one, as they are now."""
    want = query.Filter(family, state or (), area, device, None, since, caller.areas, storm=storm)
    found = await services.store.read(lambda conn: query.cases(conn, want, limit, after))
    return Page(items=[CaseView(**row) for row in found.items], after=found.after)


@router.get("/{id}")
async def get_case(services: With, caller: Reader, id: Id) -> CaseFile:  # noqa: A002 - the field's word, here and below
    found = await _file(services, id)
    within(caller, found.case.area)
    return found


@router.post("/{id}/events")
async def act(services: With, caller: Worker, id: Id, said: Act) -> CaseFile:  # noqa: A002
    """What a person did or decided; 409 where the case's state does not allow it."""
    forced = said.force and said.event is CaseEvent.VERIFY
    needed = Permission.SUPERVISE if forced else permission(said.event)
    if not may(caller, needed):
        raise Forbidden(f"role {caller.role} may not {said.event} a case", permission=str(needed))
    within(caller, (await _file(services, id)).case.area)
    if said.into is not None:
        within(caller, (await _file(services, said.into)).case.area)
    now = services.clock.now()
    changes = await services.store.write(
        lambda conn: services.desk.act(
            conn,
            id,
            said.event,
            caller.actor,
            now,
            said.note,
            revision=said.revision,
            crew=said.crew,
            department=said.department,
            force=said.force,
            extra=said.extra,
            verdict=said.verdict,
            into=said.into,
            alarms=tuple(said.alarms),
        )
    )
    services.hub.publish(changes, ())
    return await _file(services, id)


async def _file(services: Services, id: int) -> CaseFile:  # noqa: A002
    file = CaseFile.model_validate(await services.store.read(lambda conn: query.case(conn, id)))
    template = services.desk.casework.templates.get(file.case.template)
    file.standard = StandardView.model_validate(template) if template else None
    return file
