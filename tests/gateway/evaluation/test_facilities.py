"""A city's day, from registry, history and alarms to figures: who is counted, who is only covered, and against which limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import BigInteger, Connection, Float, Integer, insert, update

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE
from gateway.clock import CityClock
from gateway.errors import TooMany
from gateway.evaluation.compose import Composer
from gateway.evaluation.facilities import WAITING, Facilities
from gateway.evaluation.measures import Figure, Measure
from gateway.evaluation.period import Length, Period, period_of
from gateway.evaluation.settings import EvaluationSettings
from gateway.evaluation.units import By
from gateway.history.compaction import Compactor
from gateway.history.duck import History
from gateway.history.query import Queries
from gateway.history.settings import HistorySettings
from gateway.registry.rulebook import Rulebook
from gateway.store.schema.cases import alarm, case
from rules.document import read_rules
from tests.gateway.history.readings import Said, batch_of, fresh
from tests.gateway.registry.city import City, open_city

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = period_of(
    Length.DAY, date(2026, 9, 21), ZONE
)  # in Shanghai the sun sets at 17:52 and rises at 05:43
SHANGHAI = {"lat": 31.2, "lon": 121.4}
HIGH = {
    "id": "dust-pm10-high",
    "family": "dust",
    "when": "pm10 > limit",
    "limit": {"value": 0.15, "unit": "mg/m3", "min": 0.02, "max": 2},
    "severity": "major",
    "alarm": "pm10TooHigh",
    "source": "test",
    "en": "Too much dust.",
    "zh": "超标。",
}


@dataclass
class Town:
    city: City
    history: History
    queries: Queries
    book: Rulebook
    facilities: Facilities
    ticks: list[int] = field(default_factory=list)

    async def said(self, family: str, rows: Iterable[Said]) -> None:
        batch = batch_of(rows, FAMILIES[family])
        self.ticks.append(1)
        await self.history.commit(len(self.ticks), [batch], [], [fresh(batch)])

    async def fault(
        self, name: str, family: str, index: int, raised: int, cleared: int | None = None
    ) -> None:
        row: dict[str, Any] = {
            "id": f"{raised}",
            "rule": "r",
            "version": 1,
            "name": name,
            "severity": "major",
            "family": family,
            "idx": index,
            "device": "?",
            "device_name": "",
            "area": "",
            "parent": "",
            "standing": cleared is None,
            "state": "cleared" if cleared else "active",
            "raised": raised,
            "received": raised,
            "cleared": cleared,
            "suppression": "",
            "evidence": {},
            "revision": 1,
        }
        await self.city.store.write(lambda conn: conn.execute(insert(alarm), row))

    async def figures(
        self, period: Period = MONDAY, by: By = By.ALL, **more: Any
    ) -> dict[str, dict[Measure, Figure]]:
        return await self.facilities.of(period, by, 1, more.get("areas", ()), more.get("area", ""))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_city(tmp_path) as city:
        city.clock.time = MONDAY.since - 3 * DAY
        settings = HistorySettings(memory_mb=128)
        with History(tmp_path / "history", FAMILIES, settings, CityClock()) as history:
            queries = Queries(history)
            book = Rulebook(
                city.store, city.clock, city.devices.announcer, lambda given: read_rules(given, FAMILIES)
            )
            await book.load([HIGH])
            facilities = Facilities(
                city.store, queries, book, FAMILIES, city.clock, ZONE, EvaluationSettings()
            )
            yield Town(city, history, queries, book, facilities)
            queries.close()


def through(hours: Iterable[int], device: int, **points: float) -> list[Said]:
    """Twice an hour of the Monday."""
    return [
        Said(device, MONDAY.since + hour * HOUR + minute * MINUTE, points)
        for hour in hours
        for minute in (10, 40)
    ]


async def a_monday(town: Town) -> None:
    """Four lamps of 100 W; ten hours are dark as a whole: 00 to 05 and 19 to 24."""
    await town.city.add(
        "A", "B", "C", area="north/1", owner="lighting", attributes={"rated_power": 100}, **SHANGHAI
    )
    await town.city.add("D", area="south", owner="roads", attributes={"rated_power": 100}, **SHANGHAI)
    await town.said("streetlight", through(range(24), 0, power=90))
    await town.said("streetlight", through(range(24), 1, power=0))
    await town.said("streetlight", through(range(12, 24), 3, power=90))
    await town.fault("lampFailure", "streetlight", 1, MONDAY.since + HOUR)
    await town.fault(
        "lampFailure", "streetlight", 0, MONDAY.since + 2 * HOUR, MONDAY.since + 3 * HOUR
    )  # repaired by day's end
    await town.fault("communicationFailure", "streetlight", 2, MONDAY.since)
    town.city.clock.time = MONDAY.until + HOUR


async def test_lamps_that_are_silent_are_coverage_and_neither_lit_nor_failed(town: Town) -> None:
    await a_monday(town)
    lit = (await town.figures())[""][Measure.LIT]
    assert (lit.part, lit.whole, lit.devices, lit.heard) == (15, 25, 4, 3)
    assert lit.value == pytest.approx(0.6)
    assert lit.coverage == pytest.approx(25 / 40)
    assert (lit.target, lit.met) == (0.95, False)
    order = (await town.figures())[""][Measure.INTEGRITY]
    assert (order.part, order.whole) == (2, 3)
    assert order.coverage == pytest.approx(3 / 4)


async def test_what_people_judged_a_false_alarm_is_no_fault(town: Town) -> None:
    await a_monday(town)
    judged = {"id": 7, "verdict": "false_alarm"}
    empty = {
        column.name: 0 if isinstance(column.type, (Integer, BigInteger, Float)) else ""
        for column in case.columns
        if not column.nullable and column.name != "provisional"
    }

    def judge(conn: Connection) -> None:
        conn.execute(insert(case), {**empty, "provisional": False, **judged})
        conn.execute(update(alarm).where(alarm.c.idx == 1).values(case=7))

    await town.city.store.write(judge)
    order = (await town.figures())[""][Measure.INTEGRITY]
    assert (order.part, order.whole) == (3, 3)


async def test_nothing_is_due_in_a_period_to_come_or_of_lamps_by_the_clock(town: Town) -> None:
    await a_monday(town)
    (figures,) = (await town.figures(period_of(Length.MONTH, date(2099, 12, 1), ZONE))).values()
    assert (figures[Measure.LIT].value, figures[Measure.LIT].coverage) == (None, None)
    town.city.clock.time = MONDAY.since - DAY
    await town.city.add("F", area="nowhere")  # no place: 18:00 to 06:00
    town.city.clock.time = MONDAY.until + 2 * HOUR
    (lit,) = [one[Measure.LIT] for one in (await town.figures(by=By.AREA, area="nowhere")).values()]
    assert (lit.devices, lit.heard, lit.value, lit.coverage) == (1, 0, None, 0)
    await town.said("streetlight", through(range(24), 4, switch=1))
    town.facilities.change(EvaluationSettings())
    assert (await town.figures(by=By.AREA))["nowhere"][Measure.LIT].whole == 12


async def test_parts_and_hot_rows_say_the_same(town: Town) -> None:
    await a_monday(town)
    before = await town.figures()
    settings = HistorySettings(memory_mb=128)
    compactor = Compactor(town.history, settings, CityClock(MONDAY.until + 3 * DAY), town.history.last_tick)
    assert await compactor.run() > 0
    town.facilities.change(EvaluationSettings())  # nothing of what was computed holds
    assert await town.figures() == before


async def test_areas_and_owners_are_compared_within_what_the_caller_may_see(town: Town) -> None:
    await a_monday(town)
    areas = await town.figures(by=By.AREA)
    assert {name: one[Measure.LIT].value for name, one in areas.items()} == {"north": 0.5, "south": 1.0}
    assert areas["south"][Measure.LIT].met is True
    owners = await town.figures(by=By.OWNER)
    assert {name: one[Measure.LIT].coverage for name, one in owners.items()} == {
        "lighting": pytest.approx(2 / 3),
        "roads": 0.5,
    }
    assert list(await town.figures(by=By.AREA, areas=("south",))) == ["south"]
    assert list(await town.figures(by=By.AREA, area="north")) == ["north"]


async def test_hours_before_a_lamp_was_there_and_hours_to_come_are_not_due(town: Town) -> None:
    await a_monday(town)
    town.city.clock.time = MONDAY.since + 20 * HOUR + 30 * MINUTE
    await town.city.add("E", area="west", **SHANGHAI)
    town.city.clock.time = MONDAY.since + 22 * HOUR + 59 * MINUTE
    due = {name: one[Measure.LIT].coverage for name, one in (await town.figures(by=By.AREA)).items()}
    assert due == {"north": pytest.approx(16 / 24), "south": pytest.approx(3 / 8), "west": 0.0}
    assert town.facilities.clock.now() < MONDAY.until


async def test_the_clock_may_say_when_lamps_ought_to_be_lit(town: Town) -> None:
    await a_monday(town)
    town.facilities.change(EvaluationSettings(lighting="20:00-22:00"))
    assert (await town.figures())[""][Measure.LIT].whole == 6
    town.facilities.change(EvaluationSettings(lighting="18:30-05:30"))
    assert (await town.figures())[""][Measure.LIT].whole == 25


async def test_a_station_is_held_against_the_limit_in_force_for_it(town: Town) -> None:
    await town.city.add("N", product="generic-dust", area="north")
    await town.city.add("S", product="generic-dust", area="south")
    for device in (0, 1):
        rows = [Said(device, MONDAY.since + 8 * HOUR + n * MINUTE, {"pm10": 200.0}) for n in range(60)]
        await town.said("dust", rows)
    await town.book.override("dust-pm10-high", "limit", "area:north", 0.25, "test", "building permit")
    town.city.clock.time = MONDAY.until
    found = await town.figures(by=By.AREA)
    assert {name: one[Measure.DUST].value for name, one in found.items()} == {"north": 0, "south": 1}
    assert found["south"][Measure.DUST].coverage == pytest.approx(1 / 24)


async def test_a_bay_turns_over_by_the_day(town: Town) -> None:
    await town.city.add("P", product="generic-parking", area="north")
    rows = [Said(0, MONDAY.since + hour * HOUR, {"occupied": float(hour % 2)}) for hour in range(12)]
    await town.said("parking", rows)  # the last word, occupied, is believed until 14:00
    town.city.clock.time = MONDAY.until
    found = (await town.figures())[""]
    assert found[Measure.OCCUPANCY].value == pytest.approx(8 / 14)
    assert found[Measure.TURNOVER].value == pytest.approx(6 / (14 / 24))
    assert found[Measure.TURNOVER].coverage == pytest.approx(14 / 24)


async def test_a_report_says_the_same_and_what_was_before(town: Town) -> None:
    await a_monday(town)
    composer = Composer(town.city.store, town.facilities)
    report = await composer.weekly(date(2026, 9, 23), (), 1, "zh")
    assert (report.title, report.period[:23]) == ("周报", "2026-09-21 – 2026-09-27")
    assert "截至 2026-09-22 01:00" in report.period
    table = next(table for table in report.tables if table.title == "设施指标（按区域）")
    rows = {(row[0], row[1]): row for row in table.rows}
    assert rows["north", "亮灯率"][6] == "否"
    monthly = await composer.monthly(date(2026, 9, 1), ("south",), 1, "en")
    named = {row[0] for table in monthly.tables if table.title == "Facilities by area" for row in table.rows}
    assert named == {"south"}


async def test_who_asks_while_too_many_wait_is_told_to_come_back(town: Town) -> None:
    town.facilities._waiting = WAITING
    with pytest.raises(TooMany):
        await town.figures()
