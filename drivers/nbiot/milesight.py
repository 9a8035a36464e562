"""Frames of Milesight's NB-IoT devices: who it is and how it is connected, then the channels of its LoRaWAN twin.

A channel that does not rise begins an older record. Such records have no time, so they cannot stand in history: they
are left out, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from drivers.codec import Mark, Reading
from drivers.jsonscan import check
from drivers.lorawan.bits import Said, Wish
from drivers.lorawan.layout import Cursor
from drivers.refusal import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.city_json import Faults
    from drivers.jsonscan import Limits
    from drivers.lorawan.layout import Choice

START: Final = 0x02
BEFORE: Final = 5  # bytes that the length does not count: start, id, length
CHANNEL: Final = 0x7F  # the highest bit of a channel marks an alarm
NOBODY: Final = "0" * 15

_HEADER: Final = Struct(">BHHBHB4s4s16s15s15s20sBH")
_UNKNOWN_CSQ: Final = 99


class Header(NamedTuple):
    """Fields as they stand; texts are ASCII digits. csq: 3GPP TS 27.007 +CSQ."""

    start: int
    id: int
    length: int
    flag: int
    counter: int
    version: int
    firmware: str
    hardware: str
    serial: str
    imei: str
    imsi: str
    iccid: str
    csq: int
    size: int

    @property
    def rssi(self) -> float | None:
        """dBm; None where the modem does not know."""
        return None if self.csq == _UNKNOWN_CSQ else -113.0 + 2 * self.csq


def header(frame: bytes) -> Header:
    """Raises Refused where these bytes are no frame."""
    if len(frame) < _HEADER.size:
        raise Refused(
            Reason.BAD_FRAME, f"{len(frame)} bytes; a frame has at least {_HEADER.size}, it is cut short"
        )
    fields: list[Any] = list(_HEADER.unpack_from(frame))
    if fields[0] != START:
        raise Refused(Reason.BAD_FRAME, f"byte 0: {fields[0]:02x} where {START:02x} belongs")
    for at, field in enumerate(fields):
        if isinstance(field, bytes):
            if not (field.isascii() and field.decode("ascii").isprintable()):
                raise Refused(Reason.BAD_FRAME, f"{Header._fields[at]} {field.hex()} is no text")
            fields[at] = field.decode()
    found = Header(*fields)
    if found.length != len(frame) - BEFORE or found.size != len(frame) - _HEADER.size:
        raise Refused(
            Reason.BAD_FRAME,
            f"byte 3: length {found.length} and {found.size}, but {len(frame) - BEFORE} and {len(frame) - _HEADER.size}",
        )
    return found


@dataclass(frozen=True)
class NbFrames:
    """channels: what stands in a record."""

    channels: Choice

    def names(self, payload: bytes, limits: Limits) -> tuple[str, ...]:
        check(payload, limits)
        found = header(payload)
        return found.imei, found.serial

    def readings(self, payload: bytes, limits: Limits, faults: Faults) -> Sequence[Reading]:
        check(payload, limits)
        found = header(payload)
        said, cursor = Said(faults=faults), Cursor(payload, _HEADER.size)
        self._record(cursor, said)
        if cursor.at < cursor.end:
            left = cursor.end - cursor.at
            faults.note(Reason.BAD_TIME, f"byte {cursor.at}: older records of {left} bytes have no time")
        if found.rssi is not None and (said.values or said.event):
            said.values.setdefault("rssi", found.rssi)
        facts = {**said.facts, **found._asdict()}
        return [Reading(said.values, said.event, None, facts, Mark(found.counter, payload))]

    def _record(self, cursor: Cursor, said: Said) -> None:
        """The first record: as long as channels rise."""
        last = -1
        while cursor.at < cursor.end:
            channel = cursor.data[cursor.at] & CHANNEL
            if channel <= last:
                return
            last = channel
            try:
                self.channels.read(cursor, said)
            except Refused as refused:
                said.faults.note(refused.reason, refused.detail)
                cursor.at = cursor.end

    def encode(self, time: int | None, values: Mapping[str, float], event: str | None) -> bytes:  # noqa: ARG002
        """A frame of no device; `frame` makes those of real ones. It has no place for a time."""
        return self.frame(values, event)

    def frame(
        self,
        values: Mapping[str, float],
        event: str | None = None,
        *,
        imei: str = NOBODY,
        serial: str = "",
        counter: int = 0,
    ) -> bytes:
        """Raises ValueError for what it cannot say."""
        wish, out = (
            Wish({name: value for name, value in values.items() if name != "rssi"}, event),
            bytearray(),
        )
        self.channels.write_all(out, wish)
        if wish.missing():
            raise ValueError(f"no frame of this product says {', '.join(sorted(wish.missing()))}")
        csq = round((values["rssi"] + 113) / 2) if "rssi" in values else _UNKNOWN_CSQ
        texts = (b"0101", b"0110", f"{serial:0>16}".encode(), f"{imei:0>15}".encode(), b"0" * 15, b"0" * 20)
        length = _HEADER.size + len(out) - BEFORE
        return _HEADER.pack(START, 1, length, 0, counter & 0xFFFF, 1, *texts, csq, len(out)) + out

    def points(self) -> frozenset[str]:
        return frozenset(self.channels.names()) | {"rssi"}
