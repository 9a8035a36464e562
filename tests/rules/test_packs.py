"""The shipped rules: checked whole, sourced, in both languages, and about alarms and cases that exist."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from drivers.families import FAMILIES
from rules.document import Rule, read_rules
from rules.packs import PACKS, load
from rules.tree import Silent, Window, walk
from rules.windows import ring_key

ROOT = Path(__file__).parents[2]
HEALTH = {
    *("communicationFailure", "deviceLost", "identityCloned", "batteryLevelTooLow"),
    *("sensorFault", "stationFault", "flatLine", "implausibleJump", "occupancyStuck"),
    "clockWrong",
}
COUNTED = {"count", "changes", "cycles"}  # 4 bytes a bucket
DOCUMENTS = load()
RULES = read_rules(DOCUMENTS, FAMILIES)


def of(family: str) -> list[Rule]:
    return [rule for rule in RULES if list(rule.meanings) == [family]]


def silent(rule: Rule) -> bool:
    return any(isinstance(node, Silent) for meaning in rule.meanings.values() for node in meaning.nodes())


def test_every_rule_is_checked_with_its_units_and_ids_are_unique() -> None:
    assert len(RULES) == len(DOCUMENTS) == len({rule.id for rule in RULES})


def test_every_pack_file_is_loaded() -> None:
    shipped = {file.name for file in files("rules.packs").iterdir() if file.name.endswith(".toml")}
    assert shipped == {f"{name}.toml" for name in (*PACKS, "correlation")}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_family_has_at_least_four_rules_and_one_of_silence(family: str) -> None:
    assert len(of(family)) >= 4
    assert sum(silent(rule) for rule in of(family)) == 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_names_source_texts_and_an_alarm_of_its_families(rule: Rule) -> None:
    assert rule.texts["source"]
    assert rule.texts["en"]
    assert any("\u4e00" <= character <= "\u9fff" for character in rule.texts["zh"])
    for family in rule.meanings:
        assert rule.alarm in {alarm.name for alarm in FAMILIES[family].alarms}, family


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_that_asks_for_action_names_a_case_that_exists(rule: Rule) -> None:
    shipped = tomllib.loads((ROOT / "gateway/cases/templates.toml").read_text("utf-8"))["case"]
    case = rule.texts.get("case", "")
    assert case in {"", *(template["id"] for template in shipped)}
    assert case or rule.severity in {"warning", "minor", "info"}


def test_lamps_keep_windows_that_only_count_for_there_are_a_million_of_them() -> None:
    windows = [window for rule in of("streetlight") for window in rule.meanings["streetlight"].windows()]
    assert {window.statistic for window in windows} <= COUNTED
    assert len({ring_key(window) for window in windows}) <= 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_clears_by_the_windows_that_raised_it_so_it_never_chatters_between_two(rule: Rule) -> None:
    for meaning in rule.meanings.values():
        raising = {ring_key(node) for node in walk(meaning.when) if isinstance(node, Window)}
        assert raising == {ring_key(window) for window in meaning.windows()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_alarms_of_the_device_are_kept_apart_from_those_of_what_it_watches(rule: Rule) -> None:
    assert (rule.texts.get("case") == "device-health") == (rule.alarm in HEALTH)


def test_the_sets_of_rules_and_the_order_are_the_same_each_time() -> None:
    again: list[dict[str, Any]] = load()
    assert again == DOCUMENTS
