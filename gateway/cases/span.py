"""Lengths of time as configuration writes them: "45s", "30m", "2h", "7d"; µs inside."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND

UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhd])")


def parse(value: object) -> int:
    """µs of "30m"; raises ValueError. A plain integer is already µs."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a length of time is a number and a unit, as "45s", "30m", "2h" or "7d"')
    return round(float(match[1]) * UNITS[match[2]])


def show(value: int) -> str:
    """The shortest writing that `parse` reads back."""
    for unit in ("d", "h", "m"):
        if value and value % UNITS[unit] == 0:
            return f"{value // UNITS[unit]}{unit}"
    return f"{value / SECOND:g}s"


Span = Annotated[int, BeforeValidator(parse), PlainSerializer(show, return_type=str)]
