"""Messages by HTTP POST, each signed: the receiver can tell that it is ours, unaltered and recent.

2xx is taken; anything else, a redirect too, is a failure that is tried again.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

import httpx
from msgspec import json

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import LinkError
from gateway.notify.channels.outgoing import Outgoing
from gateway.notify.cloudevents import MEDIA, Events
from gateway.notify.outbox import Delivery
from gateway.notify.settings import WebhookSettings

SIGNATURE: Final = "Citygate-Signature"
TIMESTAMP: Final = "Citygate-Timestamp"
EVENT: Final = "Citygate-Event"
DELIVERY: Final = "Citygate-Delivery"  # the same for every attempt: receivers drop what they know


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature header: HMAC-SHA256 in hex over timestamp (seconds since the epoch, as text), a dot and body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


class WebhookChannel:
    """One receiver. The answer's body is not read."""

    def __init__(self, settings: WebhookSettings, clock: Clock, events: Events | None = None) -> None:
        self._events = events or Events("urn:citygate")
        self._settings = settings
        self._clock = clock
        self._outgoing = Outgoing(settings.timeout, settings.allow)

    async def deliver(self, delivery: Delivery) -> None:
        media, document = "application/json", {"id": delivery.key, **delivery.payload}
        if self._settings.format == "cloudevents":
            media, document = MEDIA, self._events.of_delivery(delivery)
        body = json.encode(document)
        timestamp = str(self._clock.now() // SECOND)
        headers = {
            "Content-Type": media,
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._settings.secret.get_secret_value(), timestamp, body),
            EVENT: delivery.event,
            DELIVERY: delivery.key,
        }
        answer = await self._outgoing.post(str(self._settings.url), body, headers)
        if not httpx.codes.is_success(answer.status):
            raise LinkError(f"HTTP {answer.status}")

    async def close(self) -> None:
        await self._outgoing.close()
