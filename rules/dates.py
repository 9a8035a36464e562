"""Days of the week, working days and holidays. The calendar is data out of the log: no table of years is built in.

A year that the calendar does not name is unknown: neither working day nor holiday.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from rules.control import Calendar
from rules.tree import WEEK

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Int64, UInt8

_EPOCH: Final = date(1970, 1, 1).toordinal()
_THURSDAY: Final = 3  # 1970-01-01
UNKNOWN, WORKED, FREE, HOLIDAY = range(4)


class Dates:
    """One byte a day of the calendar's years."""

    def __init__(self) -> None:
        self.calendar = Calendar([])
        self._first = 0
        self._kinds: UInt8 = np.zeros(1, np.uint8)

    def follow(self, calendar: Calendar) -> None:
        """Raises ValueError for a date that is none, or a year before 1970 or after 2200."""
        kinds, first = _kinds(calendar)
        self.calendar, self._kinds, self._first = calendar, kinds, first

    def are(self, kind: str, day: Int64) -> tuple[Bool, Bool]:
        """(known to be, known not to be) such days; day: since 1970-01-01."""
        if kind in {"workday", "holiday"}:
            place = day - self._first
            inside = (place >= 0) & (place < len(self._kinds))
            found = np.where(inside, self._kinds.take(place, mode="clip"), UNKNOWN)
            held = found == (WORKED if kind == "workday" else HOLIDAY)
            return held, ~held & (found != UNKNOWN)
        weekday = (day + _THURSDAY) % 7
        if kind in WEEK:
            held = weekday == WEEK.index(kind)
        else:
            held = weekday < 5 if kind == "weekday" else weekday >= 5
        return held, ~held


def _kinds(calendar: Calendar) -> tuple[UInt8, int]:
    years = sorted(set(calendar.years))
    if not years:
        return np.zeros(1, np.uint8), 0
    if not 1970 <= years[0] <= years[-1] <= 2200:
        raise ValueError(f"a calendar has years from 1970 to 2200, found {years[0]} to {years[-1]}")
    first = _day(date(years[0], 1, 1))
    kinds = np.zeros(_day(date(years[-1], 12, 31)) - first + 1, np.uint8)
    for year in years:
        days = np.arange(_day(date(year, 1, 1)), _day(date(year, 12, 31)) + 1)
        kinds[days - first] = np.where((days + _THURSDAY) % 7 < 5, WORKED, FREE)
    for texts, kind in ((calendar.holidays, HOLIDAY), (calendar.workdays, WORKED)):
        for text in texts:
            day = date.fromisoformat(text)
            if day.year not in years:
                raise ValueError(f"{text} lies in none of the calendar's years")
            kinds[_day(day) - first] = kind
    return kinds, first


def _day(day: date) -> int:
    return day.toordinal() - _EPOCH
