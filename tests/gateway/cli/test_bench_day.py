"""The city whose last day is asked for, in small: a reading a minute of each, in parts, before the gateway's first tick."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE
from gateway.cli.bench import day
from gateway.cli.bench.figure import Figure
from gateway.cli.bench.link import links
from gateway.cli.bench.town import SEED
from gateway.config import Config
from gateway.history.duck import History
from gateway.history.query import Queries
from simulators.world.city import City
from tests.gateway.registry.city import StandingClock

END = 20_700 * DAY + 9 * HOUR


async def test_the_day_is_whole_on_both_sides_of_midnight(tmp_path: Path) -> None:
    city, config = City.build(40, SEED, END - DAY), Config(data=tmp_path / "data")
    written = await day._write(config, city, END)
    assert sum(written.rows.values()) == 40 * 15 * 60  # of the day that is over
    assert all(written.bytes[name] > 0 for name in written.rows)
    with History(tmp_path / "data" / "history", FAMILIES, config.history, StandingClock()) as history:
        assert history.last_tick() == 2 + DAY // day.TICK
        queries = Queries(history)
        try:
            found = await queries.range_(FAMILIES["streetlight"], 3, END - DAY, END + MINUTE)
        finally:
            queries.close()
    assert len(found) == day.MINUTES
    assert found.tick.max() <= DAY // day.TICK + 1
    assert (found.received > found.time).all()


@pytest.mark.drill
@pytest.mark.peer("mosquitto")
async def test_the_lines_are_measured_in_small() -> None:
    found: list[Figure] = [*await day.days(2.0, devices=100, rate=200), *await links(2_000, 1)]
    assert [one.error for one in found if one.error] == []
    assert len(found) == 6
