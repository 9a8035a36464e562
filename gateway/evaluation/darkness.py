"""Hours in which a lamp ought to be lit: wholly dark at its place, some time after sunset and before sunrise, or by the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from drivers.telemetry import HOUR, SECOND
from gateway.evaluation.settings import EvaluationSettings
from gateway.evaluation.units import Units
from rules.sun import sun_times

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

STEP: Final = 0.25  # degrees; the sun sets one minute later at the next place
BY_CLOCK: Final = (18 * 60, 6 * 60)  # minutes of the local day, where no place is known
NOON: Final = 12 * 60


class Darkness(NamedTuple):
    """place int64[unit]: its row in due bool[place, hour]; hours count from `start` (µs UTC)."""

    start: int
    place: Int64
    due: Bool

    def hours(self, units: Units) -> Int64:
        """How many each unit ought to be lit, from its registration on."""
        total = np.concatenate(
            [np.zeros((len(self.due), 1), np.int64), np.cumsum(self.due, axis=1, dtype=np.int64)], axis=1
        )
        first = self.first(units)
        hours: Int64 = total[self.place, -1] - total[self.place, first]
        return hours

    def first(self, units: Units) -> Int64:
        """The first whole hour after the registration of each."""
        late = -((self.start - units.created) // HOUR)
        return np.clip(late, 0, self.due.shape[1])


def darkness(units: Units, start: int, end: int, settings: EvaluationSettings, zone: ZoneInfo) -> Darkness:
    """Whole hours of start ≤ time < end."""
    starts = start + HOUR * np.arange((end - start) // HOUR, dtype=np.int64)
    if settings.clock is not None:
        due = _by_clock(starts, settings.clock, zone)[None, :]
        return Darkness(start, np.zeros(len(units), np.int64), due)
    placed = np.isfinite(units.lat) & np.isfinite(units.lon)
    near = np.stack([np.rint(units.lat / STEP), np.rint(units.lon / STEP)], axis=1)[placed] * STEP
    places, number = np.unique(near, axis=0, return_inverse=True)
    place = np.full(len(units), len(places), np.int64)  # the last one: by the clock
    place[placed] = number.reshape(-1)
    sun = [_by_sun(starts, lat, lon, settings.settle) for lat, lon in places.tolist()]
    return Darkness(start, place, np.array([*sun, _by_clock(starts, BY_CLOCK, zone)]))


def _by_sun(starts: Int64, lat: float, lon: float, settle: int) -> Bool:
    """Below the horizon from `settle` before the hour until `settle` after it."""
    dark: Bool = _down(starts - settle, lat, lon) & _down(starts + HOUR + settle - SECOND, lat, lon)
    return dark


def _down(times: Int64, lat: float, lon: float) -> Bool:
    where: tuple[Float64, Float64] = (np.full(len(times), lat), np.full(len(times), lon))
    _, sunrise, sunset, _ = sun_times(times, *where)
    down: Bool = (times < sunrise) | (times >= sunset)
    return down


def _by_clock(starts: Int64, times: tuple[int, int], zone: ZoneInfo) -> Bool:
    on, off = times
    length = (off - on) % (24 * 60) or 24 * 60
    return np.array([(_minute(each, zone) - on) % (24 * 60) + 60 <= length for each in starts.tolist()], bool)


def _minute(time: int, zone: ZoneInfo) -> int:
    """Of the local day."""
    local = datetime.fromtimestamp(time / SECOND, UTC).astimezone(zone)
    return local.hour * 60 + local.minute
