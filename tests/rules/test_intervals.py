"""What a device's own interval means to its rules: when it is silent, how much of its data came, when that is enough."""

from __future__ import annotations

import copy
from zoneinfo import ZoneInfo

import pytest

from drivers.telemetry import HOUR, MINUTE, SECOND, Quality
from rules.control import DeviceRow, Devices, Parameter
from rules.document import read_rules
from rules.engine import Engine
from rules.explain import LANGUAGES, Explainer
from tests.rules.streams import FAMILIES, PROBE, parameter, rule
from tests.rules.timeline import Timeline, clock

QUIET = rule("quiet", "silent(longest)", longest=parameter(30, "min", 1, 7200))
TELLERS = {each: Explainer(FAMILIES, each, ZoneInfo("Asia/Shanghai")) for each in LANGUAGES}


def every(interval: int) -> DeviceRow:
    return DeviceRow(0, "D-0", "p-one", "north", 31.2, 121.5, interval=interval)


def hourly(interval: int = HOUR) -> Timeline:
    return Timeline(PROBE, QUIET, devices=[every(interval)])


# -- silence


def test_who_reports_each_hour_is_silent_after_two_hours_and_a_half() -> None:
    city = hourly()
    for hour in range(5):
        city.at(f"{10 + hour}:00").says(tilt=1)
    city.at("16:29:59").sweep()
    assert city.story == []
    city.at("16:30").sweep()
    assert city.story == ["raised quiet 16:30:00"]


def test_a_longer_timeout_that_somebody_set_stands() -> None:
    city = hourly()
    city.control(Parameter("quiet", "longest", "device:D-0", 180))
    city.at("10:00").says(tilt=1)
    city.at("13:30").sweep()
    assert city.story == ["raised quiet 13:00:00"]
    assert city.said[0].evidence["timeout"] == 10_800
    assert "interval" not in city.said[0].evidence


def test_a_fixed_timeout_keeps_to_the_interval_too() -> None:
    city = Timeline(PROBE, rule("quiet", "silent(5m)"), devices=[every(HOUR)])
    city.at("10:00").says(tilt=1)
    city.at("13:00").sweep()
    assert city.story == ["raised quiet 12:30:00"]


def test_an_interval_that_changes_counts_from_then_on_and_after_a_restart() -> None:
    city = hourly(MINUTE)
    city.at("10:00").says(tilt=1)
    city.control(Devices("probe", [every(HOUR)]))
    saved = copy.deepcopy(city.engine.snapshot())
    city.at("12:29:59").sweep()
    assert city.story == []
    again = Engine({"probe": PROBE})
    again.restore(saved)
    for engine in (city.engine, again):
        assert [each.time for each in engine.sweep(clock("12:40"))] == [clock("12:30")]
    city.at("13:00").says(tilt=1)
    city.control(Devices("probe", [every(MINUTE)]))
    city.at("13:31").sweep()
    assert city.story == ["cleared quiet 13:00:00", "raised quiet 13:30:00"]


@pytest.mark.parametrize(
    ("interval", "english", "chinese"),
    [
        (
            HOUR,
            "Nothing was heard for 2 h 30 min, 2.5 times the 1 h between its reports; last heard at 2026-03-10 10:00:00.",
            "超过2小时30分钟（该设备上报间隔1小时的2.5倍）未收到任何数据；最后一次收到数据：2026-03-10 10:00:00。",
        ),
        (
            MINUTE,
            "Nothing was heard for the 30 min set by version 1; last heard at 2026-03-10 10:00:00.",
            "超过30分钟未收到任何数据（规则第1版）；最后一次收到数据：2026-03-10 10:00:00。",
        ),
    ],
)
def test_a_person_reads_whether_the_rule_or_the_interval_set_the_deadline(
    interval: int, english: str, chinese: str
) -> None:
    city = hourly(interval)
    city.at("10:00").says(tilt=1)
    city.at("14:00").sweep()
    (checked,) = read_rules([QUIET], FAMILIES)
    said = [TELLERS[each].sentence(checked, "probe", city.said[0].evidence) for each in LANGUAGES]
    assert said == [english, chinese]


# -- coverage


def share(city: Timeline, window: str = "coverage(tilt, 1h)") -> float:
    facts = city.engine.explain("data", "probe", 0)
    assert facts is not None
    value: float = facts["windows"][window]["value"]
    return value


def data(interval: int, when: str = "coverage(tilt, 1h) < 0.75", valid: float = 0.75) -> Timeline:
    return Timeline(PROBE, rule("data", when, hold="1h", valid=valid), devices=[every(interval)])


def fill(city: Timeline, step: int, until: int, bad: int = 0) -> None:
    """A value each `step` s from ten o'clock; of every five, `bad` that may not be judged."""
    for number, second in enumerate(range(0, until, step)):
        minute, rest = divmod(second, 60)
        quality = Quality.FAULT if number % 5 < bad else Quality.GOOD
        city.at(f"{10 + minute // 60}:{minute % 60:02}:{rest:02}").says(tilt=1, quality=quality)


def test_a_healthy_station_covers_its_hour_whatever_its_interval() -> None:
    for step in (30, 60, 300, 1200):
        city = data(step * SECOND)
        fill(city, step, 3 * 3600)
        assert share(city) == pytest.approx(1, abs=0.1)
        assert city.story == []


def test_a_station_whose_values_are_mostly_bad_is_found_though_no_minute_is_empty() -> None:
    city = data(30 * SECOND)
    fill(city, 30, 3 * 3600, bad=3)
    assert share(city) == pytest.approx(0.4, abs=0.02)
    assert city.story == ["raised data 11:04:00"]  # a hold of an hour from the first bucket on


def test_many_values_of_a_few_minutes_do_not_cover_an_hour() -> None:
    city = data(60 * SECOND)
    fill(city, 5, 900)
    city.at("10:58").says(tilt=1)
    assert share(city) == pytest.approx(4 / 15)


def test_coverage_is_known_where_the_window_is_empty_or_too_thin_to_judge() -> None:
    city = data(MINUTE, valid=1.0)
    fill(city, 60, 300)
    city.at("11:30").sweep()
    assert city.story == ["raised data 11:04:00"]
    assert share(city) == 0


def test_a_person_reads_how_much_of_the_data_came() -> None:
    city = data(30 * SECOND)
    fill(city, 30, 3 * 3600, bad=3)
    (checked,) = read_rules([rule("data", "coverage(tilt, 1h) < 0.75", hold="1h")], FAMILIES)
    raised = city.said[0].evidence
    assert raised["windows"]["coverage(tilt, 1h)"]["value"] == pytest.approx(0.4, abs=0.02)
    english, chinese = (TELLERS[each].sentence(checked, "probe", raised) for each in LANGUAGES)
    assert english.startswith(
        "The share of the expected data of tilt in 1 h was 40 %, below 75 %; it held for 1 h"
    )
    assert chinese.startswith("近1小时tilt的有效数据率为40%，低于75%；已持续1小时")


# -- valid


def test_who_reports_faster_than_registered_is_not_judged_sooner() -> None:
    """Five minutes of a 1-minute station: three quarters are known after 200 s, however often it speaks before."""
    high = rule("high", "mean(tilt, 5m) > 10 deg", valid=0.75)
    for step in (5, 30, 60):
        city = Timeline(PROBE, high, devices=[every(MINUTE)])
        for second in range(0, 300, step):
            city.at(f"10:0{second // 60}:{second % 60:02}").says(tilt=30)
        assert city.story == ["raised high 10:03:20"], step


def test_a_window_that_ran_empty_begins_anew() -> None:
    high = rule("high", "mean(tilt, 5m) > 10 deg", valid=0.75)
    city = Timeline(PROBE, high, devices=[every(MINUTE)])
    for second in range(0, 60, 5):
        city.at(f"10:00:{second:02}").says(tilt=30)
    city.at("10:20").sweep()
    for second in range(0, 240, 5):
        city.at(f"10:3{second // 60}:{second % 60:02}").says(tilt=30)
    assert city.story == ["raised high 10:33:20"]
