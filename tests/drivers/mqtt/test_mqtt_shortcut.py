"""Frames made in the scan are the packets of the long way, in the same order, whatever the split and the damage."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.mqtt.codes import ProtocolError
from drivers.mqtt.packets import V5, V311, Connect, Disconnect, Packet, Pingreq, Publish
from drivers.mqtt.reader import Reader, Shortcut
from drivers.mqtt.writer import encode
from tests.drivers.mqtt import strategies as mqtt

LIMIT = 1 << 16
Outcome = tuple[list[Any], int | None]


class Server:
    """Learns a topic's way from the first publish under it; hangs up at DISCONNECT."""

    def __init__(self, limit: int, most: int) -> None:
        self.heard: list[Any] = []
        self.over = False
        self.short = Shortcut(self.frame, self, self.other, limit, most)

    def frame(self, *made: Any) -> Publish:
        first, second, payload, received, origin, number, topic = made
        assert (first, second, received, origin) == ("lane", 7, 1, self)
        return Publish(topic, payload, 1, number)

    def other(self, packet: Packet) -> bool:
        self.heard.append(packet)
        if isinstance(packet, Publish) and packet.topic:
            name = packet.topic.encode()
            self.short.routes[len(name).to_bytes(2, "big") + name] = "lane", 7, packet.topic
        self.over = isinstance(packet, Disconnect)
        return self.over


def opened(version: int) -> Reader:
    reader = Reader(LIMIT)
    reader.feed(encode(Connect("c", version), version))
    return reader


def with_frames(data: bytes, cuts: list[int], version: int, short: int) -> Outcome:
    reader, server = opened(version), Server(short, most=3)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    total = 0
    for start, end in pairwise(edges):
        try:
            chunk = data[start:end]
            while chunk or reader.more:
                total += reader.feed_frames(chunk, server.short, server.heard.append, 1)
                chunk = b""
        except ProtocolError as error:
            return server.heard, error.code
        if server.over:
            break
    assert total == len(server.heard)
    return server.heard, None


def without(data: bytes, version: int) -> Outcome:
    packets, code = [], None
    try:
        packets = opened(version).feed(data)
    except ProtocolError as error:
        packets, code = error.before, error.code
    for position, packet in enumerate(packets):
        if isinstance(packet, Disconnect):
            return packets[: position + 1], None
    return packets, code


TOPICS = st.sampled_from(["city/dust/DU-1/telemetry", "city/dust/DU-10/telemetry", "a"])
TELEMETRY = st.builds(Publish, TOPICS, st.binary(max_size=200), st.just(1), st.integers(1, 65_535))


@settings(max_examples=100)
@given(
    st.data(),
    mqtt.VERSIONS,
    st.lists(st.integers(0, 2_000), max_size=12),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=2),
    st.integers(5, 300),
)
def test_the_shortcut_leads_where_the_long_way_does(
    data: st.DataObject, version: int, cuts: list[int], damage: list[tuple[int, int]], short: int
) -> None:
    said = data.draw(st.lists(TELEMETRY | mqtt.from_client(version), min_size=1, max_size=20))
    wire = bytearray(b"".join(encode(packet, version, server=False) for packet in said))
    for place, byte in damage:
        wire[place % len(wire)] = byte
    expected = without(bytes(wire), version)
    assert with_frames(bytes(wire), cuts, version, short) == expected
    assert with_frames(bytes(wire), list(range(len(wire))), version, short) == expected


@example(b"\x32\x05\x00\x01a\x00\x00")  # packet identifier 0
@example(b"\x32\x80\x80\x80\x80\x01")
@given(st.binary(max_size=100))
def test_noise_behind_telemetry_is_a_typed_error_or_more_packets(noise: bytes) -> None:
    for version in (V311, V5):
        first = encode(Publish("a", b"x", 1, 1), version, server=False)
        data = first + first + noise
        assert with_frames(data, [], version, 300) == without(data, version)


def test_connect_comes_alone_and_says_how_much_waits() -> None:
    hello = encode(Connect("c"), V311)
    reader = Reader(LIMIT, first=True)
    assert reader.feed(hello + encode(Pingreq(), V311) * 100) == [Connect("c")]
    assert reader.more > 0
    server = Server(300, most=40)
    counts = []
    while reader.more:
        counts.append((reader.feed_frames(b"", server.short, server.heard.append, 1), reader.more))
    assert counts == [(40, 61), (40, 21), (20, 0)]
    assert server.heard == [Pingreq()] * 100


def test_nothing_is_taken_after_the_last_word() -> None:
    said = encode(Pingreq(), V311) + encode(Disconnect(), V311, server=False) + b"\xff\xff\xff"
    assert with_frames(said, [], V311, 300) == ([Pingreq(), Disconnect()], None)
