"""Lamps follow the sun where they stand, dim after midnight, and their meters follow their power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import DAY, HOUR, MINUTE
from simulators.world import sun
from simulators.world.cohort import Watch
from simulators.world.daytime import hour
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int32, Int64
    from simulators.world.cohort import Cohort, Columns
    from simulators.world.weather import Weather

STANDBY: Final = 0.6  # W of a controller whose lamp is off
DRIVER: Final = 0.06  # share of rated power that the driver takes at any level
DIM_FROM, DIM_UNTIL = 0.0, 5.0  # local hours of the dimming profile
STEP: Final = 5 * MINUTE  # of the table that meters are read from


def drawn(rated: Float64, level: Float64) -> Float64:
    """W that a lit lamp of `rated` W draws at `level` %; nearly a straight line."""
    watt: Float64 = rated * (DRIVER + (1 - DRIVER) * level / 100)
    return watt


def brightness(elevation: Float64) -> Float64:
    """lux under the open sky for the sun's elevation, twilight included."""
    day = 110_000 * np.sin(np.radians(np.clip(elevation, 0, 90))) ** 1.15
    twilight = 400 * np.exp(np.minimum(elevation, 0) / 1.25)
    lux: Float64 = day + twilight + 0.2
    return lux


class Burning:
    """Hours lit, and hours lit at the midnight level, since two days before `start`: what meters count."""

    def __init__(self, lat: float, lon: float, start: int) -> None:
        self._lat, self._lon = np.float64(lat), np.float64(lon)
        self._zero = start - 2 * DAY
        self._span = 0
        self._reach(start + 4 * DAY)

    def _reach(self, until: int) -> None:
        self._span = max(until - self._zero, 2 * self._span)
        self._times = self._zero + np.arange(0, self._span + STEP, STEP, dtype=np.int64)
        lit = sun.elevation(self._times, np.asarray(self._lat), np.asarray(self._lon)) < sun.HORIZON
        low = lit & dimmed(self._times)
        self._lit = np.concatenate([[0.0], np.cumsum(lit[:-1])]) * (STEP / HOUR)
        self._low = np.concatenate([[0.0], np.cumsum(low[:-1])]) * (STEP / HOUR)

    def hours(self, time: Int64) -> tuple[Float64, Float64]:
        """Hours lit in all and hours at the midnight level, up to `time`; neither ever falls."""
        if len(time) and int(time.max()) > self._times[-1]:
            self._reach(int(time.max()))
        place = (time - self._zero).astype(np.float64)
        grid = (self._times - self._zero).astype(np.float64)
        return np.interp(place, grid, self._lit), np.interp(place, grid, self._low)


def dimmed(time: Int64) -> Bool:
    clock = hour(time)
    night: Bool = (clock >= DIM_FROM) & (clock < DIM_UNTIL)
    return night


class Streetlights:
    watches: tuple[Watch, ...] = (
        Watch("switch"),
        Watch("lamp_failure", event="lampFailure"),
        Watch("gear_failure", event="controlGearFailure"),
    )

    def __init__(self, cohort: Cohort, weather: Weather, start: int) -> None:
        everyone, seed = cohort.everyone(), cohort.seed
        self._lat, self._lon = cohort.lat, cohort.lon
        self._weather = weather
        self._noise = {
            name: Noise(seed, f"streetlight.{name}") for name in ("volt", "watt", "pf", "air", "rssi")
        }
        kind = Noise(seed, "streetlight.kind")
        self.rated = cohort.attributes["rated_power"]
        self.midnight = np.where(kind.uniform(everyone, 1) < 0.4, 70.0, 50.0)
        self.exact = 1 + 0.03 * kind.spread(everyone, 2)  # no two drivers draw the same
        self._dusk = sun.HORIZON - 0.7 * kind.uniform(
            everyone, 3
        )  # photocells differ: lit up to 4 min after sunset
        self._supply = 228.5 + 3.5 * kind.spread(everyone, 4)
        self._age = 200 + 14_000 * kind.uniform(everyone, 5)  # hours burnt before the city began
        self._lean = 0.2 + 1.2 * kind.uniform(everyone, 6)
        self._leak = 0.2 + 0.8 * kind.uniform(everyone, 7)
        self._signal = -68 - 22 * kind.uniform(everyone, 8)
        self.burning = Burning(float(np.mean(cohort.lat)), float(np.mean(cohort.lon)), start)

    def lit(self, device: Int32, time: Int64) -> Bool:
        return self._lit(device, sun.elevation(time, self._lat[device], self._lon[device]))

    def _lit(self, device: Int32, elevation: Float64) -> Bool:
        dark: Bool = elevation < self._dusk[device]
        return dark

    def power(self, device: Int32, time: Int64) -> Float64:
        """W, as `values` gives it: what a cabinet sums."""
        return self._power(device, time, self._level(device, time, self.lit(device, time)))

    def _level(self, device: Int32, time: Int64, lit: Bool) -> Float64:
        level: Float64 = np.where(lit, np.where(dimmed(time), self.midnight[device], 100.0), 0.0)
        return level

    def _power(self, device: Int32, time: Int64, level: Float64) -> Float64:
        steady = 1 + 0.01 * self._noise["watt"].wave(device, time, 7 * MINUTE)
        burning = drawn(self.rated[device], level) * self.exact[device] * steady
        watt: Float64 = np.where(level > 0, burning, STANDBY)
        return watt

    def energy(self, device: Int32, time: Int64) -> Float64:
        """kWh of the lamp's meter; never falls."""
        lit, low = self.burning.hours(time)
        rated, exact = self.rated[device], self.exact[device]
        bright = drawn(rated, np.full(len(device), 100.0)) * (lit - low + self._age[device])
        dim = drawn(rated, self.midnight[device]) * low
        kilowatthour: Float64 = (bright + dim) * exact / 1000
        return kilowatthour

    def values(self, device: Int32, time: Int64) -> Columns:
        noise = self._noise
        height = sun.elevation(time, self._lat[device], self._lon[device])
        lit = self._lit(device, height)
        level = self._level(device, time, lit)
        power = self._power(device, time, level)
        sag = 1.5 * lit
        voltage = self._supply[device] + 2.5 * noise["volt"].wave(device, time, 20 * MINUTE) - sag
        factor = np.where(lit, 0.91 + 0.05 * level / 100 + 0.008 * noise["pf"].wave(device, time, HOUR), 0.55)
        warm = 0.22 * level + 1.5 * noise["air"].wave(device, time, HOUR)
        return {
            "switch": lit.astype(np.float64),
            "dimming": level,
            "power": power,
            "voltage": voltage,
            "current": power / (voltage * factor),
            "power_factor": factor,
            "energy": self.energy(device, time),
            "operating_hours": self._age[device] + self.burning.hours(time)[0],
            "temperature": self._weather.temperature(time) + 4 + warm,
            "lux": brightness(height),
            "leakage": self._leak[device],
            "tilt": self._lean[device],
            "lamp_failure": np.zeros(len(device)),
            "gear_failure": np.zeros(len(device)),
            "rssi": self._signal[device] + 3 * noise["rssi"].wave(device, time, 10 * MINUTE),
        }

    def watched(self, device: Int32, time: Int64) -> Columns:
        sound = np.zeros(len(device))
        lit = self.lit(device, time).astype(np.float64)
        return {"switch": lit, "lamp_failure": sound, "gear_failure": sound.copy()}
