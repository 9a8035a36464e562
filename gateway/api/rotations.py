"""Secrets that are being changed: who still comes in with the former one, and until when it opens."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict

from drivers.telemetry import SECOND
from gateway.api.auth import Reader
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.span import span
from gateway.registry.directory import DEVICE
from gateway.registry.roles import Principal
from gateway.registry.rotation import LONGEST, Rotation, Use

router: Final = resource("/rotations", "rotations")
Overlap = Annotated[
    int | None,
    Query(gt=0, le=LONGEST * SECOND, description="for how long the former secret still opens, such as 1d"),
    BeforeValidator(lambda value: None if value is None else span(value)),
]


class NewSecret(BaseModel):
    """secret: shown this once. former_until: µs UTC until which the former one opens too; null: it does not."""

    secret: str
    former_until: int | None


class RotationView(BaseModel):
    """use: unknown (it has not come since), former or new. until, seen (when it came last): µs UTC."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    name: str
    until: int
    use: Use
    seen: int | None


class RotationList(BaseModel):
    """waiting: how many were not seen with their new secret yet."""

    waiting: int
    items: list[RotationView]


def renewed(services: With, name: str, secret: str) -> NewSecret:
    under_way = services.directory.rotations.get(name)
    return NewSecret(secret=secret, former_until=under_way.until if under_way else None)


def _seen(services: Services, caller: Principal, one: Rotation) -> bool:
    """Sources speak for many areas: only who is limited to none sees theirs."""
    entry = services.directory.device(one.name) if one.kind == DEVICE else None
    return caller.covers(entry.area if entry else "")


@router.get("")
async def list_rotations(services: With, caller: Reader) -> RotationList:
    """Former secrets that still open, the one that ends first at the top."""
    known = [one for one in services.directory.rotations if _seen(services, caller, one)]
    found = sorted(known, key=lambda one: (one.until, one.name))
    return RotationList(
        waiting=sum(one.use is not Use.NEW for one in known),
        items=[RotationView.model_validate(one) for one in found],
    )
