from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.decode import Decoder
from drivers.families import FAMILIES
from drivers.products import catalog
from drivers.telemetry import DAY, HOUR
from simulators.faults import Faults
from simulators.orders import Orders
from simulators.scene import Scene
from simulators.world.city import MIX, PREFIX, City, counts
from tests.simulators.evening import START, at, city, times

CITY = city()


def test_two_thousand_devices_by_the_default_mix() -> None:
    assert counts(2_000, MIX) == {
        "streetlight": 1_200,
        "cabinet": 40,
        "manhole": 160,
        "dust": 100,
        "fume": 160,
        "parking": 340,
    }


@given(st.integers(6, 100_000))
def test_every_family_has_a_device_and_none_is_lost(n: int) -> None:
    found = counts(n, MIX)
    assert sum(found.values()) == n
    assert min(found.values()) >= 1


def test_a_city_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 6 devices"):
        City.build(5, 7, START)


def test_the_same_seed_gives_the_same_city() -> None:
    again, other = city(), city(seed=8)
    assert list(again.registry()) == list(CITY.registry())
    assert list(other.registry()) != list(CITY.registry())
    for family, cohort in CITY.cohorts.items():
        now = np.full(len(cohort), START + HOUR)
        here, there = (one.values(family, cohort.everyone(), now) for one in (CITY, again))
        assert all(np.array_equal(here[point], there[point]) for point in here)


@pytest.mark.parametrize("family", MIX)
def test_what_a_device_says_does_not_depend_on_when_or_with_whom_it_is_asked(family: str) -> None:
    cohort = CITY.cohorts[family]
    fresh = city()
    late = np.full(len(cohort), START + 40 * DAY)
    fresh.values(family, cohort.everyone(), late)  # asked of the far future first
    now = np.full(len(cohort), START)
    together = CITY.values(family, cohort.everyone(), now)
    for index in range(0, len(cohort), 7):
        alone = fresh.values(family, np.array([index], np.int32), now[:1])
        assert all(alone[point][0] == together[point][index] for point in together)


@pytest.mark.parametrize("family", MIX)
def test_a_sound_device_says_every_point_within_its_range(family: str) -> None:
    winter = at("00:00", "2026-01-14")
    frosty = city(start=winter)
    cohort, declared = frosty.cohorts[family], FAMILIES[family]
    for moment in times(winter, 24 * 9, 5.3).tolist():
        raw = frosty.models[family].values(cohort.everyone(), np.full(len(cohort), moment))
        assert set(raw) == set(declared.index) - {"event", "online"}
        for point, column in raw.items():
            row = declared.index[point]
            assert np.all((declared.low[row] <= column) & (column <= declared.high[row])), point


@pytest.mark.parametrize("family", MIX)
def test_a_watched_point_is_the_point_itself(family: str) -> None:
    model, cohort = CITY.models[family], CITY.cohorts[family]
    for moment in times(START, 24, 1.7).tolist():
        now = np.full(len(cohort), moment)
        values, watched = model.values(cohort.everyone(), now), model.watched(cohort.everyone(), now)
        assert {watch.point for watch in model.watches} <= set(watched)
        assert all(np.array_equal(values[point], watched[point]) for point in watched)


@pytest.mark.parametrize("family", MIX)
@settings(max_examples=20)
@given(when=st.integers(0, 30 * DAY // 1_000))
def test_what_a_sound_device_says_is_taken_whole(family: str, when: int) -> None:
    cohort = CITY.cohorts[family]
    scene = Scene(CITY, Faults(CITY), Orders(CITY))
    time = np.full(len(cohort), START + when * 1_000)
    payloads = list(scene.payloads(family, cohort.everyone(), time))
    decoder = Decoder(catalog()[f"generic-{family}"], "telemetry")
    decoded = decoder.decode(payloads, list(range(len(cohort))), time.tolist())
    assert decoded.refusals == []
    assert np.array_equal(decoded.batch.time, time)
    columns, _ = scene.columns(family, cohort.everyone(), time)
    for point, column in columns.items():
        assert np.array_equal(decoded.batch.values[FAMILIES[family].index[point]], column)


def test_the_registry_names_every_device_once_with_its_place_and_parent() -> None:
    file = io.StringIO()
    CITY.write_registry(file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert len({row["id"] for row in rows}) == len(CITY) == 200
    cabinets = {row["id"]: row for row in rows if row["family"] == "cabinet"}
    for row in rows:
        assert row["id"].startswith(PREFIX[row["family"]])
        assert row["product"] == f"generic-{row['family']}"
        assert row["area"].count("/") == 2
        assert 31 < float(row["lat"]) < 31.4
        assert 121.2 < float(row["lon"]) < 121.7
        assert bool(row["parent"]) == (row["family"] == "streetlight")
        if row["parent"]:
            assert cabinets[row["parent"]]["area"].rpartition("/")[0] == row["area"].rpartition("/")[0]
            assert float(row["attr.rated_power"]) >= 60
