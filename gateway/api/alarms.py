"""Alarms: what stands, who has seen it, what is shelved and why."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import Operator, Reader, within
from gateway.api.page import CaseNumber, Limit, Page
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.span import BodyMoment, Moment
from gateway.cases import query
from gateway.cases.lifecycle import AlarmState
from gateway.cases.record import Change
from gateway.registry.roles import Principal
from rules.explain_words import Language

router: Final = resource("/alarms", "alarms")
Id = Annotated[str, Path(max_length=32)]


class AlarmView(BaseModel):
    """One occurrence, from its raise to the clear that ends it. raised, cleared: event time; times µs UTC.

    standing: the condition holds now, shelved or not. suppressed_by: "alarm:<id>" or "window:<id>", which stays when it has
    cleared; suppression: the fold or inhibition that says so (GET /correlation), or "window". revision counts its changes. text: why, in short; in lists only.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    rule: str
    version: int
    name: str
    severity: str
    family: str
    device: str
    device_name: str
    area: str
    parent: str
    lat: float | None
    lon: float | None
    state: str
    standing: bool
    raised: int
    received: int
    cleared: int | None
    acknowledged: int | None
    shelved_until: int | None
    suppressed_by: str | None
    suppression: str
    evidence: dict[str, Any]
    case: int | None
    revision: int
    text: str = ""


class EventView(BaseModel):
    """One line of a timeline."""

    model_config = ConfigDict(from_attributes=True)

    time: int
    event: str
    state: str
    actor: str
    note: str
    revision: int
    alarm: str | None = None
    detail: dict[str, Any] | None = None


class AlarmFile(BaseModel):
    """An alarm and all that happened to it."""

    model_config = ConfigDict(from_attributes=True)

    alarm: AlarmView
    timeline: list[EventView]


class Remark(BaseModel):
    """revision: what you saw; if it has changed since, the answer is 409."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=2000)
    revision: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None


class Shelf(Remark):
    """until: µs UTC or RFC 3339. note: why; it must be given."""

    until: BodyMoment


@router.get("")
async def list_alarms(
    services: With,
    caller: Reader,
    family: str = "",
    state: Annotated[list[AlarmState] | None, Query()] = None,
    area: str = "",
    device: str = "",
    case: CaseNumber | None = None,
    suppressed_by: Annotated[str, Query(max_length=64)] = "",
    since: Moment | None = None,
    after: str = "",
    limit: Limit = 100,
    lang: Language = "en",
) -> Page[AlarmView]:
    """Newest first. area: this path and all below it. suppressed_by: what "alarm:<id>" or "window:<id>" holds. lang: of `text`."""
    want = query.Filter(family, state or (), area, device, case, since, caller.areas, suppressed_by)
    found = await services.store.read(lambda conn: query.alarms(conn, want, limit, after))
    items = [AlarmView(**row) for row in found.items]
    for item, text in zip(items, await services.explanations.of(items, lang, brief=True), strict=True):
        item.text = text
    return Page(items=items, after=found.after)


@router.get("/{id}")
async def get_alarm(services: With, caller: Reader, id: Id) -> AlarmFile:  # noqa: A002 - the field's word, here and below
    return await _seen(services, caller, id)


@router.post("/{id}/acknowledge")
async def acknowledge(services: With, caller: Operator, id: Id, remark: Remark) -> AlarmFile:  # noqa: A002
    """Someone has seen it."""
    await _seen(services, caller, id)
    now = services.clock.now()
    changes = await services.store.write(
        lambda conn: services.desk.acknowledge(
            conn, id, caller.actor, now, remark.note, revision=remark.revision
        )
    )
    return await _told(services, id, changes)


@router.post("/{id}/shelve")
async def shelve(services: With, caller: Operator, id: Id, shelf: Shelf) -> AlarmFile:  # noqa: A002
    """Nobody hears of this rule on this device until then."""
    await _seen(services, caller, id)
    now = services.clock.now()
    changes = await services.store.write(
        lambda conn: services.desk.shelve(
            conn, id, caller.actor, now, shelf.until, shelf.note, revision=shelf.revision
        )
    )
    return await _told(services, id, changes)


@router.post("/{id}/unshelve")
async def unshelve(services: With, caller: Operator, id: Id, remark: Remark) -> AlarmFile:  # noqa: A002
    await _seen(services, caller, id)
    now = services.clock.now()
    changes = await services.store.write(
        lambda conn: services.desk.unshelve(
            conn, id, caller.actor, now, remark.note, revision=remark.revision
        )
    )
    return await _told(services, id, changes)


@router.post("/{id}/unsuppress")
async def unsuppress(services: With, caller: Operator, id: Id, remark: Remark) -> AlarmFile:  # noqa: A002
    """What is said to explain it does not: an alarm like any other from now on."""
    await _seen(services, caller, id)
    now = services.clock.now()
    changes = await services.store.write(
        lambda conn: services.desk.unsuppress(
            conn, id, caller.actor, now, remark.note, revision=remark.revision
        )
    )
    return await _told(services, id, changes)


async def _told(services: Services, id: str, changes: list[Change]) -> AlarmFile:  # noqa: A002
    services.hub.publish(changes, ())
    return await _file(services, id)


async def _seen(services: Services, caller: Principal, id: str) -> AlarmFile:  # noqa: A002
    """Raises NotFound, and Forbidden outside the caller's areas."""
    found = await _file(services, id)
    within(caller, found.alarm.area)
    return found


async def _file(services: Services, id: str) -> AlarmFile:  # noqa: A002
    return AlarmFile.model_validate(await services.store.read(lambda conn: query.alarm(conn, id)))
