"""What drills call true is held against the rules that are shipped: nothing is due that cannot raise, nothing shipped is left out."""

from __future__ import annotations

from typing import Any, Final

import pytest

from drivers.families import FAMILIES
from rules.packs import load
from simulators.drill import kinds, truth
from simulators.drill.kinds import KINDS
from simulators.drill.truth import DUE, NEIGHBOURS, UNDRILLED
from simulators.mishaps import ANY

RULES: Final[dict[str, dict[str, Any]]] = {document["id"]: document for document in load()}
ALL = pytest.mark.parametrize(("family", "name"), list(DUE))


def families(rule: dict[str, Any]) -> set[str]:
    named = rule.get("families", [rule.get("family")])
    return set(FAMILIES) if "*" in named else set(named)


@ALL
def test_a_fault_that_owes_something_is_one_of_its_family(family: str, name: str) -> None:
    kind = kinds.find(family, name)
    assert kind is not None
    assert kind.alarms, "a fault that owes an alarm says which ones show it"


@ALL
def test_what_is_due_is_a_shipped_rule_of_that_family_whose_alarm_the_fault_explains(
    family: str, name: str
) -> None:
    kind, due = kinds.find(family, name), DUE[family, name]
    assert kind is not None
    assert due.rules
    for rule in due.rules:
        assert family in families(RULES[rule])
        assert RULES[rule]["alarm"] in {*kind.alarms, *due.also}
    assert set(due.also) <= {alarm.name for alarm in FAMILIES[family].alarms}


@ALL
def test_a_rule_that_looks_at_an_attribute_is_due_only_where_it_is(family: str, name: str) -> None:
    due = DUE[family, name]
    for rule in due.rules:
        when, need = RULES[rule]["when"], due.needs.get(rule)
        standard = {
            "rated_power",
            "clock_offset",
        }  # the world's lamps and cabinets have the one, the log the other
        asked = {
            word.partition("attr.")[2]
            for word in when.replace("(", " ").replace(")", " ").split()
            if "attr." in word
        }
        if "peers(" in when:
            asked.add(NEIGHBOURS)
        assert asked - standard == ({need} if need else set())


def test_every_shipped_rule_is_drilled_or_says_why_not() -> None:
    drilled = {rule for due in DUE.values() for rule in due.rules}
    assert drilled | UNDRILLED.keys() == set(RULES)
    assert not drilled & UNDRILLED.keys()


def test_every_fault_that_should_be_noticed_owes_rules() -> None:
    noticed = {key for key, kind in KINDS.items() if kind.alarms and key[0] != ANY}
    assert noticed == set(DUE)


@pytest.mark.parametrize(("family", "name"), [key for key, due in DUE.items() if due.lamps])
def test_what_befalls_the_lamps_of_a_cabinet_is_a_fault_of_lamps(family: str, name: str) -> None:
    assert family == "cabinet"
    assert DUE[family, name].lamps in truth.SECOND_HAND
    assert ("streetlight", DUE[family, name].lamps) in KINDS
