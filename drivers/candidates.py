"""Which products would decode a payload of a device that nobody has registered, the likeliest first.

The decoders of ingest judge; nothing here is a second opinion.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from drivers.decode import Decoder
from drivers.hj212.readings import StationDecoder
from drivers.mqtt.topics import parse
from drivers.refusal import Refused
from drivers.telemetry import Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drivers.products.product import Product

CHINA: Final = timezone(timedelta(hours=8))
MOST: Final = 8
SEGMENT: Final = b"MN="  # in every HJ 212 data segment, and in no JSON that begins with {
CHANNELS: Final = ("telemetry", "event")


class Candidate(NamedTuple):
    """clean: nothing of the payload is refused. points: how many it gives."""

    clean: bool
    points: int
    product: str


class Candidates:
    """Keeps one decoder for each product and channel; what a payload holds never raises."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self._products = products
        self._decoders: dict[tuple[str, str], Decoder | StationDecoder] = {}

    def of(self, payload: bytes, topic: str = "") -> list[str]:
        """Ids of at most MOST products; those that refuse a part come only where none takes it whole."""
        family, channel = _named(topic)
        payload = _bare(payload)
        found = [
            one
            for product in self._likely(payload)
            if family in {"", product.family} and (one := self._try(product, channel, payload))
        ]
        whole = [one for one in found if one.clean] or found
        whole.sort(key=lambda one: (-one.points, one.product))
        return [one.product for one in whole[:MOST]]

    def _likely(self, payload: bytes) -> Iterable[Product]:
        """A Modbus product speaks only when it is asked."""
        station = not payload.lstrip().startswith((b"{", b"[")) and SEGMENT in payload
        return (
            product
            for product in self._products.values()
            if product.modbus is None and (product.hj212 is not None) == station
        )

    def _try(self, product: Product, channel: str, payload: bytes) -> Candidate | None:
        decoded = self._decoder(product, channel).decode([payload], [0], [0])
        points = int(np.count_nonzero(decoded.batch.quality != Quality.ABSENT))
        return Candidate(not decoded.refusals, points, product.id) if points else None

    def _decoder(self, product: Product, channel: str) -> Decoder | StationDecoder:
        key = product.id, channel
        if key not in self._decoders:
            own = product.hj212 is not None
            self._decoders[key] = StationDecoder(product, CHINA) if own else Decoder(product, channel)
        return self._decoders[key]


def _named(topic: str) -> tuple[str, str]:
    """The family and channel that one of our own topics names; "" and telemetry of any other."""
    try:
        found = parse(topic)
    except Refused:
        return "", CHANNELS[0]
    return found.family, found.channel if found.channel in CHANNELS else CHANNELS[0]


def _bare(payload: bytes) -> bytes:
    """An item pushed over HTTP names its device beside the readings."""
    if not payload.startswith(b"{") or b'"device"' not in payload:
        return payload
    try:
        item: dict[str, Any] = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload
    if "v" not in item:
        return payload
    return msgspec.json.encode({name: value for name, value in item.items() if name != "device"})
