"""A full night, from sunset to sunrise at a place: what a lamp must be lit through before its repair counts."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from drivers.telemetry import DAY, SECOND
from rules.sun import sun_times

DUSK: Final = time(18)  # where the place is unknown
DAWN: Final = time(6)
LONGEST: Final = 370  # days without a whole night: near a pole


def nights_after(start: int, nights: int, lat: float | None, lon: float | None, zone: ZoneInfo) -> int:
    """The end (µs UTC) of the n-th night that begins at or after `start`."""
    if lat is None or lon is None:
        return _by_the_clock(start, nights, zone)
    where = (np.array([lat]), np.array([lon]))
    left, day = nights, start - DAY
    for _ in range(LONGEST):
        _, _, sunset, _ = (int(each[0]) for each in sun_times(np.array([day]), *where))
        day += DAY
        _, sunrise, tomorrow, _ = (int(each[0]) for each in sun_times(np.array([day]), *where))
        if start <= sunset < sunrise < tomorrow:
            left -= 1
            if not left:
                return sunrise
    return start + nights * DAY  # the sun neither sets nor rises there


def _by_the_clock(start: int, nights: int, zone: ZoneInfo) -> int:
    begin = datetime.fromtimestamp(start / SECOND, UTC).astimezone(zone)
    later = begin.timetz().replace(tzinfo=None) > DUSK
    first = begin.date() + timedelta(days=1 if later else 0)
    end = datetime.combine(first + timedelta(days=nights), DAWN, zone)
    return round(end.timestamp()) * SECOND
