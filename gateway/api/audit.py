"""The audit trail: who changed what, when and why; its checkpoints, and the proof that nothing in it was altered."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Body, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from gateway.api.auth import CitySupervisor
from gateway.api.page import Limit, Mark, Page, page
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.session import refusals
from gateway.api.span import Moment
from gateway.errors import NotFound
from gateway.store.chain import Checkpoint
from gateway.store.schema.registry import audit as table

router: Final = resource("/audit", "audit")
HEX: Final = r"^[0-9a-f]*$"


class EntryView(BaseModel):
    """time: µs UTC. object: "<kind>:<key>"."""

    id: int
    time: int
    actor: str
    action: str
    object: str
    detail: dict[str, Any]


class CheckpointView(BaseModel):
    """There were so many entries up to `entry`, and `chain` was its hash. key: Ed25519, public. Bytes are hex digits."""

    model_config = ConfigDict(extra="forbid")

    entry: int = Field(ge=1, lt=2**63)
    entries: int = Field(ge=1, lt=2**63)
    chain: str = Field(pattern=HEX, min_length=64, max_length=64)
    time: int = Field(ge=-(2**63), lt=2**63)
    key: str = Field(pattern=HEX, min_length=64, max_length=64)
    signature: str = Field(pattern=HEX, min_length=128, max_length=128)


class Proof(BaseModel):
    """broken: the first entry that is not as it was written, null where all are; why: what is wrong with it."""

    model_config = ConfigDict(from_attributes=True)

    entries: int
    checkpoints: int
    broken: int | None
    why: str


@router.get("")
async def list_entries(
    services: With,
    _: CitySupervisor,
    actor: Annotated[str | None, Query(max_length=128)] = None,
    object: Annotated[str | None, Query(max_length=192)] = None,  # noqa: A002 - the trail's own word
    since: Moment | None = None,
    until: Moment | None = None,
    after: Mark | None = None,
    limit: Limit = 100,
) -> Page[EntryView]:
    """Newest first. object: as "device:LAMP-1", or its kind with a colon: "device:"."""
    c = table.c
    query = select(c.id, c.time, c.actor, c.action, c.object, c.detail).order_by(c.id.desc()).limit(limit + 1)
    if actor is not None:
        query = query.where(c.actor == text(actor))
    if object is not None:
        kind = object.endswith(":")
        query = query.where(
            c.object.startswith(text(object), autoescape=True) if kind else c.object == text(object)
        )
    bounds = ((since, c.time.__ge__), (until, c.time.__lt__), (after, c.id.__lt__))
    query = query.where(*(edge(bound) for bound, edge in bounds if bound is not None))
    rows = await services.store.read(lambda conn: conn.execute(query).mappings().all())
    return page([EntryView(**row) for row in rows], limit, lambda one: str(one.id))


@router.post("/checkpoint", responses=refusals(_404="nothing was recorded yet"))
async def make_checkpoint(services: With, _: CitySupervisor) -> CheckpointView:
    """Of the newest entry, signed. Keep it elsewhere: with it `verify` shows what was cut off."""
    made = await services.checkpoints.sign()
    if made is None:
        raise NotFound("the audit has no entry yet")
    fields = {name: getattr(made, name) for name in CheckpointView.model_fields}
    return CheckpointView(
        **{name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
    )


@router.post("/verify")
async def verify(
    services: With, _: CitySupervisor, kept: Annotated[CheckpointView | None, Body()] = None
) -> Proof:
    """Reads the whole trail. With a checkpoint that was kept elsewhere, also that nothing up to it was cut off."""
    believed = _checkpoint(kept) if kept else None
    return Proof.model_validate(await services.checkpoints.verify(believed))


def text(given: str) -> str:
    """What no database has to choke on: no entry has such a character."""
    return given.replace("\x00", "\ufffd")


def _checkpoint(kept: CheckpointView) -> Checkpoint:
    return Checkpoint(
        kept.entry,
        kept.entries,
        bytes.fromhex(kept.chain),
        kept.time,
        bytes.fromhex(kept.key),
        bytes.fromhex(kept.signature),
    )
