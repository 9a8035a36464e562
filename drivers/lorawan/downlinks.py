"""Downlinks as network servers queue them, and what they tell of each afterwards: ChirpStack v4, The Things Stack v3.

A command's id travels with it and comes back with its fate, so nobody has to remember anything, not even over a restart.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct, field

from drivers.jsonscan import Limits, check
from drivers.lorawan import topics
from drivers.refusal import Reason, Refused

LONGEST_ID: Final = 16  # bytes of a command's id; ChirpStack's is a UUID
THINGS_STACK: Final = "v3/"
UNHEARD: Final = "the device did not acknowledge it"

_MARK: Final = "citygate:command:"  # before the id, among The Things Stack's correlation ids
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMITS: Final = Limits()  # of size and depth: what nests deeper is no event


class Queued(Struct, frozen=True):
    """A frame that waits for its device. id: of the command. expires: µs UTC, 0 = never."""

    id: str
    port: int
    payload: bytes
    expires: int = 0
    confirmed: bool = True


class Fate(Struct, frozen=True):
    """What became of it. delivered: the device acknowledged it; False: it will not; None: it is on its way."""

    id: str
    delivered: bool | None
    note: str = ""


class _Command(Struct):
    id: str = ""
    confirmed: bool = False
    port: int = field(default=0, name="fPort")
    data: str = ""
    expires: datetime | None = field(default=None, name="expiresAt")


class _Frame(Struct):
    port: int = field(default=0, name="f_port")
    data: str = field(default="", name="frm_payload")
    confirmed: bool = False
    ids: list[str] = field(default_factory=list, name="correlation_ids")


class _Push(Struct):
    downlinks: list[_Frame] = field(default_factory=list)


class _Error(Struct):
    message: str = field(default="", name="message_format")


class _Failed(Struct):
    downlink: _Frame = field(default_factory=_Frame)
    error: _Error = field(default_factory=_Error)


class _Event(Struct):
    """Of either server; zero, empty and false fields may be left out."""

    item: str = field(default="", name="queueItemId")
    acknowledged: bool = False
    ids: list[str] = field(default_factory=list, name="correlation_ids")
    ack: _Frame | None = field(default=None, name="downlink_ack")
    nack: _Frame | None = field(default=None, name="downlink_nack")
    sent: _Frame | None = field(default=None, name="downlink_sent")
    queued: _Frame | None = field(default=None, name="downlink_queued")
    failed: _Failed | None = field(default=None, name="downlink_failed")


_encode: Final = msgspec.json.Encoder().encode
_decode_command: Final = msgspec.json.Decoder(_Command).decode
_decode_push: Final = msgspec.json.Decoder(_Push).decode
_decode_event: Final = msgspec.json.Decoder(_Event).decode


def push(up: str, one: Queued) -> tuple[str, bytes]:
    """Topic and payload that make the server of an uplink topic queue it."""
    data = b2a_base64(one.payload, newline=False).decode()
    down = topics.parse(up).down
    if up.startswith(THINGS_STACK):
        frame = {"f_port": one.port, "frm_payload": data, "confirmed": one.confirmed, "priority": "NORMAL"}
        return down, _encode({"downlinks": [{**frame, "correlation_ids": [_MARK + one.id]}]})
    command = {"id": _uuid(one.id), "devEui": up.split("/")[3], "confirmed": one.confirmed, "fPort": one.port}
    until = {"expiresAt": _EPOCH + timedelta(microseconds=one.expires)} if one.expires else {}
    return down, _encode({**command, "data": data, **until})


def pushed(topic: str, payload: bytes) -> list[Queued]:
    """What `push` made, on the server's side. Raises Refused."""
    check(payload, _LIMITS)
    try:
        if topic.startswith(THINGS_STACK):
            found = _decode_push(payload).downlinks
            return [Queued(_marked(one.ids), one.port, _bytes(one.data), 0, one.confirmed) for one in found]
        one = _decode_command(payload)
    except msgspec.DecodeError as error:
        raise Refused(Reason.BAD_JSON, f"no downlink of a network server: {error}") from None
    expires = (one.expires - _EPOCH) // timedelta(microseconds=1) if one.expires else 0
    return [Queued(_id(one.id), one.port, _bytes(one.data), expires, one.confirmed)]


def fate(topic: str, payload: bytes) -> Fate | None:
    """What an event tells of a command of ours; None where the downlink was none of ours. Raises Refused."""
    address = topics.fate(topic)
    if address is None:
        return None
    check(payload, _LIMITS)
    try:
        found = _decode_event(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(Reason.BAD_JSON, f"no event of a downlink: {error}") from None
    told = _told(address.event, found)
    return told if told.id else None


def _told(event: str, found: _Event) -> Fate:
    if event in {"ack", "txack"}:
        delivered = found.acknowledged if event == "ack" else None
        return Fate(_id(found.item), delivered, UNHEARD if delivered is False else "")
    frames = (found.ack, found.nack, found.sent, found.queued, found.failed and found.failed.downlink)
    id_ = _marked([*(name for one in frames if one for name in one.ids), *found.ids])
    if event == "down/nack":
        return Fate(id_, False, UNHEARD)
    if event == "down/failed":
        why = found.failed.error.message if found.failed else ""
        return Fate(id_, False, f"the network server gave it up: {why or 'no reason given'}")
    return Fate(id_, True if event == "down/ack" else None)


def tell(up: str, event: str, one: Queued, *, acknowledged: bool = True) -> tuple[str, bytes]:
    """Topic and payload by which the server of an uplink topic tells the fate of a downlink.

    event: txack or ack; at The Things Stack also failed.
    """
    if not up.startswith(THINGS_STACK):
        said: dict[str, Any] = {"queueItemId": _uuid(one.id)}
        if event == "ack" and acknowledged:  # false is left out, as protobuf's JSON does
            said["acknowledged"] = True
        return up.removesuffix(topics.UP) + event, _encode(said)
    name = {"txack": "sent", "failed": "failed"}.get(event, "ack" if acknowledged else "nack")
    frame = {"f_port": one.port, "confirmed": one.confirmed, "correlation_ids": [_MARK + one.id]}
    body = {"downlink": frame, "error": {"message_format": "no path"}} if name == "failed" else frame
    return f"{up.removesuffix(topics.UP)}down/{name}", _encode({f"downlink_{name}": body})


def _uuid(id_: str) -> str:
    """A command's id as ChirpStack wants it. Raises ValueError where it is longer than a UUID holds."""
    data = id_.encode()
    if len(data) > LONGEST_ID:
        raise ValueError(f"a command's id of {len(data)} bytes: a network server's holds {LONGEST_ID}")
    return str(UUID(bytes=data.ljust(LONGEST_ID, b"\0")))


def _id(uuid: str) -> str:
    """The command's id; empty where it is none of ours."""
    try:
        text = UUID(uuid).bytes.rstrip(b"\0").decode("ascii")
    except ValueError:
        return ""
    return text if text.isalnum() else ""


def _marked(ids: list[str]) -> str:
    return next((one.removeprefix(_MARK) for one in ids if one.startswith(_MARK)), "")


def _bytes(text: str) -> bytes:
    try:
        return a2b_base64(text.encode(), strict_mode=True) if text else b""
    except Base64Error as error:
        raise Refused(Reason.BAD_FRAME, f"payload is no base64: {error}") from None
