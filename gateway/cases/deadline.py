"""When a limit ends. Working time is what the wall clock of the city's zone says it is, across DST as well.

The deadline is the earliest moment at which the whole limit has run (domain G.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from drivers.telemetry import DAY, HOUR, MINUTE
from gateway.cases.calendar import Calendar, MondayToFriday

HOURS: Final = ((time(8), time(12)), (time(14), time(18)))
WORK_DAY: Final = 8 * HOUR  # "1 工作日" is 8 working hours, wherever they fall
PATIENCE: Final = 3_660  # days without an end of the limit: this calendar never works
MARGIN: Final = 3 * HOUR  # around a day on which the offset changes, wherever in it that happens
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Slots = tuple[tuple[time, time], ...]


class LimitUnit(StrEnum):
    """urgent_hour runs on through nights, weekends and holidays; natural_day is 24 such hours."""

    URGENT_HOUR = "urgent_hour"
    NATURAL_DAY = "natural_day"
    WORK_HOUR = "work_hour"
    WORK_DAY = "work_day"


LENGTH: Final = {
    LimitUnit.URGENT_HOUR: HOUR,
    LimitUnit.NATURAL_DAY: DAY,
    LimitUnit.WORK_HOUR: HOUR,
    LimitUnit.WORK_DAY: WORK_DAY,
}
CONTINUOUS: Final = frozenset({LimitUnit.URGENT_HOUR, LimitUnit.NATURAL_DAY})


class WorkClock:
    """Counts working time. hours: wall-clock slots in order, apart and within a day."""

    def __init__(
        self, zone: str = "Asia/Shanghai", hours: Slots = HOURS, calendar: Calendar | None = None
    ) -> None:
        self.zone = ZoneInfo(zone)
        self.hours = hours
        self.calendar = calendar or MondayToFriday()
        self._spans = lru_cache(maxsize=4096)(self._spans_of)

    def end(self, unit: LimitUnit, start: int, length: int) -> int:
        """The earliest t ≥ start at which `length` (µs of the unit's kind of time) has run. All µs UTC."""
        if unit in CONTINUOUS or length <= 0:
            return start + max(length, 0)
        left = length
        for begin, stop in self._working(start):
            opened = max(begin, start)
            if stop - opened >= left:
                return opened + left
            left -= stop - opened
        raise ValueError(f"the calendar has too few working days after {_moment(start).date()}")

    def run(self, unit: LimitUnit, start: int, stop: int) -> int:
        """µs of the unit's kind of time between start and stop; 0 where stop is before start."""
        if stop <= start:
            return 0
        if unit in CONTINUOUS:
            return stop - start
        total = 0
        for begin, end in self._working(start):
            if begin >= stop:
                break
            total += min(end, stop) - max(begin, start)
        return total

    def sure(self, unit: LimitUnit, start: int, end: int) -> bool:
        """Whether every holiday between is known; where not, the end is provisional."""
        first, last = (_moment(at).astimezone(self.zone).year for at in (start, end))
        return unit in CONTINUOUS or all(self.calendar.knows(year) for year in range(first, last + 1))

    def _working(self, start: int) -> Iterator[tuple[int, int]]:
        """Working spans that end after start, in order."""
        first = _moment(start).astimezone(self.zone).date()
        for ahead in range(-1, PATIENCE):
            for begin, stop in self._spans(first + timedelta(days=ahead)):
                if stop > start:
                    yield begin, stop

    def _spans_of(self, day: date) -> Sequence[tuple[int, int]]:
        if not self.calendar.works(day):
            return ()
        midnight = datetime.combine(day, time(), self.zone)
        tomorrow = datetime.combine(day + timedelta(days=1), time(), self.zone)
        if midnight.utcoffset() != tomorrow.utcoffset():
            return self._spans_by_minute(day, _instant(midnight) - MARGIN, _instant(tomorrow) + MARGIN)
        combine = datetime.combine
        return [
            (_instant(combine(day, a, self.zone)), _instant(combine(day, b, self.zone)))
            for a, b in self.hours
        ]

    def _spans_by_minute(self, day: date, begin: int, stop: int) -> Sequence[tuple[int, int]]:
        """A day on which the zone's offset changes: ask the wall clock minute by minute."""
        spans: list[tuple[int, int]] = []
        for at in range(begin, stop, MINUTE):
            wall = _moment(at).astimezone(self.zone)
            if wall.date() != day or not any(a <= wall.time() < b for a, b in self.hours):
                continue
            if spans and spans[-1][1] == at:
                spans[-1] = (spans[-1][0], at + MINUTE)
            else:
                spans.append((at, at + MINUTE))
        return spans


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def _instant(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
