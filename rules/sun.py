"""Sunrise and sunset after NOAA's solar calculator, vectorised; the upper limb on the horizon, refracted: -0.833 degrees.

A place's solar day runs from apparent midnight to apparent midnight; the sun may be up or down for all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import DAY, MINUTE, SECOND
from rules.devices import longer

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

ZENITH: Final = 90.833
_SIDES: Final = np.array([[-1.0], [1.0]])  # before noon, after noon
_J2000: Final = 10957.5 * DAY  # 2000-01-01T12:00Z in µs since 1970


def _position(time: Float64 | Int64) -> tuple[Float64, Float64]:
    """Declination (radians) and equation of time (µs) at the given times."""
    century = (time - _J2000) / (36525.0 * DAY)
    mean = np.radians(280.46646 + century * (36000.76983 + 0.0003032 * century))
    anomaly = np.radians(357.52911 + century * (35999.05029 - 0.0001537 * century))
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    centre = (
        np.sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + np.sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + np.sin(3 * anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * century)
    apparent = mean + np.radians(centre - 0.00569 - 0.00478 * np.sin(node))
    tilt = 21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))
    obliquity = np.radians(23 + (26 + tilt / 60) / 60 + 0.00256 * np.cos(node))
    declination = np.arcsin(np.sin(obliquity) * np.sin(apparent))
    y = np.tan(obliquity / 2) ** 2
    equation = (
        y * np.sin(2 * mean)
        - 2 * eccentricity * np.sin(anomaly)
        + 4 * eccentricity * y * np.sin(anomaly) * np.cos(2 * mean)
        - 0.5 * y * y * np.sin(4 * mean)
        - 1.25 * eccentricity * eccentricity * np.sin(2 * anomaly)
    )
    return declination, 4 * MINUTE * np.degrees(equation)


def _midnight(day: Int64, shift: Float64) -> Float64:
    """Apparent midnight (µs) that begins the solar day; shift: how far local mean time is ahead of UTC (µs)."""
    mean = day * DAY - shift
    midnight: Float64 = np.rint((mean - _position(mean)[1]) / SECOND) * SECOND
    return midnight


def _half_day(declination: Float64, lat: Float64) -> Float64:
    """Cosine of the hour angle at which the sun rises and sets: above 1 it stays down, below -1 it stays up."""
    phi = np.radians(np.clip(lat, -89.99, 89.99))
    cosine: Float64 = np.cos(np.radians(ZENITH)) / (np.cos(phi) * np.cos(declination))
    cosine -= np.tan(phi) * np.tan(declination)
    return cosine


def sun_height(time: Int64, lat: Float64, lon: Float64) -> Float64:
    """Degrees over the horizon, of the sun's centre, without refraction."""
    declination, equation = _position(time)
    angle = np.radians(((time + lon * (4.0 * MINUTE) + equation) % DAY) / (4.0 * MINUTE) - 180)
    phi = np.radians(lat)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(angle)
    height: Float64 = np.degrees(np.arcsin(np.clip(sine, -1, 1)))
    return height


def sun_times(time: Int64, lat: Float64, lon: Float64) -> tuple[Int64, Int64, Int64, Int64]:
    """(start, sunrise, sunset, end) of the solar day that holds each time; µs UTC, whole seconds.

    Polar day: sunrise = start and sunset = end. Polar night: sunrise = sunset = end. Places must be finite.
    """
    shift = lon * (4.0 * MINUTE)
    day = np.floor((time + shift) / DAY).astype(np.int64)
    start, end = _midnight(np.stack([day, day + 1]), shift)
    off = (time >= end).astype(np.int64) - (
        time < start
    )  # apparent days begin up to 17 minutes off the mean ones
    if off.any():
        day += off
        start, end = _midnight(np.stack([day, day + 1]), shift)
    noon = day * DAY + DAY // 2 - shift
    declination, equation = _position(noon)
    cosine = _half_day(declination, lat)
    moments = noon - equation + _SIDES * _quarter(cosine)
    near, equation = _position(moments)
    moments = noon - equation + _SIDES * _quarter(_half_day(near, lat))
    rise, fall = np.rint(moments / SECOND) * SECOND
    up, down = cosine < -1, cosine > 1
    rise = np.where(up, start, np.where(down, end, rise))
    fall = np.where(up | down, end, fall)
    return start.astype(np.int64), rise.astype(np.int64), fall.astype(np.int64), end.astype(np.int64)


def _quarter(cosine: Float64) -> Float64:
    """From noon to sunset (µs)."""
    quarter: Float64 = np.degrees(np.arccos(np.clip(cosine, -1, 1))) * (4.0 * MINUTE)
    return quarter


class Almanac:
    """The solar day of each device, computed when a time outside the one at hand is asked for."""

    def __init__(self, capacity: int) -> None:
        self._days: Int64 = np.zeros((capacity, 4), np.int64)

    def reserve(self, capacity: int) -> None:
        if capacity > len(self._days):
            self._days = longer(self._days, capacity, 0)

    def moved(self, devices: Int64) -> None:
        """Their place changed."""
        self._days[devices] = 0

    def up(
        self, devices: Int64, time: Int64, places: tuple[Float64, Float64], offsets: tuple[int, int] = (0, 0)
    ) -> Bool:
        """Whether it is day; places: lat, lon by device index. Meaningless where the place is unknown.

        offsets (µs, to sunset and sunrise) move the ends of a day within its solar day; one without such ends stays as it is.
        """
        lat, lon = places
        days = self._days.take(devices, axis=0)
        stale = np.flatnonzero((time < days[:, 0]) | (time >= days[:, 3]))
        if len(stale):
            who = devices[stale]
            placed = np.isfinite(lat[who]) & np.isfinite(lon[who])
            stale, who = stale[placed], who[placed]
            fresh = np.column_stack(sun_times(time[stale], lat[who], lon[who]))
            self._days[who] = fresh
            days[stale] = fresh
        (dusk, dawn), rise, fall = offsets, days[:, 1], days[:, 2]
        if dusk or dawn:
            real = (rise > days[:, 0]) & (fall < days[:, 3])
            rise, fall = rise + dawn * real, fall + dusk * real
        risen: Bool = (time >= rise) & (time < fall)
        return risen
