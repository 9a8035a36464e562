"""CONNECT, SUBSCRIBE, PING and what ends a connection: MQTT's server side as the two standards want it."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.mqtt.codes import ReasonCode
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
)
from drivers.mqtt.writer import encode
from tests.gateway.ingest.mqtt_city import SECRET, city, telemetry

VERSIONS = pytest.mark.parametrize("version", [V311, V5])


@VERSIONS
async def test_a_device_is_let_in_by_its_name_and_secret(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version)
        client.send(Pingreq())
        assert await client.next() == Pingresp()
        assert it.presence.heard == ["+DU-1"]
        assert it.endpoint.connections == 1


@pytest.mark.parametrize(
    ("more", "old", "new"),
    [
        ({"password": b"wrong"}, 4, ReasonCode.BAD_USER_NAME_OR_PASSWORD),
        ({"username": "DU-9"}, 4, ReasonCode.BAD_USER_NAME_OR_PASSWORD),
        ({"password": None}, 4, ReasonCode.BAD_USER_NAME_OR_PASSWORD),
        ({"username": None, "password": None}, 5, ReasonCode.NOT_AUTHORIZED),
        ({"client_id": "x" * 257}, 2, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
    ],
)
async def test_others_are_refused(more: dict[str, Any], old: int, new: int) -> None:
    async with city() as it:
        for version, code in ((V311, old), (V5, new)):
            client, connack = await it.ask(version=version, **more)
            assert connack == Connack(code)
            assert await client.closed()
        assert it.endpoint.counters.refused == 2
        assert it.presence.heard == []


async def test_an_unknown_way_to_authenticate_is_refused() -> None:
    async with city() as it:
        _, connack = await it.ask(properties=Properties(authentication_method="SCRAM"))
        assert connack.code == ReasonCode.BAD_AUTHENTICATION_METHOD


async def test_an_empty_client_id_gets_one() -> None:
    async with city() as it:
        _, connack = await it.ask(client_id="")
        assert connack.properties.assigned_client_id
        _, connack = await it.ask(client_id="", version=V311)
        assert connack == Connack()
        _, connack = await it.ask(client_id="", version=V311, clean_start=False)
        assert connack == Connack(2)
        assert it.endpoint.connections >= 2


async def test_mqtt_5_is_told_what_holds_here() -> None:
    async with city(
        receive_maximum=7, packet_limit=5000, topic_aliases=3, max_keepalive=30, session_expiry=60
    ) as it:
        _, connack = await it.ask(keepalive=0, properties=Properties(session_expiry=0xFFFF_FFFF))
        assert connack.properties == Properties(
            receive_maximum=7,
            maximum_packet_size=5000,
            topic_alias_maximum=3,
            server_keepalive=30,
            session_expiry=60,
            subscription_identifiers=False,
            shared_subscriptions=False,
        )
        _, connack = await it.ask("DU-2", keepalive=10, properties=Properties(session_expiry=5))
        assert (connack.properties.server_keepalive, connack.properties.session_expiry) == (None, None)


@pytest.mark.parametrize(
    "hello",
    [
        "10 0f 0006 4d5149736470 03 02 0000 0001 61",  # MQTT 3.1
        "10 0d 0004 4d515454 06 02 0000 0001 61",  # MQTT 6
    ],
)
async def test_another_version_is_told_so(hello: str) -> None:
    async with city() as it:
        client = await it.open(V311)
        client.raw(bytes.fromhex(hello))
        assert await client.next() == Connack(1)
        assert await client.closed()


async def test_what_is_not_mqtt_is_closed_without_a_word() -> None:
    async with city() as it:
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\xc0\x00\x00"):
            client = await it.open()
            client.raw(noise)
            assert await client.chunk() == b""
        assert it.endpoint.counters.violations == 3


async def test_a_broken_mqtt_5_connect_is_told_why() -> None:
    async with city() as it:
        client = await it.open()
        client.raw(bytes.fromhex("10 0e 0004 4d515454 05 03 0000 00 0001 61"))
        assert await client.next() == Connack(ReasonCode.MALFORMED_PACKET)
        assert await client.closed()


async def test_connect_must_come_in_time() -> None:
    async with city(connect_timeout=10) as it:
        silent = await it.open()
        await it.until(lambda: it.endpoint.connections == 1)
        it.clock.ahead = 9
        it.endpoint.sweep()
        it.clock.ahead = 11
        assert it.endpoint.connections == 1
        it.endpoint.sweep()
        assert await silent.closed()
        assert it.endpoint.counters.timeouts == 1


async def test_a_connect_has_a_limit_of_its_own() -> None:
    async with city() as it:
        client = await it.open()
        client.raw(b"\x10\x80\x80\x08" + bytes(100))
        assert await client.chunk() == b""


VIOLATIONS: list[tuple[Packet | bytes, ReasonCode]] = [
    (b"\x36\x07\x00\x03a/b\x00\x01", ReasonCode.MALFORMED_PACKET),
    (b"\x30\xff\xff\xff\x7f", ReasonCode.PACKET_TOO_LARGE),
    (Auth(0x18, Properties(authentication_method="x")), ReasonCode.PROTOCOL_ERROR),
    (Connect("again", V5), ReasonCode.PROTOCOL_ERROR),
    (telemetry(properties=Properties(topic_alias=65)), ReasonCode.TOPIC_ALIAS_INVALID),
    (Publish("", properties=Properties(topic_alias=1)), ReasonCode.PROTOCOL_ERROR),
    (
        Subscribe(1, (Subscription("a"),), Properties(subscription_ids=(1,))),
        ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
    ),
    (Disconnect(0, Properties(session_expiry=60)), ReasonCode.PROTOCOL_ERROR),
]


@pytest.mark.parametrize(("packet", "code"), VIOLATIONS, ids=repr)
async def test_a_violation_ends_the_connection_with_its_reason(
    packet: Packet | bytes, code: ReasonCode
) -> None:
    async with city() as it:
        client = await it.connect()
        data = packet if isinstance(packet, bytes) else encode(packet, V5, server=False)
        client.raw(encode(telemetry(1), V5) + data)
        end = await client.expect(Disconnect)
        assert end.code == code
        assert end.properties.reason_string
        assert await client.closed()
        assert len(it.inbox.frames) == 1  # what came before stands
        assert it.presence.heard == ["+DU-1", "-DU-1 violation"]


async def test_before_mqtt_5_a_violation_just_closes() -> None:
    async with city() as it:
        client = await it.connect(version=V311)
        client.raw(b"\x36\x07\x00\x03a/b\x00\x01")
        assert await client.closed()


async def test_no_reason_is_spelled_out_to_a_client_that_limits_packets() -> None:
    async with city() as it:
        client = await it.connect(properties=Properties(maximum_packet_size=200))
        client.raw(b"\xc1\x00\x00")
        assert await client.next() == Disconnect(ReasonCode.MALFORMED_PACKET)


@VERSIONS
async def test_a_device_subscribes_to_its_own_commands_only(version: int) -> None:
    wanted = (
        "city/dust/DU-1/command",
        "city/dust/DU-2/command",
        "city/streetlight/DU-1/command",
        "city/dust/DU-1/telemetry",
        "city/dust/+/command",
        "city/#",
        "#",
        "$share/g/city/dust/DU-1/command",
    )
    shared = ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    async with city() as it:
        client = await it.connect(version=version)
        client.send(Subscribe(7, tuple(Subscription(pattern, 2) for pattern in wanted)))
        codes = (1, *[0x87] * 6, shared) if version == V5 else (1, *[0x80] * 7)
        assert await client.next() == Suback(7, codes)


async def test_a_source_subscribes_to_the_commands_of_its_devices() -> None:
    async with city(subscriptions=3) as it:
        it.source("bridge", "DU-1")
        client = await it.connect("bridge")
        wanted = (
            "city/dust/DU-1/command",
            "city/dust/DU-2/command",
            "city/+/+/command",
            "city/dust/+/command",
        )
        client.send(Subscribe(1, tuple(Subscription(pattern) for pattern in wanted)))
        assert await client.next() == Suback(1, (0, 0x87, 0, 0))
        client.send(Subscribe(2, (Subscription("city/+/DU-1/command"), Subscription(wanted[0], 1))))
        assert await client.next() == Suback(2, (ReasonCode.QUOTA_EXCEEDED, 1))


@VERSIONS
async def test_unsubscribing(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version)
        client.send(Subscribe(1, (Subscription("city/dust/DU-1/command"),)))
        await client.expect(Suback)
        client.send(Unsubscribe(2, ("city/dust/DU-1/command", "a")))
        assert await client.next() == Unsuback(2, (0, 0x11) if version == V5 else ())
        assert not it.endpoint.deliver("DU-1", "city/dust/DU-1/command", b"{}", expires=1 << 62)


@VERSIONS
async def test_answers_to_what_was_never_sent(version: int) -> None:
    code = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if version == V5 else 0
    async with city() as it:
        client = await it.connect(version=version)
        client.send(Puback(9), Pubrec(9), Pubcomp(9), Pubrel(9), Pingreq())
        assert await client.next() == Pubrel(9, code)
        assert await client.next() == Pubcomp(9, code)
        assert await client.next() == Pingresp()


async def test_nothing_after_disconnect_counts() -> None:
    async with city() as it:
        client = await it.connect()
        client.send(telemetry(1), Disconnect(), telemetry(2))
        assert await client.closed()
        assert [frame.token for frame in it.inbox.frames] == [1]
        assert it.presence.heard == ["+DU-1", "-DU-1 disconnected"]


async def test_packets_may_follow_connect_at_once_and_in_any_pieces() -> None:
    async with city() as it:
        client = await it.open()
        hello = Connect("c", V5, username="DU-1", password=SECRET.encode())
        data = b"".join(encode(packet, V5, server=False) for packet in (hello, telemetry(1), telemetry(2)))
        for place in range(len(data)):
            client.raw(data[place : place + 1])
            if place % 9 == 0:
                await it.clock.sleep(0)
        frames = await it.frames(2)
        assert [frame.token for frame in frames] == [1, 2]


async def test_no_more_connections_than_the_bound() -> None:
    async with city(connections=2) as it:
        await it.connect("DU-1")
        await it.connect("DU-2")
        third = await it.open()
        assert await third.closed()
        assert it.endpoint.counters.turned_away == 1


async def test_stopping_tells_why() -> None:
    async with city() as it:
        client = await it.connect()
        await it.endpoint.stop()
        assert await client.next() == Disconnect(ReasonCode.SERVER_SHUTTING_DOWN)
        assert it.endpoint.connections == 0
        assert it.presence.heard[-1] == "-DU-1 stopped"


async def test_a_principal_whose_credentials_are_void_is_expelled() -> None:
    async with city() as it:
        client = await it.connect()
        assert it.endpoint.expel("DU-1") == 1
        assert await client.next() == Disconnect(ReasonCode.ADMINISTRATIVE_ACTION)
        assert it.endpoint.expel("DU-1") == 0
