"""A kitchen's exhaust: lunch and dinner, the fan before and after them, a purifier that runs with the fan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import HOUR, MINUTE
from simulators.world.cohort import Watch
from simulators.world.daytime import hour, swell
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int32, Int64
    from simulators.world.cohort import Cohort, Columns
    from simulators.world.weather import Weather

LEAD: Final = 0.3  # hours that the fan runs before the cooking and after it
DECAY: Final = 0.25  # hours in which the fume of the last dish has gone


class Kitchens:
    watches: tuple[Watch, ...] = (Watch("fan"), Watch("purifier"))

    def __init__(self, cohort: Cohort, weather: Weather, start: int) -> None:  # noqa: ARG002 - as every model
        everyone, seed = cohort.everyone(), cohort.seed
        self._weather = weather
        self._noise = {name: Noise(seed, f"fume.{name}") for name in ("wok", "dish", "amp", "flow", "rssi")}
        kind = Noise(seed, "fume.kind")
        early = 0.6 * kind.spread(everyone, 1)
        self._lunch = 10.6 + early, 13.4 + early
        self._dinner = 16.4 + 0.5 * early, 21.0 + early
        self._rich = 0.22 + 0.30 * kind.uniform(everyone, 2)  # mg/m3 behind the purifier when the wok is hot
        self._fan = 5 + 9 * kind.uniform(everyone, 3)
        self._purifier = 1.6 + 1.4 * kind.uniform(everyone, 4)
        self._flow = 2 + 5 * kind.uniform(everyone, 5)
        self._signal = -60 - 20 * kind.uniform(everyone, 6)

    def cooking(self, device: Int32, clock: Float64) -> Float64:
        """0 … 1."""
        lunch = swell(clock, self._lunch[0][device], self._lunch[1][device] + DECAY, DECAY)
        dinner = swell(clock, self._dinner[0][device], self._dinner[1][device] + DECAY, DECAY)
        fire: Float64 = np.maximum(lunch, dinner)
        return fire

    def running(self, device: Int32, clock: Float64) -> Bool:
        """Whether the fan runs."""
        on = np.zeros(len(device), bool)
        for opens, closes in (self._lunch, self._dinner):
            on |= (clock > opens[device] - LEAD) & (clock < closes[device] + LEAD)
        return on

    def values(self, device: Int32, time: Int64) -> Columns:
        noise, clock = self._noise, hour(time)
        fire, on = self.cooking(device, clock), self.running(device, clock)
        wok = 0.75 + 0.25 * noise["wok"].wave(device, time, 6 * MINUTE)
        dish = noise["dish"].spread(device, time // MINUTE)
        fume = 0.04 + 0.02 * dish + self._rich[device] * fire * wok * (1 + 0.15 * dish)
        hum = 1 + 0.03 * noise["amp"].wave(device, time, 10 * MINUTE)
        return {
            "fume": fume,
            "particulate": 0.05 + 2.6 * fume,
            "nmhc": 0.4 + 5.5 * fume,
            "temperature": self._weather.temperature(time) + 3 + 22 * fire * wok,
            "humidity": np.clip(0.8 * self._weather.humidity(time) + 12 * fire, 15, 98),
            "flow": np.where(
                on, self._flow[device] * (1 + 0.04 * noise["flow"].wave(device, time, HOUR)), 0.0
            ),
            "fan": on.astype(np.float64),
            "fan_current": np.where(on, self._fan[device] * hum, 0.0),
            "purifier": on.astype(np.float64),
            "purifier_current": np.where(on, self._purifier[device] * hum, 0.0),
            "rssi": self._signal[device] + 3 * noise["rssi"].wave(device, time, 10 * MINUTE),
        }

    def watched(self, device: Int32, time: Int64) -> Columns:
        on = self.running(device, hour(time)).astype(np.float64)
        return {"fan": on, "purifier": on.copy()}
