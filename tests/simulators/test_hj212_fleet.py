"""A fleet of stations for loads: each reports once a period, and all it was told durable is counted with how long it took."""

from __future__ import annotations

import asyncio
from collections import Counter

from gateway.registry.directory import Entry
from simulators.hj212_fleet import Fleet, mn
from simulators.hj212_stations import dial
from simulators.pace import Pace
from tests.gateway.ingest.hj212_city import town


async def test_every_station_reports_once_a_period_and_is_answered() -> None:
    async with town(0) as one:
        one.directory.put([Entry(mn(n), "dust", n, "hj212-dust", "", False, b"") for n in range(20)])
        fleet, over = Fleet(20, 0.5, Pace.real()), asyncio.Event()
        await dial(fleet.stations, "127.0.0.1", one.server.port)
        running = asyncio.ensure_future(fleet.run(over))
        await one.until(lambda: fleet.report()["sent"] >= 20)
        over.set()
        await running
        report = fleet.report()
        assert report["acknowledged"] == report["sent"] == one.server.hub.counters.acknowledged
        assert (report["unanswered"], report["again"], report["connected"]) == (0, 0, 20)
        assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["max"]
        sent = Counter(frame.device for frame in one.frames)
        assert max(sent.values()) - min(sent.values()) <= 1, "evenly spread"
        for station in fleet.stations:
            station.cut()
