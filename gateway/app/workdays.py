"""The working calendar as a row of the log: rules ask it, and a replay must know what they were told (design 2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from gateway.cases.calendar import SATURDAY, Calendar
from rules.control import Calendar as Told


def told(calendar: Calendar, year: int) -> Told:
    """What the calendar knows of the year, the one before and the one after. Holidays are working weekdays that are free."""
    years = [each for each in (year - 1, year, year + 1) if calendar.knows(each)]
    days = [day for each in years for day in _days(each)]
    return Told(
        years,
        [day.isoformat() for day in days if day.weekday() < SATURDAY and not calendar.works(day)],
        [day.isoformat() for day in days if day.weekday() >= SATURDAY and calendar.works(day)],
    )


def _days(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)
