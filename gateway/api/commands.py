"""Commands to devices: asked for, agreed to, watched on their way, and stopped altogether."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Body, Header, Path, status
from pydantic import BaseModel, ConfigDict, Field

from drivers.telemetry import SECOND
from gateway.api.auth import Approver, CityApprover, CityCommander, Commander, Reader, within_device
from gateway.api.page import Limit, Mark, Page, page
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.commands.record import Instruction
from gateway.commands.request import Wish
from gateway.commands.selection import Target
from gateway.errors import Forbidden
from gateway.registry.roles import Principal

router: Final = resource("", "commands")
Id = Annotated[str, Path(max_length=64)]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=128, description="asking twice with one key is asking once"),
]
NAMED: Final = 10_000  # devices named in one instruction


class CommandNew(BaseModel):
    """args by name; enumerated ones as label or position. lifetime: seconds until it must have left; null: the usual."""

    model_config = ConfigDict(extra="forbid")

    name: str
    args: dict[str, float | str] = Field(default_factory=dict)
    lifetime: float | None = Field(None, ge=1, le=7 * 86_400)
    note: str = Field("", max_length=1_000)


class InstructionNew(CommandNew):
    """For devices, or for all behind a cabinet, in a road (area's or names' own) or an area; one of the four.

    family: where several know the command. key: as the header Idempotency-Key.
    """

    devices: list[str] = Field(default_factory=list, max_length=NAMED)
    cabinet: str = ""
    road: str = ""
    area: str = ""
    family: str = ""
    key: str | None = Field(None, max_length=128)


class CommandView(BaseModel):
    """state: requested, approved, sent, delivered, applied, effective, failed, expired. Times µs UTC."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    seq: int
    instruction: str
    device: str
    name: str
    args: dict[str, float]
    actor: str
    stage: int
    created: int
    expires: int
    sent: int | None
    state: str
    changed: int
    error: str


class InstructionView(BaseModel):
    """state: requested (a second person must agree: `second` says why), running, done, stopped, refused, expired.

    stages: devices of each; stage: the one that is out, from 0. counts: its commands by state. Times µs UTC.
    """

    id: str
    actor: str
    approver: str
    name: str
    args: dict[str, float]
    family: str
    target: dict[str, Any]
    note: str
    devices: int
    stages: list[int]
    stage: int
    second: str
    created: int
    expires: int
    state: str
    changed: int
    error: str
    counts: dict[str, int]


class EntryView(BaseModel):
    """command: null where it is of the instruction as a whole. time: µs UTC."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    command: str | None
    time: int
    event: str
    state: str
    actor: str
    note: str


class Reason(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=1_000)


class DownlinkView(BaseModel):
    """stopped: since when (µs UTC) nothing goes down on any transport; null: commands may leave."""

    stopped: int | None
    actor: str
    reason: str


@router.post("/commands", status_code=status.HTTP_202_ACCEPTED)
async def ask_for(
    services: With, caller: Commander, new: Annotated[InstructionNew, Body()], key: Key = None
) -> InstructionView:
    """Tell many devices the same, in stages; where one person may not do it alone it waits for another to agree."""
    target = Target(tuple(new.devices), new.cabinet, new.road, new.area, new.family)
    one = await services.commands.request(_wish(new, target, key or new.key, caller), caller.actor)
    return await _view(services, one)


@router.get("/commands")
async def list_instructions(
    services: With,
    caller: Reader,
    state: str | None = None,
    after: str | None = None,
    limit: Limit = 100,
) -> Page[InstructionView]:
    """Newest first. state: requested for what waits for a second person."""
    found = await services.commands.instructions(state, after, limit + 1, caller.areas)
    views = [await _view(services, one) for one in found]
    return page(views, limit, lambda one: f"{one.created}-{one.id}")


@router.get("/commands/{id}")
async def get_instruction(services: With, caller: Reader, id: Id) -> InstructionView:  # noqa: A002 - the field's word
    await _inside(services, caller, id)
    return await _view(services, await services.commands.find(id))


@router.get("/commands/{id}/devices")
async def list_commands_of(
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002
    after: Mark = 0,
    limit: Limit = 100,
) -> Page[CommandView]:
    """What each device is told, in order of issue."""
    await _inside(services, caller, id)
    found = await services.commands.of_instruction(id, after, limit + 1)
    return page([CommandView.model_validate(one) for one in found], limit, lambda one: str(one.seq))


@router.get("/commands/{id}/events")
async def list_events(
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002
    after: Mark = 0,
    limit: Limit = 100,
) -> Page[EntryView]:
    """All that became of it and of its commands, in order: when, by whom and why."""
    await _inside(services, caller, id)
    found = await services.commands.history(id, after, limit + 1)
    return page([EntryView.model_validate(one) for one in found], limit, lambda one: str(one.id))


@router.post("/commands/{id}/approve")
async def approve(
    services: With,
    caller: Approver,
    id: Id,  # noqa: A002
    why: Annotated[Reason | None, Body()] = None,
) -> InstructionView:
    """A second person agrees; not the one who asked."""
    await _inside(services, caller, id)
    reason = why.reason if why else ""
    return await _view(services, await services.commands.approve(id, caller.actor, reason))


@router.post("/commands/{id}/refuse")
async def refuse(
    services: With,
    caller: Commander,
    id: Id,  # noqa: A002
    why: Annotated[Reason, Body()],
) -> InstructionView:
    """Take back what waits for a second person; needs a reason."""
    await _inside(services, caller, id)
    return await _view(services, await services.commands.refuse(id, caller.actor, why.reason))


@router.post("/devices/{id}/commands", status_code=status.HTTP_202_ACCEPTED)
async def issue_command(
    services: With,
    caller: Commander,
    id: Id,  # noqa: A002
    new: Annotated[CommandNew, Body()],
    key: Key = None,
) -> CommandView:
    """Tell one device; kept until the device has it or it expires."""
    one = await services.commands.request(_wish(new, Target((id,)), key, caller), caller.actor)
    (told,) = await services.commands.of_instruction(one.id, 0, 1)
    return CommandView.model_validate(told)


@router.get("/devices/{id}/commands")
async def list_commands(
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002
    after: Mark | None = None,
    limit: Limit = 100,
) -> Page[CommandView]:
    """Newest first."""
    within_device(services, caller, id)
    found = await services.commands.listing(id, after, limit + 1)
    return page([CommandView.model_validate(one) for one in found], limit, lambda one: str(one.seq))


@router.get("/downlink")
async def get_downlink(services: With, _: Reader) -> DownlinkView:
    """Whether commands may leave."""
    return _downlink(services)


@router.post("/downlink/stop")
async def stop_downlink(
    services: With, caller: CityCommander, why: Annotated[Reason, Body()]
) -> DownlinkView:
    """The kill switch: at once nothing goes down on any transport, and what waits never will. Needs a reason."""
    await services.commands.stop(caller.actor, why.reason)
    return _downlink(services)


@router.post("/downlink/resume")
async def resume_downlink(
    services: With, caller: CityApprover, why: Annotated[Reason, Body()]
) -> DownlinkView:
    """Release the kill switch; what was stopped must be asked for anew. Needs a reason."""
    await services.commands.resume(caller.actor, why.reason)
    return _downlink(services)


def _wish(new: CommandNew, target: Target, key: str | None, caller: Principal) -> Wish:
    lifetime = round((new.lifetime or 0) * SECOND)
    return Wish(new.name, target, new.args, lifetime, new.note, key, caller.areas)


async def _inside(services: Services, caller: Principal, id: str) -> None:  # noqa: A002
    """Raises Forbidden where not all its devices lie in the caller's areas."""
    if caller.areas and not await services.commands.covers(caller.areas, id):
        raise Forbidden("no such instruction lies in the areas that you are limited to")


async def _view(services: Services, one: Instruction) -> InstructionView:
    counts = {str(state): n for state, n in (await services.commands.counts(one.id)).items()}
    fields = {name: getattr(one, name) for name in InstructionView.model_fields if name != "counts"}
    return InstructionView(**fields, counts=counts)


def _downlink(services: Services) -> DownlinkView:
    stopped = services.commands.stopped
    if stopped is None:
        return DownlinkView(stopped=None, actor="", reason="")
    return DownlinkView(stopped=stopped.time, actor=stopped.actor, reason=stopped.reason)
