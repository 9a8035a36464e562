"""Who is there: wills, keepalives, takeovers and clones (design 3)."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import V5, V311, Connack, Disconnect, Pingreq, Pingresp, Properties, Will
from drivers.refusal import Reason
from tests.gateway.ingest.mqtt_city import city, telemetry

VERSIONS = pytest.mark.parametrize("version", [V311, V5])
WILL = Will("city/dust/DU-1/status", b'{"state":"offline"}', 1, retain=True)


def delayed(seconds: int) -> dict[str, Any]:
    return {
        "clean_start": False,
        "will": Will(WILL.topic, WILL.payload, properties=Properties(will_delay=seconds)),
        "properties": Properties(session_expiry=100),
    }


@VERSIONS
async def test_a_lost_device_speaks_its_last_will(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version, will=WILL)
        await client.drop()
        (frame,) = await it.frames(1)
        assert frame.lane is it.lanes["generic-dust", "dust", "status"]
        assert (frame.payload, frame.token, frame.device) == (WILL.payload, 0, 0)
        assert it.presence.heard == ["+DU-1", "-DU-1 lost"]
        assert it.endpoint.counters.wills == 1


@VERSIONS
async def test_a_device_that_takes_leave_does_not(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version, will=WILL)
        client.send(Disconnect())
        assert await client.closed()
        await it.until(lambda: it.endpoint.connections == 0)
        assert it.inbox.frames == []


async def test_a_device_may_leave_with_its_will() -> None:
    async with city() as it:
        client = await it.connect(will=WILL)
        client.send(Disconnect(ReasonCode.DISCONNECT_WITH_WILL))
        assert await client.closed()
        assert len(await it.frames(1)) == 1


async def test_a_violation_is_an_abnormal_end() -> None:
    async with city() as it:
        client = await it.connect(will=WILL)
        client.raw(b"\xff\xff")
        await client.expect(Disconnect)
        assert len(await it.frames(1)) == 1


async def test_a_will_under_a_foreign_topic_is_refused() -> None:
    async with city() as it:
        client = await it.connect(will=Will("city/dust/DU-2/status", b"{}"))
        await client.drop()
        (frame,) = await it.frames(1)
        assert (frame.verdict, frame.token) == (Reason.FOREIGN_TOPIC, 0)


async def test_a_delayed_will_waits_for_the_client_to_come_back() -> None:
    async with city() as it:
        client = await it.connect(**delayed(10))
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        it.clock.ahead = 9
        it.endpoint.sweep()
        client = await it.connect(**delayed(10))
        it.clock.ahead = 30
        it.endpoint.sweep()
        assert it.inbox.frames == []
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        it.clock.ahead = 41
        it.endpoint.sweep()
        assert len(it.inbox.frames) == 1


async def test_a_delayed_will_is_due_when_the_session_is_given_up() -> None:
    async with city() as it:
        client = await it.connect(**delayed(10))
        await client.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        await it.connect(clean_start=True)
        assert len(it.inbox.frames) == 1


@VERSIONS
async def test_a_silent_device_is_gone_after_one_and_a_half_keepalives(version: int) -> None:
    async with city() as it:
        client = await it.connect(version=version, keepalive=10, will=WILL)
        it.clock.ahead = 14
        it.endpoint.sweep()
        client.send(Pingreq())
        assert await client.next() == Pingresp()
        it.clock.ahead = 28
        it.endpoint.sweep()
        assert it.endpoint.counters.keepalives == 0
        it.clock.ahead = 30
        it.endpoint.sweep()
        if version == V5:
            assert await client.next() == Disconnect(ReasonCode.KEEP_ALIVE_TIMEOUT)
        assert await client.closed()
        assert it.presence.heard[-1] == "-DU-1 keepalive"
        assert len(it.inbox.frames) == 1


async def test_without_keepalive_silence_is_no_end_before_mqtt_5() -> None:
    async with city() as it:
        await it.connect(version=V311, keepalive=0)
        await it.connect("DU-2", version=V5, keepalive=0)
        it.clock.ahead = 100_000
        it.endpoint.sweep()
        await it.until(lambda: it.endpoint.connections == 1)
        assert it.presence.heard == ["+DU-1", "+DU-2", "-DU-2 keepalive"]


async def test_the_sweep_runs_by_itself() -> None:
    async with city(sweep=0.01) as it:
        client = await it.connect(keepalive=10)
        it.clock.ahead = 20
        assert await client.next() == Disconnect(ReasonCode.KEEP_ALIVE_TIMEOUT)


@VERSIONS
async def test_the_same_client_takes_its_session_over(version: int) -> None:
    async with city() as it:
        first = await it.connect(version=version, will=WILL)
        second = await it.connect(version=version)
        if version == V5:
            assert await first.next() == Disconnect(ReasonCode.SESSION_TAKEN_OVER)
        assert await first.closed()
        second.send(telemetry(1))
        will, frame = await it.frames(2)
        assert (will.token, frame.token) == (0, 1)
        assert it.endpoint.counters.takeovers == 1
        assert (it.endpoint.connections, it.endpoint.sessions) == (1, 1)


async def test_another_client_id_or_another_name_takes_nothing_over() -> None:
    async with city() as it:
        await it.connect(client_id="a")
        await it.connect(client_id="b")
        await it.connect("DU-2", client_id="a")
        assert it.endpoint.counters.takeovers == 0
        assert it.presence.heard == ["+DU-1", "+DU-2"]  # present once, however many connections


async def test_presence_ends_with_the_last_connection() -> None:
    async with city() as it:
        one = await it.connect(client_id="a")
        two = await it.connect(client_id="b")
        await one.drop()
        await it.until(lambda: it.endpoint.connections == 1)
        assert it.presence.heard == ["+DU-1"]
        await two.drop()
        await it.until(lambda: it.endpoint.connections == 0)
        assert it.presence.heard == ["+DU-1", "-DU-1 lost"]


@VERSIONS
async def test_too_many_takeovers_are_a_clone(version: int) -> None:
    async with city(takeovers=3) as it:
        rival = await it.connect(version=version)
        for _ in range(3):
            rival = await it.connect(version=version)
        newcomer, connack = await it.ask(version=version)
        assert connack == Connack(ReasonCode.CONNECTION_RATE_EXCEEDED if version == V5 else 3)
        assert await newcomer.closed()
        assert "cloned DU-1" in it.presence.heard
        rival.send(Pingreq())
        assert await rival.next() == Pingresp()  # who is there stays
        it.clock.ahead = 61
        await it.connect(version=version)
        assert (it.endpoint.counters.takeovers, it.endpoint.counters.clones) == (4, 1)
