"""MQTT 5 properties: one table says identifier, field, type and which packets may carry it (§2.2.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from drivers.mqtt import wire
from drivers.mqtt.codes import EncodeError, ProtocolError, ReasonCode, malformed, violation
from drivers.mqtt.packets import NONE, Properties
from drivers.mqtt.topics import name_fault
from drivers.mqtt.wire import Body


class Type(NamedTuple):
    """How a value is read and written, and what else must hold of it ("" = nothing)."""

    read: Callable[[Body], Any]
    write: Callable[[Any], bytes]
    fault: Callable[[Any], str] = lambda _: ""


def _pair(body: Body) -> tuple[str, str]:
    return body.text(), body.text()


def _write_pair(value: tuple[str, str]) -> bytes:
    return wire.text(value[0]) + wire.text(value[1])


def _read_flag(body: Body) -> bool:
    value = body.u8()
    if value > 1:
        raise violation(f"a property that is 0 or 1 is {value}")
    return value == 1


def _zero(value: int) -> str:
    return "" if value else "a property that must not be 0 is 0"


FLAG: Final = Type(_read_flag, lambda value: wire.u8(int(value)))
TWO: Final = Type(Body.u16, wire.u16)
TWO_NOT_ZERO: Final = Type(Body.u16, wire.u16, _zero)
FOUR: Final = Type(Body.u32, wire.u32)
FOUR_NOT_ZERO: Final = Type(Body.u32, wire.u32, _zero)
VARINT_NOT_ZERO: Final = Type(Body.varint, wire.varint, _zero)
TEXT: Final = Type(Body.text, wire.text)
TOPIC: Final = Type(Body.text, wire.text, name_fault)
BINARY: Final = Type(Body.binary, wire.binary)
PAIR: Final = Type(_pair, _write_pair)


class Row(NamedTuple):
    field: str
    type: Type
    packets: frozenset[str]
    many: bool = False
    code: ReasonCode = ReasonCode.PROTOCOL_ERROR  # for a value that must not be


def _row(field: str, kind: Type, packets: str, **more: Any) -> Row:
    return Row(field, kind, frozenset(packets.split()), **more)


_ANSWERS: Final = "connack puback pubrec pubrel pubcomp suback unsuback disconnect disconnect_server auth"
_MESSAGE: Final = "publish publish_server will"

TABLE: Final[dict[int, Row]] = {
    0x01: _row("payload_format", FLAG, _MESSAGE),
    0x02: _row("message_expiry", FOUR, _MESSAGE),
    0x03: _row("content_type", TEXT, _MESSAGE),
    0x08: _row("response_topic", TOPIC, _MESSAGE),
    0x09: _row("correlation", BINARY, _MESSAGE),
    0x0B: _row("subscription_ids", VARINT_NOT_ZERO, "publish_server subscribe", many=True),
    0x11: _row("session_expiry", FOUR, "connect connack disconnect"),
    0x12: _row("assigned_client_id", TEXT, "connack"),
    0x13: _row("server_keepalive", TWO, "connack"),
    0x15: _row("authentication_method", TEXT, "connect connack auth"),
    0x16: _row("authentication_data", BINARY, "connect connack auth"),
    0x17: _row("request_problem_information", FLAG, "connect"),
    0x18: _row("will_delay", FOUR, "will"),
    0x19: _row("request_response_information", FLAG, "connect"),
    0x1A: _row("response_information", TEXT, "connack"),
    0x1C: _row("server_reference", TEXT, "connack disconnect_server"),
    0x1F: _row("reason_string", TEXT, _ANSWERS),
    0x21: _row("receive_maximum", TWO_NOT_ZERO, "connect connack"),
    0x22: _row("topic_alias_maximum", TWO, "connect connack"),
    0x23: _row("topic_alias", TWO_NOT_ZERO, "publish publish_server", code=ReasonCode.TOPIC_ALIAS_INVALID),
    0x24: _row("maximum_qos", FLAG, "connack"),
    0x25: _row("retain_available", FLAG, "connack"),
    0x26: _row("user", PAIR, f"connect subscribe unsubscribe {_MESSAGE} {_ANSWERS}", many=True),
    0x27: _row("maximum_packet_size", FOUR_NOT_ZERO, "connect connack"),
    0x28: _row("wildcard_subscriptions", FLAG, "connack"),
    0x29: _row("subscription_identifiers", FLAG, "connack"),
    0x2A: _row("shared_subscriptions", FLAG, "connack"),
}
_ROWS: Final = tuple((bytes((number,)), row) for number, row in TABLE.items())


def read(body: Body, packet: str) -> Properties:
    """The properties that start here; each at most once, except user properties and a message's subscriptions."""
    size = body.varint()
    if size == 0:
        return NONE
    part = body.part(size)
    found: dict[str, Any] = {}
    while len(part):
        _read_one(part, packet, found)
    for field in ("user", "subscription_ids"):
        if field in found:
            found[field] = tuple(found[field])
    return Properties(**found)


def _read_one(part: Body, packet: str, found: dict[str, Any]) -> None:
    number = part.varint()
    row = TABLE.get(number)
    if row is None or packet not in row.packets:
        raise malformed(f"property 0x{number:02x} in {packet}")
    value = row.type.read(part)
    fault = row.type.fault(value)
    if fault:
        raise ProtocolError(row.code, f"{row.field}: {fault}")
    if row.field not in found:
        found[row.field] = [value] if row.many else value
    elif row.field == "user" or (row.many and packet != "subscribe"):
        found[row.field].append(value)
    else:
        raise violation(f"{row.field} twice in {packet}")


def write(properties: Properties, packet: str) -> bytes:
    """The inverse of read, length included. EncodeError where the packet cannot carry them."""
    if properties is NONE:
        return b"\0"
    parts: list[bytes] = []
    for number, row in _ROWS:
        value = getattr(properties, row.field)
        if value is None or value == ():
            continue
        _check(value, row, packet)
        parts.extend(number + row.type.write(item) for item in (value if row.many else (value,)))
    joined = b"".join(parts)
    return wire.varint(len(joined)) + joined


def _check(value: Any, row: Row, packet: str) -> None:
    if packet not in row.packets:
        raise EncodeError(f"{packet} cannot carry {row.field}")
    if packet == "subscribe" and row.field == "subscription_ids" and len(value) > 1:
        raise EncodeError("subscribe carries one subscription identifier")
    for item in value if row.many else (value,):
        fault = row.type.fault(item)
        if fault:
            raise EncodeError(f"{row.field}: {fault}")
