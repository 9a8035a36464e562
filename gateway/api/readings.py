"""What devices said: the newest, a span of one device, buckets of a span, and all readings of a family."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from fastapi import Path, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from drivers.telemetry import DAY, MINUTE, Family, Flag, Kind, Quality
from gateway.api.auth import Reader, within_device
from gateway.api.page import Page
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.span import FARTHEST, Moment, Span
from gateway.errors import Invalid, NotFound
from gateway.history.query import Buckets, Readings
from gateway.registry.directory import Entry
from gateway.registry.roles import Principal

router: Final = resource("", "readings")
Id = Annotated[str, Path(max_length=64)]
Points = Annotated[list[str] | None, Query(description="names of points; all where none is given")]
BUCKETS: Final = 10_000
LARGEST: Final = 2_000  # readings of a page: a day of a device that reports every minute
QUALITIES: Final = {quality.value: quality.name.lower() for quality in Quality}
KINDS: Final = {kind.value: kind.name.lower() for kind in Kind}
FLAGS: Final = tuple(Flag)


class Value(BaseModel):
    """value: null where the quality says there is none. time: µs UTC, when it was measured."""

    value: float | None
    quality: str
    time: int
    unit: str


class Newest(BaseModel):
    device: str
    family: str
    values: dict[str, Value]


class Reading(BaseModel):
    """One row. quality: of points that are not good. flags: late, historical, clock. Times µs UTC."""

    device: str
    time: int
    kind: str
    received: int
    tick: int
    flags: list[str]
    values: dict[str, float | None]
    quality: dict[str, str]


class Summary(BaseModel):
    min: float
    mean: float
    max: float
    last: float
    count: int


class Bucket(BaseModel):
    """start: µs UTC. By point, what its judgeable values come to."""

    start: int
    points: dict[str, Summary]


class Series(BaseModel):
    """bucket: µs."""

    device: str
    bucket: int
    buckets: list[Bucket]


@router.get("/devices/{id}/latest")
async def latest(services: With, caller: Reader, id: Id) -> Newest:  # noqa: A002 - the field's word, here and below
    """The newest value of each point; it never goes back in time."""
    entry, family = _device(services, caller, id)
    known = services.latest.get(family.name, entry.index)
    points = family.points
    values = {
        name: Value(
            value=None if math.isnan(one.value) else one.value,
            quality=QUALITIES[one.quality],
            time=one.time,
            unit=points[family.index[name]].unit,
        )
        for name, one in known.items()
    }
    return Newest(device=entry.id, family=family.name, values=values)


@router.get("/devices/{id}/readings", response_model=Page[Reading])
async def readings(
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002
    since: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    points: Points = None,
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = 100,
) -> Response:
    """Readings of from ≤ time < to, oldest first; the last day where no span is given."""
    entry, family = _device(services, caller, id)
    end = services.clock.now() + MINUTE if to is None else to
    start = end - DAY if since is None else since
    skipped = 0
    if after:
        start, skipped = _mark(after)
    found = await services.queries.range_(family, entry.index, start, end, points, limit=limit + 1 + skipped)
    content = await asyncio.to_thread(_page, found, entry.id, start, skipped, limit)
    return Response(content, media_type="application/json")


@router.get("/devices/{id}/series")
async def series(
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002
    bucket: Span,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    points: Points = None,
) -> Series:
    """Min, mean, max, last and count a bucket, aligned to the epoch, of values that rules may judge."""
    entry, family = _device(services, caller, id)
    end = services.clock.now() if to is None else to
    start = end - DAY if since is None else since
    if (end - start) // bucket >= BUCKETS:
        raise Invalid(f"more than {BUCKETS} buckets; ask for longer ones or a shorter span")
    found = await services.queries.downsample(family, entry.index, start, end, bucket, points)
    return Series(device=entry.id, bucket=bucket, buckets=list(_buckets(found)))


@router.get(
    "/readings/{family}",
    response_class=StreamingResponse,
    responses={
        200: {"model": Reading, "content": {"application/x-ndjson": {}}, "description": "One Reading a line"}
    },
)
async def export(
    services: With,
    caller: Reader,
    family: str,
    since: Annotated[Moment, Query(alias="from")] = -FARTHEST,
    to: Moment = FARTHEST,
) -> StreamingResponse:
    """Every reading of a family of from ≤ time < to, by time and device, one JSON line each."""
    if family not in services.families:
        raise NotFound(f"no family {family!r:.80}; there are: {', '.join(services.families)}")
    lines = _lines(services, services.families[family], since, to, caller)
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def _lines(
    services: Services, family: Family, start: int, end: int, caller: Principal
) -> AsyncIterator[bytes]:
    def name(index: int) -> str | None:
        entry = services.directory.by_index(family.name, index)
        if not caller.covers(entry.area if entry else ""):
            return None
        return entry.id if entry else f"#{index}"  # its registration was lost with the operations store

    async for chunk in services.queries.readings(family, start, end):
        yield await asyncio.to_thread(_encoded, chunk, name)


def _encoded(chunk: Readings, name: Callable[[int], str | None]) -> bytes:
    encode = msgspec.json.encode
    return b"".join(encode(row) + b"\n" for row in _rows(chunk, name))


def _page(found: Readings, device: str, start: int, skipped: int, limit: int) -> bytes:
    """A Page[Reading]. skipped: rows of the moment `start` that an earlier page had."""
    rows = list(_rows(found, lambda _: device))[skipped:]
    items, after = rows[:limit], ""
    if len(rows) > limit:
        last = items[-1]["time"]
        seen = sum(row["time"] == last for row in items) + (skipped if last == start else 0)
        after = f"{last}.{seen}"
    return msgspec.json.encode({"items": items, "after": after})


def _rows(found: Readings, name: Callable[[int], str | None]) -> Iterator[dict[str, Any]]:
    """name: id of a device by its index; None = not for this caller."""
    said_of = np.flatnonzero((found.quality != Quality.ABSENT).any(axis=1))  # few of the family's points
    points = [found.points[point] for point in said_of]
    values, quality = found.values[said_of].T.tolist(), found.quality[said_of].T.tolist()
    columns = (found.device, found.time, found.kind, found.received, found.tick, found.flags)
    rows = zip(*(column.tolist() for column in columns), values, quality, strict=True)
    for device, time, kind, received, tick, flags, numbers, grades in rows:
        if (said := name(device)) is None:
            continue
        given, doubts = dict(zip(points, numbers, strict=True)), dict[str, int]()
        if any(grades):
            doubts = {point: grade for point, grade in zip(points, grades, strict=True) if grade}
        yield {
            "device": said,
            "time": time,
            "kind": KINDS[kind],
            "received": received,
            "tick": tick,
            "flags": [str(flag.name).lower() for flag in FLAGS if flags & flag] if flags else [],
            "values": given if not doubts else _present(given, doubts),
            "quality": {
                point: QUALITIES[grade] for point, grade in doubts.items() if grade != Quality.ABSENT
            },
        }


def _present(values: dict[str, float], quality: dict[str, int]) -> dict[str, float | None]:
    """Those that are carried; None where there is no number."""
    return {
        point: None if math.isnan(value) else value
        for point, value in values.items()
        if quality.get(point) != Quality.ABSENT
    }


def _buckets(found: Buckets) -> Iterator[Bucket]:
    for row, start in enumerate(found.start.tolist()):
        yield Bucket(
            start=start,
            points={
                name: Summary(
                    min=found.low[point, row],
                    mean=found.mean[point, row],
                    max=found.high[point, row],
                    last=found.last[point, row],
                    count=found.count[point, row],
                )
                for point, name in enumerate(found.points)
                if found.count[point, row]
            },
        )


def _device(services: Services, caller: Principal, id: str) -> tuple[Entry, Family]:  # noqa: A002
    within_device(services, caller, id)
    entry = services.directory.device(id)
    if entry is None:
        raise NotFound(f"no device {id!r:.80}")
    return entry, services.families[entry.family]


def _mark(after: str) -> tuple[int, int]:
    """The time of the last row seen, and how many rows of that time were seen."""
    time, _, seen = after.partition(".")
    if not (time.lstrip("-").isdecimal() and seen.isdecimal() and len(after) < 40 and int(seen) <= len(Kind)):
        raise Invalid("this is no page mark of ours", field="after")
    return int(time), int(seen)
