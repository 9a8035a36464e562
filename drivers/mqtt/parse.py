"""Bodies of all packets but the frequent PUBLISH, which the reader takes itself: bytes to values, fully validated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from drivers.mqtt import codes, properties
from drivers.mqtt.codes import ProtocolError, ReasonCode, malformed, violation
from drivers.mqtt.packets import (
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
from drivers.mqtt.wire import Body

_Answer = TypeVar("_Answer", Puback, Pubrec, Pubrel, Pubcomp)


def _properties(body: Body, packet: str) -> Properties:
    return properties.read(body, packet) if body.version == V5 else NONE


def _known(code: int, known: frozenset[int], packet: str) -> int:
    if code not in known:
        raise violation(f"{packet} with code 0x{code:02x}")
    return code


def protocol_level(body: Body) -> int:
    """The level a CONNECT asks for (§3.1.2.1, §3.1.2.2): 4 or 5, or the error to answer with."""
    name = body.binary()
    if name not in {b"MQTT", b"MQIsdp"}:
        raise ProtocolError(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, "the protocol is not MQTT")
    level = body.u8()
    if name != b"MQTT" or level not in {V311, V5}:
        raise ProtocolError(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, f"protocol level {level}")
    return level


def _connect(body: Body) -> Connect:
    """body.version is the level already read by protocol_level."""
    flags = body.u8()
    _check_connect_flags(flags, body.version)
    keepalive = body.u16()
    found = _properties(body, "connect")
    if found.authentication_data is not None and found.authentication_method is None:
        raise violation("authentication data without a method")
    client_id = body.text()
    will = _will(body, flags) if flags & 0x04 else None
    username = body.text() if flags & 0x80 else None
    password = body.binary() if flags & 0x40 else None
    return Connect(client_id, body.version, bool(flags & 0x02), keepalive, username, password, will, found)


def _check_connect_flags(flags: int, version: int) -> None:
    if flags & 0x01:
        raise malformed("reserved flag in CONNECT")
    if flags & 0x18 == 0x18:
        raise malformed("will QoS 3")
    if not flags & 0x04 and flags & 0x38:
        raise malformed("will QoS or retain without a will")
    if version == V311 and flags & 0xC0 == 0x40:
        raise malformed("password without user name")


def _will(body: Body, flags: int) -> Will:
    found = _properties(body, "will")
    topic = body.text()
    fault = name_fault(topic)
    if fault:
        raise malformed(f"will: {fault}")
    return Will(topic, body.binary(), flags >> 3 & 3, bool(flags & 0x20), found)


def _connack(body: Body) -> Connack:
    flags = body.u8()
    if flags > 1:
        raise malformed("reserved flag in CONNACK")
    code = _known(
        body.u8(), codes.CONNACK_CODES if body.version == V5 else codes.CONNACK_CODES_311, "CONNACK"
    )
    if flags and code:
        raise violation("session present in a refusing CONNACK")
    return Connack(code, flags == 1, _properties(body, "connack"))


def _publish(body: Body) -> Publish:
    qos = body.first >> 1 & 3
    dup = bool(body.first & 0x08)
    if qos == 3:
        raise malformed("QoS 3")
    if dup and not qos:
        raise malformed("DUP with QoS 0")
    topic = body.text()
    packet_id = body.packet_id() if qos else 0
    found = _properties(body, "publish" if body.server else "publish_server")
    if not topic and body.version == V5:
        if found.topic_alias is None:
            raise violation("neither topic nor topic alias")
    elif fault := name_fault(topic):
        raise malformed(fault)
    return Publish(topic, body.rest(), qos, packet_id, dup, bool(body.first & 0x01), found)


def _answer(
    make: Callable[[int, int, Properties], _Answer], packet: str, known: frozenset[int]
) -> Callable[[Body], _Answer]:
    """PUBACK, PUBREC, PUBREL, PUBCOMP: MQTT 5 may leave out properties, then the code (§3.4.2)."""

    def parse(body: Body) -> _Answer:
        packet_id = body.packet_id()
        code = 0
        found = NONE
        if body.version == V5 and len(body):
            code = _known(body.u8(), known, packet)
            if len(body):
                found = properties.read(body, packet)
        return make(packet_id, code, found)

    return parse


def _subscribe(body: Body) -> Subscribe:
    packet_id = body.packet_id()
    found = _properties(body, "subscribe")
    wanted: list[Subscription] = []
    while len(body):
        pattern = _filter(body)
        wanted.append(_subscription(pattern, body.u8(), body.version))
    if not wanted:
        raise violation("SUBSCRIBE without a topic filter")
    return Subscribe(packet_id, tuple(wanted), found)


def _filter(body: Body) -> str:
    pattern = body.text()
    fault = filter_fault(pattern)
    if fault:
        raise malformed(fault)
    return pattern


def _subscription(pattern: str, options: int, version: int) -> Subscription:
    qos = options & 3
    handling = options >> 4 & 3
    if qos == 3 or options & (0xC0 if version == V5 else 0xFC):
        raise malformed(f"subscription options 0x{options:02x}")
    if handling == 3:
        raise violation("retain handling 3")
    if options & 0x04 and pattern.startswith("$share/"):
        raise violation("no local on a shared subscription")
    return Subscription(pattern, qos, bool(options & 0x04), bool(options & 0x08), handling)


def _suback(body: Body) -> Suback:
    packet_id = body.packet_id()
    found = _properties(body, "suback")
    known = codes.SUBACK_CODES if body.version == V5 else codes.SUBACK_CODES_311
    answers = tuple(_known(code, known, "SUBACK") for code in body.rest())
    if not answers:
        raise violation("SUBACK without a code")
    return Suback(packet_id, answers, found)


def _unsubscribe(body: Body) -> Unsubscribe:
    packet_id = body.packet_id()
    found = _properties(body, "unsubscribe")
    filters: list[str] = []
    while len(body):
        filters.append(_filter(body))
    if not filters:
        raise violation("UNSUBSCRIBE without a topic filter")
    return Unsubscribe(packet_id, tuple(filters), found)


def _unsuback(body: Body) -> Unsuback:
    packet_id = body.packet_id()
    if body.version != V5:
        return Unsuback(packet_id)
    found = properties.read(body, "unsuback")
    answers = tuple(_known(code, codes.UNSUBACK_CODES, "UNSUBACK") for code in body.rest())
    if not answers:
        raise violation("UNSUBACK without a code")
    return Unsuback(packet_id, answers, found)


def _disconnect(body: Body) -> Disconnect:
    if body.version != V5:
        if not body.server:
            raise violation("DISCONNECT from a server before MQTT 5")
        return Disconnect()
    if not len(body):
        return Disconnect()
    known = codes.CLIENT_DISCONNECT_CODES if body.server else codes.SERVER_DISCONNECT_CODES
    code = _known(body.u8(), known, "DISCONNECT")
    if not len(body):
        return Disconnect(code)
    return Disconnect(code, properties.read(body, "disconnect" if body.server else "disconnect_server"))


def _auth(body: Body) -> Auth:
    if body.version != V5:
        raise malformed("AUTH before MQTT 5")
    if not len(body):
        if body.server:
            raise violation("AUTH from a client says success")
        return Auth()
    known = codes.CLIENT_AUTH_CODES if body.server else codes.SERVER_AUTH_CODES
    code = _known(body.u8(), known, "AUTH")
    found = properties.read(body, "auth")
    if found.authentication_method is None:
        raise violation("AUTH without a method")
    return Auth(code, found)


_PARSE: Final[dict[int, Callable[[Body], Packet]]] = {
    1: _connect,
    2: _connack,
    3: _publish,
    4: _answer(Puback, "puback", codes.PUBLISH_CODES),
    5: _answer(Pubrec, "pubrec", codes.PUBLISH_CODES),
    6: _answer(Pubrel, "pubrel", codes.RELEASE_CODES),
    7: _answer(Pubcomp, "pubcomp", codes.RELEASE_CODES),
    8: _subscribe,
    9: _suback,
    10: _unsubscribe,
    11: _unsuback,
    12: lambda _: Pingreq(),
    13: lambda _: Pingresp(),
    14: _disconnect,
    15: _auth,
}
_FROM_CLIENT: Final = frozenset((1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15))
_FROM_SERVER: Final = frozenset((2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 15))
_FLAGS: Final = {6: 2, 8: 2, 10: 2}  # bits 3…0 of the first byte, 0 elsewhere (§2.1.3)


def check_first(first: int, server: bool) -> int:
    """The packet type of a first byte that this sender may send."""
    kind = first >> 4
    if kind not in (_FROM_CLIENT if server else _FROM_SERVER):
        raise malformed(f"packet type {kind} from a {'client' if server else 'server'}")
    if kind != 3 and first & 0x0F != _FLAGS.get(kind, 0):
        raise malformed(f"reserved flags of packet type {kind}")
    return kind


def parse(body: Body) -> Packet:
    """The one packet that fills `body`."""
    packet = _PARSE[check_first(body.first, body.server)](body)
    body.finish()
    return packet
