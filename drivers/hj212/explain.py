"""What the gateway makes of a stream of frames, for people: readings with units and quality, the reply, or the refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivers.families import FAMILIES
from drivers.hj212.crc import Crc
from drivers.hj212.frame import Damage, Framer
from drivers.hj212.readings import StationDecoder
from drivers.hj212.segment import decode
from drivers.hj212.station import Station, Timing
from drivers.refusal import Refused
from drivers.telemetry import NO_TIME, Flag, Kind, Quality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from drivers.hj212.frame import Frame
    from drivers.products.product import Product


def explain(
    product: Product, stream: bytes, zone: tzinfo, *, crc: Crc | None = None
) -> Iterator[dict[str, Any]]:
    """One document for each frame or damage, as JSON would have it. crc: where the device sends another sum.

    Refused: {"refused": reason, "detail", "offset"}. Times µs UTC.
    """
    profile = product.hj212
    if profile is None:
        raise ValueError(f"{product.id} does not speak HJ 212")
    decoder = StationDecoder(product, zone)
    tail = b"" if stream.endswith(b"\n") else b"\r\n"
    for found in Framer().feed(stream + tail):
        if isinstance(found, Damage):
            yield {"refused": found.reason, "detail": found.detail, "offset": found.offset}
        elif not found.passes(crc or profile.crc):
            detail = f"CRC is right by {found.crc}; the device must send {crc or profile.crc}"
            yield {"refused": "bad_crc", "detail": detail, "offset": found.offset}
        else:
            yield _frame(decoder, found, zone)


def _frame(decoder: StationDecoder, frame: Frame, zone: tzinfo) -> dict[str, Any]:
    try:
        segment, oddities = decode(frame.data)
    except Refused as refused:
        return {"refused": refused.reason, "detail": refused.detail, "offset": frame.offset}
    heard = Station(segment.mn, zone, Timing(), frame.crc).hear(segment, 0)
    reply = heard.reply
    if segment.wants_answer and heard.said == "upload":
        reply = Station(segment.mn, zone, Timing(), frame.crc).acknowledge(segment)
    told: dict[str, Any] = {
        "device": segment.mn,
        "command": segment.cn,
        "crc": frame.crc,
        "tolerated": [*frame.oddities, *oddities],
        "reply": reply.decode().rstrip(),
    }
    decoded = decoder.decode([frame.data], [0], [0])
    batch = decoded.batch
    if len(batch):
        time = int(batch.time[0])
        told["time"] = None if time == NO_TIME else time
        told["kind"] = Kind(batch.kind[0]).name.lower()
        told["historical"] = bool(batch.flags[0] & Flag.HISTORICAL)
        told["points"] = {
            point.name: {
                "value": float(batch.values[place, 0]),
                "unit": point.unit,
                "quality": Quality(batch.quality[place, 0]).name.lower(),
            }
            for place, point in enumerate(FAMILIES[batch.family.name].points)
            if batch.quality[place, 0] != Quality.ABSENT
        }
    told["refusals"] = [{"reason": one.reason, "detail": one.detail} for one in decoded.refusals]
    return told
