"""Pushes of cloud platforms and network servers, as they send them: the source is in the URL, the device in the payload.

Law 1 holds here too: HTTP 200 only after what is answered for is durable, or refused and counted.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

from fastapi import Path, Query, Request

from drivers.jsonscan import Limits, parse
from drivers.lorawan import envelopes
from drivers.lorawan.codec import names_of
from drivers.mapped import device_id
from drivers.products.product import Product
from drivers.refusal import Reason, Refusal, Refused
from gateway.api.auth import Permission, by_token, declare, may, turned_away
from gateway.api.products import TEXT, unhex
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.telemetry import PATIENCE, Answer, Item
from gateway.errors import Forbidden, NotFound, TooLarge, Unauthorized, Unavailable
from gateway.ingest.http_push import Push
from gateway.ingest.inbox import Frame
from gateway.registry.directory import SOURCE, Entry, Principal
from gateway.registry.roles import Areas, covers

router: Final = resource("/push", "telemetry")
LIMITS: Final = Limits(size=256 * 1024, depth=16, readings=1_000)
QUARANTINED: Final = 4_096  # bytes of a refused payload that are kept
SIGNATURE: Final = "x-citygate-signature"
HASHED: Final = "sha256="
CHANNEL: Final = "telemetry"
WAYS: Final = (
    "send the source's secret as Authorization: Bearer or Basic, or sign the body: X-Citygate-Signature"
)


class Speaker(NamedTuple):
    """principal None: an operator, who may speak for any device of their areas."""

    name: str
    principal: Principal | None
    areas: Areas = ()


@router.post(
    "/{name}",
    dependencies=[declare(Permission.SPEAK)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                TEXT: {"schema": {"type": "string", "description": "hex digits"}},
            },
        }
    },
)
async def receive(
    request: Request,
    services: With,
    name: Annotated[str, Path(max_length=64, description="the source")],
    product: Annotated[str, Query(max_length=64, description="whose payloads these are")] = "",
) -> Answer:
    """One message, or a JSON list of them. LoRaWAN uplinks name their server; all else needs `product`.

    The caller is the source `name`: Bearer or Basic with its secret, or `X-Citygate-Signature: sha256=<hex>`, the
    HMAC-SHA256 of the body with the SHA-256 of the secret as the key. An operator's token may push for any device.
    """
    body = await request.body()
    try:
        speaker = _speaker(services, name, request.headers, body)
    except Unauthorized as error:
        raise turned_away(services, request, name, error) from None
    kind = services.products.get(product)
    if product and kind is None:
        raise NotFound(f"no product {product!r:.80}")
    if services.inbox.paused:
        raise Unavailable("the gateway is busy; send it again")
    if request.headers.get("content-type", "").startswith(TEXT):
        body = unhex(body)
    messages = _messages(body)
    host = request.client.host if request.client else "local"
    origin = Push(f"http:{speaker.name}@{host}", len(messages))
    frames = [_frame(services, speaker, kind, one, origin, token) for token, one in enumerate(messages, 1)]
    services.inbox.frames.extend(frames)
    services.inbox.arrived()
    try:
        async with asyncio.timeout(PATIENCE):
            refused = await origin.done
    except TimeoutError:
        raise Unavailable("not known to be stored in time; send it again, doubles are recognised") from None
    return Answer(
        received=len(messages), refused=[_item(token, why) for token, why in sorted(refused.items())]
    )


def _speaker(services: Services, name: str, headers: Mapping[str, str], body: bytes) -> Speaker:
    """Whose push it is; raises Unauthorized, Forbidden."""
    signature = headers.get(SIGNATURE, "")
    if signature.startswith(HASHED):
        principal = services.directory.signed(name, body, _digest(signature.removeprefix(HASHED)))
        if principal is None:
            raise Unauthorized("the signature is not the source's of this body")
        return Speaker(name, principal)
    secret = _secret(name, headers.get("authorization", ""))
    token = by_token(services, secret)
    if token is not None:
        if not may(token, Permission.OPERATE):
            raise Forbidden(f"role {token.role} may not push telemetry", permission=str(Permission.OPERATE))
        return Speaker(token.name, None, token.areas)
    if services.directory.voice(secret) != Principal(SOURCE, name):
        raise Unauthorized(WAYS)
    return Speaker(name, Principal(SOURCE, name))


def _digest(digits: str) -> bytes:
    """b"", which is nobody's, where these are no hex digits."""
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def _secret(name: str, authorization: str) -> bytes:
    """Of Bearer, or of Basic where the user is the source (platforms that know nothing but a URL)."""
    scheme, _, word = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return word.strip().encode()
    if scheme.lower() == "basic":
        try:
            user, _, secret = b64decode(word, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            return b""
        return secret.encode() if user == name else b""
    return b""


def _messages(body: bytes) -> list[bytes]:
    """The messages of a body, in order."""
    if not body.lstrip().startswith(b"["):
        return [body]
    try:
        found = parse(body, LIMITS)
    except Refused:
        return [body]  # refused with its reason by who reads it
    if len(found) > LIMITS.readings:
        raise TooLarge(
            f"more than {LIMITS.readings} messages at once; send them in parts", limit=LIMITS.readings
        )
    return [json.dumps(one).encode() for one in found] or [body]


def _frame(
    services: Services, speaker: Speaker, kind: Product | None, message: bytes, origin: Push, token: int
) -> Frame:
    now = services.clock.now()
    try:
        entry = _device(services, speaker, kind, _names(kind, message))
    except Refused as refused:
        kept = message[:QUARANTINED]
        why = refused.reason, refused.detail, refused.who
        return Frame(None, -1, kept, now, origin, token, "", *why)
    lane = services.lanes.lane(entry.product, entry.family, CHANNEL)
    return Frame(lane, entry.index, message, now, origin, token)


def _names(kind: Product | None, message: bytes) -> tuple[str, ...]:
    """By which ids a message names its device; raises Refused."""
    if kind is None:
        return names_of(envelopes.read(message, LIMITS))
    if kind.codec is not None:
        return kind.codec.names(message, LIMITS)
    if kind.telemetry is not None and kind.telemetry.device:
        return (device_id(kind.telemetry, message, LIMITS),)
    raise Refused(
        Reason.UNKNOWN_DEVICE, f"payloads of {kind.id} do not name their device; push to /telemetry"
    )


def _device(services: Services, speaker: Speaker, kind: Product | None, names: tuple[str, ...]) -> Entry:
    """Raises Refused: UNKNOWN_DEVICE, FOREIGN_TOPIC."""
    directory = services.directory
    if speaker.principal is not None:
        entry = directory.named(speaker.principal, names)
    else:
        entry = directory.called(names)
    if not covers(speaker.areas, entry.area):
        raise Refused(Reason.FOREIGN_TOPIC, f"{entry.id} lies outside the areas of {speaker.name}")
    if kind is not None and entry.product != kind.id:
        raise Refused(Reason.FOREIGN_TOPIC, f"{entry.id} is registered as {entry.product}, not as {kind.id}")
    return entry


def _item(token: int, refusal: Refusal) -> Item:
    return Item(
        item=token - 1,
        device="",
        stored="none" if refusal.whole else "part",
        reason=refusal.reason,
        detail=refusal.detail,
    )
