"""Parquet parts of history: what there is, compaction on demand, and whether every file is what the list says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from drivers.telemetry import HOUR
from gateway.api.auth import Admin, CityOperator, CityReader
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.span import FARTHEST, Moment
from gateway.errors import LinkError, NotFound
from gateway.history.audit import differences
from gateway.history.cursor import Gap
from gateway.history.manifest import Part
from gateway.history.mirror import Mirror
from gateway.history.mirror_query import reader

router: Final = resource("/history", "history")


class PartView(BaseModel):
    """name: path below the folder of the history. Times µs UTC. settled: its day waits for no merge."""

    name: str
    family: str
    rows: int
    bytes: int
    sha256: str
    first_time: int
    last_time: int
    first_tick: int
    last_tick: int
    settled: bool


class Parts(BaseModel):
    items: list[PartView]


class Compacted(BaseModel):
    """written: parts that this call wrote. The rest: all there is now."""

    written: int
    parts: int
    rows: int
    bytes: int


class Checked(BaseModel):
    """fault: "" where the part is whole."""

    part: str
    rows: int
    fault: str


class MirrorView(BaseModel):
    """Ticks: newest of history; live: all up to it are in the mirror, gaps (after, until) excepted. Points since its start.

    error: why it does not go on; "" where it does.
    """

    model_config = ConfigDict(from_attributes=True)

    newest: int
    live: int
    gaps: list[tuple[int, int]]
    written: int
    refused: int
    error: str


class DifferenceView(BaseModel):
    """An hour (start, µs UTC) in which the mirror has other values than history.

    wrong: values that are on one side only, or not the same. waits: not yet written, so no fault.
    """

    family: str
    hour: int
    ours: int
    theirs: int
    wrong: int
    waits: bool


DIFFERENCES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": DifferenceView,
        "content": {"application/x-ndjson": {}},
        "description": "One DifferenceView a line; at the end an object with `error` where the mirror cannot be asked",
    }
}


@router.get("/parts")
async def list_parts(services: With, _: CityReader, family: str = "") -> Parts:
    """By family, day and number."""
    if family and family not in services.families:
        raise NotFound(f"no family {family!r:.80}; there are: {', '.join(services.families)}")
    return Parts(items=[_view(part) for part in await services.care.compactor.parts(family)])


@router.post("/compact")
async def compact(services: With, _: Admin) -> Compacted:
    """Make parts of all days that are over, as far as snapshot and mirror have come."""
    written = await services.care.compactor.run()
    parts = await services.care.compactor.parts()
    return Compacted(
        written=written,
        parts=len(parts),
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
    )


@router.get(
    "/verify",
    response_class=StreamingResponse,
    responses={
        200: {"model": Checked, "content": {"application/x-ndjson": {}}, "description": "One Checked a line"}
    },
)
async def verify(services: With, _: CityOperator) -> StreamingResponse:
    """Read every part from end to end: bytes, checksum and rows against the list, one JSON line each."""
    return StreamingResponse(_checked(services), media_type="application/x-ndjson")


async def _checked(services: Services) -> AsyncIterator[str]:
    compactor = services.care.compactor
    for part in await compactor.parts():
        verdict = await compactor.verify(part)
        if verdict is not None:
            yield Checked(part=part.name, rows=part.rows, fault=verdict.fault).model_dump_json() + "\n"


@router.get("/mirror")
async def mirror_status(services: With, _: CityReader) -> MirrorView:
    """How far the mirror is."""
    return MirrorView.model_validate(_mirror(services).status())


@router.get("/mirror/verify", response_class=StreamingResponse, responses=DIFFERENCES)
async def verify_mirror(
    services: With,
    _: CityOperator,
    since: Annotated[Moment, Query(alias="from")] = -FARTHEST,
    to: Moment | None = None,
) -> StreamingResponse:
    """Ask the mirror for every value of from ≤ time < to; default: until the present hour. One JSON line a difference."""
    lines = _differences(services, _mirror(services), since, to, repair=False)
    return StreamingResponse(lines, media_type="application/x-ndjson")


@router.post("/mirror/repair", response_class=StreamingResponse, responses=DIFFERENCES)
async def repair_mirror(
    services: With,
    _: Admin,
    since: Annotated[Moment, Query(alias="from")] = -FARTHEST,
    to: Moment | None = None,
) -> StreamingResponse:
    """The same, and write again what differs."""
    lines = _differences(services, _mirror(services), since, to, repair=True)
    return StreamingResponse(lines, media_type="application/x-ndjson")


def _mirror(services: Services) -> Mirror:
    if services.care.mirror is None:
        raise NotFound("there is no mirror; set [mirror] url")
    return services.care.mirror


async def _differences(
    services: Services, mirror: Mirror, since: int, to: int | None, *, repair: bool
) -> AsyncIterator[str]:
    end = services.clock.now() // HOUR * HOUR if to is None else to
    asking = reader(services.care.mirrored)
    found: list[Gap] = []
    try:
        async for each in differences(services.care.history, asking, since, end):
            waits = mirror.waits(each.ticks)
            line = DifferenceView(
                family=each.family,
                hour=each.hour,
                ours=each.ours,
                theirs=each.theirs,
                wrong=each.wrong,
                waits=waits,
            )
            yield line.model_dump_json() + "\n"
            if not waits:
                found.append(each.ticks)
        if repair:
            await mirror.rewind(found)
    except LinkError as error:
        yield json.dumps({"error": str(error)}) + "\n"
    finally:
        asking.close()


def _view(part: Part) -> PartView:
    return PartView(name=part.name, **{k: v for k, v in part._asdict().items() if k in PartView.model_fields})
