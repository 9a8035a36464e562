from __future__ import annotations

import numpy as np
import pytest

from drivers.telemetry import HOUR, MINUTE
from simulators.world.streetlight import Streetlights, drawn
from tests.simulators.evening import START, at, city, times

CITY = city()
LAMPS = CITY.cohorts["streetlight"]


def lamps_at(
    clock: str, day: str = "2026-06-10"
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return CITY.values("streetlight", LAMPS.everyone(), np.full(len(LAMPS), at(clock, day)))


@pytest.mark.parametrize("clock", ["05:10", "12:00", "17:30", "18:50"])
def test_lamps_are_dark_by_day(clock: str) -> None:
    found = lamps_at(clock)
    assert not found["switch"].any()
    assert np.all(found["power"] < 1)
    assert np.all(found["lux"] > 300)


@pytest.mark.parametrize(
    ("clock", "day"), [("19:15", "2026-06-10"), ("04:30", "2026-06-10"), ("17:10", "2026-12-21")]
)
def test_lamps_burn_by_night(clock: str, day: str) -> None:
    found = lamps_at(clock, day)
    assert found["switch"].all()
    assert np.all(found["lux"] < 400)


def test_power_follows_the_power_curve() -> None:
    rated, bright, dim = LAMPS.attributes["rated_power"], lamps_at("22:00"), lamps_at("02:00")
    assert np.all(bright["dimming"] == 100)
    assert set(dim["dimming"]) == {50, 70}
    for found in (bright, dim):
        assert np.all(np.abs(found["power"] / drawn(rated, found["dimming"]) - 1) < 0.05)
        apparent = found["voltage"] * found["current"] * found["power_factor"]
        assert np.all(np.abs(found["power"] - apparent) < 0.02 * found["power"])


def test_energy_never_falls_and_grows_by_the_power_drawn() -> None:
    everyone = LAMPS.everyone()
    moments = times(START, 24 * 8, 0.5)
    meter = np.stack(
        [CITY.values("streetlight", everyone, np.full(len(LAMPS), t))["energy"] for t in moments.tolist()]
    )
    assert np.all(np.diff(meter, axis=0) >= 0)
    before, after = (
        CITY.values("streetlight", everyone, np.full(len(LAMPS), at(clock)))["energy"]
        for clock in ("21:00", "22:00")
    )
    assert np.all(np.abs((after - before) * 1_000 / lamps_at("21:30")["power"] - 1) < 0.03)
    assert np.allclose(meter[-1] - meter[0], (meter[-1] - meter[0]).clip(0.1), atol=1e-9)


def test_lamps_go_on_within_minutes_of_each_other_and_not_all_at_once() -> None:
    model = CITY.models["streetlight"]
    assert isinstance(model, Streetlights)
    moments = np.arange(at("18:50"), at("19:10"), MINUTE // 2)
    share = [model.lit(LAMPS.everyone(), np.full(len(LAMPS), t)).mean() for t in moments.tolist()]
    rising = [one for one in share if 0 < one < 1]
    assert 3 <= len(rising) <= 16
    assert share == sorted(share)


def test_a_cabinet_carries_its_lamps() -> None:
    cabinets = CITY.cohorts["cabinet"]
    night = at("21:00")
    found = CITY.values("cabinet", cabinets.everyone(), np.full(len(cabinets), night))
    lamps = CITY.values("streetlight", LAMPS.everyone(), np.full(len(LAMPS), night))
    for index in range(len(cabinets)):
        load = lamps["power"][LAMPS.parent == index].sum()
        assert found["power"][index] == pytest.approx(load, rel=0.02, abs=60)
    phases = sum(found[f"voltage_{p}"] * found[f"current_{p}"] for p in "abc") * found["power_factor"]
    assert np.all(np.abs(phases / found["power"] - 1) < 0.02)
    assert found["contactor"].all()
    day = CITY.values("cabinet", cabinets.everyone(), np.full(len(cabinets), at("12:00")))
    assert not day["contactor"].any()
    assert np.all(day["current_a"] + day["current_b"] + day["current_c"] < 1)


def test_a_cabinet_is_never_dark_over_burning_lamps() -> None:
    cabinets = CITY.cohorts["cabinet"]
    for moment in (
        np.arange(at("18:40"), at("19:20"), MINUTE).tolist()
        + np.arange(at("04:20"), at("05:10"), MINUTE).tolist()
    ):
        closed = CITY.values("cabinet", cabinets.everyone(), np.full(len(cabinets), moment))["contactor"]
        lit = CITY.values("streetlight", LAMPS.everyone(), np.full(len(LAMPS), moment))["switch"]
        assert np.all(lit <= closed[LAMPS.parent])


def test_a_cabinet_s_meter_never_falls() -> None:
    cabinets = CITY.cohorts["cabinet"]
    meter = np.stack(
        [
            CITY.values("cabinet", cabinets.everyone(), np.full(len(cabinets), t))["energy"]
            for t in times(START, 60, 1).tolist()
        ]
    )
    assert np.all(np.diff(meter, axis=0) > 0)
    assert np.all(meter[-1] - meter[0] > 0.045 * 59 * HOUR / HOUR)
