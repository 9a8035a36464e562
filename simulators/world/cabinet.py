"""A cabinet carries its lamps on three phases: what it measures is their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import HOUR, MINUTE
from simulators.world import sun
from simulators.world.cohort import Watch
from simulators.world.noise import Noise
from simulators.world.streetlight import STANDBY, brightness

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int32, Int64
    from simulators.world.cohort import Cohort, Columns
    from simulators.world.streetlight import Streetlights
    from simulators.world.weather import Weather

PHASES: Final = ("a", "b", "c")
OWN: Final = 45.0  # W of the cabinet itself (controller, modem, heater), on phase A, day and night
CLOSE: Final = sun.HORIZON + 0.3  # degrees: the contactor closes just before the first lamp wants to burn


class Cabinets:
    watches: tuple[Watch, ...] = (
        Watch("door", event="cabinetDoorOpen"),
        Watch("contactor"),
        Watch("contactor_feedback"),
    )

    def __init__(
        self, cohort: Cohort, weather: Weather, start: int, lamps: Streetlights, parent: Int32
    ) -> None:
        """parent: of each lamp, the position of its cabinet."""
        everyone, seed = cohort.everyone(), cohort.seed
        self._lat, self._lon = cohort.lat, cohort.lon
        self._weather, self._lamps, self._start = weather, lamps, start
        self._noise = {name: Noise(seed, f"cabinet.{name}") for name in ("volt", "pf", "leak", "air", "rssi")}
        kind = Noise(seed, "cabinet.kind")
        self._supply = 231 + 3 * kind.spread(everyone, 1)
        self._leak = 6 + 14 * kind.uniform(everyone, 2)
        self._signal = -60 - 20 * kind.uniform(everyone, 3)
        self._age = 1_000 * kind.uniform(everyone, 4)
        self._order = np.argsort(parent, kind="stable").astype(np.int32)
        self._first = np.searchsorted(parent[self._order], np.arange(len(cohort) + 1)).astype(np.int64)

    def _loads(self, device: Int32) -> tuple[Int64, Int32, Int64]:
        """Of each row's lamps: the row, the lamp, the phase."""
        first, count = self._first[device], self._first[device + 1] - self._first[device]
        row = np.repeat(np.arange(len(device)), count)
        place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return row, self._order[np.repeat(first, count) + place], place % 3

    def _phases(self, device: Int32, time: Int64, closed: Bool) -> Float64:
        """W of each phase: float64[3, n]. A lamp's controller hangs on a feed of its own, before the contactor."""
        row, lamp, phase = self._loads(device)
        watt = np.maximum(self._lamps.power(lamp, time[row]) - STANDBY, 0) * closed[row]
        cell = phase * len(device) + row
        total: Float64 = np.bincount(cell, watt, 3 * len(device)).astype(np.float64).reshape(3, -1)
        total[0] += OWN
        return total

    def _energy(self, device: Int32, time: Int64) -> Float64:
        row, lamp, _ = self._loads(device)
        own = OWN / 1000 * (time - self._start) / HOUR
        meter: Float64 = np.bincount(row, self._lamps.energy(lamp, time[row]), len(device)).astype(np.float64)
        return meter + own + self._age[device] + 1_000

    def values(self, device: Int32, time: Int64) -> Columns:
        noise, n = self._noise, len(device)
        height = sun.elevation(time, self._lat[device], self._lon[device])
        closed = height < CLOSE
        watts = self._phases(device, time, closed)
        factor = 0.94 + 0.015 * noise["pf"].wave(device, time, HOUR)
        columns: Columns = {}
        for position, phase in enumerate(PHASES):
            feed = device * 3 + position
            wander = 2.0 * noise["volt"].wave(feed, time, 20 * MINUTE)
            wander += 0.3 * noise["volt"].spread(feed, time // MINUTE)
            voltage = self._supply[device] + wander - watts[position] / 4_000
            columns[f"voltage_{phase}"] = voltage
            columns[f"current_{phase}"] = watts[position] / (voltage * factor)
        columns |= {
            "power": watts.sum(axis=0),
            "power_factor": factor,
            "energy": self._energy(device, time),
            "leakage": self._leak[device] + 3 * noise["leak"].wave(device, time, HOUR),
            "contactor": closed.astype(np.float64),
            "contactor_feedback": closed.astype(np.float64),
            "door": np.zeros(n),
            "temperature": self._weather.temperature(time) + 7 + 2 * noise["air"].wave(device, time, HOUR),
            "lux": brightness(height),
            "rssi": self._signal[device] + 3 * noise["rssi"].wave(device, time, 10 * MINUTE),
        }
        return columns

    def watched(self, device: Int32, time: Int64) -> Columns:
        height = sun.elevation(time, self._lat[device], self._lon[device])
        closed = (height < CLOSE).astype(np.float64)
        return {"door": np.zeros(len(device)), "contactor": closed, "contactor_feedback": closed.copy()}
