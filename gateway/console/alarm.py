"""An alarm: why it was raised, what has happened to it, and acknowledging or shelving it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError

from drivers.telemetry import HOUR
from gateway.api import alarms as api
from gateway.api.alarms import AlarmFile, Remark, Shelf
from gateway.api.auth import Operator, Reader
from gateway.api.services import Services, With
from gateway.cases.lifecycle import AlarmEvent
from gateway.console import actions
from gateway.console.route import PageRoute, explain, invalid
from gateway.console.sheet import Sheet, seen
from gateway.errors import CallerError, Forbidden, Invalid, NotFound
from gateway.notify.moment import EPOCH, moment
from gateway.registry.roles import Principal

router: Final = APIRouter(route_class=PageRoute, include_in_schema=False)
Id = Annotated[str, Path(max_length=32)]
WALL: Final = "%Y-%m-%dT%H:%M"  # as a browser's own field writes it
SHELF: Final = 8 * HOUR  # what is proposed
NOTHING: Final[dict[str, Any]] = {}


@router.get("/alarms/{id}")
async def show(
    request: Request,
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002 - the field's word, here and below
    done: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    file = await api.get_alarm(services, caller, id)
    return await _page(Sheet(request, services, caller), caller, file, done=done)


@router.post("/alarms/{id}")
async def act(request: Request, services: With, caller: Operator, id: Id) -> Response:  # noqa: A002
    said = actions.spoken(dict(await request.form()), {})
    event = said.get("event", "")
    try:
        await _do(services, caller, id, said)
    except (Forbidden, NotFound):
        raise
    except CallerError as error:
        file = await api.get_alarm(services, caller, id)
        sheet = Sheet(request, services, caller)
        return await _page(
            sheet, caller, file, said=said, fault=explain(error, sheet.say), status=error.status
        )
    return seen(f"/alarms/{id}", event)


async def _do(services: Services, caller: Principal, id: str, said: dict[str, Any]) -> AlarmFile:  # noqa: A002
    """Raises CallerError."""
    given = dict(said)
    event = given.pop("event", "")
    if event not in actions.ALARM_EVENTS:
        raise Invalid(f"{event!r:.40} is not for people", field="event")
    try:
        if event == AlarmEvent.SHELVE:
            given["until"] = _instant(given.get("until", ""), services.desk.casework.clock.zone)
            return await api.shelve(services, caller, id, Shelf.model_validate(given))
        ways = {
            AlarmEvent.ACKNOWLEDGE: api.acknowledge,
            AlarmEvent.UNSHELVE: api.unshelve,
            AlarmEvent.UNSUPPRESS: api.unsuppress,
        }
        return await ways[event](services, caller, id, Remark.model_validate(given))
    except ValidationError as error:
        raise invalid(error) from error


def _instant(wall: str, zone: ZoneInfo) -> int:
    """µs UTC of a wall time in the city; raises Invalid."""
    try:
        at = datetime.strptime(wall[:16], WALL).replace(tzinfo=zone)
    except ValueError as error:
        raise Invalid("until is a date and a time", field="until") from error
    return int((at.astimezone(UTC) - EPOCH).total_seconds()) * 1_000_000


async def _page(
    sheet: Sheet,
    caller: Principal,
    file: AlarmFile,
    *,
    said: dict[str, Any] = NOTHING,
    fault: str = "",
    done: str = "",
    status: int = 200,
) -> Response:
    services, say, alarm = sheet.services, sheet.say, file.alarm
    (text,) = await services.explanations.of([alarm], say.language)
    longest = services.desk.settings.longest_shelf
    return sheet.page(
        "alarm.html",
        status,
        here=f"/alarms/{alarm.id}",
        alarm=alarm,
        text=text,
        timeline=file.timeline[::-1],
        forms=actions.of_alarm(caller, alarm.state, str(said.get("event", ""))),
        until=moment(say.now + min(SHELF, longest), say.zone).strftime(WALL),
        latest=moment(say.now + longest, say.zone).strftime(WALL),
        said=said,
        fault=fault,
        done=done,
    )
