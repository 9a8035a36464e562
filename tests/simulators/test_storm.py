"""Everyone delivers what waits in it and is done; who is not to stay leaves; an end is an end, though some are left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from simulators.pace import Pace
from simulators.storm import Storm
from tests.simulators.acker import Server, until
from tests.simulators.evening import START, city

DEVICES = 40


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    await found.start()
    yield found
    await found.close()


def storm(server: Server, stay: int = DEVICES) -> Storm:
    pace = Pace(START)
    addresses = ["127.0.0.2", "127.0.0.3"]
    return Storm(
        city(DEVICES),
        "127.0.0.1",
        server.port,
        secrets={},
        pace=pace,
        ramp=5_000,
        backlog=3,
        stay=stay,
        addresses=addresses,
    )


async def test_everyone_delivers_its_backlog_once(server: Server) -> None:
    it = storm(server, stay=10)
    async with asyncio.timeout(20):
        await it.run()
    report = it.report()
    assert (report["drained"], report["left"], report["acked"], report["unacked"]) == (
        DEVICES,
        0,
        3 * DEVICES,
        0,
    )
    assert set(Counter(message.topic for message in server.heard).values()) == {3}
    assert len(server.connects) == DEVICES
    assert 0 < report["drained_s"]["p50"] <= report["drained_s"]["p100"]


async def test_they_come_from_as_many_addresses_as_they_are_told(server: Server) -> None:
    it = storm(server)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        server.mute = 1 << 20
        group.create_task(it.run())
        await until(lambda: len(server.links) == DEVICES)
        hosts = Counter(
            link.transport.get_extra_info("peername")[0]
            for link in server.links
            if link.transport is not None
        )
        it.stop()
    assert hosts == {"127.0.0.2": DEVICES // 2, "127.0.0.3": DEVICES // 2}
    assert it.report()["left"] == DEVICES
