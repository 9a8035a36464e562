"""Commands to devices: a session keeps them until they are acknowledged or their time is over (design 3, law 7)."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.mqtt.packets import (
    V5,
    V311,
    Disconnect,
    Properties,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from gateway.clock import SECOND
from tests.gateway.ingest.mqtt_city import City, Client, Memory, city

VERSIONS = pytest.mark.parametrize("version", [V311, V5])
TOPIC = "city/dust/DU-1/command"
STAYS: dict[str, Any] = {"clean_start": False, "properties": Properties(session_expiry=1000)}


def stays(version: int) -> dict[str, Any]:
    return STAYS if version == V5 else {"clean_start": False}


async def listener(it: City, version: int = V5, qos: int = 1, **more: Any) -> Client:
    client = await it.connect(version=version, **more)
    client.send(Subscribe(1, (Subscription(TOPIC, qos),)))
    assert await client.next() == Suback(1, (qos,))
    return client


def say(it: City, text: str, seconds: float = 60, qos: int = 1) -> bool:
    expires = it.clock.now() + int(seconds * SECOND)
    return it.endpoint.deliver("DU-1", TOPIC, text.encode(), qos, expires=expires)


async def heard(client: Client) -> tuple[str, int, bool]:
    packet = await client.expect(Publish)
    assert packet.topic == TOPIC
    return packet.payload.decode(), packet.packet_id, packet.dup


@VERSIONS
async def test_a_command_reaches_the_device_that_asked(version: int) -> None:
    async with city() as it:
        assert not say(it, "nobody listens")
        client = await listener(it, version)
        assert say(it, "one")
        packet = await client.expect(Publish)
        expiry = Properties(message_expiry=60) if version == V5 else Properties()
        assert packet == Publish(TOPIC, b"one", 1, 1, properties=expiry)
        client.send(Puback(1))
        await it.until(lambda: it.endpoint.counters.commands_acked == 1)


async def test_quality_is_what_was_granted_at_most() -> None:
    async with city() as it:
        client = await listener(it, qos=0)
        assert say(it, "one")
        assert await heard(client) == ("one", 0, False)
        client.send(Subscribe(2, (Subscription(TOPIC, 1),)))
        await client.expect(Suback)
        assert say(it, "two", qos=0)
        assert await heard(client) == ("two", 0, False)


async def test_no_more_is_under_way_than_the_client_takes() -> None:
    async with city() as it:
        client = await listener(it, properties=Properties(receive_maximum=2))
        for word in "abcd":
            assert say(it, word)
        assert [await heard(client) for _ in range(2)] == [("a", 1, False), ("b", 2, False)]
        client.send(Puback(2))
        assert await heard(client) == ("c", 3, False)
        client.send(Puback(2), Puback(1))
        assert await heard(client) == ("d", 4, False)


@VERSIONS
async def test_a_client_that_comes_back_gets_what_it_missed(version: int) -> None:
    async with city() as it:
        client = await listener(it, version, **stays(version))
        assert say(it, "a")
        assert say(it, "b")
        assert say(it, "short", seconds=5)
        for _ in range(3):
            await heard(client)
        client.send(Puback(1))
        await it.until(lambda: it.endpoint.counters.commands_acked == 1)
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        assert say(it, "c")
        assert say(it, "late", seconds=5)
        assert not say(it, "unheard", qos=0)
        it.clock.ahead = 10
        client, connack = await it.ask(version=version, **stays(version))
        assert connack.session_present
        assert await heard(client) == ("b", 2, True)
        assert await heard(client) == ("c", 4, False)
        assert it.endpoint.counters.commands_expired == 2


async def test_a_clean_session_forgets() -> None:
    async with city() as it:
        client = await listener(it)
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        assert it.endpoint.sessions == 0
        assert not say(it, "gone")
        client = await listener(it, **STAYS)
        client.send(Disconnect(0, Properties(session_expiry=0)))
        assert await client.closed()
        assert it.endpoint.sessions == 0


async def test_a_session_ends_in_time() -> None:
    async with city() as it:
        client = await listener(it, **STAYS)
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        it.clock.ahead = 900
        it.endpoint.sweep()
        assert say(it, "one", seconds=5)
        it.clock.ahead = 1100
        it.endpoint.sweep()
        assert it.endpoint.sessions == 0
        assert not say(it, "two")


async def test_sessions_survive_the_gateway() -> None:
    store = Memory()
    async with city(store) as it:
        client = await listener(it, **STAYS)
        assert say(it, "a")
        await heard(client)
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        assert say(it, "b")
        await it.until(lambda: len(store.states["DU-1", "c"].commands) == 2)
        state = store.states["DU-1", "c"]
        assert ([command.payload for command in state.commands], state.subscriptions) == (
            [b"a", b"b"],
            {TOPIC: 1},
        )
        assert state.until
    async with city(store) as it:
        assert it.endpoint.sessions == 1
        assert say(it, "c")
        client, connack = await it.ask(**STAYS)
        assert connack.session_present
        assert [(await heard(client))[0] for _ in range(3)] == ["a", "b", "c"]
        client.send(*(Puback(number) for number in (1, 2, 3)))
        await it.until(lambda: store.states["DU-1", "c"].commands == [])
        client.send(Disconnect(0, Properties(session_expiry=0)))
        await it.until(lambda: not store.states)


async def test_only_so_many_commands_and_sessions_are_kept() -> None:
    async with city(session_commands=2, sessions=1) as it:
        client = await listener(it, **STAYS)
        assert [say(it, word) for word in "abc"] == [True, True, False]
        assert it.endpoint.counters.commands_full == 1
        second, connack = await it.ask("DU-2", **STAYS)
        assert connack.properties.session_expiry == 0
        await second.drop()
        await it.until(lambda: it.endpoint.connections == 1)
        assert it.endpoint.sessions == 1
        await client.drop()


async def test_a_command_larger_than_the_client_takes_is_not_sent() -> None:
    async with city() as it:
        client = await listener(it, properties=Properties(maximum_packet_size=60))
        assert say(it, "x" * 60)
        assert say(it, "y")
        assert (await heard(client))[0] == "y"
        assert it.endpoint.counters.commands_too_large == 1


async def test_a_source_hears_the_commands_of_its_devices_once() -> None:
    async with city() as it:
        it.source("bridge", "DU-1")
        client = await it.connect("bridge")
        client.send(Subscribe(1, (Subscription("city/+/+/command", 1), Subscription(TOPIC))))
        await client.expect(Suback)
        expires = it.clock.now() + SECOND
        assert not it.endpoint.deliver("DU-2", "city/dust/DU-2/command", b"x", expires=expires)
        assert say(it, "mine")
        assert await heard(client) == ("mine", 1, False)
        it.source("bridge", "DU-2")
        assert not say(it, "no longer mine")
