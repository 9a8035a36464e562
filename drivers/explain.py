"""What the gateway makes of one payload, for people: the same decoders as ingest, and the reply it would send.

Nothing here is a second opinion: rows and refusals are those of the decoder.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, field

from drivers.city_json import Faults
from drivers.decode import Decoder, Limits
from drivers.families import FAMILIES
from drivers.hj212.frame import Damage, Framer
from drivers.hj212.readings import StationDecoder
from drivers.hj212.segment import decode as segment_of
from drivers.hj212.station import Said, Station, Timing
from drivers.lorawan import envelopes
from drivers.lorawan.codec import NOBODY, Frames
from drivers.mapped import device_id
from drivers.modbus import exchange
from drivers.refusal import Reason, Refusal, Refused
from drivers.telemetry import NO_TIME, Flag, Kind, Quality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from drivers.codec import Reading
    from drivers.modbus.register_map import RegisterMap
    from drivers.products.product import Product
    from drivers.telemetry import Batch

CHINA: Final = timezone(timedelta(hours=8))  # HJ 212 stations speak local time
EVENT: Final = b'"event"'

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Value(Struct, omit_defaults=True):
    """label: of an enumerated point."""

    value: float
    unit: str
    quality: str
    label: str | None = None


class Row(Struct):
    """One reading. time: ISO 8601, None = the time of receipt."""

    time: str | None
    kind: str
    points: dict[str, Value]
    event: str | None = None
    historical: bool = False


class Fault(Struct):
    """whole: nothing of the payload is used."""

    reason: str
    detail: str
    whole: bool


class Explained(Struct):
    """device: the ids that the payload names it by, the surest first. says: what is no point. reply: as text."""

    product: str
    device: list[str] = field(default_factory=list)
    readings: list[Row] = field(default_factory=list)
    refusals: list[Fault] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    reply: str | None = None

    @property
    def refused(self) -> bool:
        """Nothing of it is used."""
        return not self.readings and any(one.whole for one in self.refusals)


def explain(
    product: Product, payload: bytes, received: int, *, port: int | None = None, zone: tzinfo = CHINA
) -> Explained:
    """Never raises for what a payload holds. received: µs UTC.

    port: of a bare LoRaWAN frame; without it the first port that fits.
    """
    found = Explained(product.id)
    if product.hj212 is not None:
        _station(product, payload, received, zone, found)
    elif isinstance(product.codec, Frames) and not payload.lstrip().startswith(b"{"):
        _frame(product, product.codec, payload, received, port, found)
    elif product.modbus is not None and not payload.lstrip().startswith(b"{"):
        _exchange(product, product.modbus, payload, received, found)
    else:
        _payload(product, payload, received, found)
    return found


def _exchange(product: Product, declared: RegisterMap, data: bytes, received: int, found: Explained) -> None:
    """A recorded request with its answer, or an answer alone."""
    try:
        heard = exchange.decode(declared, FAMILIES[product.family], data)
    except Refused as refused:
        found.refusals.append(Fault(refused.reason, refused.detail, whole=True))
        return
    found.says = {"unit": heard.unit, **({"meaningless": heard.faults} if heard.faults else {})}
    _payload(product, msgspec.json.encode({"v": heard.values}), received, found)


def _payload(product: Product, payload: bytes, received: int, found: Explained) -> None:
    try:
        if product.codec is not None:
            found.device = list(product.codec.names(payload, Limits()))
            readings = product.codec.readings(payload, Limits(), Faults())
            found.says = {name: value for one in readings for name, value in _facts(one)}
        elif product.telemetry is not None and product.telemetry.device:
            found.device = [device_id(product.telemetry, payload)]
    except Refused:
        pass  # the decoder says it better
    channel = "event" if EVENT in payload and product.telemetry is None else "telemetry"
    decoded = Decoder(product, channel).decode([payload], [0], [received])
    _tell(decoded.batch, decoded.refusals, found)


def _frame(  # noqa: PLR0917 - what `explain` was asked, and where it goes
    product: Product, codec: Frames, frame: bytes, received: int, port: int | None, found: Explained
) -> None:
    """A frame without an envelope: no device, no time."""
    ports = [port] if port is not None else [one for one in codec.ports if _fits(codec, one, frame)]
    number = (ports or list(codec.ports))[0]
    if not 0 < len(frame) <= envelopes.LONGEST or number not in envelopes.PORTS:
        detail = f"{len(frame)} bytes on port {number} are no LoRaWAN frame"
        found.refusals.append(Fault(Reason.BAD_FRAME, detail, whole=True))
        return
    uplink = envelopes.Uplink("chirpstack", NOBODY, "", number, 0, frame)
    _payload(product, envelopes.write(uplink), received, found)
    found.device = []
    found.says = {name: value for name, value in found.says.items() if name not in {"eui", "counter", "via"}}


def _fits(codec: Frames, port: int, frame: bytes) -> bool:
    faults = Faults()
    try:
        codec.decode(port, frame, faults)
    except Refused:
        return False
    return not faults


def _station(product: Product, payload: bytes, received: int, zone: tzinfo, found: Explained) -> None:
    """A frame as a station sends it; the line's end may be missing."""
    assert product.hj212 is not None
    framer = Framer()
    frames = framer.feed(payload.rstrip(b"\r\n") + b"\r\n")
    if not frames:
        found.refusals.append(
            Fault(Reason.BAD_FRAME, "byte 0: no frame that begins with ## ends here", whole=True)
        )
    for frame in frames:
        if isinstance(frame, Damage):
            detail = f"byte {frame.offset}: {frame.detail}"
            found.refusals.append(Fault(frame.reason, detail, whole=True))
            continue
        try:
            segment, oddities = segment_of(frame.data)
        except Refused as refused:
            detail = f"byte {frame.offset}: {refused.detail}"
            found.refusals.append(Fault(refused.reason, detail, whole=True))
            continue
        found.device = [segment.mn]
        mode = product.hj212.crc
        if not frame.passes(mode):
            detail = f"byte {frame.offset}: CRC is right by {frame.crc}; unless a device's own setting says so, it must be {mode}"
            found.refusals.append(Fault(Reason.BAD_CRC, detail, whole=True))
            continue
        found.says = {
            "qn": segment.qn,
            "st": segment.st,
            "cn": segment.cn,
            "flag": segment.flag,
            "tolerated": [str(one) for one in (*frame.oddities, *oddities)],
        }
        station = Station(segment.mn, zone, Timing(), product.hj212.crc)
        heard = station.hear(segment, received)
        if heard.said is Said.UPLOAD:
            decoded = StationDecoder(product, zone).decode([frame.data], [0], [received])
            _tell(decoded.batch, decoded.refusals, found)
        reply = (
            station.acknowledge(segment)
            if heard.said is Said.UPLOAD and segment.wants_answer
            else heard.reply
        )
        found.reply = reply.decode("utf-8", "replace").rstrip() or None


def _facts(reading: Reading) -> Iterator[tuple[str, Any]]:
    for name, value in reading.facts.items():
        yield name, int(value) if isinstance(value, float) and value.is_integer() else value


def _tell(batch: Batch, refusals: list[Refusal], found: Explained) -> None:
    found.readings += [_row(batch, row) for row in range(len(batch))]
    found.refusals += [Fault(str(one.reason), one.detail, one.whole) for one in refusals]


def _row(batch: Batch, row: int) -> Row:
    points: dict[str, Value] = {}
    event = None
    for place, point in enumerate(batch.family.points):
        quality = Quality(batch.quality[place, row])
        if quality is Quality.ABSENT:
            continue
        value = float(batch.values[place, row])
        label = point.labels[int(value)] if point.labels else None
        if point.name == "event":
            event = label
        else:
            points[point.name] = Value(value, point.unit, quality.name.lower(), label)
    time = int(batch.time[row])
    said = None if time == NO_TIME else (_EPOCH + timedelta(microseconds=time)).isoformat()
    historical = bool(batch.flags[row] & Flag.HISTORICAL)
    return Row(said, Kind(batch.kind[row]).name.lower(), points, event, historical)
