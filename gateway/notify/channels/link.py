"""Messages to a broker, retained, one topic a subject: who subscribes later still hears how things stand."""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import json

from drivers.mqtt.topics import ROOT
from gateway.notify import home
from gateway.notify.outbox import Delivery

FORGET: Final = "forget"  # the event that empties a topic


class Publisher(Protocol):
    """gateway.ingest.link.Link, as far as a channel needs it."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Returns once the broker has taken it; raises LinkError."""


class LinkChannel:
    """Waits while the link is down: nothing is given up because a broker is away."""

    def __init__(self, link: Publisher) -> None:
        self._link = link

    async def deliver(self, delivery: Delivery) -> None:
        kind, _, event = delivery.event.partition(".")
        said = delivery.payload[kind]
        topic = home.topic(kind, said["id"]) if kind in home.KINDS else f"{ROOT}/{kind}s/{said['id']}"
        document = {"id": delivery.key, **delivery.payload}
        if kind == home.CONFIG:  # its form is Home Assistant's
            document = said.get("config", {})
        await self._link.publish(topic, b"" if event == FORGET else json.encode(document))

    async def close(self) -> None:
        """The link is its owner's."""
