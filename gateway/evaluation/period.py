"""Days, weeks from Monday and months of a city's own zone; each has one before it."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from drivers.telemetry import SECOND
from gateway.errors import Invalid

FIRST: Final = date(1980, 1, 1)
LAST: Final = date(2099, 12, 31)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Length(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Period(NamedTuple):
    """first ≤ local day < after, which is since ≤ time < until (µs UTC)."""

    length: Length
    first: date
    after: date
    zone: ZoneInfo

    @property
    def since(self) -> int:
        return midnight(self.first, self.zone)

    @property
    def until(self) -> int:
        return midnight(self.after, self.zone)

    @property
    def before(self) -> Period:
        return period_of(self.length, self.first - timedelta(days=1), self.zone)

    @property
    def last(self) -> date:
        return self.after - timedelta(days=1)

    def days(self, end: int) -> list[tuple[int, int]]:
        """(start, end) of each local day that begins before `end`; the last one may be cut by it."""
        edges = [
            midnight(self.first + timedelta(days=n), self.zone)
            for n in range((self.after - self.first).days + 1)
        ]
        return [(start, min(stop, end)) for start, stop in itertools.pairwise(edges) if start < end]


def period_of(length: Length, day: date, zone: ZoneInfo) -> Period:
    """The one that holds this day. Raises Invalid for a day that no calendar of ours holds."""
    if not FIRST <= day <= LAST:
        raise Invalid(f"give a day from {FIRST} to {LAST}", field="date")
    if length is Length.DAY:
        return Period(length, day, day + timedelta(days=1), zone)
    if length is Length.WEEK:
        first = day - timedelta(days=day.weekday())
        return Period(length, first, first + timedelta(days=7), zone)
    first = day.replace(day=1)
    return Period(length, first, (first + timedelta(days=32)).replace(day=1), zone)


def latest(length: Length, now: int, zone: ZoneInfo) -> Period:
    """The last that is over."""
    today = (_EPOCH + timedelta(microseconds=now)).astimezone(zone).date()
    return period_of(length, today, zone).before


def midnight(day: date, zone: ZoneInfo) -> int:
    """The first moment (µs UTC) of a local day."""
    return round(datetime.combine(day, time(), zone).timestamp()) * SECOND
