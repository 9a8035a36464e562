"""Bays fill and empty: at most one stay in each stretch of a bay's day, likelier when its neighbourhood is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from simulators.world.cohort import Watch
from simulators.world.daytime import hour
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    from drivers.telemetry import Bool, Float64, Int32, Int64
    from simulators.world.cohort import Cohort, Columns
    from simulators.world.weather import Weather

STRETCH: Final = np.array([50, 120, 660]) * MINUTE  # kerb, street, lot of homes
MAX_STAY: Final = np.array(
    [60.0, 120.0, np.nan]
)  # minutes allowed there, longer than anybody stays by himself
ARRIVES: Final = 0.20  # a stay begins in the first fifth of its stretch
SHORTEST, LONGEST = 0.15, 0.78  # share of the stretch that it takes
FULLEST: Final = np.array([13.0, 19.5, 1.0])  # local hour: offices, shops, homes
HOMES: Final = 2


def uses(seed: int, device: Int32) -> npt.NDArray[np.intp]:
    """What each bay is for: its place in STRETCH and MAX_STAY."""
    return np.searchsorted([0.4, 0.75], Noise(seed, "parking.use").uniform(device))


class Stays:
    """Which stretches of which bays hold a stay. Columns grow as time goes on; what they say never changes."""

    def __init__(self, noise: Noise, stretch: Int64, fullest: Float64, start: int) -> None:
        self._noise, self.stretch, self._fullest = noise, stretch, fullest
        self.device = np.arange(len(stretch), dtype=np.int32)
        self.phase = (noise.uniform(self.device, -1) * stretch).astype(np.int64)
        self.zero = start - DAY
        self.first = (self.zero - self.phase) // stretch
        self.count: npt.NDArray[Any] = np.zeros((len(stretch), 1), np.int32)
        self.last: npt.NDArray[Any] = self.count
        self._reach(48)

    def _reach(self, columns: int) -> None:
        columns = max(columns, 2 * (self.count.shape[1] - 1))
        cell = self.first[:, None] + np.arange(columns)
        begins = cell * self.stretch[:, None] + self.phase[:, None]
        swing = np.cos(2 * np.pi * (hour(begins) - self._fullest[:, None]) / 24)
        hit = self._noise.uniform(self.device[:, None], cell * 4) < 0.52 + 0.40 * swing
        self.count = np.zeros((len(hit), columns + 1), np.int32)
        np.cumsum(hit, axis=1, out=self.count[:, 1:])
        place = np.where(hit, np.arange(columns, dtype=np.int32), np.int32(-1))
        self.last = np.full_like(self.count, -1)
        np.maximum.accumulate(place, axis=1, out=self.last[:, 1:])

    def column(self, device: Int32, time: Int64) -> Int64:
        """Which stretch each moment falls in."""
        place = (time - self.phase[device]) // self.stretch[device] - self.first[device]
        place = np.maximum(place, 0)
        if len(place) and int(place.max()) + 2 > self.count.shape[1]:
            self._reach(int(place.max()) + 2)
        return place

    def arrives(self, device: Int32, column: Int64) -> Int64:
        cell, stretch = self.first[device] + column, self.stretch[device]
        begins = cell * stretch + self.phase[device]
        return begins + (ARRIVES * stretch * self._noise.uniform(device, cell * 4 + 1)).astype(np.int64)

    def leaves(self, device: Int32, column: Int64) -> Int64:
        cell, stretch = self.first[device] + column, self.stretch[device]
        share = SHORTEST + (LONGEST - SHORTEST) * self._noise.uniform(device, cell * 4 + 2)
        return self.arrives(device, column) + (share * stretch).astype(np.int64)

    def at(self, device: Int32, time: Int64) -> tuple[Bool, Int64, Int64]:
        """Whether each bay is taken, since when it is as it is, and how many have parked."""
        column = self.column(device, time)
        before = self.count[device, column]
        hit = self.count[device, column + 1] > before
        arrives, leaves = self.arrives(device, column), self.leaves(device, column)
        came, gone = hit & (time >= arrives), hit & (time >= leaves)
        last = self.last[device, column].astype(np.int64)
        vacated = np.where(last >= 0, self.leaves(device, np.maximum(last, 0)), self.zero)
        since = np.where(gone, leaves, np.where(came, arrives, vacated))
        return came & ~gone, since, before + came


class Bays:
    watches: tuple[Watch, ...] = (Watch("occupied"), Watch("forbidden", event="forbiddenParkingDetected"))

    def __init__(self, cohort: Cohort, weather: Weather, start: int) -> None:
        everyone, seed = cohort.everyone(), cohort.seed
        self._weather, self._start = weather, start
        kind = Noise(seed, "parking.kind")
        use = uses(seed, everyone)
        peak = (kind.uniform(everyone, 2) * 2).astype(np.intp)
        fullest = np.where(use == HOMES, FULLEST[HOMES], FULLEST[peak])
        self.stays = Stays(Noise(seed, "parking.stays"), STRETCH[use], fullest, start)
        self._car = Noise(seed, "parking.car")
        self._rssi = Noise(seed, "parking.rssi")
        self._charge = 50 + 50 * kind.uniform(everyone, 3)
        self._drain = 0.03 + 0.02 * kind.uniform(everyone, 4)  # % a day
        self._signal = -80 - 24 * kind.uniform(everyone, 5)
        self._counted = (20_000 * kind.uniform(everyone, 6)).astype(np.int64)

    def values(self, device: Int32, time: Int64) -> Columns:
        taken, since, parkings = self.stays.at(device, time)
        steel = 25 + 45 * self._car.uniform(device, since // SECOND)
        rest = 1.5 + 1.5 * self._car.spread(device, time // MINUTE)
        battery = np.clip(self._charge[device] - self._drain[device] * (time - self._start) / DAY, 0, 100)
        return {
            "occupied": taken.astype(np.float64),
            "duration": (time - since) / SECOND,
            "forbidden": np.zeros(len(device)),
            "parkings": (self._counted[device] + parkings).astype(np.float64),
            "magnetic": np.where(taken, steel, rest),
            "temperature": self._weather.temperature(time) + 3,
            "battery": battery,
            "battery_voltage": 3.2 + 0.0045 * battery,
            "rssi": self._signal[device] + 3 * self._rssi.wave(device, time, HOUR),
        }

    def watched(self, device: Int32, time: Int64) -> Columns:
        taken, _, _ = self.stays.at(device, time)
        return {"occupied": taken.astype(np.float64), "forbidden": np.zeros(len(device))}
