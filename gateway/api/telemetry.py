"""Telemetry by HTTP, through the same inbox as every transport: answered after the commit, item by item.

An item is `{"device": id, …}` with the payload of design 3 or of the device's product beside the id.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from msgspec import Struct
from pydantic import BaseModel

from drivers.jsonscan import Limits, parse
from drivers.mqtt.topics import build
from drivers.refusal import Reason, Refusal, Refused
from gateway.api.auth import Credentials, Permission, by_token, declare, may, secret_of, turned_away
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.errors import Forbidden, TooLarge, Unauthorized, Unavailable
from gateway.ingest.http_push import Push
from gateway.ingest.inbox import Frame
from gateway.registry.directory import Principal
from gateway.registry.roles import Areas, covers

router: Final = resource("/telemetry", "telemetry")
ITEMS: Final = 10_000
BODY: Final = Limits(
    size=4 * 1024 * 1024, depth=20, readings=ITEMS
)  # each item is judged again by its decoder
PATIENCE: Final = 30.0  # real seconds until a client is told to ask again
LINES: Final = ("application/x-ndjson", "application/jsonl")


class Item(BaseModel):
    """item: position in the request, from 0. stored: part, or none of it. reason: as in the quarantine."""

    item: int
    device: str
    stored: str
    reason: Reason
    detail: str


class Answer(BaseModel):
    """Everything that is not named in `refused` is durably stored."""

    received: int
    refused: list[Item]


class Said(Struct):
    """One item: what it is about, as it came, and why it is refused already."""

    device: str
    body: dict[str, Any]
    raw: bytes
    refused: Refused | None = None


class Speaker(Struct, frozen=True):
    """Who pushes; principal None: an operator's token, which may speak for any device of its areas."""

    name: str
    principal: Principal | None
    areas: Areas = ()


_SCHEMA: Final = {
    "type": "object",
    "required": ["device"],
    "properties": {
        "device": {"type": "string"},
        "ts": {"type": "integer", "description": "ms since epoch"},
        "v": {"type": "object", "additionalProperties": {"type": "number"}},
        "q": {"type": "object", "additionalProperties": {"type": "string"}},
        "hist": {"type": "boolean"},
        "event": {"type": "string"},
    },
}


@router.post(
    "",
    dependencies=[declare(Permission.SPEAK)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [_SCHEMA, {"type": "array", "items": _SCHEMA}]}},
                "application/x-ndjson": {"schema": _SCHEMA},
            },
        }
    },
)
async def push(request: Request, services: With, credentials: Credentials) -> Answer:
    """One reading, a list of them, or one a line (NDJSON). The answer comes after they are durable.

    Bearer: a device's secret (its own readings), a source's, or the token of an operator.
    """
    body = await request.body()
    said = list(_items(body, lines=request.headers.get("content-type", "").startswith(LINES)))
    if len(said) > ITEMS:
        raise TooLarge(f"more than {ITEMS} readings in one request; send it in parts", limit=ITEMS)
    try:
        speaker = _speaker(services, secret_of(credentials), said)
    except Unauthorized as error:
        named = next((one.device for one in said if one.device), "")
        raise turned_away(services, request, named, error) from None
    if not said:
        return Answer(received=0, refused=[])
    if services.inbox.paused:
        raise Unavailable("the gateway is busy; send it again")
    host = request.client.host if request.client else "local"
    origin = Push(f"http:{speaker.name}@{host}", len(said))
    now = services.clock.now()
    frames = [_frame(services, speaker, one, now, origin, token) for token, one in enumerate(said, 1)]
    services.inbox.frames.extend(frames)
    services.inbox.arrived()
    try:
        async with asyncio.timeout(PATIENCE):
            refused = await origin.done
    except TimeoutError:
        raise Unavailable("not known to be stored in time; send it again, doubles are recognised") from None
    return Answer(
        received=len(said),
        refused=[_item(token, said[token - 1], why) for token, why in sorted(refused.items())],
    )


def _items(body: bytes, *, lines: bool) -> Iterator[Said]:
    if lines:
        for line in body.splitlines():
            if line.strip():
                yield _read(line)
        return
    try:
        document = parse(body, BODY)
    except Refused as refused:
        yield Said("", {}, body, refused)
        return
    for one in document if isinstance(document, list) else [document]:
        yield _said(one, json.dumps(one).encode())


def _read(line: bytes) -> Said:
    try:
        return _said(parse(line, BODY), line)
    except Refused as refused:
        return Said("", {}, line, refused)


def _said(one: object, raw: bytes) -> Said:
    if not isinstance(one, dict) or not isinstance(one.get("device"), str):
        return Said("", {}, raw, Refused(Reason.WRONG_TYPE, 'an item is an object with "device": "<id>"'))
    body = {name: value for name, value in one.items() if name != "device"}
    return Said(one["device"], body, raw)


def _speaker(services: Services, secret: bytes, said: list[Said]) -> Speaker:
    """Whose secret it is: a token's, a source's, or that of the first device named."""
    token = by_token(services, secret)
    if token is not None:
        if not may(token, Permission.OPERATE):
            raise Forbidden(f"role {token.role} may not push telemetry", permission=str(Permission.OPERATE))
        return Speaker(token.name, None, token.areas)
    named = next((one.device for one in said if one.device), "")
    principal = services.directory.voice(secret) or services.directory.authenticate(named, secret)
    if principal is None:
        raise Unauthorized(
            "send the secret of the device or source, or an operator's token: Authorization: Bearer …"
        )
    return Speaker(principal.name, principal)


def _frame(services: Services, speaker: Speaker, said: Said, now: int, origin: Push, token: int) -> Frame:
    channel = "event" if "event" in said.body else "telemetry"
    try:
        if said.refused is not None:
            raise said.refused
        product, family, index, topic = _route(services, speaker, said.device, channel)
    except Refused as refused:
        why = refused.reason, refused.detail, refused.who
        return Frame(None, -1, said.raw, now, origin, token, "", *why)
    lane = services.lanes.lane(product, family, channel)
    return Frame(lane, index, json.dumps(said.body).encode(), now, origin, token, topic)


def _route(services: Services, speaker: Speaker, device: str, channel: str) -> tuple[str, str, int, str]:
    """Product, family, index, and the topic it would have come under."""
    entry = services.directory.device(device)
    if entry is None or entry.retired:
        raise Refused(Reason.UNKNOWN_DEVICE, f"no device {device!r:.80}", device)
    if not covers(speaker.areas, entry.area):
        raise Refused(Reason.FOREIGN_TOPIC, f"{device} lies outside the areas of {speaker.name}", device)
    topic = build(entry.family, entry.id, channel)
    if speaker.principal is not None:
        services.directory.resolve(speaker.principal, topic)
    return entry.product, entry.family, entry.index, topic


def _item(token: int, said: Said, refusal: Refusal) -> Item:
    return Item(
        item=token - 1,
        device=said.device[:64].encode("utf-8", "backslashreplace").decode(),
        stored="none" if refusal.whole else "part",
        reason=refusal.reason,
        detail=refusal.detail,
    )
