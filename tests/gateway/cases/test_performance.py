"""What operators bear, counted: each number can be read off the times of the alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import and_, create_engine, text, update
from sqlalchemy.dialects import sqlite

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.cases import performance as measures
from gateway.cases.performance import (
    By,
    Figures,
    Load,
    Told,
    figures,
    find_floods,
    performance,
    recent,
    standing,
)
from gateway.cases.record import Alarm
from gateway.cases.settings import DeskSettings
from gateway.errors import Invalid
from gateway.store.schema.cases import alarm
from gateway.store.schema.metadata import metadata
from tests.gateway.cases.city import City, moment
from tests.gateway.cases.street import LAMPS, Street

pytestmark = pytest.mark.usefixtures("every_kind")


def told(
    time: int,
    *,
    rule: str = "tilt",
    device: str = "MH-1",
    severity: str = "minor",
    lasted: int | None = None,
) -> Told:
    cleared = None if lasted is None else time + lasted
    return Told(rule, device, severity, "manhole", "xuhui/tianping", time, time, cleared)


def every(seconds: int, count: int, start: int = 0) -> list[int]:
    return [start + place * seconds * SECOND for place in range(count)]


def of(times: Sequence[int], span: int = DAY, operators: int = 1) -> Figures:
    return figures([told(time, device=f"D-{place}") for place, time in enumerate(times)], 0, span, operators)


def test_the_average_is_of_ten_minutes_and_of_one_operator() -> None:
    day = every(600, 144)
    assert (of(day).average, of(day).load) == (1.0, Load.ACCEPTABLE)
    assert (of(every(300, 288)).average, of(every(300, 288)).load) == (2.0, Load.MANAGEABLE)
    assert of(every(299, 289)).load is Load.OVERLOAD
    assert of(every(299, 289), operators=2).load is Load.MANAGEABLE


def test_the_peak_is_of_any_ten_minutes() -> None:
    across = [*every(60, 5, 5 * MINUTE), *every(60, 5, 10 * MINUTE)]  # five on either side of a slot's edge
    assert of(across).peak == 10
    assert of(across).over == 0
    assert of([]).peak == 0


def test_ten_in_ten_minutes_are_no_flood_and_eleven_are() -> None:
    assert find_floods(every(59, 10), DAY) == []
    (flood,) = find_floods(every(59, 11), DAY)
    assert (flood.begin, flood.alarms, flood.peak) == (0, 11, 11)
    assert flood.end == (6 * 59 + 600) * SECOND  # when the fifth from the end is ten minutes old


def test_a_flood_goes_on_until_fewer_than_five_came_in_ten_minutes() -> None:
    storm = every(30, 12)
    slow = every(110, 6, storm[-1] + 110 * SECOND)  # five in any ten minutes still
    (flood,) = find_floods([*storm, *slow], DAY)
    assert flood.alarms == 18
    over = every(160, 6, storm[-1] + 400 * SECOND)
    assert [each.alarms for each in find_floods([*storm, *over], DAY)] == [13]


def test_floods_that_are_parted_are_two_and_count_each_alarm_once() -> None:
    floods = find_floods([*every(30, 12), *every(30, 15, HOUR)], DAY)
    assert [(flood.begin, flood.alarms) for flood in floods] == [(0, 12), (HOUR, 15)]
    assert find_floods(every(30, 12), 6 * MINUTE)[-1].end == 6 * MINUTE  # it still goes on
    assert find_floods(every(30, 12), DAY, operators=2) == []


def test_time_in_flood_is_a_share_of_the_period() -> None:
    found = of(every(30, 12), span=2 * HOUR)
    (flood,) = found.floods
    assert found.flooded == pytest.approx((flood.end - flood.begin) / (2 * HOUR), abs=1e-4)
    assert found.over == pytest.approx(1 / 12, abs=1e-4)


def test_three_raises_within_a_minute_chatter() -> None:
    def chatters(*seconds: int) -> bool:
        return bool(figures([told(each * SECOND) for each in seconds], 0, DAY).chattering)

    assert chatters(0, 30, 59)
    assert not chatters(0, 30, 60)
    assert not chatters(0, 59)
    several = [told(each * SECOND, device=f"D-{each}") for each in (0, 30, 59)]
    assert not figures(several, 0, DAY).chattering


def test_what_is_over_within_a_minute_is_fleeting_unless_it_chatters() -> None:
    brief = told(0, lasted=59 * SECOND)
    whole = told(HOUR, lasted=60 * SECOND)
    chatter = [told(2 * HOUR + each * SECOND, device="MH-2", lasted=SECOND) for each in (0, 20, 40)]
    found = figures([brief, whole, *chatter, told(3 * HOUR)], 0, DAY)
    assert (found.fleeting, [each.device for each in found.chattering]) == (1, ["MH-2"])


def test_the_most_frequent_come_first_with_their_share() -> None:
    several = [told(time, rule="fume", device="FU-1") for time in every(60, 3)]
    found = figures([*several, told(HOUR)], 0, DAY)
    assert [(each.rule, each.times, each.share) for each in found.rules] == [
        ("fume", 3, 0.75),
        ("tilt", 1, 0.25),
    ]
    assert [(each.device, each.times) for each in found.devices] == [("FU-1", 3), ("MH-1", 1)]
    many = [told(time, rule=f"r{place}") for place, time in enumerate(every(60, 20))]
    assert figures(many, 0, DAY).top_share == 0.5


def test_priorities_are_shares_of_what_is_to_be_acted_on() -> None:
    words = ["critical", "major", "minor", "minor", "info"]
    found = figures([told(place, severity=word) for place, word in enumerate(words)], 0, DAY)
    assert found.priorities == {"critical": 0.25, "major": 0.25, "minor": 0.5, "warning": 0.0}


@pytest.fixture
def city(every_kind: str) -> Iterator[City]:  # noqa: ARG001 - it chooses the engine
    with City() as city:
        yield city


def week(city: City, by: By = By.ALL, area: str = "") -> dict[str, Figures]:
    with city.engine.connect() as conn:
        return performance(conn, moment("Mon 00:00"), moment("Sun 23:59"), by=by, area=area, depth=1)


def test_what_was_told_counts_whatever_becomes_of_it(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").raises("fume", "FU-1").raises("dust", "DU-1")
    assert week(city)[""].alarms == 3
    with city.engine.begin() as conn:
        shelved = conn.execute(alarm.select().where(alarm.c.rule == "tilt")).one()
        city.desk.shelve(conn, shelved.id, "token:li", city.now, city.now + HOUR, "painted today")
    city.at("Mon 09:30").clears("tilt", "MH-0042").raises("tilt", "MH-0042")
    assert week(city)[""].alarms == 3
    assert [each.raised for each in told_of(city, "tilt")] == [moment("Mon 09:30")]
    assert [each.told for each in told_of(city, "tilt")] == [moment("Mon 09:00")]


def told_of(city: City, rule: str) -> list[Alarm]:
    return [each for each in city.alarms() if each.rule == rule and each.told is not None]


def test_what_comes_while_it_is_shelved_counts_once_it_is_told(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042")
    with city.engine.begin() as conn:
        city.desk.shelve(conn, city.alarm("MH-0042").id, "token:li", city.now, city.now + HOUR, "painted")
        conn.execute(update(alarm).values(told=None))  # as if it had come on its shelf
    city.at("Mon 09:59")
    assert week(city)[""].alarms == 0
    city.at("Mon 10:01")
    assert [each.told for each in told_of(city, "tilt")] == [moment("Mon 10:00")]


def test_what_is_over_when_it_comes_off_its_shelf_is_told_to_nobody(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042")
    with city.engine.begin() as conn:
        city.desk.shelve(conn, city.alarm("MH-0042").id, "token:li", city.now, city.now + HOUR, "painted")
        conn.execute(update(alarm).values(told=None))  # as if it had come on its shelf
    city.at("Mon 09:30").clears("tilt", "MH-0042").at("Mon 10:01")
    assert city.alarm("MH-0042").state == "cleared"
    assert week(city)[""].alarms == 0


def test_info_is_no_load_and_nothing_that_stands_before_them(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042")
    said = city.transition("fume", "FU-1", True, city.now, city.now)
    city.hear(replace(said, severity="info"))
    assert week(city)[""].alarms == 1
    with city.engine.connect() as conn:
        assert standing(conn, city.now).standing == 1
        assert recent(conn, city.now).alarms == 1


def night(street: City) -> int:
    return week(street)[""].alarms


def test_what_a_storm_speaks_for_is_no_load() -> None:
    with Street(DeskSettings(storm_causes=3)) as street:
        street.at("Mon 20:00").together(*(("supply", f"CB-{number}", True) for number in range(3, 9)))
        assert len(street.cases("cabinet-outage")) == 6
        assert night(street) == 0


def test_what_is_folded_at_once_is_no_load_and_what_was_told_before_stays() -> None:
    with Street() as street:
        street.at("Mon 20:00").together(*(("lamp", lamp, True) for lamp in LAMPS), ("supply", "CB-1", True))
        assert night(street) == 1
    with Street() as street:
        street.at("Mon 20:00").raises("lamp", "SL-A0")
        street.at("Mon 20:00:30").together(("supply", "CB-1", True))
        assert street.one("SL-A0", "lamp").state == "suppressed"
        assert night(street) == 2


def test_what_is_over_with_its_explanation_is_told_then() -> None:
    with Street() as street:
        street.at("Mon 20:00").together(("supply", "CB-1", True), ("lamp", "SL-B1", True))
        street.at("Mon 21:00").together(("supply", "CB-1", False))
        assert night(street) == 1
        street.at("Mon 22:00")
        assert night(street) == 2
        heard = street.one("SL-B1", "lamp").told
        assert heard is not None
        assert heard > moment("Mon 21:00")


def test_a_window_speaks_for_what_comes_inside_it() -> None:
    with Street() as street:
        street.at("Mon 09:00").window("Mon 12:00", device="CB-1")
        street.at("Mon 10:00").raises("door", "CB-1")
        assert night(street) == 0
        street.at("Mon 12:01")
        assert night(street) == 1


def test_what_came_too_late_and_was_over_is_no_load(city: City) -> None:
    city.at("Mon 12:00")
    early = moment("Mon 11:00")
    city.hear(
        city.transition("tilt", "MH-0042", True, early, city.now),
        city.transition("tilt", "MH-0042", False, early + MINUTE, city.now),
    )
    assert week(city)[""].alarms == 0


def test_it_is_told_by_area_and_family(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").raises("fume", "FU-1")
    assert {name: one.alarms for name, one in week(city, By.AREA).items()} == {"xuhui": 2}
    assert {name: one.alarms for name, one in week(city, By.FAMILY).items()} == {"fume": 1, "manhole": 1}
    assert week(city, area="xuhui/tianping")[""].alarms == 2
    assert week(city, area="pudong")[""].alarms == 0


def test_what_stands_for_over_a_day_is_stale(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042")
    city.at("Mon 10:00").raises("fume", "FU-1").at("Mon 11:00").clears("fume", "FU-1")
    with city.engine.connect() as conn:
        assert (standing(conn, moment("Tue 09:00")).standing, standing(conn, moment("Tue 09:00")).stale) == (
            1,
            0,
        )
        late = standing(conn, moment("Tue 09:01"))
        assert (late.stale, [each.device for each in late.oldest]) == (1, ["MH-0042"])
        assert recent(conn, moment("Tue 09:01")).stale == 1
        assert recent(conn, moment("Mon 09:09")).alarms == 1
        assert not recent(conn, moment("Mon 09:09")).flood


def test_a_period_has_its_bounds(city: City) -> None:
    with city.engine.connect() as conn:
        for begin, end in ((0, 0), (0, measures.LONGEST + 1)):
            with pytest.raises(Invalid, match="92 days"):
                performance(conn, begin, end)


def test_the_queries_go_by_an_index() -> None:
    engine = create_engine("sqlite://")
    asked: list[Any] = [measures._when(0, DAY), measures._standing()]
    plans = []
    with engine.connect() as conn:
        metadata.create_all(conn, [alarm])
        for where in asked:
            query = measures._columns().where(and_(*where))
            sql = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
            plans.append(str(conn.execute(text(f"EXPLAIN QUERY PLAN {sql}")).all()))
    engine.dispose()
    assert "ix_alarm_told" in plans[0]
    assert "alarm_uncleared" in plans[1]
