"""A small crowd of hostile clients beside one good device: it loses nothing, and nothing of theirs stays."""

from __future__ import annotations

import asyncio

from drivers.mqtt.packets import Puback
from simulators.hostile import HABITS, Crowd, Target
from simulators.pace import Pace
from tests.gateway.ingest.mqtt_city import SECRET, city, telemetry


async def test_every_habit_is_survived_and_the_good_device_loses_nothing() -> None:
    async with city(connect_timeout=0.3, sweep=0.1, limits={"attempts_burst": 100}) as it:
        working = asyncio.ensure_future(it.pipeline())
        target = Target("127.0.0.1", it.endpoint.port, ("dust", "DU-1"), ("DU-2", SECRET))
        crowd = Crowd(target, 2 * len(HABITS), seed=7, pace=Pace.real())
        good = await it.connect("DU-1")
        attack = asyncio.ensure_future(crowd.run())
        for number in range(1, 101):
            good.send(telemetry(number))
            assert await good.next() == Puback(number)
            await it.clock.sleep(0.01)
        crowd.stop()
        await attack
        await it.until(lambda: it.endpoint.connections <= 2)  # the good one, and one that is being cut
        working.cancel()
        stored = [
            frame.payload for frame in it.taken if frame.lane and frame.topic.endswith("DU-1/telemetry")
        ]
        assert stored == [b'{"v":{"pm10":%d}}' % number for number in range(1, 101)]
        assert set(crowd.counts) == set(HABITS)
        counters = it.endpoint.counters
        assert min(counters.violations, counters.refused, counters.timeouts + counters.pending_evicted) > 0


def test_the_same_seed_gives_the_same_attack() -> None:
    target = Target("127.0.0.1", 1, ("dust", "DU-1"))
    plans = [
        [(habit, dice.random()) for habit, dice in Crowd(target, 30, seed, Pace.real())._plan]
        for seed in (7, 7, 8)
    ]
    assert plans[0] == plans[1] != plans[2]
