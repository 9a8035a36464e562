"""Frames and their acknowledgements: after the tick, in order, one write, with the reason of a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import (
    V5,
    V311,
    Disconnect,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
)
from drivers.mqtt.writer import pubacks
from drivers.refusal import Reason
from tests.gateway.ingest.mqtt_city import city, telemetry

VERSIONS = pytest.mark.parametrize("version", [V311, V5])


@VERSIONS
async def test_a_publish_becomes_a_frame_of_its_device(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version)
        client.send(
            telemetry(1), telemetry(2, retain=True), telemetry(), Publish("city/dust/DU-1/event", b"{}")
        )
        first, second, third, fourth = await it.frames(4)
        assert first.lane is second.lane is third.lane is it.lanes["generic-dust", "dust", "telemetry"]
        assert fourth.lane is it.lanes["generic-dust", "dust", "event"]
        assert [frame.token for frame in (first, second, third, fourth)] == [1, 2, 0, 0]
        assert (first.device, first.payload) == (0, b'{"v":{"pm10":1}}')
        assert first.topic == "city/dust/DU-1/telemetry"
        assert first.origin.address.startswith("mqtt:DU-1@127.0.0.1:")
        assert abs(first.received - it.clock.now()) < 5_000_000


@VERSIONS
async def test_nothing_is_acknowledged_before_it_is_settled(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version)
        client.send(*(telemetry(number) for number in (5, 3, 9)), Pingreq())
        frames = await it.frames(3)
        assert await client.next() == Pingresp()
        it.settle(frames)
        assert await client.chunk() == pubacks([5, 3, 9])  # in order of arrival, one write


async def test_mixed_levels_are_acknowledged_in_order_in_one_write() -> None:
    async with city() as it:
        client = await it.connect()
        client.send(telemetry(1), telemetry(2, qos=2), telemetry(), telemetry(3, qos=2), telemetry(4))
        it.settle(await it.frames(5), {3: Reason.BAD_JSON, 4: Reason.NOT_FINITE})
        assert await client.chunk() == bytes.fromhex("40020001 50020002 5003000399 4003000499")


# What a transport refuses by itself, and what MQTT 5 is told.
FOREIGN = [
    ("city/dust/DU-2/telemetry", Reason.FOREIGN_TOPIC, ReasonCode.NOT_AUTHORIZED),
    ("city/streetlight/DU-1/telemetry", Reason.FOREIGN_TOPIC, ReasonCode.NOT_AUTHORIZED),
    ("city/dust/DU-1/nonsense", Reason.UNKNOWN_TOPIC, ReasonCode.TOPIC_NAME_INVALID),
    ("home/kitchen", Reason.UNKNOWN_TOPIC, ReasonCode.TOPIC_NAME_INVALID),
    ("city/dust/DU-1/command", Reason.FOREIGN_TOPIC, ReasonCode.NOT_AUTHORIZED),
]


@pytest.mark.parametrize(("topic", "reason", "code"), FOREIGN)
async def test_a_refused_topic_is_counted_and_acknowledged_with_its_reason(
    topic: str, reason: Reason, code: ReasonCode
) -> None:
    async with city() as it:
        for version, want in ((V311, 0), (V5, code)):
            client = await it.connect(version=version)
            client.send(telemetry(1), Publish(topic, b"payload", 1, 2), telemetry(3))
            frames = await it.frames(3)
            assert (frames[1].lane, frames[1].verdict, frames[1].payload) == (None, reason, b"payload")
            assert frames[1].detail
            it.settle(frames)
            assert [await client.next() for _ in range(3)] == [Puback(1), Puback(2, want), Puback(3)]


async def test_a_source_speaks_for_its_devices_only() -> None:
    async with city() as it:
        it.source("bridge", "DU-1", "LP-1")
        client = await it.connect("bridge")
        client.send(
            telemetry(1), telemetry(2, "DU-2"), telemetry(3, "LP-1", "streetlight"), telemetry(4, "DU-9")
        )
        frames = await it.frames(4)
        verdicts = [frame.verdict for frame in frames]
        assert verdicts == [None, Reason.FOREIGN_TOPIC, None, Reason.UNKNOWN_DEVICE]
        assert [frame.who for frame in frames] == ["", "", "", "DU-9"]


async def test_routes_follow_the_directory() -> None:
    async with city() as it:
        client = await it.connect()
        client.send(telemetry(1))
        await it.frames(1)
        it.device("DU-1", "dust", 7)
        client.send(telemetry(2))
        assert (await it.frames(1))[0].device == 7
        it.device("DU-1", "dust", 7, retired=True)
        client.send(telemetry(3))
        frames = await it.frames(1)
        assert frames[0].verdict is Reason.UNKNOWN_DEVICE
        it.settle(frames)
        assert await client.next() == Puback(3, ReasonCode.NOT_AUTHORIZED)


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_an_oversize_payload_is_refused_and_its_start_kept(qos: int) -> None:
    async with city(payload_limit=5000) as it:
        client = await it.connect()
        topic = "city/dust/DU-1/telemetry"
        for size in (10, 5000, 5001):
            client.send(Publish(topic, bytes(size), qos, size if qos else 0))
        small, large, over = await it.frames(3)
        assert (small.verdict, large.verdict, len(large.payload)) == (None, None, 5000)
        assert (over.verdict, len(over.payload)) == (Reason.OVERSIZE, 4096)
        it.settle([over])
        if qos:
            kind = Puback if qos == 1 else Pubrec
            assert await client.next() == kind(5001, ReasonCode.QUOTA_EXCEEDED)


async def test_topic_aliases() -> None:
    async with city() as it:
        client = await it.connect()
        alias = Properties(topic_alias=1)
        client.send(
            telemetry(1, properties=alias),
            Publish("", b"a", 1, 2, properties=alias),
            Publish("city/dust/DU-1/event", b"b", properties=alias),
            Publish("", b"c", 2, 3, properties=alias),
        )
        frames = await it.frames(4)
        assert [frame.topic.rpartition("/")[2] for frame in frames] == [
            "telemetry",
            "telemetry",
            "event",
            "event",
        ]
        assert [frame.lane.channel for frame in frames if frame.lane] == [
            "telemetry",
            "telemetry",
            "event",
            "event",
        ]


@VERSIONS
async def test_qos_2_is_taken_once(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version)
        packet = telemetry(1, qos=2)
        again = telemetry(1, qos=2, dup=True)
        client.send(packet, again)
        frames = await it.frames(1)
        it.settle(frames)
        assert await client.next() == Pubrec(1)
        client.send(again)
        assert await client.next() == Pubrec(1)
        client.send(Pubrel(1), Pubrel(1))
        assert await client.next() == Pubcomp(1)
        assert await client.next() == Pubcomp(1, 0x92 if version == V5 else 0)
        assert it.inbox.frames == []
        client.send(packet)  # the identifier is free again
        assert len(await it.frames(1)) == 1


async def test_qos_2_survives_a_lost_connection() -> None:
    more: dict[str, Any] = {"clean_start": False, "properties": Properties(session_expiry=100)}
    async with city() as it:
        client = await it.connect(**more)
        client.send(telemetry(1, qos=2), telemetry(2, qos=2))
        frames = await it.frames(2)
        it.settle(frames[:1])
        assert await client.next() == Pubrec(1)
        await client.drop()
        client, connack = await it.ask(**more)
        assert connack.session_present
        client.send(telemetry(1, qos=2, dup=True), telemetry(2, qos=2, dup=True))
        assert await client.next() == Pubrec(1)
        it.settle(frames[1:])  # the old connection's frame, the new one's answer
        assert await client.next() == Pubrec(2)
        client.send(Pubrel(1), Pubrel(2))
        assert await client.next() == Pubcomp(1)
        assert await client.next() == Pubcomp(2)
        assert it.inbox.frames == []


async def test_a_refused_qos_2_publish_is_over_with_its_pubrec() -> None:
    async with city() as it:
        client = await it.connect()
        client.send(telemetry(1, qos=2))
        it.settle(await it.frames(1), {0: Reason.OUT_OF_RANGE})
        assert await client.next() == Pubrec(1, ReasonCode.PAYLOAD_FORMAT_INVALID)
        client.send(telemetry(1, qos=2))
        it.settle(await it.frames(1))
        assert await client.next() == Pubrec(1)


async def test_frames_of_a_client_that_went_are_settled_in_silence() -> None:
    async with city() as it:
        client = await it.connect()
        client.send(telemetry(1), telemetry(2, qos=2))
        frames = await it.frames(2)
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        it.settle(frames[:1])
        it.settle(frames[1:])


@pytest.mark.parametrize("qos", [1, 2])
async def test_more_under_way_than_agreed_ends_the_connection(qos: int) -> None:
    async with city(receive_maximum=3) as it:
        client = await it.connect()
        client.send(*(telemetry(number, qos=qos) for number in (1, 2, 3)))
        it.settle(await it.frames(3))
        assert await client.next()
        client.send(*(Pubrel(number) for number in (1, 2, 3)))
        client.send(*(telemetry(number, qos=qos) for number in (4, 5, 6)), telemetry())
        assert len(await it.frames(4)) == 4
        client.send(telemetry(7, qos=qos))
        packet = await client.next()
        while not isinstance(packet, Disconnect):
            packet = await client.next()
        assert packet.code == ReasonCode.RECEIVE_MAXIMUM_EXCEEDED


async def test_a_source_may_use_many_topics() -> None:
    names = [f"P-{number}" for number in range(600)]
    async with city() as it:
        for number, name in enumerate(names):
            it.device(name, "parking", number)
        it.source("lot", *names)
        client = await it.connect("lot")
        for turn in (1, 2):
            client.send(*(telemetry(number + turn, name, "parking") for number, name in enumerate(names)))
            frames = await it.frames(600)
            assert [frame.device for frame in frames] == list(range(600))
            it.settle(frames)
        for turn in (1, 2):
            for number in range(600):
                assert await client.next() == Puback(number + turn)
