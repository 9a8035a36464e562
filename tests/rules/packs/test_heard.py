"""What a device says by an alarm's own name is heard by a shipped rule, and ended by its own end word or the gateway's alone."""

from __future__ import annotations

from typing import Any, Final

import pytest

from drivers.families import FAMILIES
from drivers.families.every import CLONED, NORMAL, RESET, RESTORED
from drivers.telemetry import Family, Quality
from rules.control import DeviceRow
from rules.packs import load
from tests.rules.timeline import Timeline

ENDS: Final = {NORMAL.name, RESTORED.name}
QUIET: Final = ENDS | {RESET.name}  # a restart is a moment, nothing that stands
AGREES: Final[dict[str, dict[str, float | str]]] = {
    "parking": {"occupied": "occupied"}
}  # what a device says besides
each_family = pytest.mark.parametrize("family", list(FAMILIES))


def of(family: str) -> list[dict[str, Any]]:
    """Every shipped rule that is about the family, as if it were about no other."""
    mine = [rule for rule in load() if rule.get("family") == family or "*" in rule.get("families", ())]
    return [
        {key: value for key, value in rule.items() if key != "families"} | {"family": family} for rule in mine
    ]


def said(family: Family) -> list[str]:
    """What can be said of something that stands."""
    return [alarm.name for alarm in family.alarms if alarm.name not in QUIET]


def town(family: Family) -> Timeline:
    """One device for each alarm that can be said."""
    devices = [
        DeviceRow(index, name, "p", "north/lake", 31.2, 121.5, attributes={"rated_power": 100.0})
        for index, name in enumerate(said(family))
    ]
    return Timeline(family, *of(family.name), devices=devices)


def speak(day: Timeline, time: str, *events: str) -> None:
    """Each device says its own alarm, or all say these, a minute apart."""
    for place, name in enumerate(said(day.family)):
        for turn, event in enumerate(events or (name,)):
            begin = day.at(time).now
            hours, minutes = begin.split(":")
            day.at(f"{hours}:{int(minutes) + turn:02}")
            day.says(place, "", Quality.GOOD, event=event, **AGREES.get(day.family.name, {}))


def standing(day: Timeline) -> dict[str, set[str]]:
    """Rules raised, by the device that is named like what it said."""
    found: dict[str, set[str]] = {name: set() for name in said(day.family)}
    for one in day.said:
        (found[one.device].add if one.raised else found[one.device].discard)(one.rule)
    return found


@each_family
def test_every_alarm_that_a_device_can_name_is_heard_within_minutes(family: str) -> None:
    day = town(FAMILIES[family])
    speak(day, "10:00")
    day.at("10:05").sweep()
    assert [name for name, rules in standing(day).items() if not rules] == []


@each_family
def test_no_other_event_ends_it(family: str) -> None:
    day = town(FAMILIES[family])
    speak(day, "10:00")
    before = standing(day)
    speak(day, "10:01", *said(FAMILIES[family]), RESET.name)
    after = standing(day)
    assert all(after[name] >= before[name] for name in before)


@each_family
def test_the_devices_end_word_ends_what_it_said_and_nothing_that_the_gateway_found(family: str) -> None:
    day = town(FAMILIES[family])
    speak(day, "10:00")
    day.at("10:05").sweep()
    speak(day, "10:06", NORMAL.name)
    assert {name: rules for name, rules in standing(day).items() if rules} == {CLONED.name: {"device-cloned"}}


@each_family
def test_the_gateways_end_word_ends_its_own_finding_and_nothing_that_the_device_said(family: str) -> None:
    day = town(FAMILIES[family])
    speak(day, "10:00")
    day.at("10:05").sweep()
    speak(day, "10:06", RESTORED.name)
    assert {name for name, rules in standing(day).items() if not rules} == {CLONED.name}
