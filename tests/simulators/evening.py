"""The moments that the tests of the simulators speak of: a June evening in UTC+8, and a small city in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np

from drivers.telemetry import HOUR, Int64
from simulators.world.city import City

LOCAL = timezone(timedelta(hours=8))


def at(text: str, day: str = "2026-06-10") -> int:
    """µs UTC of a local time of day "HH:MM" or "HH:MM:SS"."""
    moment = datetime.fromisoformat(f"{day}T{text}").replace(tzinfo=LOCAL)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


START = at("17:30")


def city(n: int = 200, seed: int = 7, start: int = START) -> City:
    return City.build(n, seed, start)


def times(first: int, hours: float, step: float = 0.25) -> Int64:
    """Every `step` hours from `first` on."""
    return first + (np.arange(0, hours, step) * HOUR).astype(np.int64)
