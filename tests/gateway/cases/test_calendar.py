"""The oracle: arrays of minutes and of seconds, counted up. It shares the announced days with the gateway, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import chinese_calendar
import numpy as np
import pytest
from pydantic import ValidationError

from drivers.telemetry import HOUR, MINUTE, SECOND
from gateway.cases.calendar import China, Country, MondayToFriday, named
from gateway.cases.deadline import WORK_DAY, LimitUnit, WorkClock
from gateway.cases.settings import DeskSettings, Escalation
from gateway.config import Config

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHANGHAI = timedelta(hours=8)  # since 1992 without DST
FIRST, LAST = date(2017, 1, 1), date(2027, 1, 1)  # ten years
SPRING = date(2026, 2, 14)  # a Saturday that is worked before the Spring Festival


def minutes_of(first: date, last: date) -> np.ndarray:
    """Whether each minute of city time from `first` to `last` is worked, by the announced days and 8 to 12, 14 to 18."""
    minute = np.arange((last - first).days * 1440)
    days = [first + timedelta(days=n) for n in range((last - first).days)]
    announced = chinese_calendar.constants
    worked = [
        day in announced.workdays or (day.weekday() < 5 and day not in announced.holidays) for day in days
    ]
    hour = minute // 60 % 24
    slots = ((hour >= 8) & (hour < 12)) | ((hour >= 14) & (hour < 18))
    return np.asarray(slots & np.array(worked)[minute // 1440])


def instant(day: date) -> int:
    return (
        int((datetime(day.year, day.month, day.day, tzinfo=UTC) - SHANGHAI - EPOCH).total_seconds()) * SECOND
    )


class TenYears:
    """Deadlines of work-minute limits from any minute of ten Chinese years."""

    def __init__(self) -> None:
        self.worked = minutes_of(FIRST, LAST)
        self.done = np.concatenate([[0], np.cumsum(self.worked)])  # working minutes before each minute
        self.ends = np.flatnonzero(self.worked) + 1  # where the n-th working minute ends
        self.zero = instant(FIRST)

    def end(self, minute: int, length: int) -> int:
        return self.zero + int(self.ends[self.done[minute] + length - 1]) * MINUTE


def test_deadlines_over_ten_chinese_years_are_the_oracles() -> None:
    years, clock, random = TenYears(), WorkClock(calendar=China()), Random(10)
    for _ in range(3_000):
        minute, length = random.randrange(len(years.worked) - 40_000), random.randint(1, 5 * 480)
        start = years.zero + minute * MINUTE
        assert clock.end(LimitUnit.WORK_HOUR, start, length * MINUTE) == years.end(minute, length), minute


@pytest.mark.drill
def test_deadlines_from_every_minute_of_ten_chinese_years_are_the_oracles() -> None:
    years, clock = TenYears(), WorkClock(calendar=China())
    for minute in range(len(years.worked) - 40_000):
        length = 1 + minute % 960
        start = years.zero + minute * MINUTE
        assert clock.end(LimitUnit.WORK_HOUR, start, length * MINUTE) == years.end(minute, length), minute


def test_a_weekend_that_is_worked_counts_and_a_holiday_does_not() -> None:
    clock = WorkClock(calendar=China())
    friday = instant(SPRING) - 24 * HOUR + 17 * HOUR
    assert clock.end(LimitUnit.WORK_DAY, friday, WORK_DAY) == instant(SPRING) + 17 * HOUR
    after = clock.end(LimitUnit.WORK_DAY, friday, 2 * WORK_DAY)
    assert after == instant(date(2026, 2, 24)) + 17 * HOUR  # nine days of Spring Festival between


def days_of_change(zone: str, year: int) -> Iterator[date]:
    """The days of a year on which the zone's offset is not the same at both ends."""
    where, day = ZoneInfo(zone), date(year, 1, 1)
    while day.year == year:
        following = day + timedelta(days=1)
        ends = [
            datetime(each.year, each.month, each.day, tzinfo=where).utcoffset() for each in (day, following)
        ]
        if ends[0] != ends[1]:
            yield day
        day = following


def second_by_second(zone: str, day: date) -> None:
    """Working time up to each second of the day and the hours around it."""
    where, clock = ZoneInfo(zone), WorkClock(zone, calendar=EveryDay())
    begin = int(datetime(day.year, day.month, day.day, tzinfo=where).timestamp()) - 3 * 3600
    done = 0
    for second in range(begin, begin + 30 * 3600):
        wall = datetime.fromtimestamp(second, where)
        if second % 97 == 0 or wall.minute in {0, 29, 30, 59}:
            assert clock.run(LimitUnit.WORK_HOUR, begin * SECOND, second * SECOND) == done * SECOND, wall
        done += 8 <= wall.hour < 12 or 14 <= wall.hour < 18


class EveryDay(MondayToFriday):
    def works(self, day: date) -> bool:
        return day > date.min


def test_a_day_of_summer_time_second_by_second() -> None:
    for zone in ("Europe/Berlin", "Australia/Lord_Howe"):
        second_by_second(zone, next(days_of_change(zone, 2026)))


@pytest.mark.drill
def test_every_zones_days_of_summer_time_second_by_second() -> None:
    seen: set[tuple[date, object, object]] = set()
    for zone in sorted(available_timezones()):
        for day in days_of_change(zone, 2026):
            where = ZoneInfo(zone)
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=where)
            key = (day, noon.utcoffset(), (noon - timedelta(hours=24)).utcoffset())
            if key not in seen:  # many zones share their rules
                seen.add(key)
                second_by_second(zone, day)
    assert len(seen) > 30


def test_a_year_that_nobody_has_announced_is_monday_to_friday_and_not_sure() -> None:
    china, last = China(), max(chinese_calendar.holidays).year
    unknown = date(last + 1, 10, 1)
    assert china.knows(last)
    assert not china.knows(last + 1)
    assert china.works(unknown) == (unknown.weekday() < 5)
    clock = WorkClock(calendar=china)
    eve = instant(date(last, 12, 31))
    assert not clock.sure(LimitUnit.WORK_DAY, eve, eve + 48 * HOUR)
    assert clock.sure(LimitUnit.URGENT_HOUR, eve, eve + 48 * HOUR)
    assert clock.sure(LimitUnit.WORK_DAY, eve - 48 * HOUR, eve)


def test_other_countries_have_calendars_too() -> None:
    berlin, germany = Country("DE-BE"), named("DE")
    womens_day = date(2027, 3, 8)
    assert (berlin.works(womens_day), germany.works(womens_day)) == (False, True)
    with pytest.raises(ValueError, match="no calendar of holidays for 'XX'"):
        named("XX")


def test_a_citys_own_days_go_before_the_calendar() -> None:
    settings = DeskSettings(working=(date(2026, 10, 1),), free=(date(2026, 11, 23),))
    calendar = settings.clock().calendar
    assert calendar.works(date(2026, 10, 1))
    assert not calendar.works(date(2026, 11, 23))


def test_a_calendar_that_does_not_exist_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ValidationError, match="no calendar of holidays for 'atlantis'"):
        Config.model_validate({"desk": {"calendar": "atlantis"}})
    with pytest.raises(ValidationError, match="a share between 0 and 1"):
        DeskSettings(warnings=(1.2,))


def test_that_the_limit_has_run_out_is_always_said() -> None:
    steps = DeskSettings(warnings=(), escalation=(Escalation(at=2, to="mayor"),)).steps()
    assert [(step.at, step.to) for step in steps] == [(1.0, ""), (2.0, "mayor")]
