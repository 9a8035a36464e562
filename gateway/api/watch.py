"""Server-sent events: alarms and cases as they change, and the readings of chosen devices."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Annotated, Final, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse

from gateway.api.auth import Reader, within_device
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.stream import Hub, Wanted
from gateway.errors import Invalid, NotFound, Unavailable

router: Final = resource("/stream", "stream")
HEARTBEAT: Final = 15.0  # real seconds; keeps proxies from closing a quiet stream
DEVICES: Final = 200
Kind = Literal["alarm", "case", "command", "instruction"]


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {}},
            "description": "Events alarm, case, reading; overflow ends it",
        }
    },
)
async def watch(
    services: With,
    caller: Reader,
    kind: Annotated[list[Kind] | None, Query()] = None,
    family: str = "",
    area: str = "",
    device: Annotated[list[str] | None, Query(max_length=DEVICES)] = None,
) -> StreamingResponse:
    """Changes of alarms and cases (kind, family, area narrow them) and the readings of the devices named.

    A reader that does not keep up gets the event `overflow` and is closed: it lists anew and comes again.
    """
    for name in device or []:
        within_device(services, caller, name)
    kinds = frozenset(kind or ("alarm", "case"))
    wanted = Wanted(kinds, family, area, _watched(services, device or []), caller.areas)
    if services.hub.full:
        raise Unavailable("too many streams are open, or the gateway stops")
    return StreamingResponse(
        events(services.hub, wanted),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _watched(services: Services, devices: list[str]) -> dict[str, dict[int, str]]:
    watched: dict[str, dict[int, str]] = defaultdict(dict)
    for name in devices:
        entry = services.directory.device(name)
        if entry is None:
            raise NotFound(f"no device {name!r:.80}")
        watched[entry.family][entry.index] = name
    if len(devices) > DEVICES:
        raise Invalid(f"at most {DEVICES} devices a stream")
    return watched


async def events(hub: Hub, wanted: Wanted) -> AsyncGenerator[bytes, None]:
    """Joins only once the response has begun, so that a client who never came leaves nothing behind."""
    subscriber = hub.join(wanted)
    try:
        yield b": citygate\n\n"
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    event = await subscriber.events.get()
            except TimeoutError:
                yield b":\n\n"
                continue
            if event is None:
                break
            name, data = event
            yield b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
        if subscriber.lost:
            yield b"event: overflow\ndata: {}\n\n"
    finally:
        hub.leave(subscriber)
