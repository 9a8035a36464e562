from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from astral import Observer
from astral.sun import sun

from drivers.telemetry import HOUR
from simulators.world.sun import HORIZON, elevation

PLACES = {"Shanghai": (31.23, 121.47), "Harbin": (45.80, 126.53), "Sydney": (-33.87, 151.21)}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("day", [date(2026, 3, 20), date(2026, 6, 21), date(2026, 9, 23), date(2026, 12, 21)])
def test_the_sun_rises_and_sets_when_astral_says_so(place: str, day: date) -> None:
    lat, lon = PLACES[place]
    found = sun(Observer(lat, lon), date=day)
    for word in ("sunrise", "sunset"):
        moment = np.array([int(found[word].timestamp() * 1_000_000)])
        height = elevation(moment, np.array([lat]), np.array([lon]))
        assert height[0] == pytest.approx(HORIZON, abs=0.15)  # 0.15° is about forty seconds


def test_noon_is_day_and_midnight_is_night() -> None:
    noon = int(sun(Observer(31.23, 121.47), date=date(2026, 6, 21))["noon"].timestamp() * 1_000_000)
    height = elevation(np.array([noon, noon + 12 * HOUR]), np.full(2, 31.23), np.full(2, 121.47))
    assert height[0] > 80
    assert height[1] < -30
