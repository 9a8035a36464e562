from __future__ import annotations

import pytest

from drivers.families import FAMILIES
from gateway.cli.bench import loads
from gateway.cli.bench.bare import Size
from gateway.cli.bench.figure import Figure
from gateway.cli.bench.flood import Plan
from gateway.cli.bench.single import receiving, ten_rules
from gateway.cli.bench.stages import stages
from gateway.cli.bench.town import CARRIED, POINTS, READ, Town, cut
from gateway.cli.bench.whole import whole

START = 1_790_078_400_000_000
SMALL = Size(devices=60, ticks=1)


def measured(figures: list[Figure]) -> bool:
    return all(one.value is not None and one.value >= 0 and not one.error for one in figures)


def test_every_family_speaks_five_points() -> None:
    assert POINTS.keys() == FAMILIES.keys()
    for family, names in POINTS.items():
        assert len(set(names)) == 5
        assert set(names) <= FAMILIES[family].index.keys()


def test_a_tick_carries_each_device_once_in_whole_reads() -> None:
    town = Town(1_000, START)
    reads = town.reads(0)
    assert [one.carrier for one in reads] == [0, 1, 2]
    data = b"".join(chunk for one in reads for chunk in one.chunks)
    assert all(data.count(f"/{device}/".encode()) == 1 for device in town.ids)
    assert town.carriers * CARRIED >= len(town)


def test_reads_are_cut_where_the_event_loop_would() -> None:
    data = bytes(2 * READ + 1)
    assert [len(chunk) for chunk in cut(data)] == [READ, READ, 1]


async def test_every_stage_is_measured() -> None:
    found = await stages(SMALL)
    assert measured(found)
    assert sum(one.budget is not None for one in found) == 6


async def test_the_running_pipeline_is_measured() -> None:
    assert measured(await whole(SMALL))


async def test_receiving_alone_is_measured() -> None:
    assert measured(await receiving(SMALL))


def test_ten_rules_are_measured() -> None:
    assert measured([ten_rules(SMALL)])


@pytest.mark.drill
@pytest.mark.parametrize("watch", ["", "alarms", "gaps"])
async def test_a_small_load_goes_through_a_real_gateway(watch: str) -> None:
    load = loads.Load("small", Plan(60, rate=300), lambda seen: [Figure("rate", "msg/s", seen.rate)], watch)
    (one,) = await loads.measure(load, 0.5)
    assert not one.error
    assert one.value is not None
    assert one.value > 0
