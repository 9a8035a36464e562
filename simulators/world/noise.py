"""Randomness that is a function of its place: the same (seed, device, step) always gives the same number.

So a world can be asked for any moment, in any order, for any devices. The generator is splitmix64 over a counter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from drivers.telemetry import Float64, Int64

    UInt64 = npt.NDArray[np.uint64]
    Integers = npt.NDArray[np.integer]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX2: Final = np.uint64(0x94D049BB133111EB)
_LOW53: Final = float(2.0**-53)


def _mix(word: UInt64) -> UInt64:
    word = (word ^ (word >> np.uint64(30))) * _MIX1
    word = (word ^ (word >> np.uint64(27))) * _MIX2
    return word ^ (word >> np.uint64(31))


class Noise:
    """One stream of a seed. Streams of different names are independent of each other."""

    def __init__(self, seed: int, name: str) -> None:
        key = np.frombuffer(name.encode().ljust(-(-len(name) // 8) * 8, b"\0"), np.uint64)
        state = np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64)
        for word in key:
            state = _mix(state * _GOLDEN + word)
        self._key = state

    def uniform(self, device: Integers, step: Integers | int = 0) -> Float64:
        """float64 in [0, 1) for each (device, step)."""
        counter = np.atleast_1d(step).astype(np.int64).astype(np.uint64)
        word = _mix(np.atleast_1d(device).astype(np.uint64) * _GOLDEN + self._key)
        word = _mix(word + counter * _GOLDEN)
        number: Float64 = (word >> np.uint64(11)).astype(np.float64) * _LOW53
        return number

    def spread(self, device: Integers, step: Integers | int = 0) -> Float64:
        """float64 in [-1, 1), denser in the middle (the sum of two uniforms)."""
        step = np.asarray(step)
        return self.uniform(device, step * 2) + self.uniform(device, step * 2 + 1) - 1.0

    def wave(self, device: Integers, time: Int64, period: int) -> Float64:
        """float64 in [-1, 1] that wanders smoothly, with a new aim each `period` (µs)."""
        step = time // period
        part = (time - step * period) / period
        part = part * part * (3 - 2 * part)
        here = self.uniform(device, step)
        there = self.uniform(device, step + 1)
        swing: Float64 = 2 * (here + (there - here) * part) - 1
        return swing
