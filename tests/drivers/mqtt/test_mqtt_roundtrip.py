"""What the writer writes, the reader reads back: all packets, both versions, both directions, any split."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.mqtt.codes import EncodeError, ProtocolError, ReasonCode
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
    Properties,
    Puback,
    Publish,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import Publisher, encode, pubacks, pubrec
from tests.drivers.mqtt import strategies as mqtt

LIMIT = 1 << 20


@settings(max_examples=60)
@given(mqtt.dialogues())
def test_a_server_reads_what_a_client_writes(dialogue: tuple[int, list[Packet], bytes]) -> None:
    version, packets, data = dialogue
    reader = Reader(LIMIT)
    assert reader.feed(data) == packets
    assert (reader.version, reader.buffered) == (version, 0)


@settings(max_examples=100)
@given(st.data(), mqtt.VERSIONS)
def test_a_client_reads_what_a_server_writes(data: st.DataObject, version: int) -> None:
    packets = data.draw(st.lists(mqtt.from_server(version), max_size=8))
    reader = Reader(LIMIT, version)
    assert reader.feed(b"".join(encode(packet, version) for packet in packets)) == packets


@settings(max_examples=60)
@given(mqtt.dialogues(), st.lists(st.integers(0, 400), max_size=12))
def test_packets_do_not_depend_on_the_split(
    dialogue: tuple[int, list[Packet], bytes], cuts: list[int]
) -> None:
    _, packets, data = dialogue
    reader = Reader(LIMIT)
    edges = [0, *sorted(cuts), len(data)]
    got = [packet for start, end in pairwise(edges) for packet in reader.feed(data[start:end])]
    assert got == packets


def outcome(data: bytes, cuts: list[int], limit: int) -> tuple[list[Packet], int | None]:
    """Packets until the end or the fault, and the code of the fault."""
    reader = Reader(limit)
    packets: list[Packet] = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        try:
            packets += reader.feed(data[start:end])
        except ProtocolError as error:
            return packets + error.before, error.code
        assert reader.buffered < limit
    return packets, None


@settings(max_examples=60)
@given(
    mqtt.dialogues(),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    st.lists(st.integers(0, 400), max_size=12),
    st.integers(200, 400),
)
def test_a_damaged_dialogue_fails_alike_in_any_split(
    dialogue: tuple[int, list[Packet], bytes],
    damage: list[tuple[int, int]],
    cuts: list[int],
    limit: int,
) -> None:
    data = bytearray(dialogue[2])
    for place, byte in damage:
        data[place % len(data)] = byte
    whole = outcome(bytes(data), [], limit)
    assert outcome(bytes(data), cuts, limit) == whole
    assert outcome(bytes(data), list(range(len(data))), limit) == whole


@settings(max_examples=100)
@given(st.binary(max_size=200), mqtt.VERSIONS, st.booleans())
def test_noise_is_packets_or_a_typed_error(noise: bytes, version: int, server: bool) -> None:
    reader = Reader(LIMIT, 0 if server else version)
    if server:
        reader.feed(encode(Connect("c", version), version))
    try:
        reader.feed(noise)
    except ProtocolError as error:
        with pytest.raises(ProtocolError, match=error.text[:10].replace("(", ".")):
            reader.feed(b"")


@settings(max_examples=100)
@given(st.data(), st.integers(0, 255), st.binary(max_size=60), mqtt.VERSIONS)
def test_any_body_under_any_header_is_a_packet_or_a_typed_error(
    data: st.DataObject, first: int, body: bytes, version: int
) -> None:
    server = data.draw(st.booleans())
    reader = Reader(LIMIT, 0 if server else version)
    if server:
        reader.feed(encode(Connect("c", version), version))
    with suppress(ProtocolError):
        assert len(reader.feed(bytes((first, len(body))) + body)) == 1


@settings(max_examples=100)
@given(mqtt.name, st.binary(max_size=300), st.integers(0, 65_535), mqtt.VERSIONS)
def test_a_publisher_writes_what_encode_writes(topic: str, payload: bytes, number: int, version: int) -> None:
    packet = Publish(topic, payload, int(number > 0), number)
    assert Publisher(topic, version).encode(payload, number) == encode(packet, version)


@settings(max_examples=100)
@given(st.lists(mqtt.packet_id, max_size=20), st.sets(mqtt.packet_id))
def test_merged_pubacks_read_as_single_ones(numbers: list[int], refused: set[int]) -> None:
    codes = {number: int(ReasonCode.PAYLOAD_FORMAT_INVALID) for number in numbers if number in refused}
    assert Reader(LIMIT, V5).feed(pubacks(numbers, codes)) == [
        Puback(number, codes.get(number, 0)) for number in numbers
    ]
    assert Reader(LIMIT, V311).feed(pubacks(numbers)) == [Puback(number) for number in numbers]


def test_a_pubrec_carries_its_code() -> None:
    assert pubrec(7) == b"\x50\x02\x00\x07"
    assert pubrec(7, ReasonCode.NOT_AUTHORIZED) == b"\x50\x03\x00\x07\x87"


WRONG: list[tuple[Packet, int]] = [
    (Publish("a", qos=3, packet_id=1), V5),
    (Publish("a", qos=1), V5),
    (Publish("a", qos=1, packet_id=65_536), V5),
    (Publish("a", packet_id=1), V5),
    (Publish("a", dup=True), V5),
    (Publish("a/+"), V311),
    (Publish(""), V5),
    (Publish("", properties=Properties(topic_alias=1)), V311),
    (Publish("a", properties=Properties(topic_alias=0)), V5),
    (Publish("a", properties=Properties(response_topic="#")), V5),
    (Publish("a" * 65_536), V311),
    (Publish("a\0"), V311),
    (Publish("\ud800"), V311),
    (Publish("a", properties=Properties(content_type="x")), V311),
    (Publish("a", properties=Properties(message_expiry=2**32)), V5),
    (Connect(version=3), V311),
    (Connect(password=b"x"), V311),
    (Connect(keepalive=65_536), V311),
    (Connect(version=V5, properties=Properties(authentication_data=b"x")), V5),
    (Connect(will=Will("a/#", b"")), V311),
    (Connect(will=Will("a", b"", qos=3)), V311),
    (Connect(will=Will("a", b"", properties=Properties(will_delay=1))), V311),
    (Connect(will=Will("a", bytes(65_536))), V311),
    (Connack(0x87), V311),
    (Connack(5, session_present=True), V311),
    (Puback(0), V311),
    (Puback(1, 0x10), V311),
    (Puback(1, 0x92), V5),
    (Subscribe(1, ()), V311),
    (Subscribe(1, (Subscription("a/#/b"),)), V311),
    (Subscribe(1, (Subscription("a", 3),)), V311),
    (Subscribe(1, (Subscription("a", no_local=True),)), V311),
    (Subscribe(1, (Subscription("$share/g/a", no_local=True),)), V5),
    (Subscribe(1, (Subscription("a"),), Properties(subscription_ids=(1, 2))), V5),
    (Unsubscribe(1, ()), V5),
    (Unsuback(1), V5),
    (Unsuback(1, (0,)), V311),
    (Disconnect(), V311),
    (Disconnect(0x04), V5),
    (Disconnect(properties=Properties(session_expiry=1)), V5),
    (Auth(), V311),
    (Auth(0x19), V5),
    (Auth(0x18), V5),
]


@pytest.mark.parametrize(("packet", "version"), WRONG, ids=repr)
def test_what_mqtt_forbids_is_not_written(packet: Packet, version: int) -> None:
    with pytest.raises(EncodeError):
        encode(packet, version)


def test_a_property_needs_its_packet() -> None:
    with pytest.raises(EncodeError, match="puback cannot carry topic_alias"):
        encode(Puback(1, 0, Properties(topic_alias=1)), V5)
    with pytest.raises(EncodeError, match="protocol level 3"):
        encode(Pingreq(), 3)
    with pytest.raises(EncodeError):
        Publisher("a/+", V5)


def test_empty_properties_are_one_object() -> None:
    packets = Reader(LIMIT, V5).feed(encode(Publish("a"), V5) * 2)
    assert all(isinstance(packet, Publish) and packet.properties is NONE for packet in packets)


def test_a_large_packet_in_small_reads_is_taken_once_complete() -> None:
    packet = Publish("a", bytes(50_000), 1, 1)
    data = encode(packet, V311)
    reader = Reader(len(data), V311)
    for place in range(len(data) - 1):
        assert reader.feed(data[place : place + 1]) == []
        assert reader.buffered == place + 1
    assert reader.feed(data[-1:]) == [packet]
    assert reader.buffered == 0
