from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import MINUTE
from simulators.world.noise import Noise

DEVICES = np.arange(2_000, dtype=np.int32)


def test_uniform_numbers_are_uniform_and_unrelated_to_their_neighbours() -> None:
    numbers = Noise(7, "any").uniform(DEVICES)
    assert 0 <= numbers.min() < 0.01
    assert 0.99 < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.06
    assert abs(np.corrcoef(numbers, Noise(7, "any").uniform(DEVICES, 1))[0, 1]) < 0.06


def test_streams_and_seeds_differ() -> None:
    first = Noise(7, "one").uniform(DEVICES)
    assert not np.any(first == Noise(7, "other").uniform(DEVICES))
    assert not np.any(first == Noise(8, "one").uniform(DEVICES))
    assert np.array_equal(first, Noise(7, "one").uniform(DEVICES))


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**31 - 1), st.integers(0, 2**64 - 1))
def test_a_number_depends_on_its_place_alone(step: int, device: int, seed: int) -> None:
    noise = Noise(seed, "place")
    alone = noise.uniform(np.array([device]), np.array([step]))
    among = noise.uniform(np.array([3, device, 5]), np.array([step + 1, step, step]))
    assert alone[0] == among[1]
    assert 0 <= alone[0] < 1


@given(st.integers(0, 10**15))
def test_a_wave_moves_smoothly_between_its_bounds(time: int) -> None:
    noise = Noise(7, "wave")
    here = noise.wave(DEVICES[:50], np.full(50, time), MINUTE)
    soon = noise.wave(DEVICES[:50], np.full(50, time + MINUTE // 100), MINUTE)
    assert np.all(np.abs(here) <= 1)
    assert np.all(np.abs(soon - here) < 0.05)
