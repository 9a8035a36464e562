"""Forwarding to a bureau's platform, which here is our own station server: nothing is missing, whatever the link does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from drivers.families import FAMILIES
from drivers.hj212.crc import Crc
from drivers.products import catalog
from drivers.telemetry import MINUTE, SECOND, Batch, Kind, Quality
from gateway.errors import StoreError
from gateway.history.duck import History
from gateway.history.replay import Replayed
from gateway.ingest.hj212_settings import ForwardSettings
from gateway.notify.bureau import Bureau, Cursor
from gateway.registry.directory import Directory, Entry
from gateway.tasks import Tasks
from tests.gateway.ingest.hj212_city import ZONE, Town, town

DUST = FAMILIES["dust"]


class Log:
    """A history of ticks, in memory."""

    def __init__(self) -> None:
        self.ticks: list[Replayed] = []

    def last_tick(self) -> int:
        return len(self.ticks)

    def replay(self, after: int) -> Iterator[Replayed]:
        yield from self.ticks[after:]

    def add(self, *rows: tuple[int, int, float, Quality, Kind]) -> None:
        """Rows of device, time, PM10, quality and kind."""
        batch = Batch.empty(DUST, len(rows))
        for place, (device, time, value, quality, kind) in enumerate(rows):
            batch.device[place], batch.time[place], batch.kind[place] = device, time, kind
            point = DUST.index["online" if kind is Kind.STATUS else "pm10"]
            batch.values[point, place], batch.quality[point, place] = value, quality
        self.ticks.append(Replayed(len(self.ticks) + 1, [batch], []))


def bureau(one: Town, history: Log, folder: Path, port: int = 0, **settings: Any) -> Bureau:
    directory = Directory()
    directory.put(
        [
            Entry("DU-1", "dust", 0, "generic-dust", "", False, b""),
            Entry("DU-2", "dust", 1, "hj212-dust", "", False, b""),
            Entry("DU-3", "dust", 2, "hj212-dust", "", False, b""),
        ]
    )
    whole = {
        "name": "district",
        "host": "127.0.0.1",
        "port": port or one.server.port,
        "stations": {"DU-1": "M0000", "DU-2": "M0001"},
        "answer_timeout": 0.2,
        "reconnect": 0.02,
        "poll": 0.02,
        "only_new": False,
        **settings,
    }
    return Bureau(
        ForwardSettings.model_validate(whole),
        cast("History", history),
        directory,
        catalog(),
        one.clock,
        ZONE,
        folder,
    )


async def test_readings_of_named_devices_arrive_with_kind_and_quality(tmp_path: Path) -> None:
    async with town(2) as one, Tasks() as tasks:
        now = one.clock.now() // MINUTE * MINUTE
        history = Log()
        history.add(
            (0, now, 80.5, Quality.GOOD, Kind.SAMPLE),
            (1, now, 12_000.0, Quality.FAULT, Kind.SAMPLE),
            (2, now, 70.0, Quality.GOOD, Kind.SAMPLE),
            (0, now, 1.0, Quality.GOOD, Kind.STATUS),
        )
        history.add((1, now - 10 * MINUTE, 90.0, Quality.GOOD, Kind.MINUTE))
        client = bureau(one, history, tmp_path)
        tasks.start("bureau", client.run())
        await one.until(lambda: client.cursor == Cursor(2, 3))
        batch = Batch.concat(one.batches)
        order = np.lexsort((batch.kind, batch.device))
        assert batch.device[order].tolist() == [0, 1, 1]
        assert batch.time[order].tolist() == [now, now, now - 10 * MINUTE]
        assert batch.kind[order].tolist() == [Kind.SAMPLE, Kind.SAMPLE, Kind.MINUTE]
        pm10 = DUST.index["pm10"]
        assert batch.values[pm10, order].tolist() == [80.5, 12_000.0, 90.0]
        assert batch.quality[pm10, order].tolist() == [Quality.GOOD, Quality.FAULT, Quality.GOOD]
        assert one.refusals == []


async def test_an_outage_costs_lag_and_no_reading(tmp_path: Path) -> None:
    """The platform goes with messages unacknowledged, and comes back on its port."""
    history = Log()
    async with town(2, retries=0) as first, Tasks() as tasks:
        start = first.clock.now() // MINUTE * MINUTE - 200 * SECOND
        for step in range(50):
            history.add((0, start + step * SECOND, 60.0 + step, Quality.GOOD, Kind.SAMPLE))
        client = bureau(first, history, tmp_path)
        port = first.server.port
        tasks.start("bureau", client.run())
        await first.until(lambda: client.cursor.tick == 50)
        first.settling = False
        for step in range(50, 100):
            history.add((0, start + step * SECOND, 60.0 + step, Quality.GOOD, Kind.SAMPLE))
        await first.until(lambda: first.server.hub.counters.uploads > 50)
        await first.server.stop()
        await first.until(lambda: bool(client.error))
        assert not client.connected
        async with town(2, port=port) as second:
            await second.until(lambda: client.cursor.tick == 100)
            wanted = {start + step * SECOND for step in range(100)}
            assert first.times(0) | second.times(0) == wanted
            assert client.connected


async def test_a_restart_goes_on_where_the_last_run_was_acknowledged(tmp_path: Path) -> None:
    async with town(2) as one:
        now = one.clock.now() // SECOND * SECOND
        history = Log()
        history.add((0, now, 60.0, Quality.GOOD, Kind.SAMPLE))
        for tick in (1, 2):
            async with Tasks() as tasks:
                client = bureau(one, history, tmp_path)
                tasks.start("bureau", client.run())
                await one.until(lambda client=client, tick=tick: client.cursor.tick == tick)  # type: ignore[misc]
            history.add((0, now + tick * SECOND, 61.0, Quality.GOOD, Kind.SAMPLE))
        assert one.rows == 2
        assert bureau(one, history, tmp_path).cursor == Cursor(2, 2)


async def test_a_platform_that_answers_nothing_is_dialled_anew(tmp_path: Path) -> None:
    async with town(2) as one, Tasks() as tasks:
        one.settling = False
        history = Log()
        history.add((0, one.clock.now(), 60.0, Quality.GOOD, Kind.SAMPLE))
        client = bureau(one, history, tmp_path, answer_timeout=0.02, retries=1)
        tasks.start("bureau", client.run())
        await one.until(lambda: one.server.hub.counters.accepted >= 2)
        one.settling = True
        await one.until(lambda: client.cursor.tick == 1)
        assert client.settings.crc is Crc.HJ212


async def test_only_new_readings_where_so_configured_and_a_damaged_cursor_stops(tmp_path: Path) -> None:
    async with town(2) as one:
        history = Log()
        history.add((0, 1, 60.0, Quality.GOOD, Kind.SAMPLE))
        assert bureau(one, history, tmp_path, only_new=True).cursor.tick == 1
        (tmp_path / "forward-district.json").write_text("{")
        with pytest.raises(StoreError, match="sent again"):
            bureau(one, history, tmp_path)
