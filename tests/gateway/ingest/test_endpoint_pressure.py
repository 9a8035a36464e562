"""A full inbox stops all sockets and no timer runs meanwhile; a client that does not read is dropped (law 5)."""

from __future__ import annotations

from drivers.mqtt.packets import V311, Connect, Pingreq, Pingresp, Puback, Suback, Subscribe, Subscription
from tests.gateway.ingest.mqtt_city import SECRET, city, telemetry


async def test_a_full_inbox_stops_reading_and_starts_with_who_waits_longest() -> None:
    async with city(bound=10) as it:
        one = await it.connect("DU-1")
        two = await it.connect("DU-2")
        one.send(*(telemetry(number) for number in range(1, 11)))
        await it.until(lambda: it.inbox.paused)
        one.send(telemetry(11))
        two.send(telemetry(1, "DU-2"))
        late = await it.open(V311)
        late.send(Connect("late", username="LP-1", password=SECRET.encode()))
        await it.clock.sleep(0.05)
        assert len(it.inbox.frames) == 10
        frames = await it.frames(10)
        assert not it.inbox.paused
        it.settle(frames)
        assert [await one.next() for _ in range(10)] == [Puback(number) for number in range(1, 11)]
        both = await it.frames(2)
        assert [frame.topic.split("/")[2] for frame in both] == ["DU-2", "DU-1"]
        assert await late.next()


async def test_keepalives_stand_still_while_nobody_is_read() -> None:
    async with city(bound=2) as it:
        idle = await it.connect("DU-2", keepalive=10)
        busy = await it.connect("DU-1")
        it.clock.ahead = 5
        busy.send(telemetry(1), telemetry(2))
        await it.until(lambda: it.inbox.paused)
        it.clock.ahead = 500
        it.endpoint.sweep()
        it.settle(await it.frames(2))
        it.endpoint.sweep()
        idle.send(Pingreq())
        assert await idle.next() == Pingresp()
        assert it.endpoint.counters.keepalives == 0
        it.clock.ahead = 516
        it.endpoint.sweep()
        await it.until(lambda: it.endpoint.connections == 1)


async def test_a_client_that_does_not_read_is_dropped() -> None:
    async with city(write_limit=4096) as it:
        client = await it.connect(keepalive=10)
        client.send(Subscribe(1, (Subscription("city/dust/DU-1/command"),)))
        await client.expect(Suback)
        large = bytes(1 << 20)
        for _ in range(100):
            it.endpoint.deliver("DU-1", "city/dust/DU-1/command", large, expires=1 << 62)
        await it.until(lambda: it.endpoint.connections == 0)
        assert it.endpoint.counters.not_reading == 1
        assert it.presence.heard == ["+DU-1", "-DU-1 not_reading"]
