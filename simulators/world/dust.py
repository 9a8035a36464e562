"""A building site: the city's haze, its own dust and noise by day, pours that go on late, rain, wind, and the spray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import HOUR, MINUTE
from simulators.world.daytime import hour, swell, weekend
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int32, Int64
    from simulators.world.cohort import Cohort, Columns, Watch
    from simulators.world.weather import Weather

POUR: Final = 3 * HOUR  # a pour takes one such stretch of a site's day
SPRAY_ABOVE: Final = 60.0  # ug/m3 of the site's own PM10 at which its spray starts


class Sites:
    watches: tuple[Watch, ...] = ()

    def __init__(self, cohort: Cohort, weather: Weather, start: int) -> None:  # noqa: ARG002 - as every model
        everyone, seed = cohort.everyone(), cohort.seed
        self._weather = weather
        names = ("dust", "quick", "noise", "beat", "wind", "turn", "pour", "rssi")
        self._noise = {name: Noise(seed, f"dust.{name}") for name in names}
        kind = Noise(seed, "dust.kind")
        self._opens = 6.2 + 1.3 * kind.uniform(everyone, 1)
        self._closes = 18.0 + 1.5 * kind.uniform(everyone, 2)
        self._dirt = 18 + 34 * kind.uniform(everyone, 3)  # ug/m3 of PM10 that this site's work raises
        self._loud = 55 + 5 * kind.uniform(everyone, 4)
        self._shelter = 0.5 + 0.6 * kind.uniform(everyone, 5)
        self._signal = -62 - 20 * kind.uniform(everyone, 6)

    def work(self, device: Int32, time: Int64) -> Float64:
        """0 at rest … 1 in full swing, with a rest at noon and a quieter weekend."""
        clock = hour(time)
        busy = swell(clock, self._opens[device], self._closes[device], 0.7) * (
            1 - 0.7 * swell(clock, 11.4, 13.1, 0.4)
        )
        full: Float64 = busy * np.where(weekend(time), 0.6, 1.0)
        return full

    def pouring(self, device: Int32, time: Int64) -> Float64:
        """1 while concrete is poured: about one stretch in eight of the working day."""
        chance = self._noise["pour"].uniform(device, time // POUR) < 0.125
        pour: Float64 = (chance & (self.work(device, time) > 0.2)).astype(np.float64)
        return pour

    def values(self, device: Int32, time: Int64) -> Columns:
        noise, weather = self._noise, self._weather
        work, pour = self.work(device, time), self.pouring(device, time)
        rain, air = weather.rain(time), weather.temperature(time)
        wind = weather.wind(time) * self._shelter[device] + 0.5 * noise["wind"].uniform(
            device, time // MINUTE
        )
        lively = 1 + 0.35 * noise["dust"].wave(device, time, 12 * MINUTE)
        own = self._dirt[device] * work * lively * (1 + 0.3 * pour) * (1 + 0.04 * wind) / (1 + rain)
        spray = ((own > SPRAY_ABOVE) & (rain < 0.1) & (air > 3)).astype(np.float64)
        own = own * (1 - 0.35 * spray) + 1.5 * (1 + noise["quick"].spread(device, time // MINUTE))
        haze = weather.haze(time)
        pm10 = 1.35 * haze + own
        beat = noise["beat"].spread(device, time // MINUTE)
        night = 43 + 2.5 * noise["noise"].wave(device, time, 20 * MINUTE) + 0.8 * beat
        works = self._loud[device] + 3 * pour + 3 * beat
        gap = np.abs(night - works)
        return {
            "pm10": pm10,
            "pm25": haze + 0.22 * own,
            "tsp": 1.7 * pm10 + 0.8 * own,
            "noise": np.where(work > 0.05, np.maximum(night, works) + 3 * np.exp(-gap / 4), night),
            "temperature": air + 0.4 * noise["wind"].wave(device, time, HOUR),
            "humidity": np.minimum(weather.humidity(time) + 6 * spray, 100),
            "pressure": weather.pressure(time),
            "wind_speed": wind,
            "wind_direction": (weather.direction(time) + 12 * noise["turn"].spread(device, time // MINUTE))
            % 360,
            "rain": rain,
            "spray": spray,
            "rssi": self._signal[device] + 3 * noise["rssi"].wave(device, time, 10 * MINUTE),
        }

    def watched(self, device: Int32, time: Int64) -> Columns:  # noqa: ARG002 - a station reports by the clock only
        return {}
