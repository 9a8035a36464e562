"""Local time of a city at UTC+8 without daylight saving, as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import DAY, HOUR

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

ZONE: Final = 8 * HOUR  # µs ahead of UTC


def hour(time: Int64) -> Float64:
    """Local hour of day, 0 ≤ h < 24."""
    clock: Float64 = ((time + ZONE) % DAY) / HOUR
    return clock


def weekend(time: Int64) -> Bool:
    """Saturday or Sunday; 1970-01-01 was a Thursday."""
    rest: Bool = ((time + ZONE) // DAY + 3) % 7 >= 5
    return rest


def swell(clock: Float64, rise: float | Float64, fall: float | Float64, edge: float) -> Float64:
    """0 … 1 … 0: rises over `edge` hours after `rise`, falls over `edge` hours before `fall`."""
    up = np.clip((clock - rise) / edge, 0, 1)
    down = np.clip((fall - clock) / edge, 0, 1)
    level: Float64 = np.minimum(up, down)
    return level * level * (3 - 2 * level)
