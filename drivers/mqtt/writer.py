"""Packets to bytes, checked: what is written here, a reader takes. A packet that MQTT forbids is an EncodeError."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from drivers.mqtt import codes, properties, wire
from drivers.mqtt.codes import EncodeError
from drivers.mqtt.packets import (
    MAX_REMAINING,
    NONE,
    V5,
    V311,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from drivers.mqtt.topics import filter_fault, name_fault

PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"

_PUBACKS: Final = [b"\x40\x02" + number.to_bytes(2, "big") for number in range(0x10000)]


def encode(packet: Packet, version: int, *, server: bool = True) -> bytes:
    """`packet` in MQTT `version` (4 or 5; CONNECT names its own), sent by the server or by the client."""
    if type(packet) is Publish:
        return publish(packet, version, server=server)
    if type(packet) is Connect:
        version = packet.version
    if version not in {V311, V5}:
        raise EncodeError(f"protocol level {version}")
    if version == V311 and getattr(packet, "properties", NONE) != NONE:
        raise EncodeError("properties need MQTT 5")
    first, body = _ENCODE[type(packet)](packet, version, server)
    return _frame(first, body)


def _frame(first: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((first, size)) + body
    if size > MAX_REMAINING:
        raise EncodeError(f"a packet of {size} bytes")
    return bytes((first,)) + wire.varint(size) + body


def publish(packet: Publish, version: int, *, server: bool = True) -> bytes:
    if not 0 <= packet.qos <= 2 or (packet.dup and not packet.qos) or (packet.packet_id and not packet.qos):
        raise EncodeError(f"QoS {packet.qos}, dup {packet.dup}, packet identifier {packet.packet_id}")
    _check_topic(packet, version)
    parts = [wire.text(packet.topic)]
    if packet.qos:
        parts.append(wire.packet_id(packet.packet_id))
    if version == V5:
        parts.append(properties.write(packet.properties, "publish_server" if server else "publish"))
    elif packet.properties != NONE:
        raise EncodeError("properties need MQTT 5")
    parts.append(packet.payload)
    return _frame(0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain, b"".join(parts))


def _check_topic(packet: Publish, version: int) -> None:
    aliased = version == V5 and packet.properties.topic_alias is not None
    fault = "" if aliased and not packet.topic else name_fault(packet.topic)
    if fault:
        raise EncodeError(fault)


class Publisher:
    """Publishes on one topic: what does not change is encoded once (fleets, commands). MQTT 5 without properties."""

    def __init__(self, topic: str, version: int) -> None:
        fault = name_fault(topic)
        if fault:
            raise EncodeError(fault)
        self._topic = wire.text(topic)
        self._end = b"\0" if version == V5 else b""

    def encode(self, payload: bytes, packet_id: int = 0) -> bytes:
        """packet_id 0: at QoS 0, otherwise at QoS 1."""
        if packet_id:
            head = self._topic + packet_id.to_bytes(2, "big") + self._end
            return _frame(0x32, head + payload)
        return _frame(0x30, self._topic + self._end + payload)


def pubacks(ids: Iterable[int], refused: Mapping[int, int] | None = None) -> bytes:
    """One PUBACK for each packet identifier, merged. `refused` (MQTT 5 only): reason codes by packet identifier."""
    if not refused:
        return b"".join(map(_PUBACKS.__getitem__, ids))
    out = []
    for number in ids:
        code = refused.get(number, 0)
        out.append(b"\x40\x03" + number.to_bytes(2, "big") + bytes((code,)) if code else _PUBACKS[number])
    return b"".join(out)


def pubrec(packet_id: int, code: int = 0) -> bytes:
    """PUBREC; a code other than 0 is MQTT 5 only."""
    number = packet_id.to_bytes(2, "big")
    return b"\x50\x03" + number + bytes((code,)) if code else b"\x50\x02" + number


def _known(code: int, known: frozenset[int]) -> bytes:
    if code not in known:
        raise EncodeError(f"code 0x{code:02x} has no place in this packet")
    return bytes((code,))


def _properties(found: Properties, packet: str, version: int) -> bytes:
    return properties.write(found, packet) if version == V5 else b""


def _connect(packet: Connect, version: int, _: bool) -> tuple[int, bytes]:
    if packet.password is not None and packet.username is None and version == V311:
        raise EncodeError("3.1.1 has no password without user name")
    if packet.properties.authentication_data is not None and packet.properties.authentication_method is None:
        raise EncodeError("authentication data without a method")
    will = packet.will
    flags = packet.clean_start << 1 | (packet.username is not None) << 7 | (packet.password is not None) << 6
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
    parts = [
        b"\0\x04MQTT",
        bytes((version, flags)),
        wire.u16(packet.keepalive),
        _properties(packet.properties, "connect", version),
        wire.text(packet.client_id),
        _will(will, version),
        b"" if packet.username is None else wire.text(packet.username),
        b"" if packet.password is None else wire.binary(packet.password),
    ]
    return 0x10, b"".join(parts)


def _will(will: Will | None, version: int) -> bytes:
    if will is None:
        return b""
    fault = name_fault(will.topic)
    if fault or not 0 <= will.qos <= 2:
        raise EncodeError(f"will: {fault or will.qos}")
    if version == V311 and will.properties != NONE:
        raise EncodeError("properties need MQTT 5")
    return _properties(will.properties, "will", version) + wire.text(will.topic) + wire.binary(will.payload)


def _connack(packet: Connack, version: int, _: bool) -> tuple[int, bytes]:
    if packet.session_present and packet.code:
        raise EncodeError("session present in a refusing CONNACK")
    code = _known(packet.code, codes.CONNACK_CODES if version == V5 else codes.CONNACK_CODES_311)
    return 0x20, bytes((packet.session_present,)) + code + _properties(packet.properties, "connack", version)


def _answer(first: int, name: str, known: frozenset[int]) -> Callable[[Any, int, bool], tuple[int, bytes]]:
    def body(packet: Puback | Pubrec | Pubrel | Pubcomp, version: int, _: bool) -> tuple[int, bytes]:
        number = wire.packet_id(packet.packet_id)
        if version == V311 and packet.code:
            raise EncodeError("reason codes need MQTT 5")
        if packet.properties != NONE:
            return first, number + _known(packet.code, known) + properties.write(packet.properties, name)
        return first, number + _known(packet.code, known) if packet.code else number

    return body


def _subscribe(packet: Subscribe, version: int, _: bool) -> tuple[int, bytes]:
    if not packet.subscriptions:
        raise EncodeError("SUBSCRIBE without a topic filter")
    parts = [wire.packet_id(packet.packet_id), _properties(packet.properties, "subscribe", version)]
    for wanted in packet.subscriptions:
        parts += (_filter(wanted.filter), _options(wanted, version))
    return 0x82, b"".join(parts)


def _filter(pattern: str) -> bytes:
    fault = filter_fault(pattern)
    if fault:
        raise EncodeError(fault)
    return wire.text(pattern)


def _options(wanted: Subscription, version: int) -> bytes:
    options = (
        wanted.qos | wanted.no_local << 2 | wanted.retain_as_published << 3 | wanted.retain_handling << 4
    )
    if not 0 <= wanted.qos <= 2 or not 0 <= wanted.retain_handling <= 2 or (version == V311 and options > 2):
        raise EncodeError(f"subscription options {options}")
    if wanted.no_local and wanted.filter.startswith("$share/"):
        raise EncodeError("no local on a shared subscription")
    return bytes((options,))


def _suback(packet: Suback, version: int, _: bool) -> tuple[int, bytes]:
    known = codes.SUBACK_CODES if version == V5 else codes.SUBACK_CODES_311
    if not packet.codes:
        raise EncodeError("SUBACK without a code")
    head = wire.packet_id(packet.packet_id) + _properties(packet.properties, "suback", version)
    return 0x90, head + b"".join(_known(code, known) for code in packet.codes)


def _unsubscribe(packet: Unsubscribe, version: int, _: bool) -> tuple[int, bytes]:
    if not packet.filters:
        raise EncodeError("UNSUBSCRIBE without a topic filter")
    head = wire.packet_id(packet.packet_id) + _properties(packet.properties, "unsubscribe", version)
    return 0xA2, head + b"".join(map(_filter, packet.filters))


def _unsuback(packet: Unsuback, version: int, _: bool) -> tuple[int, bytes]:
    if bool(packet.codes) != (version == V5):
        raise EncodeError("UNSUBACK has codes in MQTT 5 and none before")
    head = wire.packet_id(packet.packet_id) + _properties(packet.properties, "unsuback", version)
    return 0xB0, head + b"".join(_known(code, codes.UNSUBACK_CODES) for code in packet.codes)


def _disconnect(packet: Disconnect, version: int, server: bool) -> tuple[int, bytes]:
    if version == V311:
        if packet.code or server:
            raise EncodeError("before MQTT 5 only a client sends DISCONNECT, without a code")
        return 0xE0, b""
    known = codes.SERVER_DISCONNECT_CODES if server else codes.CLIENT_DISCONNECT_CODES
    code = _known(packet.code, known)
    if packet.properties != NONE:
        name = "disconnect_server" if server else "disconnect"
        return 0xE0, code + properties.write(packet.properties, name)
    return 0xE0, code if packet.code else b""


def _auth(packet: Auth, version: int, server: bool) -> tuple[int, bytes]:
    if version == V311:
        raise EncodeError("AUTH needs MQTT 5")
    code = _known(packet.code, codes.SERVER_AUTH_CODES if server else codes.CLIENT_AUTH_CODES)
    if packet == Auth():
        return 0xF0, b""
    if packet.properties.authentication_method is None:
        raise EncodeError("AUTH without a method")
    return 0xF0, code + properties.write(packet.properties, "auth")


_ENCODE: Final[dict[type, Callable[[Any, int, bool], tuple[int, bytes]]]] = {
    Connect: _connect,
    Connack: _connack,
    Puback: _answer(0x40, "puback", codes.PUBLISH_CODES),
    Pubrec: _answer(0x50, "pubrec", codes.PUBLISH_CODES),
    Pubrel: _answer(0x62, "pubrel", codes.RELEASE_CODES),
    Pubcomp: _answer(0x70, "pubcomp", codes.RELEASE_CODES),
    Subscribe: _subscribe,
    Suback: _suback,
    Unsubscribe: _unsubscribe,
    Unsuback: _unsuback,
    Pingreq: lambda *_: (0xC0, b""),
    Pingresp: lambda *_: (0xD0, b""),
    Disconnect: _disconnect,
    Auth: _auth,
}
