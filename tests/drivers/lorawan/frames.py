"""Published frames of products and what they say, one JSON file each under tests/vectors/<product>/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drivers.lorawan.codec import Frames
from drivers.lorawan.envelopes import SERVERS, Gateway, Server, Uplink, write
from drivers.products import catalog
from drivers.products.product import Product

VECTORS = Path(__file__).parents[2] / "vectors"
EUI = "70b3d5b020073208"
TIME = 1_719_841_422_236_186
BINARY = [one for one in catalog().values() if one.codec is not None]
LORAWAN = [one for one in BINARY if isinstance(one.codec, Frames)]


def published() -> list[tuple[Product, str, dict[str, Any]]]:
    """(product, name, vector) of every file that is a frame."""
    found = []
    for product in BINARY:
        for file in sorted((VECTORS / product.id).glob("*.json")):
            vector = json.loads(file.read_text("utf-8"))
            if "hex" in vector:
                found.append((product, file.stem, vector))
    return found


def enveloped(
    frame: bytes, port: int, *, server: Server = SERVERS[0], counter: int = 1, time: int | None = TIME
) -> bytes:
    gateways = (Gateway("gateway-1", -57, 9.75), Gateway("gateway-2", -127, -4.2))
    return write(Uplink(server, EUI, "MH-0042", port, counter, frame, time, gateways, "430"))


def payload(product: Product, vector: dict[str, Any], server: Server = SERVERS[0]) -> bytes:
    """The vector as its product's transport carries it."""
    frame = bytes.fromhex(vector["hex"])
    return enveloped(frame, vector["port"], server=server) if product in LORAWAN else frame
