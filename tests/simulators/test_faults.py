from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import simulators
from drivers.decode import Decoder
from drivers.families import FAMILIES
from drivers.products import catalog
from drivers.telemetry import HOUR, MINUTE
from simulators import mishaps
from simulators.faults import Fault, Faults, clock, demo, pick, read, shows
from simulators.mishaps import ANY, KINDS
from simulators.orders import Orders
from simulators.poison import SPOIL
from simulators.scene import Scene
from tests.simulators.evening import START, at, city

CITY = city(600)
LAST = START + HOUR


def one(name: str, family: str, index: int = 0, start: int = START, end: int = LAST) -> Fault:
    return Fault(mishaps.find(name, family), family, index, CITY.cohorts[family].ids[index], start, end)


def spoken(fault: Fault, when: int) -> dict[str, float]:
    scene = Scene(CITY, Faults(CITY, [fault]), Orders(CITY))
    columns, _ = scene.columns(fault.family, np.array([fault.index], np.int32), np.array([when]))
    return {point: float(column[0]) for point, column in columns.items()}


def test_every_expected_alarm_and_event_is_one_of_its_family() -> None:
    for kind in KINDS.values():
        for family in FAMILIES if kind.family == ANY else [kind.family]:
            known = {alarm.name for alarm in FAMILIES[family].alarms}
            assert set(kind.alarms) <= known
            assert kind.event is None or kind.event in known
            assert set(kind.sets) <= set(FAMILIES[family].index)
        assert kind.layer in {"values", "bytes", "link"}
        assert (kind.layer == "bytes") == (kind.name in SPOIL)


@pytest.mark.parametrize(("family", "name"), [key for key, kind in KINDS.items() if kind.sets or kind.amend])
def test_a_fault_on_values_shows_from_its_start_to_its_end_and_stays_in_range(family: str, name: str) -> None:
    fault = one(name, family, start=START + MINUTE, end=START + 30 * MINUTE)
    sound = one("bad_json", family)
    changed = spoken(fault, fault.start)
    assert changed != spoken(sound, fault.start)
    assert spoken(fault, fault.start - 1) == spoken(sound, fault.start - 1)
    assert spoken(fault, fault.end) == spoken(sound, fault.end)
    for point, value in fault.kind.sets.items():
        assert changed[point] == pytest.approx(value, rel=0.01, abs=0.06)
    scene = Scene(CITY, Faults(CITY, [fault]), Orders(CITY))
    (payload,) = scene.payloads(family, np.array([0], np.int32), np.array([fault.start]))
    decoder = Decoder(catalog()[f"generic-{family}"], "telemetry")
    assert decoder.decode([payload], [0], [fault.start]).refusals == []


def test_a_fault_touches_its_device_alone() -> None:
    scene = Scene(CITY, Faults(CITY, [one("storm", "dust", 1)]), Orders(CITY))
    cohort = CITY.cohorts["dust"]
    columns, _ = scene.columns("dust", cohort.everyone(), np.full(len(cohort), START))
    assert np.flatnonzero(columns["wind_speed"] > 15).tolist() == [1]


def test_a_frozen_device_repeats_itself() -> None:
    fault = one("flatline", "dust", start=START + 5 * MINUTE)
    assert spoken(fault, START + 50 * MINUTE) == spoken(fault, fault.start)
    assert spoken(fault, START) != spoken(fault, fault.start)


def test_a_silent_device_says_nothing() -> None:
    faults = Faults(CITY, [one("silent", "fume", 3)])
    dumb = faults.mute("fume", np.array([2, 3, 3], np.int32), np.array([START, START, LAST]))
    assert dumb.tolist() == [False, True, False]


def test_calibration_is_said_as_quality() -> None:
    scene = Scene(CITY, Faults(CITY, [one("calibrating", "dust", 2)]), Orders(CITY))
    _, quality = scene.columns("dust", np.array([1, 2], np.int32), np.full(2, START))
    assert quality == {1: {"pm10": "calibrating", "pm25": "calibrating", "tsp": "calibrating"}}


def test_turns_come_once_and_in_order() -> None:
    first = one("storm", "dust", start=START + MINUTE, end=START + 5 * MINUTE)
    second = one("gas", "manhole", start=START + 2 * MINUTE, end=START + 3 * MINUTE)
    faults = Faults(CITY, [second, first])
    assert faults.turns(START) == []
    assert [(turn.fault.kind.name, turn.begins) for turn in faults.turns(START + 4 * MINUTE)] == [
        ("storm", True),
        ("gas", True),
        ("gas", False),
    ]
    assert [turn.begins for turn in faults.turns(LAST)] == [False]


def test_a_state_changes_when_a_watched_point_crosses_its_limit() -> None:
    fault = one("cover_tilted", "manhole", 1, start=START + MINUTE)
    scene = Scene(CITY, Faults(CITY, [fault]), Orders(CITY))
    device = CITY.cohorts["manhole"].everyone()
    before, after = (scene.state("manhole", device, np.full(len(device), t)) for t in (START, fault.start))
    assert np.flatnonzero(before != after).tolist() == [1]


@pytest.mark.parametrize("start", [START, at("17:30", "2026-12-21"), at("17:30", "2026-09-20")])
def test_the_demo_has_three_faults_a_family_that_must_be_noticed_and_then_clear(start: int) -> None:
    town = city(2_000, start=start)
    found = demo(town)
    for family in town.cohorts:
        due = [t for t in found.truth() if t["family"] == family and t["by"] is not None and t["alarms"]]
        assert len(due) >= 3
        assert len({(t["device"], t["kind"]) for t in due}) == len(due)
        assert all(start + 4 * MINUTE <= t["start"] < t["by"] <= t["end"] <= start + 41 * MINUTE for t in due)
    refused = {t["kind"] for t in found.truth() if t["layer"] == "bytes"}
    assert refused == set(SPOIL)
    assert found.truth() == demo(city(2_000, start=start)).truth()
    devices = [(fault.family, fault.index) for fault in found.all]
    assert len(set(devices)) == len(devices)


def test_the_smallest_city_has_its_demo_too() -> None:
    town = city(6)
    assert {fault.family for fault in demo(town).all} == set(town.cohorts)


def test_lamps_fail_by_night_and_burn_by_day() -> None:
    dead, burning = mishaps.find("lamp_dead", "streetlight"), mishaps.find("day_burning", "streetlight")
    assert shows(dead, CITY, "streetlight", 0, at("20:30"))
    assert not shows(dead, CITY, "streetlight", 0, at("17:30"))
    assert shows(burning, CITY, "streetlight", 0, at("17:30"))
    assert not shows(burning, CITY, "streetlight", 0, at("18:40"))


def test_the_shipped_scenario_is_read() -> None:
    path = Path(simulators.__file__).parent / "scenarios" / "evening.toml"
    found = read(path.read_text("utf-8"), city(2_000))
    assert {fault.family for fault in found.all} == set(FAMILIES)
    assert [t["kind"] for t in found.truth()].count("gear_failed") == 2
    tilted = next(t for t in found.truth() if t["kind"] == "cover_tilted")
    assert tilted["device"] == "MH-0001"
    assert (tilted["start"], tilted["end"]) == (at("17:41:30"), at("18:08"))


def test_a_scenario_may_cross_midnight() -> None:
    found = read('[[fault]]\nkind = "storm"\nfamily = "dust"\nfrom = "23:30"\nuntil = "01:10"', CITY)
    assert found.all[0].end - found.all[0].start == 100 * MINUTE
    assert clock(START, "17:30") == START
    assert clock(START, "17:29:59") == START + 24 * HOUR - MINUTE // 60


def test_every_fault_of_a_scenario_is_told() -> None:
    text = """
        fault = [
            {kind = "storm", family = "dust", from = "25:00", until = "18:00"},
            {kind = "strom", family = "dust", from = "17:40", until = "18:00"},
            {kind = "storm", device = "DU-9999", from = "17:40", until = "18:00"},
            {kind = "storm", family = "rail", from = "17:40", until = "18:00"},
            {kind = "storm", family = "dust", from = "17:40", untli = "18:00"},
            {kind = "storm", family = "dust", from = "17:40"},
        ]"""
    with pytest.raises(ValueError, match="fault 1") as caught:
        read(text, CITY)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert "'25:00' is no time of day" in lines[0]
    assert "no fault 'strom'; it has" in lines[1]
    assert "DU-9999" in lines[2]
    assert "name a device, or a family" in lines[3]
    assert "no such key: untli" in lines[4]
    assert "until" in lines[5]


def test_a_choice_is_by_the_seed_and_without_twins() -> None:
    chosen = pick(CITY, "parking", "anything", 20)
    assert chosen == pick(city(600), "parking", "anything", 20)
    assert len(set(chosen)) == 20
    assert chosen != pick(CITY, "parking", "other", 20)
