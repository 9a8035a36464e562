"""Where the sun stands over a place: low-precision solar position (Astronomical Almanac, good to 0.01° until 2050)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import DAY

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int64

J2000: Final = 946_728_000_000_000  # 2000-01-01 12:00 UTC, µs
HORIZON: Final = -0.833  # degrees: refraction and the disc's radius, as sunrise is defined


def elevation(time: Int64, lat: Float64, lon: Float64) -> Float64:
    """Degrees of the sun's centre above the horizon; time µs UTC, lat and lon WGS-84 degrees."""
    days = (time - J2000) / DAY
    anomaly = np.radians((357.528 + 0.9856003 * days) % 360)
    mean = 280.460 + 0.9856474 * days
    ecliptic = np.radians((mean + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)) % 360)
    tilt = np.radians(23.439 - 4e-7 * days)
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    sidereal = np.radians((280.46062 + 360.98564737 * days + lon) % 360)
    phi = np.radians(lat)
    height = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(
        sidereal - ascension
    )
    degrees: Float64 = np.degrees(np.arcsin(np.clip(height, -1, 1)))
    return degrees
