"""What a family promises: its points are finite, labelled, named in both languages, and in a stable order."""

from __future__ import annotations

import re

import pytest

from drivers.families import FAMILIES
from drivers.telemetry import MINUTE, Family, Point

UNITS = {
    "%",
    "W",
    "V",
    "A",
    "mA",
    "kWh",
    "h",
    "degC",
    "deg",
    "lux",
    "dBm",
    "m",
    "mm",
    "m/s",
    "m3/s",
    "kPa",
    "ug/m3",
    "mg/m3",
    "dB",
    "s",
    "uT",
    "%LEL",
    "ppm",
} | {""}
EVERY = {"communicationFailure", "deviceLost", "deviceReset", "normal", "identityCloned", "identityRestored"}


def families() -> list[Family]:
    return list(FAMILIES.values())


def quantities(family: Family) -> list[Point]:
    return [*family.points, *(arg for command in family.commands for arg in command.args)]


def test_the_six_families_stand_under_their_own_names() -> None:
    assert list(FAMILIES) == ["streetlight", "cabinet", "manhole", "dust", "fume", "parking"]
    assert all(name == family.name for name, family in FAMILIES.items())


@pytest.mark.parametrize("family", families(), ids=list(FAMILIES))
def test_every_quantity_has_a_range_a_known_unit_and_both_names(family: Family) -> None:
    for point in quantities(family):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", point.name), point.name
        assert point.low < point.high, point.name
        assert point.unit in UNITS, point.name
        assert point.en, point.name
        assert point.zh, point.name
        assert not point.labels or (point.unit == "" and len(set(point.labels)) == len(point.labels)), (
            point.name
        )


@pytest.mark.parametrize("family", families(), ids=list(FAMILIES))
def test_points_alarms_and_commands_have_no_twins(family: Family) -> None:
    for names in (
        [point.name for point in family.points],
        [alarm.name for alarm in family.alarms],
        [command.name for command in family.commands],
    ):
        assert len(names) == len(set(names)), names


@pytest.mark.parametrize("family", families(), ids=list(FAMILIES))
def test_every_family_can_fall_silent_restart_and_be_told_to_report(family: Family) -> None:
    assert {alarm.name for alarm in family.alarms} >= EVERY
    assert {"reportInterval", "restart"} <= {command.name for command in family.commands}
    assert family.interval >= MINUTE
    assert all(alarm.en and alarm.zh for alarm in family.alarms)


@pytest.mark.parametrize("family", families(), ids=list(FAMILIES))
def test_family_sizes_stay_within_a_screen(family: Family) -> None:
    assert 8 <= len(family) - 2 <= 16


def test_event_and_online_follow_the_declared_points() -> None:
    for family in families():
        event, online = family.points[-2:]
        assert (event.name, online.name) == ("event", "online")
        assert event.labels == tuple(alarm.name for alarm in family.alarms)
