"""Rules over rows as products really send them: one phase of three, a phase that turns bad, power without a switch, no end word."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from drivers.families import FAMILIES
from drivers.telemetry import Quality
from rules.control import DeviceRow
from rules.packs import load
from tests.rules.packs.proof import RATED, Proof, story
from tests.rules.timeline import Timeline

DOCUMENTS: Final = {document["id"]: document for document in load()}


class Shape(NamedTuple):
    rule: str
    script: str
    story: str
    attributes: dict[str, float] = RATED


ONE_PHASE: Final = [
    Shape(
        "cabinet-overvoltage",
        "10:00-10:05/1m voltage_a=250; 10:06 voltage_a=239; 10:07 voltage_a=237",
        "raised 10:05:00, cleared 10:07:00",
    ),
    Shape(
        "cabinet-undervoltage",
        "10:00-10:05/1m voltage_b=180; 10:06 voltage_b=201; 10:07 voltage_b=203",
        "raised 10:05:00, cleared 10:07:00",
    ),
    Shape(
        "cabinet-overcurrent",
        "20:00-20:05/1m current_a=19; 20:06 current_a=11; 20:07 current_a=10",
        "raised 20:05:00, cleared 20:07:00",
    ),
    Shape(
        "cabinet-supply-loss",
        "10:00-10:01/1m voltage_a=0; 10:09 voltage_a=230",
        "raised 10:01:00, cleared 10:09:00",
    ),
    Shape("cabinet-phase-loss", "10:00-10:09/1m voltage_a=0", ""),
    Shape(
        "cabinet-contactor-welded",
        "10:00-10:02/1m contactor=off current_a=9; 10:08 current_a=3; 10:09 current_a=2.9",
        "raised 10:02:00, cleared 10:09:00",
    ),
    Shape(
        "cabinet-contactor-welded",
        "10:00-10:02/1m contactor=off current_c=9; 10:08 current_c=2 current_b=1; 10:09 current_b=0.5",
        "raised 10:02:00, cleared 10:09:00",
    ),
    Shape("cabinet-contactor-welded", "10:00-10:09/1m contactor=off voltage_a=230", ""),
]
LAMPS: Final = [
    Shape(  # UL20xx: relay and consumption come in frames of their own
        "lamp-cycling",
        "20:00-21:00/5m switch=on; 20:01-21:01/5m power=95|2; 21:06-23:00/5m power=95",
        "raised 20:52:00, cleared 21:24:00",
    ),
    Shape(  # UL20xx, port 61 then 26: over-current at 89 W, and no end word ever
        "lamp-overcurrent-event",
        "20:00 event=currentTooHigh power=89 voltage=229 power_factor=0.86; 21:00 switch=on; 21:10 power=42 voltage=229",
        "raised 20:00:00, cleared 21:10:00",
        {"rated_power": 40.0, "rated_current": float("nan")},
    ),
    Shape(  # the newest event is another one: the old word is not heard anew
        "lamp-overvoltage-event",
        "20:00 event=supplyVoltageTooHigh voltage=250; 21:00 voltage=230; 21:05 event=lampFailure; 22:00 voltage=241",
        "raised 20:00:00, cleared 21:00:00",
    ),
    Shape(  # an hourly lamp that goes on a quarter of an hour before sunset, and off as long after sunrise
        "lamp-day-burning",
        "16:46 power=1; 17:46 power=95; 18:46 power=95; 29:46 power=95; 30:24 power=95; 30:26 power=0.5",
        "",
    ),
    Shape(
        "lamp-day-burning",
        "17:33-17:46/1m power=95; 18:00 power=95; 31:00 power=1",
        "raised 17:43:00, cleared 31:00:00",
    ),
]
COVERS: Final = [
    Shape(  # a cover that said nothing bad before: what it said of itself long ago clears nothing
        "cover-open-event",
        "04:00 cover=closed; 10:00 event=coverOpened; 16:00 battery=80; 22:00 cover=open; 28:00 cover=closed",
        "raised 10:00:00, cleared 28:00:00",
    ),
    Shape(  # DC410 names a low battery in every frame, until it has a new one
        "cover-battery-event",
        "10:00-28:00/6h event=batteryLevelTooLow tilt=0; 34:00 tilt=0; 40:00 event=normal",
        "raised 10:00:00, cleared 40:00:00",
    ),
]


@pytest.mark.parametrize("shape", [*ONE_PHASE, *LAMPS, *COVERS], ids=lambda shape: shape.rule)
def test_it_is_judged_by_what_such_a_device_sends(shape: Shape) -> None:
    document = DOCUMENTS[shape.rule]
    nothing = Proof("", "", "", "", "", attributes=shape.attributes)
    assert story(document, document["family"], nothing, shape.script) == shape.story


def cabinet(rule: str) -> Timeline:
    row = DeviceRow(0, "D-0", "p", "north/lake", 31.2, 121.5, attributes=dict(RATED))
    return Timeline(FAMILIES["cabinet"], DOCUMENTS[rule], devices=[row])


@pytest.mark.parametrize(
    ("rule", "points", "bad", "good"),
    [
        ("cabinet-overvoltage", "voltage", 250, 230),
        ("cabinet-undervoltage", "voltage", 180, 230),
        ("cabinet-overcurrent", "current", 19, 9),
        ("cabinet-phase-loss", "voltage", 4, 230),
    ],
)
def test_a_phase_that_turns_bad_does_not_hold_the_alarm_of_another_for_ever(
    rule: str, points: str, bad: float, good: float
) -> None:
    a, b, c = (f"{points}_{phase}" for phase in "abc")
    day = cabinet(rule)
    for minute in range(6):
        day.at(f"10:0{minute}").says(0, "", Quality.GOOD, **{a: bad, b: good, c: good})
    raised = len(day.story)
    assert raised == 1
    day.at("10:06").says(0, "", Quality.FAULT, **{b: 0})
    assert len(day.story) == raised, "phase A has not said otherwise"
    day.at("10:07").says(0, "", Quality.GOOD, **{a: good, c: good})
    assert day.story[-1] == f"cleared {rule} 10:07:00"


def test_where_no_phase_is_known_nothing_clears() -> None:
    day = cabinet("cabinet-contactor-welded")
    for minute in range(4):
        day.at(f"10:0{minute}").says(contactor="off", current_a=9)
    day.at("10:05").says(0, "", Quality.FAULT, current_a=0)
    day.at("10:06").says(contactor="off")
    assert day.story == ["raised cabinet-contactor-welded 10:02:00"]
