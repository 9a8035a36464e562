"""Covers sit still until they don't: all that moves by itself is water, air and the battery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drivers.telemetry import DAY, HOUR, MINUTE
from simulators.world.cohort import Watch
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from drivers.telemetry import Int32, Int64
    from simulators.world.cohort import Cohort, Columns
    from simulators.world.weather import Weather


SHAFT = 4.0  # m from the sensor to the bottom


class Manholes:
    watches: tuple[Watch, ...] = (
        Watch("cover", event="coverOpened"),
        Watch("tilt", above=10.0, event="orientationChanged"),
        Watch("moved", event="coverMoved"),
        Watch("flooded", event="overfull"),
        Watch("water_level", above=1.5, event="fluidLevelTooHigh"),
    )

    def __init__(self, cohort: Cohort, weather: Weather, start: int) -> None:
        everyone, seed = cohort.everyone(), cohort.seed
        self._weather, self._start = weather, start
        self._noise = {name: Noise(seed, f"manhole.{name}") for name in ("tilt", "water", "gas", "rssi")}
        kind = Noise(seed, "manhole.kind")
        self._rest = 0.2 + 1.6 * kind.uniform(everyone, 1)
        self._water = 0.08 + 0.35 * kind.uniform(everyone, 2)
        self._charge = 55 + 45 * kind.uniform(everyone, 3)
        self._drain = 0.02 + 0.02 * kind.uniform(everyone, 4)  # % a day: five to seven years
        self._signal = -88 - 24 * kind.uniform(everyone, 5)

    def values(self, device: Int32, time: Int64) -> Columns:
        noise, n = self._noise, len(device)
        battery = np.clip(self._charge[device] - self._drain[device] * (time - self._start) / DAY, 0, 100)
        gas = noise["gas"].wave(device, time, 2 * HOUR)
        watched = self.watched(device, time)
        return {
            **watched,
            "distance": SHAFT - watched["water_level"],
            "ch4": np.maximum(1.2 + 1.2 * gas, 0),
            "h2s": np.maximum(0.4 + 0.5 * gas, 0),
            "o2": 20.6 - 0.3 * np.abs(gas),
            "temperature": 0.6 * self._weather.temperature(time) + 7,
            "battery": battery,
            "battery_voltage": 3.42 + 0.0022 * battery,
            "rssi": self._signal[device] + 3 * noise["rssi"].wave(device, time, 10 * MINUTE) + np.zeros(n),
        }

    def watched(self, device: Int32, time: Int64) -> Columns:
        noise, n = self._noise, len(device)
        rain = np.minimum(0.03 * self._weather.rain(time), 0.4)
        level = self._water[device] * (1 + 0.2 * noise["water"].wave(device, time, HOUR)) + rain
        return {
            "tilt": np.maximum(self._rest[device] + 0.15 * noise["tilt"].wave(device, time, HOUR), 0),
            "cover": np.zeros(n),
            "moved": np.zeros(n),
            "water_level": level,
            "flooded": np.zeros(n),
        }
