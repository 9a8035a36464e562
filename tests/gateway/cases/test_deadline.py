"""The oracle asks the wall clock minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.cases.calendar import MondayToFriday
from gateway.cases.deadline import WORK_DAY, LimitUnit, WorkClock
from tests.gateway.cases.city import moment, show

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]
CLOCK = WorkClock()


def wall(at: int, zone: str) -> datetime:
    return (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))


def works(at: int, clock: WorkClock) -> bool:
    local = (EPOCH + timedelta(microseconds=at)).astimezone(clock.zone)
    return local.weekday() < 5 and any(a <= local.time() < b for a, b in clock.hours)


def oracle_end(clock: WorkClock, start: int, minutes: int) -> int:
    at = start
    while minutes:
        minutes -= works(at, clock)
        at += MINUTE
    return at


@pytest.mark.parametrize(
    ("start", "unit", "amount", "end"),
    [
        ("Fri 17:00", LimitUnit.WORK_HOUR, 2 * HOUR, "Mon 09:00"),
        (
            "Fri 17:00",
            LimitUnit.WORK_HOUR,
            1 * HOUR,
            "Fri 18:00",
        ),  # the limit has run at 18:00, not on Monday
        ("Mon 11:30", LimitUnit.WORK_HOUR, 1 * HOUR, "Mon 14:30"),
        ("Sat 10:00", LimitUnit.WORK_DAY, WORK_DAY, "Mon 18:00"),
        ("Thu 10:00", LimitUnit.WORK_DAY, 2 * WORK_DAY, "Mon 10:00"),
        ("Sat 23:10", LimitUnit.URGENT_HOUR, 2 * HOUR, "Sun 01:10"),
        ("Fri 17:00", LimitUnit.NATURAL_DAY, 2 * DAY, "Sun 17:00"),
    ],
)
def test_limits_of_the_field(start: str, unit: LimitUnit, amount: int, end: str) -> None:
    assert show(CLOCK.end(unit, moment(start), amount)) == end


@pytest.mark.parametrize("unit", LimitUnit)
@pytest.mark.parametrize(("start", "stop"), [("Mon 15:30", "Mon 15:00"), ("Tue 09:00", "Mon 15:00")])
def test_nothing_runs_from_later_to_earlier(unit: LimitUnit, start: str, stop: str) -> None:
    assert CLOCK.run(unit, moment(start), moment(stop)) == 0


def test_seconds_are_kept() -> None:
    assert show(CLOCK.end(LimitUnit.WORK_HOUR, moment("Mon 11:59:30"), 45 * SECOND)) == "Mon 14:00:15"


@given(
    zone=st.sampled_from(ZONES),
    start=st.integers(0, 2 * 365 * 24 * 60),
    minutes=st.integers(1, 3 * 480),
)
@settings(max_examples=100)
def test_the_end_equals_the_oracle_and_run_is_its_inverse(zone: str, start: int, minutes: int) -> None:
    clock = WorkClock(zone)
    begin = moment("Mon 00:00") + start * MINUTE
    end = clock.end(LimitUnit.WORK_HOUR, begin, minutes * MINUTE)
    assert end == oracle_end(clock, begin, minutes)
    assert clock.run(LimitUnit.WORK_HOUR, begin, end) == minutes * MINUTE
    assert clock.run(LimitUnit.WORK_HOUR, begin, end - SECOND) < minutes * MINUTE


NIGHT = ((time(0), time(4)), (time(22), time(23, 59)))  # slots in which offsets do change


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", date(2025, 3, 30)),
        ("Europe/Berlin", date(2025, 10, 26)),
        ("America/New_York", date(2025, 3, 9)),
        ("America/Santiago", date(2025, 4, 5)),
        ("America/Santiago", date(2025, 9, 7)),
        ("Australia/Lord_Howe", date(2025, 4, 6)),
        ("Asia/Beirut", date(2025, 3, 30)),
    ],
)
def test_days_on_which_the_clock_is_changed(zone: str, day: date) -> None:
    clock = WorkClock(zone, NIGHT, EveryDay())
    noon = datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC)
    begin = (noon - timedelta(hours=36) - EPOCH) // timedelta(microseconds=1)
    minutes = [at for at in range(begin, begin + 3 * DAY, MINUTE) if in_slots(at, clock)]
    for passed in range(1, len(minutes) + 1, 7):
        expected = minutes[passed - 1] + MINUTE
        assert clock.end(LimitUnit.WORK_HOUR, begin, passed * MINUTE) == expected


def test_a_day_that_never_was_has_no_hours() -> None:
    clock = WorkClock("Pacific/Apia", calendar=EveryDay())  # 2011-12-30 was left out
    start = datetime(2011, 12, 29, 18, tzinfo=clock.zone).astimezone(UTC)
    begin = (start - EPOCH) // timedelta(microseconds=1)
    end = clock.end(LimitUnit.WORK_HOUR, begin, 8 * HOUR)
    assert wall(end, "Pacific/Apia").isoformat() == "2011-12-31T18:00:00+14:00"


def test_a_calendar_that_never_works_is_a_fault_and_not_a_loop() -> None:
    with pytest.raises(ValueError, match="too few working days"):
        WorkClock(calendar=NoDay()).end(LimitUnit.WORK_HOUR, moment("Mon 00:00"), HOUR)


class EveryDay(MondayToFriday):
    def works(self, day: date) -> bool:
        return day > date.min


class NoDay(MondayToFriday):
    def works(self, day: date) -> bool:
        return day < date.min


def in_slots(at: int, clock: WorkClock) -> bool:
    local = (EPOCH + timedelta(microseconds=at)).astimezone(clock.zone)
    return any(a <= local.time() < b for a, b in clock.hours)
