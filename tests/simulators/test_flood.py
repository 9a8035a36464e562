from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator

import numpy as np
import pytest

from simulators.flood import Flood, Load
from simulators.pace import Pace
from tests.simulators.acker import Server, until
from tests.simulators.evening import START, city


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    await found.start()
    yield found
    await found.close()


def flood(server: Server, load: Load, n: int = 20) -> Flood:
    return Flood(city(n), "127.0.0.1", server.port, secrets={}, pace=Pace(START), load=load)


async def test_every_message_of_a_closed_loop_is_heard_once_and_acknowledged(server: Server) -> None:
    source = flood(server, Load(burst=8, window=32, ramp=5_000, drain=5))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(source.run())
        await until(lambda: source.ledger.acked > 5_000)
        source.stop()
    ledger, heard = source.ledger, defaultdict(list)
    for message in server.heard:
        heard[message.topic].append(json.loads(message.payload)["ts"] * 1_000)
    assert ledger.waiting == 0
    assert ledger.sent == ledger.acked == len(server.heard) == source.latency.count
    assert len(heard) == 20
    for device, name in enumerate(ledger.ids):
        times = ledger.rows["time"][ledger.rows["device"] == device]
        (topic,) = [topic for topic in heard if f"/{name}/" in topic]
        assert times.tolist() == heard[topic]
        assert np.all(np.diff(times) > 0)
    assert (ledger.rows["status"] == 1).all()


async def test_a_rate_is_kept_over_all_devices(server: Server) -> None:
    source = flood(server, Load(rate=2_000, burst=2, window=16, ramp=5_000, drain=5))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(source.run())
        await until(lambda: source.ledger.acked > 1_000)
        source.stop()
    report = source.report()
    assert report["unacked"] == 0
    assert 0 < report["rate"] < 2_200
    counts = np.bincount(source.ledger.rows["device"])
    assert counts.max() - counts.min() <= 2


async def test_refusals_among_acknowledgements_are_found(server: Server) -> None:
    server.refuse = {"telemetry": 0x87}
    source = flood(server, Load(burst=4, window=16, ramp=5_000, five=1.0, drain=5))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(source.run())
        await until(lambda: source.ledger.refused.total() > 500)
        server.refuse = {}
        await until(lambda: source.ledger.acked > 500)
        source.stop()
    assert source.ledger.waiting == 0
    assert source.counts["disorder"] == 0
    rows = source.ledger.rows
    assert (rows["status"] == 0x87).sum() == source.ledger.refused[0x87]
    assert (rows["status"] == 1).sum() == source.ledger.acked


async def test_packet_ids_start_again_after_the_last(server: Server) -> None:
    source = flood(server, Load(burst=50, window=1_000, ramp=5_000, record=False, drain=5), 6)
    server.keep = False
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(source.run())
        await until(lambda: source.connected == 6)
        for link in source.links:
            assert link is not None
        await until(lambda: source.ledger.acked > 6 * 70_000, 20)
        source.stop()
    assert source.ledger.waiting == 0
    assert source.counts["disorder"] == 0
    assert source.ledger.unrecorded == source.ledger.sent
