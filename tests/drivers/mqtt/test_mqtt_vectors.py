"""Bytes printed in the two standards, and what breaks them."""

from __future__ import annotations

import pytest

from drivers.mqtt import wire
from drivers.mqtt.codes import EncodeError, ProtocolError, ReasonCode, return_code
from drivers.mqtt.packets import (
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
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode

HELLO = {
    V311: bytes.fromhex("10 0d 00 04 4d515454 04 02 0000 0001 61"),
    V5: bytes.fromhex("10 0e 00 04 4d515454 05 02 0000 00 0001 61"),
}

# 3.1.1 Figure 3.6 / 5.0 Figure 3-6: flags 0xCE, keep alive 10; the payload in its order.
CONNECT_311 = (
    "10 25 0004 4d515454 04 ce 000a  0002 6964 0004 77696c6c 0003 627965 0004 75736572 0004 70617373"
)
CONNECT_5 = "10 2c 0004 4d515454 05 ce 000a 05 11 0000000a 0002 6964 00 0004 77696c6c 0003 627965 0004 75736572 0004 70617373"
PERSON = {"client_id": "id", "clean_start": True, "keepalive": 10, "username": "user", "password": b"pass"}
WILL = Will("will", b"bye", 1)

CLIENT: list[tuple[str, int, Packet]] = [
    ("30 07 0003 612f62 6869", V311, Publish("a/b", b"hi")),
    ("32 07 0003 612f62 000a", V311, Publish("a/b", b"", 1, 10)),  # 3.1.1 Figure 3.11
    ("32 08 0003 612f62 000a 00", V5, Publish("a/b", b"", 1, 10)),  # 5.0 Figure 3-9
    ("3d 07 0003 612f62 000a", V311, Publish("a/b", b"", 2, 10, dup=True, retain=True)),
    ("30 0a 0000 03 23 0005 7061796c", V5, Publish("", b"payl", properties=Properties(topic_alias=5))),
    ("40 02 000a", V311, Puback(10)),
    ("40 03 000a 10", V5, Puback(10, 0x10)),
    ("40 04 000a 00 00", V5, Puback(10)),
    ("50 02 000a", V5, Pubrec(10)),
    ("62 02 000a", V311, Pubrel(10)),
    ("62 03 000a 92", V5, Pubrel(10, 0x92)),
    ("70 02 000a", V311, Pubcomp(10)),
    # 3.1.1 Figure 3.23, 5.0 Figure 3-20: "a/b" at QoS 1, "c/d" at QoS 2
    ("82 0e 000a 0003 612f62 01 0003 632f64 02", V311, Subscribe(10, (Subscription("a/b", 1), Subscription("c/d", 2)))),
    ("82 0f 000a 00 0003 612f62 01 0003 632f64 02", V5, Subscribe(10, (Subscription("a/b", 1), Subscription("c/d", 2)))),
    ("82 0b 0001 02 0b07 0003 612f62 2d", V5, Subscribe(1, (Subscription("a/b", 1, True, True, 2),), Properties(subscription_ids=(7,)))),
    ("a2 0c 000a 0003 612f62 0003 632f64", V311, Unsubscribe(10, ("a/b", "c/d"))),  # 3.1.1 Figure 3.30
    ("c0 00", V311, Pingreq()),
    ("e0 00", V311, Disconnect()),
    ("e0 00", V5, Disconnect()),
    ("e0 07 04 05 11 00000000", V5, Disconnect(4, Properties(session_expiry=0))),
    ("f0 07 18 05 15 0002 5858", V5, Auth(0x18, Properties(authentication_method="XX"))),
]  # fmt: skip

SERVER: list[tuple[str, int, Packet]] = [
    ("20 02 01 00", V311, Connack(0, session_present=True)),
    ("20 02 00 05", V311, Connack(5)),
    ("20 03 00 00 00", V5, Connack()),
    ("20 06 00 00 03 21 000a", V5, Connack(properties=Properties(receive_maximum=10))),
    ("90 05 000a 00 02 80", V311, Suback(10, (0, 2, 0x80))),  # 3.1.1 Figure 3.27
    ("90 04 000a 00 87", V5, Suback(10, (0x87,))),
    ("b0 02 000a", V311, Unsuback(10)),
    ("b0 04 000a 00 11", V5, Unsuback(10, (0x11,))),
    ("d0 00", V311, Pingresp()),
    ("e0 01 8b", V5, Disconnect(0x8B)),
    ("30 08 0001 61 04 0b01 0b02", V5, Publish("a", properties=Properties(subscription_ids=(1, 2)))),
]


def server(version: int) -> Reader:
    reader = Reader(1 << 20)
    reader.feed(HELLO[version])
    return reader


@pytest.mark.parametrize(("text", "version", "packet"), CLIENT)
def test_a_client_packet_of_the_standard(text: str, version: int, packet: Packet) -> None:
    raw = bytes.fromhex(text)
    assert server(version).feed(raw) == [packet]
    if text != "40 04 000a 00 00":  # the long form of an empty answer is read, the short one written
        assert encode(packet, version, server=False) == raw


@pytest.mark.parametrize(("text", "version", "packet"), SERVER)
def test_a_server_packet_of_the_standard(text: str, version: int, packet: Packet) -> None:
    raw = bytes.fromhex(text)
    assert Reader(1 << 20, version).feed(raw) == [packet]
    assert encode(packet, version) == raw


def test_connect_of_the_standards() -> None:
    old = Connect(version=V311, will=WILL, **PERSON)  # type: ignore[arg-type]
    new = Connect(version=V5, will=WILL, properties=Properties(session_expiry=10), **PERSON)  # type: ignore[arg-type]
    for text, packet in ((CONNECT_311, old), (CONNECT_5, new)):
        raw = bytes.fromhex(text)
        assert Reader(1000).feed(raw) == [packet]
        assert encode(packet, packet.version) == raw


# 5.0 Table 1-1: the edges of the variable byte integer.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_variable_byte_integers(value: int, text: str) -> None:
    raw = bytes.fromhex(text)
    assert wire.varint(value) == raw
    assert wire.Body(raw, 0, len(raw), first=0, version=V5, server=True).varint() == value


def test_a_variable_byte_integer_has_four_bytes() -> None:
    with pytest.raises(EncodeError):
        wire.varint(268_435_456)
    with pytest.raises(ProtocolError, match="more than four"):
        wire.Body(b"\xff" * 5, 0, 5, first=0, version=V5, server=True).varint()


def test_a_string_of_the_standard() -> None:
    assert wire.text("A\U0002a6d4") == bytes.fromhex("0005 41 f0aa9b94")  # 5.0 Figure 1-1.4.3: A and U+2A6D4
    assert wire.decode_text(bytes.fromhex("efbbbf")) == "\ufeff"  # never stripped (§1.5.4)


MALFORMED, BROKEN = ReasonCode.MALFORMED_PACKET, ReasonCode.PROTOCOL_ERROR

FAULTS: list[tuple[str, int, ReasonCode]] = [
    ("36 07 0003 612f62 0001", V311, MALFORMED),  # QoS 3
    ("38 05 0003 612f62", V311, MALFORMED),  # DUP at QoS 0
    ("32 07 0003 612f62 0000", V311, MALFORMED),  # packet identifier 0
    ("32 05 0003 612f62", V311, MALFORMED),  # no packet identifier
    ("32 05 00ff 612f62", V311, MALFORMED),  # a topic longer than its packet
    ("32 05 0003 612f62 00010203", V5, MALFORMED),  # the same, where more bytes follow
    ("30 05 0003 612f2b", V311, MALFORMED),  # wildcard
    ("30 05 0003 612f23", V5, MALFORMED),
    ("30 02 0000", V311, MALFORMED),  # no topic
    ("30 03 0000 00", V5, BROKEN),  # neither topic nor alias
    ("30 05 0003 610062", V311, MALFORMED),  # U+0000
    ("30 05 0003 eda080", V311, MALFORMED),  # a surrogate
    ("30 04 0002 c080", V311, MALFORMED),  # overlong
    ("30 07 0001 61 03 23 0000", V5, ReasonCode.TOPIC_ALIAS_INVALID),
    ("30 0a 0001 61 06 23 0001 23 0001", V5, BROKEN),  # a property twice
    ("30 06 0001 61 02 0b01", V5, MALFORMED),  # a subscription identifier from a client
    ("30 06 0001 61 02 0102", V5, BROKEN),  # payload format 2
    ("30 06 0001 61 02 7f00", V5, MALFORMED),  # no such property
    ("30 05 0001 61 05 01", V5, MALFORMED),  # properties longer than the packet
    ("30 08 0001 61 04 08 0001 2b", V5, BROKEN),  # response topic with wildcard
    ("40 02 0000", V311, MALFORMED),
    ("41 02 0001", V311, MALFORMED),  # flags
    ("40 03 0001 00", V311, MALFORMED),  # too long for 3.1.1
    ("40 03 0001 92", V5, BROKEN),  # a code of another packet
    ("40 01 00", V311, MALFORMED),
    ("60 02 0001", V311, MALFORMED),  # PUBREL flags
    ("82 02 0001", V311, BROKEN),  # no filter
    ("80 06 0001 0001 61 00", V311, MALFORMED),
    ("82 06 0000 0001 61 00", V311, MALFORMED),
    ("82 06 0001 0001 61 03", V311, MALFORMED),  # QoS 3
    ("82 06 0001 0001 61 04", V311, MALFORMED),  # reserved in 3.1.1
    ("82 07 0001 00 0001 61 40", V5, MALFORMED),  # reserved
    ("82 07 0001 00 0001 61 30", V5, BROKEN),  # retain handling 3
    ("82 0f 0001 00 0009 2473686172652f672f 04", V5, MALFORMED),  # $share/g/ without a filter
    ("82 10 0001 00 000a 2473686172652f672f61 04", V5, BROKEN),  # no local on it
    ("82 07 0001 0002 612b 00", V311, MALFORMED),
    ("82 05 0001 0000 00", V311, MALFORMED),
    ("82 0a 0001 04 0b01 0b02 0001 61", V5, BROKEN),
    ("82 08 0001 02 0b00 0001 61", V5, BROKEN),
    ("a2 02 0001", V311, BROKEN),
    ("a2 03 0001 00", V5, BROKEN),
    ("c0 01 00", V311, MALFORMED),
    ("c1 00", V311, MALFORMED),
    ("e0 01 00", V311, MALFORMED),
    ("e0 01 8e", V5, BROKEN),  # a code only servers send
    ("e0 06 00 04 1c 0001 61", V5, MALFORMED),  # a property only servers send
    ("f0 00", V311, MALFORMED),
    ("f0 00", V5, BROKEN),
    ("f0 02 18 00", V5, BROKEN),  # no method
    ("00 00", V311, MALFORMED),  # reserved type
    ("20 02 00 00", V311, MALFORMED),  # a server's packet
    ("c0 80 80 80 80 00", V311, MALFORMED),
    ("c0 80 00", V5, MALFORMED),  # not the shortest form
    ("30 ff ff ff 7f", V311, ReasonCode.PACKET_TOO_LARGE),
    (HELLO[V311].hex(), V311, BROKEN),  # CONNECT twice
]


@pytest.mark.parametrize(("text", "version", "code"), FAULTS)
def test_a_client_that_breaks_mqtt(text: str, version: int, code: ReasonCode) -> None:
    raw = bytes.fromhex(text)
    ping = b"\xc0\x00"
    with pytest.raises(ProtocolError) as error:
        server(version).feed(ping + raw)
    assert error.value.code == code
    assert error.value.before == [Pingreq()]


SERVER_FAULTS: list[tuple[str, int, ReasonCode]] = [
    ("20 02 02 00", V311, MALFORMED),
    ("20 02 01 05", V311, BROKEN),
    ("20 02 00 06", V311, BROKEN),
    ("20 03 00 01 00", V5, BROKEN),
    ("20 06 00 00 03 21 0000", V5, BROKEN),
    ("20 08 00 00 05 27 00000000", V5, BROKEN),
    ("90 02 0001", V311, BROKEN),
    ("90 03 0001 03", V311, BROKEN),
    ("b0 03 0001 00", V311, MALFORMED),
    ("b0 03 0001 00", V5, BROKEN),
    ("e0 00", V311, BROKEN),
    ("e0 01 04", V5, BROKEN),
    ("f0 02 19 00", V5, BROKEN),
    ("10 00", V311, MALFORMED),
    ("82 06 0001 0001 61 00", V311, MALFORMED),
]


@pytest.mark.parametrize(("text", "version", "code"), SERVER_FAULTS)
def test_a_server_that_breaks_mqtt(text: str, version: int, code: ReasonCode) -> None:
    with pytest.raises(ProtocolError) as error:
        Reader(1 << 20, version).feed(bytes.fromhex(text))
    assert error.value.code == code


CONNECT_FAULTS: list[tuple[str, ReasonCode]] = [
    ("10 0d 0004 4d515454 03 02 0000 0001 61", ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ("10 0d 0004 4d515454 06 02 0000 0001 61", ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ("10 0f 0006 4d5149736470 03 02 0000 0001 61", ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ("10 0d 0004 6d717474 04 02 0000 0001 61", ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ("10 0d 0004 4d515454 04 03 0000 0001 61", MALFORMED),  # reserved flag
    ("10 0d 0004 4d515454 04 0a 0000 0001 61", MALFORMED),  # will QoS without will
    ("10 0d 0004 4d515454 04 1e 0000 0001 61", MALFORMED),  # will QoS 3
    ("10 10 0004 4d515454 04 42 0000 0001 61 0001 61", MALFORMED),  # password alone
    ("10 13 0004 4d515454 04 06 0000 0001 61 0001 23 0001 61", MALFORMED),  # will topic
    ("10 0c 0004 4d515454 04 02 0000 0001", MALFORMED),
    ("10 0e 0004 4d515454 04 02 0000 0001 61 00", MALFORMED),
    ("10 12 0004 4d515454 05 02 0000 04 16 0001 61 0001 61", BROKEN),  # data without method
    ("10 8e 00 0004 4d515454 05 02 0000 00 0001 61", MALFORMED),  # not the shortest form
    ("11 0d 0004 4d515454 04 02 0000 0001 61", MALFORMED),
    ("c0 00 c0 00", BROKEN),  # not CONNECT
    ("16 03 01 00 c8", MALFORMED),  # a TLS hello
    ("47 45 54 20 2f", MALFORMED),  # HTTP
]


@pytest.mark.parametrize(("text", "code"), CONNECT_FAULTS)
def test_a_connect_that_cannot_be(text: str, code: ReasonCode) -> None:
    with pytest.raises(ProtocolError) as error:
        Reader(1 << 20).feed(bytes.fromhex(text))
    assert error.value.code == code


def test_3_1_1_may_spell_its_length_longer() -> None:
    assert server(V311).feed(bytes.fromhex("c0 80 00")) == [Pingreq()]


def test_a_refusal_has_a_3_1_1_return_code() -> None:
    assert return_code(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION) == 1
    assert return_code(ReasonCode.BAD_USER_NAME_OR_PASSWORD) == 4
    assert return_code(ReasonCode.QUOTA_EXCEEDED) == 3


def test_no_more_topic_names_are_remembered_than_asked() -> None:
    reader = Reader(1 << 20, V311, topics=3)
    for number in range(10):
        topic = f"t/{number}"
        assert reader.feed(encode(Publish(topic, b"x", 1, 1), V311) * 2) == [Publish(topic, b"x", 1, 1)] * 2
        assert len(reader._names) <= 3
    reader.feed(encode(Publish("x" * 300, b"x", 1, 1), V311))
    assert "x" * 300 not in reader._names.values()
