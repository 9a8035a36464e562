"""Day and night for the scalar oracle: NOAA's solar calculator once more, where the sun rises and sets every day."""

from __future__ import annotations

import math

from drivers.telemetry import DAY, MINUTE, SECOND


def sun_position(time: float) -> tuple[float, float]:
    """(declination in radians, equation of time in minutes)."""
    t = (time / DAY - 10957.5) / 36525
    mean = math.radians((280.46646 + t * (36000.76983 + t * 0.0003032)) % 360)
    anomaly = math.radians(357.52911 + t * (35999.05029 - 0.0001537 * t))
    orbit = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    centre = (
        math.sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t))
        + math.sin(2 * anomaly) * (0.019993 - 0.000101 * t)
        + math.sin(3 * anomaly) * 0.000289
    )
    omega = math.radians(125.04 - 1934.136 * t)
    seen = math.radians(math.degrees(mean) + centre - 0.00569 - 0.00478 * math.sin(omega))
    tilt = 23 + (26 + (21.448 - t * (46.815 + t * (0.00059 - t * 0.001813))) / 60) / 60
    oblique = math.radians(tilt + 0.00256 * math.cos(omega))
    y = math.tan(oblique / 2) ** 2
    equation = 4 * math.degrees(
        y * math.sin(2 * mean)
        - 2 * orbit * math.sin(anomaly)
        + 4 * orbit * y * math.sin(anomaly) * math.cos(2 * mean)
        - 0.5 * y * y * math.sin(4 * mean)
        - 1.25 * orbit * orbit * math.sin(2 * anomaly)
    )
    return math.asin(math.sin(oblique) * math.sin(seen)), equation


def sun_height(time: int, lat: float, lon: float) -> float:
    """Degrees, without refraction; NaN where the place is unknown."""
    declination, equation = sun_position(time)
    angle = math.radians((time / MINUTE + lon * 4 + equation) % 1440 / 4 - 180)
    phi = math.radians(lat)
    sine = math.sin(phi) * math.sin(declination)
    return math.degrees(math.asin(sine + math.cos(phi) * math.cos(declination) * math.cos(angle)))


def sun_up(time: int, lat: float, lon: float, dusk: int = 0, dawn: int = 0) -> bool | None:
    """Whether it is day, from `dawn` after sunrise to `dusk` after sunset; None where the place is unknown."""
    if math.isnan(lat) or math.isnan(lon):
        return None
    around = round((time + lon * 4 * MINUTE - DAY / 2) / DAY)
    for day in (around - 1, around, around + 1):
        noon = day * DAY + DAY / 2 - lon * 4 * MINUTE
        if sun_edge(noon, lat, -1) + dawn <= time < sun_edge(noon, lat, 1) + dusk:
            return True
    return False


def sun_edge(noon: float, lat: float, side: int) -> int:
    """Sunrise (side -1) or sunset (1) of the day with this mean noon, to the second."""
    moment = noon
    declination, equation = sun_position(noon)
    for _ in range(2):
        cosine = math.cos(math.radians(90.833)) / (math.cos(math.radians(lat)) * math.cos(declination))
        cosine -= math.tan(math.radians(lat)) * math.tan(declination)
        angle = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
        moment = noon - equation * MINUTE + side * angle * 4 * MINUTE
        declination, equation = sun_position(moment)
    return round(moment / SECOND) * SECOND
