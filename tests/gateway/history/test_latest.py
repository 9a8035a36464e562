from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.telemetry import MINUTE, NO_TIME, Batch, Family, Kind, Point, Quality
from gateway.history.latest import Known, Latest
from tests.gateway.history.readings import DUST, FAMILIES, Said, batch_of

VALUES = st.tuples(st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from([0, 2, 4]))
POINTS = st.dictionaries(st.sampled_from(["pm10", "pm25", "tsp"]), VALUES)
KINDS = st.sampled_from(Kind)
SAID = st.builds(
    Said, st.integers(0, 3), st.integers(1, 6), POINTS, KINDS, st.integers(1, 9), st.integers(0, 7)
)
BATCHES = st.lists(st.lists(SAID, max_size=12), max_size=4)


def known_one_by_one(batches: list[list[Said]]) -> dict[int, dict[str, Known]]:
    known: dict[int, dict[str, Known]] = {}
    for said in batches:
        for row in said:
            of = known.setdefault(row.device, {})
            for name, given_ in row.points.items():
                assert isinstance(given_, tuple)
                if name not in of or row.time >= of[name].time:
                    of[name] = Known(given_[0], Quality(given_[1]), row.time)
    return known


@settings(max_examples=150, deadline=None)
@given(BATCHES)
def test_a_batch_is_worth_its_rows_one_by_one(batches: list[list[Said]]) -> None:
    latest = Latest(FAMILIES)
    for said in batches:
        latest.update(batch_of(said))
    expected = known_one_by_one(batches)
    assert {device: latest.get("dust", device) for device in range(4)} == {
        device: expected.get(device, {}) for device in range(4)
    }


def test_it_never_goes_back_in_time() -> None:
    latest = Latest(FAMILIES)
    latest.update(batch_of([Said(2, 10, {"pm10": 1.0})]))
    latest.update(batch_of([Said(2, 9, {"pm10": 2.0, "tsp": 3.0}), Said(2, 10, {"pm10": (math.nan, 4)})]))
    known = latest.get("dust", 2)
    assert known["tsp"] == (3.0, Quality.GOOD, 9)
    assert known["pm10"][1:] == (Quality.FAULT, 10)
    assert math.isnan(known["pm10"].value)
    assert latest.get("dust", 1) == latest.get("dust", 3) == latest.get("dust", -1) == {}
    assert latest.get("lot", 0) == {}


def test_the_newest_time_of_every_device_up_to_the_highest() -> None:
    latest = Latest(FAMILIES)
    latest.update(Batch.empty(DUST))
    latest.update(batch_of([Said(1, 10, {"pm10": 1.0}), Said(1, 9, {"tsp": 1.0})]))
    latest.update(batch_of([Said(5_000, 11, {"pm10": 2.0})]))
    newest = latest.newest("dust")
    assert newest.shape == (5_001,)
    assert np.flatnonzero(newest != NO_TIME).tolist() == [1, 5_000]
    assert newest[[1, 5_000]].tolist() == [10, 11]
    assert latest.newest("lot").shape == (0,)


def test_a_snapshot_is_a_copy_and_knows_points_by_name() -> None:
    latest = Latest(FAMILIES)
    latest.update(batch_of([Said(3, 10, {"pm10": 1.0, "tsp": 2.0})]))
    saved = latest.snapshot()
    latest.update(batch_of([Said(3, 11, {"pm10": 9.0})]))
    turned = Family("dust", (Point("tsp", "ug/m3", 0, 1), Point("noise", "dB", 0, 1)), (), MINUTE)
    new = Latest({"dust": turned, "manhole": Family("manhole", (), (), MINUTE)})
    new.restore(saved)
    assert new.get("dust", 3) == {"tsp": Known(2.0, Quality.GOOD, 10)}
    same = Latest(FAMILIES)
    same.restore(saved)
    assert same.get("dust", 3)["pm10"] == Known(1.0, Quality.GOOD, 10)
    assert same.snapshot()["dust"].keys() == {"pm10", "tsp"}
