"""Messages by HTTP POST, each signed: the receiver can tell that it is ours, unaltered and recent.

2xx is taken; anything else, a redirect too, is a failure that is tried again.
"""

from __future__ import annotations

import asyncio
import hmac
from hashlib import sha256
from typing import Final

import httpx
from msgspec import json

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import LinkError
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

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._seconds = settings.timeout / SECOND
        self._client = httpx.AsyncClient(timeout=self._seconds, follow_redirects=False, trust_env=False)

    async def deliver(self, delivery: Delivery) -> None:
        body = json.encode({"id": delivery.key, **delivery.payload})
        timestamp = str(self._clock.now() // SECOND)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "citygate",
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._settings.secret.get_secret_value(), timestamp, body),
            EVENT: delivery.event,
            DELIVERY: delivery.key,
        }
        status = await self._post(body, headers)
        if not httpx.codes.is_success(status):
            raise LinkError(f"HTTP {status}")

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        url = str(self._settings.url)
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                return answer.status_code
        except TimeoutError as error:
            raise LinkError(f"no answer within {self._seconds:g} s") from error
        except httpx.HTTPError as error:
            raise LinkError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        await self._client.aclose()
