"""[rule.action]: what is wrong with one is said with its key, and a sound one is read as it stands."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.families import FAMILIES
from drivers.telemetry import MINUTE
from rules.action import Action, Bound, read
from rules.document import RulesError, read_rules

SPRAY: dict[str, Any] = {
    "command": "spray",
    "args": {"state": "on", "duration": 600},
    "undo": {"state": "off", "duration": 10},
    "min_run": "5m",
    "min_pause": "10m",
    "not_when": {"rain": {"above": 0.1}, "temperature": {"below": 3}},
}


def rule(action: object, **more: Any) -> dict[str, Any]:
    form = {
        "id": "one",
        "family": "dust",
        "when": 'spray == "off"',
        "severity": "info",
        "alarm": "pm10TooHigh",
    }
    return {**form, "action": action, **more}


def test_a_sound_action_is_read() -> None:
    (sound,) = read_rules([rule(SPRAY)], FAMILIES)
    assert read(sound.document) == Action(
        "spray",
        {"state": "on", "duration": 600},
        {"state": "off", "duration": 10},
        5 * MINUTE,
        10 * MINUTE,
        (Bound("rain", above=0.1), Bound("temperature", below=3)),
    )
    assert read({}) is None


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ("spray", "one.action: expected a table"),
        ({**SPRAY, "colour": 1}, "one.action.colour: expected one of args, command"),
        ({**SPRAY, "command": "dance"}, "one.action.command: expected a command of dust: spray"),
        ({**SPRAY, "args": {"state": "on"}}, "one.action.args: expected state, duration"),
        (
            {**SPRAY, "undo": {"state": "out", "duration": 10}},
            "one.action.undo.state: expected off, on, found 'out'",
        ),
        (
            {**SPRAY, "args": {"state": 1, "duration": 9}},
            "one.action.args.duration: expected 10 to 7200 s, found 9",
        ),
        ({**SPRAY, "min_run": 5}, "one.action.min_run: "),
        ({**SPRAY, "not_when": {"snow": {"above": 1}}}, "one.action.not_when.snow: is no point of dust"),
        (
            {**SPRAY, "not_when": {"rain": {"over": 1}}},
            "one.action.not_when.rain: expected above, below or both",
        ),
        ({**SPRAY, "not_when": {"rain": {"above": "much"}}}, "one.action.not_when.rain: expected numbers"),
        ({**SPRAY, "not_when": []}, "one.action.not_when: expected a table"),
    ],
)
def test_a_fault_names_its_key(action: object, fault: str) -> None:
    with pytest.raises(RulesError) as raised:
        read_rules([rule(action)], FAMILIES)
    (said,) = [str(one) for one in raised.value.faults]
    assert said.startswith(fault)


@pytest.mark.parametrize(
    ("bound", "value", "forbids"),
    [
        (Bound("rain", above=0.1), 0.1, False),
        (Bound("rain", above=0.1), 0.2, True),
        (Bound("temperature", below=3), 2.9, True),
        (Bound("temperature", below=3, above=45), 46, True),
        (Bound("temperature", below=3), None, True),
    ],
)
def test_weather_that_nobody_knows_forbids(bound: Bound, value: float | None, *, forbids: bool) -> None:
    assert bound.forbids(value) is forbids
