"""The weather over the whole city: one air for all devices, with the seasons of the lower Yangtze."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drivers.telemetry import DAY, HOUR, MINUTE
from simulators.world.daytime import hour
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int64

_YEAR = 365.2425 * DAY
_COLDEST = 20 * DAY  # after new year
_ONE, _TWO, _THREE = np.array([[1], [2], [3]], np.uint64)  # independent streams of one noise


class Weather:
    def __init__(self, seed: int) -> None:
        self._front = Noise(seed, "weather.front")
        self._shower = Noise(seed, "weather.shower")
        self._gust = Noise(seed, "weather.gust")
        self._haze = Noise(seed, "weather.haze")

    def temperature(self, time: Int64) -> Float64:
        """degC in the shade."""
        season = -np.cos(2 * np.pi * (time - _COLDEST) / _YEAR)
        day = np.cos(2 * np.pi * (hour(time) - 14.5) / 24)
        air: Float64 = 16.5 + 11.5 * season + 3.5 * day + 3.0 * self._front.wave(_ONE, time, 2 * DAY)
        return air

    def rain(self, time: Int64) -> Float64:
        """mm of the last hour; mostly none."""
        shower = self._shower.wave(_ONE, time, 5 * HOUR)
        amount: Float64 = np.maximum(shower - 0.72, 0) * 30
        return amount

    def humidity(self, time: Int64) -> Float64:
        """%."""
        day = np.cos(2 * np.pi * (hour(time) - 5) / 24)
        damp = 68 + 12 * day + 10 * self._front.wave(_ONE, time, 2 * DAY) + 3 * self.rain(time)
        percent: Float64 = np.clip(damp, 20, 99)
        return percent

    def pressure(self, time: Int64) -> Float64:
        """kPa."""
        kilopascal: Float64 = 101.6 + 0.9 * self._front.wave(_TWO, time, 2 * DAY)
        return kilopascal

    def wind(self, time: Int64) -> Float64:
        """m/s, before the place has its say; a little livelier in the afternoon."""
        breeze = (
            2.6 + 1.6 * self._gust.wave(_ONE, time, 3 * HOUR) + 0.6 * self._gust.wave(_TWO, time, 4 * MINUTE)
        )
        afternoon = 0.8 * np.cos(2 * np.pi * (hour(time) - 15) / 24)
        speed: Float64 = np.maximum(breeze + afternoon, 0.1)
        return speed

    def direction(self, time: Int64) -> Float64:
        """deg, where the wind comes from."""
        angle: Float64 = (135 + 150 * self._gust.wave(_THREE, time, 9 * HOUR)) % 360
        return angle

    def haze(self, time: Int64) -> Float64:
        """ug/m3 of PM2.5 in the whole city's air; rain washes it out."""
        load = 34 + 14 * self._haze.wave(_ONE, time, DAY) + 5 * np.cos(2 * np.pi * (hour(time) - 8) / 24)
        fine: Float64 = load / (1 + 0.35 * self.rain(time))
        return fine
