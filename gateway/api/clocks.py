"""Device clocks: which are the furthest off, as their own samples show."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel

from gateway.api.auth import Reader
from gateway.api.page import LARGEST
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.errors import NotFound
from gateway.offsets import Offset

ALL: Final = 1_000_000  # clocks that are looked through for a caller who is limited to areas

router: Final = resource("/clocks", "devices")


class ClockView(BaseModel):
    """offset: µs, receipt less stamp: above 0 the device's clock is behind. samples: that the median is of. wrong: over the limit."""

    offset: int
    samples: int
    wrong: bool


class DeviceClock(ClockView):
    device: str
    family: str


class Clocks(BaseModel):
    """limit: µs, of [clocks] wrong_s."""

    items: list[DeviceClock]
    limit: int


def view(services: Services, one: Offset) -> ClockView:
    return ClockView(offset=one.offset, samples=one.samples, wrong=abs(one.offset) > services.offsets.limit)


@router.get("")
async def worst_clocks(
    services: With,
    caller: Reader,
    family: str | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = 20,
) -> Clocks:
    """The furthest off first, behind or ahead."""
    if family is not None and family not in services.families:
        raise NotFound(f"no family {family!r:.80}; there are: {', '.join(services.families)}")
    items: list[DeviceClock] = []
    most = ALL if caller.areas else limit
    for one in await asyncio.to_thread(services.offsets.worst, most, family):
        entry = services.directory.by_index(one.family, one.device)
        if len(items) < limit and entry is not None and not entry.retired and caller.covers(entry.area):
            known = view(services, one)
            items.append(DeviceClock(**known.model_dump(), device=entry.id, family=one.family))
    return Clocks(items=items, limit=services.offsets.limit)
