"""Which days are working days. A city's holidays and 调休 enter here, and nowhere else.

A year whose holidays nobody has published yet counts as Monday to Friday; who relies on it is told that it is provisional.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from functools import lru_cache
from typing import Final, Protocol

import chinese_calendar
import holidays

SATURDAY: Final = 5
WEEKDAYS: Final = "weekdays"
CHINA: Final = "CN"


class Calendar(Protocol):
    def works(self, day: date) -> bool:
        """Whether this local date is a working day."""

    def knows(self, year: int) -> bool:
        """Whether the holidays of this year are published; else `works` says Monday to Friday."""


class MondayToFriday:
    """The week without holidays."""

    def works(self, day: date) -> bool:
        return day.weekday() < SATURDAY

    def knows(self, year: int) -> bool:
        return date.min.year <= year <= date.max.year


class China(MondayToFriday):
    """法定节假日 and 调休 as the State Council announces them, each autumn for the year to come."""

    _years: Final = frozenset(day.year for day in chinese_calendar.holidays)

    def works(self, day: date) -> bool:
        return bool(chinese_calendar.is_workday(day)) if self.knows(day.year) else super().works(day)

    def knows(self, year: int) -> bool:
        return year in self._years


class Country(MondayToFriday):
    """Public holidays of a country, or of a part of it, by ISO 3166: "DE", "DE-BE". Raises ValueError."""

    def __init__(self, code: str) -> None:
        country, _, part = code.partition("-")
        try:
            self._days = holidays.country_holidays(country, subdiv=part or None)
        except NotImplementedError as error:
            raise ValueError(f"no calendar of holidays for {code!r}") from error

    def works(self, day: date) -> bool:
        return self._days.is_working_day(day) if self.knows(day.year) else super().works(day)

    def knows(self, year: int) -> bool:
        return self._days.start_year <= year <= self._days.end_year


class Adjusted:
    """A calendar with the city's own days: what they name goes before it, also in a year it does not know."""

    def __init__(self, calendar: Calendar, working: Collection[date], free: Collection[date]) -> None:
        self._calendar = calendar
        self._own = dict.fromkeys(working, True) | dict.fromkeys(free, False)

    def works(self, day: date) -> bool:
        return self._own[day] if day in self._own else self._calendar.works(day)

    def knows(self, year: int) -> bool:
        return self._calendar.knows(year)


@lru_cache(maxsize=16)
def named(name: str) -> Calendar:
    """weekdays, CN, or another code of ISO 3166; raises ValueError."""
    if name == WEEKDAYS:
        return MondayToFriday()
    return China() if name == CHINA else Country(name)
