"""Times and spans as the API takes them: µs since epoch (UTC), or RFC 3339 text; spans as 30s, 5m, 1h, 1d."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator, Field

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FARTHEST: Final = 4_102_444_800 * SECOND  # 2100
_SPAN: Final = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def moment(value: object) -> object:
    """µs UTC of RFC 3339 text; everything else is left to the type's own check."""
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("give µs since epoch, or RFC 3339 such as 2026-05-01T08:00:00+08:00") from None
        if parsed.tzinfo is None:
            raise ValueError("give the time zone too, such as +08:00 or Z")
        return (parsed - EPOCH) // timedelta(microseconds=1)
    return value


def span(value: object) -> object:
    """µs of text such as 5m."""
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("give a span such as 30s, 5m, 1h or 1d")
    return int(match[1]) * _UNITS[match[2]]


Moment = Annotated[int, Query(ge=-FARTHEST, le=FARTHEST), BeforeValidator(moment)]
Span = Annotated[int, Query(gt=0, le=366 * DAY), BeforeValidator(span)]
BodyMoment = Annotated[int, Field(ge=-FARTHEST, le=FARTHEST), BeforeValidator(moment)]
