"""Quiet hours by the city's wall clock: what can wait is held to their end, nothing is dropped."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, PlainSerializer

from gateway.notify.moment import EPOCH, moment

DAY: Final = 1_440  # minutes
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Hours(NamedTuple):
    """Minutes of the day; over midnight where `until` is the smaller."""

    since: int
    until: int


def parse(value: object) -> Any:
    """Hours of "22:00-07:00"; raises ValueError."""
    if isinstance(value, Hours):
        return value
    match = _HOURS.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if match is None or match.group(1, 2) == match.group(3, 4):
        raise ValueError('quiet hours are two different times of day, as "22:00-07:00"')
    return Hours(int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4]))


def show(hours: Hours) -> str:
    """What `parse` reads back."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in hours)


def end(hours: Hours, now: int, zone: ZoneInfo) -> int | None:
    """µs UTC at which the quiet hours are over; None outside them."""
    here = moment(now, zone)
    minute = here.hour * 60 + here.minute
    if (minute - hours.since) % DAY >= (hours.until - hours.since) % DAY:
        return None
    day = here.date() + timedelta(days=1 if minute >= hours.until else 0)
    over = datetime(day.year, day.month, day.day, hours.until // 60, hours.until % 60, tzinfo=zone)
    return (over - EPOCH) // timedelta(microseconds=1)


QuietHours = Annotated[Hours, BeforeValidator(parse), PlainSerializer(show, return_type=str)]
