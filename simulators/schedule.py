"""Who reports when: each device at its own interval, at its own place in it, in city time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drivers.telemetry import SECOND
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from drivers.telemetry import Int32, Int64
    from simulators.world.cohort import Cohort

NEVER = np.iinfo(np.int64).max
STEP = 1_000  # µs: two readings of a device are at least this far apart, so that the wire can tell them apart


class Schedule:
    """Of one family. A device does not report before it has `begun`."""

    def __init__(self, cohort: Cohort) -> None:
        n = len(cohort)
        self.interval = np.full(n, cohort.family.interval, np.int64)
        share = Noise(cohort.seed, f"schedule.{cohort.family.name}").uniform(cohort.everyone())
        self._phase = (share * self.interval).astype(np.int64)
        self._next = np.full(n, NEVER, np.int64)
        self._last = np.zeros(n, np.int64)

    def begun(self, index: int) -> bool:
        return bool(self._next[index] != NEVER)

    def begin(self, device: Int32, now: int) -> None:
        """These devices are there: each reports from now on, first when its place in the interval has come."""
        self._next[device] = now + np.maximum(self._phase[device], SECOND)

    def due(self, now: int) -> tuple[Int32, Int64]:
        """Devices whose turn has come by now and the times of their readings; each is then given its next turn.

        A turn that came several times over, because nobody asked, is one.
        """
        device = np.flatnonzero(self._next <= now).astype(np.int32)
        time, interval = self._next[device], self.interval[device]
        self._next[device] = time + interval * ((now - time) // interval + 1)
        return device, self.stamp(device, time)

    def stamp(self, device: Int32, time: Int64) -> Int64:
        """Whole milliseconds, strictly rising a device. No device stands twice in one call."""
        stamped: Int64 = np.maximum(time // STEP * STEP, self._last[device] + STEP)
        self._last[device] = stamped
        return stamped

    def every(self, index: int, interval: int) -> None:
        """The device was told another interval (µs)."""
        self.interval[index] = interval
