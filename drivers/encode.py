"""The inverse of `drivers.decode`, for simulators, tests and commands: what is encoded here decodes to the same columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from drivers.dialogue import Order, encode_command, encode_reply
from drivers.families import FAMILIES
from drivers.mapped import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.products.product import Product

__all__ = ["Order", "encode", "encode_command", "encode_reply"]

_MILLISECOND: Final = 1_000
_json = msgspec.json.Encoder().encode
_NOTHING: Final[Mapping[str, str]] = {}


def encode(  # noqa: PLR0917 - the columns of one reading, in the order of a Batch
    product: Product,
    channel: str,
    time: int | None,
    values: Mapping[str, float],
    quality: Mapping[str, str] = _NOTHING,
    event: str | None = None,
    *,
    historical: bool = False,
) -> bytes:
    """One reading as its product sends it. time: µs UTC (the wire of design 3 keeps whole ms).

    values by point name; of status the one point `online`, 0 or 1. quality: words by point. Raises ValueError for what
    the product cannot say.
    """
    if channel == "status":
        state = "online" if values["online"] else "offline"
        return _json({"state": state} if time is None else {"ts": time // _MILLISECOND, "state": state})
    if product.codec is not None:
        if quality or historical:
            raise ValueError(f"{product.id} has no quality and no history, so it cannot say them")
        return product.codec.encode(time, values, event)
    if product.telemetry is not None:
        return _json(
            write(product.telemetry, FAMILIES[product.family], time, values, quality=quality, event=event)
        )
    document: dict[str, Any] = {} if time is None else {"ts": time // _MILLISECOND}
    document["v"] = values
    if quality:
        document["q"] = quality
    if historical:
        document["hist"] = True
    if event is not None:
        document["event"] = event
    return _json(document)
