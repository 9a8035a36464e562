"""The channel that needs no other side: one line of the gateway's own log for each message."""

from __future__ import annotations

import logging

from msgspec import json

from gateway.notify.outbox import Delivery

log = logging.getLogger(__name__)


class LogChannel:
    async def deliver(self, delivery: Delivery) -> None:
        log.info("%s %s %s", delivery.event, delivery.subject, json.encode(delivery.payload).decode())

    async def close(self) -> None:
        """Nothing is held."""
