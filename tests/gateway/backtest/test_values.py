"""Which values of a parameter are tried, in whose place, and what the answer says of it."""

from __future__ import annotations

import pytest

from drivers.families import FAMILIES
from gateway.backtest.values import Question, ask, conclude
from rules import packs
from rules.control import DeviceRow, Parameter
from rules.devices import Devices
from rules.parameters import Overrides

RULE = "dust-pm10-high"
(DOCUMENT,) = [one for one in packs.load() if one["id"] == RULE]


def limit(scope: str, value: float) -> Parameter:
    return Parameter(RULE, "limit", scope, value)


def current(*overrides: Parameter, area: str = "") -> float:
    return ask(DOCUMENT, overrides, "limit", area)[0].current


def test_the_current_value_is_the_citys_else_the_presets_else_the_rules() -> None:
    assert current() == DOCUMENT["limit"]["value"] == 150
    assert current(limit("preset", 80)) == 80
    assert current(limit("", 120), limit("preset", 80)) == current(limit("preset", 80), limit("", 120)) == 120
    assert current(limit("area:xuhui", 100), limit("preset", 80)) == 80


def test_the_current_value_of_an_area_is_that_of_its_longest_path() -> None:
    set_ = [limit("", 120), limit("area:xuhui", 100), limit("area:xuhui/tianping/yongjia", 90)]
    assert current(*set_, area="xuhui/tianping") == 100
    assert current(*set_, area="xuhui/tianping/yongjia") == 90
    assert current(*set_, area="pudong") == 120


FLEET = [
    DeviceRow(0, "DU-1", "generic-dust", "xuhui/tianping"),
    DeviceRow(1, "DU-2", "special-dust", "xuhui/kangjian"),
    DeviceRow(2, "DU-3", "generic-dust", "xuhui/kangjian"),
]
SET = [
    limit("preset", 80),
    limit("area:xuhui", 100),
    limit("area:xuhui/tianping", 90),
    limit("product:special-dust", 85),
    limit("device:DU-3", 70),
    limit("area:xuhui-west", 60),
]


@pytest.mark.parametrize("area", ["", "xuhui"])
def test_every_device_that_is_asked_about_is_judged_by_the_value_tried(area: str) -> None:
    question, versions = ask(DOCUMENT, SET, "limit", area)
    assert question.current == (100 if area else 80)
    fleet = Devices(FAMILIES["dust"])
    fleet.put(FLEET)
    for line, value in question.values.items():
        overrides = Overrides()
        for each in versions[line].parameters:
            overrides.put(each)
        judged = {overrides.tuned(RULE, "limit", 150, fleet, index).value for index in range(len(FLEET))}
        assert judged == {value}


def test_other_parameters_and_other_areas_stay_as_they_are() -> None:
    other = Parameter(RULE, "share", "device:DU-1", 0.5)
    _, versions = ask(DOCUMENT, [*SET, other], "limit", "xuhui")
    for version in versions.values():
        assert other in version.parameters
        assert limit("area:xuhui-west", 60) in version.parameters


def told(question: Question) -> tuple[str, str]:
    found = conclude(question, [], [], (0, 1), 30.0)
    return " ".join(found.limits_en), "".join(found.limits_zh)


def test_the_answer_says_whose_value_it_is_and_what_was_left_out() -> None:
    english, chinese = told(ask(DOCUMENT, SET, "limit", "xuhui")[0])
    assert "a value for area:xuhui, not for the city" in english
    assert (
        "left out, every device was judged by the value tried: area:xuhui/tianping, device:DU-3, product:"
        in english
    )
    assert "该取值仅用于area:xuhui" in chinese
    assert "device:DU-3" in chinese
    several = [limit(f"device:DU-{number}", 90) for number in range(9)]
    english, chinese = told(ask(DOCUMENT, several, "limit")[0])
    assert english.startswith("Values set more narrowly")
    assert "and 4 more." in english
    assert "等9处。" in chinese
    assert "narrowly" not in told(ask(DOCUMENT, SET[:1], "limit")[0])[0]
