"""Uplinks as network servers hand them on: ChirpStack v4 and v3, and The Things Stack v3; read, and written.

Zero, empty and false fields may be left out. What a server says of a frame is believed, the frame itself is not read.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from drivers.jsonscan import Limits, check, show
from drivers.refusal import Reason, Refused

Server = Literal["chirpstack", "chirpstack3", "thethingsstack"]
SERVERS: Final[tuple[Server, ...]] = ("chirpstack", "chirpstack3", "thethingsstack")

LONGEST: Final = 255  # bytes of a LoRaWAN frame, and more than any region allows
PORTS: Final = range(256)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST: Final = 253_402_300_799_999_999
_EUI: Final = 16


class Gateway(Struct, frozen=True):
    """Who heard it, how loud: dBm, dB."""

    id: str
    rssi: float | None = None
    snr: float | None = None


class Uplink(Struct, frozen=True):
    """eui: 16 lower-case hex digits; name: what the server calls the device; time: µs UTC, of the server's copy."""

    server: Server
    eui: str
    name: str
    port: int
    counter: int
    payload: bytes
    time: int | None = None
    gateways: tuple[Gateway, ...] = ()
    application: str = ""

    @property
    def rssi(self) -> float | None:
        """dBm, of the gateway that heard it best."""
        return max((one.rssi for one in self.gateways if one.rssi is not None), default=None)


class _Radio(Struct):
    gateway: str | None = field(default=None, name="gatewayId")
    gateway3: str | None = field(default=None, name="gatewayID")
    rssi: float | None = None
    snr: float | None = None
    snr3: float | None = field(default=None, name="loRaSNR")


class _Info(Struct):
    eui: str = field(default="", name="devEui")
    name: str | None = field(default=None, name="deviceName")
    application: str | None = field(default=None, name="applicationId")


class _GatewayIds(Struct):
    id: str | None = field(default=None, name="gateway_id")


class _Metadata(Struct):
    gateway: _GatewayIds = field(default_factory=_GatewayIds, name="gateway_ids")
    rssi: float | None = None
    snr: float | None = None


class _Message(Struct):
    port: int | None = field(default=None, name="f_port")
    counter: int | None = field(default=None, name="f_cnt")
    data: str | None = field(default=None, name="frm_payload")
    radio: list[_Metadata] | None = field(default=None, name="rx_metadata")
    time: str | None = field(default=None, name="received_at")


class _Application(Struct):
    id: str = field(default="", name="application_id")


class _Ids(Struct):
    name: str = field(default="", name="device_id")
    eui: str = field(default="", name="dev_eui")
    application: _Application = field(default_factory=_Application, name="application_ids")


class _Envelope(Struct):
    """All three; which of them it is shows in the field that names the device."""

    info: _Info | None = field(default=None, name="deviceInfo")
    eui3: str | None = field(default=None, name="devEUI")
    ids: _Ids | None = field(default=None, name="end_device_ids")
    name3: str | None = field(default=None, name="deviceName")
    application3: str | None = field(default=None, name="applicationID")
    published: str | None = field(default=None, name="publishedAt")
    time: str | None = None
    port: int | None = field(default=None, name="fPort")
    counter: int | None = field(default=None, name="fCnt")
    data: str | None = None
    radio: list[_Radio] | None = field(default=None, name="rxInfo")
    message: _Message | None = field(default=None, name="uplink_message")
    received: str | None = field(default=None, name="received_at")
    inner: _Envelope | None = field(default=None, name="payload")


_decode: Final = msgspec.json.Decoder(_Envelope).decode
_encode: Final = msgspec.json.Encoder().encode


def read(payload: bytes, limits: Limits | None = None) -> Uplink:
    """The uplink of an envelope. Raises Refused."""
    check(payload, limits or Limits())
    try:
        found = _decode(payload)
    except msgspec.ValidationError as error:
        raise Refused(Reason.WRONG_TYPE, f"no uplink of a network server: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(Reason.BAD_JSON, f"{error}; send the server's JSON, not its protobuf") from None
    if found.inner is not None:
        found = found.inner  # ChirpStack v3 as some integrations wrap it
    if found.info is not None:
        return _chirpstack(found, found.info)
    if found.eui3 is not None:
        return _chirpstack3(found, found.eui3)
    if found.ids is not None:
        return _thethingsstack(found, found.ids)
    raise Refused(
        Reason.BAD_FRAME, "neither deviceInfo, devEUI nor end_device_ids; no uplink of a known network server"
    )


def _chirpstack(found: _Envelope, info: _Info) -> Uplink:
    return _uplink(
        "chirpstack",
        _hex(info.eui),
        info.name or "",
        (found.port, found.counter, found.data),
        _time(found.time),
        _gateways(found.radio),
        info.application or "",
    )


def _chirpstack3(found: _Envelope, eui: str) -> Uplink:
    """Its EUI is hex, or base64 where the server marshals it as protobuf does."""
    return _uplink(
        "chirpstack3",
        _hex(eui if len(eui) == _EUI else _base64("devEUI", eui).hex()),
        found.name3 or "",
        (found.port, found.counter, found.data),
        _time(found.published or found.time),
        _gateways(found.radio),
        found.application3 or "",
    )


def _thethingsstack(found: _Envelope, ids: _Ids) -> Uplink:
    message = found.message
    if message is None:
        raise Refused(Reason.EMPTY, "no uplink_message; only uplinks carry readings")
    radio = tuple(Gateway(one.gateway.id or "", one.rssi, one.snr) for one in message.radio or ())
    return _uplink(
        "thethingsstack",
        _hex(ids.eui) if ids.eui else "",
        ids.name,
        (message.port, message.counter, message.data),
        _time(message.time or found.received),
        radio,
        ids.application.id,
    )


def _uplink(  # noqa: PLR0917 - the fields of an uplink, in their order
    server: Server,
    eui: str,
    name: str,
    frame: tuple[int | None, int | None, str | None],
    time: int | None,
    gateways: tuple[Gateway, ...],
    application: str,
) -> Uplink:
    port, counter = frame[0] or 0, frame[1] or 0
    if port not in PORTS or counter < 0:
        raise Refused(Reason.OUT_OF_RANGE, f"port {port}, counter {counter}: no LoRaWAN frame has these")
    payload = _base64("payload", frame[2] or "")
    if len(payload) > LONGEST:
        raise Refused(Reason.OVERSIZE, f"a frame of {len(payload)} bytes, LoRaWAN has at most {LONGEST}")
    return Uplink(server, eui, name, port, counter, payload, time, gateways, application)


def _gateways(radio: list[_Radio] | None) -> tuple[Gateway, ...]:
    return tuple(
        Gateway(one.gateway or one.gateway3 or "", one.rssi, one.snr if one.snr is not None else one.snr3)
        for one in radio or ()
    )


def _hex(eui: str) -> str:
    if len(eui) != _EUI or not all(digit in "0123456789abcdefABCDEF" for digit in eui):
        raise Refused(Reason.UNKNOWN_DEVICE, f"device EUI {show(eui)} is not 16 hex digits")
    return eui.lower()


def _base64(what: str, text: str) -> bytes:
    try:
        return a2b_base64(text.encode(), strict_mode=True) if text else b""
    except Base64Error as error:
        raise Refused(Reason.BAD_FRAME, f"{what} is no base64: {error}") from None


def _time(text: str | None) -> int | None:
    if not text:
        return None
    try:
        time = (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError, OverflowError):
        raise Refused(Reason.BAD_TIME, f"time {show(text)} is no RFC 3339 time with a zone") from None
    if not 0 <= time <= _LAST:
        raise Refused(Reason.BAD_TIME, f"time {show(text)} is not within 1970 to 9999")
    return time


def write(uplink: Uplink) -> bytes:
    """The envelope that its server would publish."""
    match uplink.server:
        case "chirpstack":
            return _encode(_as_chirpstack(uplink))
        case "chirpstack3":
            return _encode(_as_chirpstack3(uplink))
        case _:
            return _encode(_as_thethingsstack(uplink))


def _as_chirpstack(one: Uplink) -> dict[str, Any]:
    radio = [_some(gatewayId=each.id, rssi=each.rssi, snr=each.snr) for each in one.gateways]
    info = _some(applicationId=one.application, deviceName=one.name, devEui=one.eui)
    frame = _some(time=_text(one.time), fCnt=one.counter, fPort=one.port, data=_base64_of(one.payload))
    return {"deviceInfo": info, **frame, "rxInfo": radio}


def _as_chirpstack3(one: Uplink) -> dict[str, Any]:
    radio = [_some(gatewayID=each.id, rssi=each.rssi, loRaSNR=each.snr) for each in one.gateways]
    eui = _base64_of(bytes.fromhex(one.eui))
    names = _some(applicationID=one.application, deviceName=one.name, devEUI=eui)
    frame = {"fCnt": one.counter, "fPort": one.port, "data": _base64_of(one.payload)}
    return {**names, "rxInfo": radio, **frame, **_some(publishedAt=_text(one.time))}


def _as_thethingsstack(one: Uplink) -> dict[str, Any]:
    radio = [
        _some(gateway_ids=_some(gateway_id=each.id), rssi=each.rssi, snr=each.snr) for each in one.gateways
    ]
    ids = _some(
        device_id=one.name, application_ids=_some(application_id=one.application), dev_eui=one.eui.upper()
    )
    frame = _some(f_port=one.port, f_cnt=one.counter, frm_payload=_base64_of(one.payload), rx_metadata=radio)
    return {"end_device_ids": ids, "uplink_message": {**frame, **_some(received_at=_text(one.time))}}


def _some(**fields: Any) -> dict[str, Any]:
    """What is zero or empty is left out, as protobuf's JSON does."""
    return {name: value for name, value in fields.items() if value}


def _base64_of(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _text(time: int | None) -> str:
    return "" if time is None else (_EPOCH + timedelta(microseconds=time)).isoformat()
