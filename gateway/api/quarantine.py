"""What was refused and why: every refusal counted, samples kept where an operator sees them (law 4)."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel
from sqlalchemy import select

from drivers.refusal import Reason
from gateway.api.auth import CityReader, Reader
from gateway.api.page import Limit, Mark, Page, page
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.registry.rows import within
from gateway.store.schema.cases import quarantine as table
from gateway.store.schema.registry import device as device_table

router: Final = resource("/quarantine", "quarantine")


class Sample(BaseModel):
    """payload: what came, with what is no text escaped; cut at 4 KiB. time: µs UTC."""

    id: int
    time: int
    reason: str
    device: str
    origin: str
    topic: str
    payload: str
    detail: str


class Refusals(BaseModel):
    """Refusals since the gateway started, by reason."""

    counts: dict[str, int]
    total: int


@router.get("")
async def list_samples(
    services: With,
    caller: Reader,
    reason: Reason | None = None,
    device: str | None = None,
    after: Mark | None = None,
    limit: Limit = 100,
) -> Page[Sample]:
    """Newest first. Who is limited to areas sees what devices there sent."""
    query = select(table).order_by(table.c.id.desc()).limit(limit + 1)
    if reason is not None:
        query = query.where(table.c.reason == str(reason))
    if device is not None:
        query = query.where(table.c.device == device)
    if caller.areas:
        query = query.where(
            table.c.device.in_(select(device_table.c.id).where(within(device_table.c.area, caller.areas)))
        )
    if after is not None:
        query = query.where(table.c.id < after)
    rows = await services.store.read(lambda conn: conn.execute(query).all())
    samples = [
        Sample(
            id=row.id,
            time=row.time,
            reason=row.reason,
            device=row.device,
            origin=row.origin,
            topic=row.topic,
            payload=bytes(row.payload).decode("utf-8", "backslashreplace"),
            detail=row.detail,
        )
        for row in rows
    ]
    return page(samples, limit, lambda sample: str(sample.id))


@router.get("/counts")
async def count_refusals(services: With, _: CityReader) -> Refusals:
    counts = services.quarantine.counts
    return Refusals(counts={str(reason): n for reason, n in sorted(counts.items())}, total=counts.total())
