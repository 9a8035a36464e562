"""Changes of alarms and cases as CloudEvents 1.0, while they happen, and what their data looks like."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse
from msgspec import json

from gateway.api import watch
from gateway.api.auth import Reader
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.stream import Wanted
from gateway.cases.record import Change
from gateway.errors import NotFound, Unavailable
from gateway.notify import cloudevents

router: Final = resource("/events", "stream")


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "each event's data is one CloudEvent"}
    },
)
async def stream_events(
    services: With,
    caller: Reader,
    kind: Annotated[list[Literal["alarm", "case"]] | None, Query()] = None,
    family: str = "",
    area: str = "",
) -> StreamingResponse:
    """The stream of changes in the envelope that webhooks with format = "cloudevents" have; `overflow` ends it."""
    if services.hub.full:
        raise Unavailable("too many streams are open, or the gateway stops")
    wanted = Wanted(frozenset(kind or ("alarm", "case")), family, area, {}, caller.areas)
    return StreamingResponse(
        _enveloped(services, wanted),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/schemas/{name}")
async def event_schema(_: Reader, name: str) -> dict[str, Any]:
    """JSON Schema of the data of an event: alarm, case, or change (of the stream)."""
    found = cloudevents.schema_of(name)
    if found is None:
        raise NotFound(f"no schema {name!r:.40}; there are alarm, case and change")
    return found


async def _enveloped(services: Services, wanted: Wanted) -> AsyncGenerator[bytes, None]:
    async with aclosing(watch.events(services.hub, wanted)) as lines:
        async for line in lines:
            head, mark, data = line.partition(b"\ndata: ")
            if mark and not head.endswith(b"overflow"):
                event = services.events.of_change(json.decode(data, type=Change))
                yield b"event: cloudevent\ndata: " + json.encode(event) + b"\n\n"
            else:
                yield line
