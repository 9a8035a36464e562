from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from drivers.telemetry import MINUTE, SECOND, Float64
from simulators.world.dust import Sites
from simulators.world.parking import Bays
from tests.simulators.evening import START, at, city, times

CITY = city(600)
WEEK = times(at("00:00", "2026-06-11"), 24 * 7)


def mean(family: str, point: str, clock: str, day: str = "2026-06-10") -> float:
    cohort = CITY.cohorts[family]
    return float(CITY.values(family, cohort.everyone(), np.full(len(cohort), at(clock, day)))[point].mean())


def whole_week(family: str, point: str) -> Float64:
    cohort = CITY.cohorts[family]
    return np.stack(
        [CITY.values(family, cohort.everyone(), np.full(len(cohort), t))[point] for t in WEEK.tolist()]
    )


def test_sites_are_loud_and_dusty_by_day_and_rest_by_night() -> None:
    assert mean("dust", "noise", "10:00") > 55
    assert mean("dust", "noise", "02:00") < 48
    assert mean("dust", "pm10", "10:00") > mean("dust", "pm10", "03:00") + 15
    assert mean("dust", "noise", "10:00") > mean("dust", "noise", "12:15") + 0.2


def test_rain_washes_dust_out() -> None:
    rain = whole_week("dust", "rain").max(axis=1)
    assert rain.max() > 0
    assert (rain == 0).mean() > 0.5
    fine = whole_week("dust", "pm25").mean(axis=1)
    assert fine[rain > 2].mean() < fine[rain == 0].mean()


def test_sites_pour_concrete_now_and_then_and_only_while_they_work() -> None:
    model, cohort = CITY.models["dust"], CITY.cohorts["dust"]
    assert isinstance(model, Sites)
    pours = np.stack([model.pouring(cohort.everyone(), np.full(len(cohort), t)) for t in WEEK.tolist()])
    works = np.stack([model.work(cohort.everyone(), np.full(len(cohort), t)) for t in WEEK.tolist()])
    assert 0.02 < pours.mean() < 0.12
    assert np.all(works[pours > 0] > 0)


@pytest.mark.parametrize(
    ("family", "point", "limit"),
    [
        ("dust", "pm10", 150),
        ("dust", "tsp", 500),
        ("dust", "noise", 70),
        ("dust", "wind_speed", 10.8),
        ("fume", "fume", 0.9),
        ("fume", "particulate", 5),
        ("fume", "nmhc", 10),
        ("cabinet", "leakage", 100),
        ("manhole", "tilt", 10),
        ("manhole", "water_level", 1.5),
    ],
)
def test_nobody_breaks_a_limit_by_himself(family: str, point: str, limit: float) -> None:
    assert whole_week(family, point).max() < limit


def test_kitchens_cook_at_lunch_and_dinner() -> None:
    idle = mean("fume", "fume", "04:00")
    for meal in ("12:00", "19:00"):
        assert mean("fume", "fume", meal) > idle + 0.15
        assert mean("fume", "fan", meal) == 1
    assert mean("fume", "fume", "15:00") < idle + 0.02
    assert mean("fume", "fan", "04:00") == 0
    assert idle < mean("fume", "fume", "21:10") < mean("fume", "fume", "19:00")


def test_a_purifier_runs_with_its_fan() -> None:
    fan, purifier = whole_week("fume", "fan"), whole_week("fume", "purifier")
    current = whole_week("fume", "purifier_current")
    assert np.array_equal(fan, purifier)
    assert np.array_equal(current > 1, purifier == 1)


def test_bays_fill_and_empty() -> None:
    taken = whole_week("parking", "occupied")
    assert set(np.unique(taken)) == {0, 1}
    assert 0.1 < taken.mean() < 0.6
    assert np.all((np.diff(taken, axis=0) != 0).sum(axis=0) > 7)


def test_a_bay_counts_its_parkings_and_the_time_in_its_state() -> None:
    cohort, bays = CITY.cohorts["parking"], CITY.models["parking"]
    assert isinstance(bays, Bays)
    everyone = cohort.everyone()
    moments = np.arange(START, START + 9 * 60 * MINUTE, MINUTE // 2)
    seen = [bays.values(everyone, np.full(len(cohort), t)) for t in moments.tolist()]
    for before, after in pairwise(seen):
        arrived = (after["occupied"] > before["occupied"]).astype(float)
        changed = after["occupied"] != before["occupied"]
        assert np.array_equal(after["parkings"] - before["parkings"], arrived)
        assert np.allclose((after["duration"] - before["duration"])[~changed], 30)
        assert np.all(after["duration"][changed] <= 30)


def test_no_car_stays_longer_than_it_may() -> None:
    cohort = CITY.cohorts["parking"]
    taken, stay = whole_week("parking", "occupied") > 0, whole_week("parking", "duration")
    allowed = np.nan_to_num(cohort.attributes["max_stay"] * 60, nan=12 * 3_600)
    assert np.all(np.where(taken, stay, 0) < allowed)
    assert np.nanmin(cohort.attributes["max_stay"]) == 60
    assert MINUTE // SECOND == 60
