"""What rules cost is what their arrays take; and what is over the bound is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from drivers.families import FAMILIES as SHIPPED
from rules import packs
from rules.control import DeviceRow, Devices, Rules
from rules.cost import MOST_BYTES, MOST_OF_ALL, cost
from rules.document import RulesError, read_rules
from rules.engine import Engine
from tests.rules.streams import BEYOND, FAMILIES, OTHERS, RULES, parameter, rule

DEVICES = 50


def arrays(state: Any) -> Iterator[Any]:
    if isinstance(state, np.ndarray):
        yield state
    elif isinstance(state, dict):
        for each in state.values():
            yield from arrays(each)


def taken(rules: list[dict[str, Any]]) -> float:
    """Bytes a device of probe that is kept more for these rules: what a snapshot has of memory, and where each stands."""

    def size(documents: list[dict[str, Any]]) -> int:
        engine = Engine(FAMILIES)
        engine.control(Devices("probe", [DeviceRow(index, f"p-{index}", "p") for index in range(DEVICES)]))
        engine.control(Rules(documents))
        memory = engine.snapshot()["families"]["probe"]["memory"]
        stands = [
            column[:DEVICES]
            for each in engine._judges["probe"]._all
            for column in vars(each.track).values()
            if isinstance(column, np.ndarray)
        ]
        return sum(each.nbytes for each in [*arrays(memory), *stands])

    return (size(rules) - size([])) / DEVICES


@pytest.mark.parametrize(
    "document",
    [each for each in [*RULES, *BEYOND] if each.get("family") == "probe" and "meter" not in each["when"]],
    ids=lambda each: str(each["id"]),
)
def test_the_stated_bytes_are_those_of_the_arrays(document: dict[str, Any]) -> None:
    found = cost(read_rules([document], FAMILIES), FAMILIES["probe"])
    scratch = sum(1 for key in ["expected"] for _ in range(found.buckets and rings(document)))
    assert found.bytes - scratch == taken([document])


def rings(document: dict[str, Any]) -> int:
    """Each keeps a byte a device that no snapshot holds: how many buckets it expects."""
    engine = Engine(FAMILIES)
    engine.control(Rules([document]))
    return len(engine.snapshot()["families"]["probe"]["memory"]["rings"])


def test_what_rules_share_is_counted_once() -> None:
    one = rule("one", "mean(tilt, 60s) > 10 deg")
    two = rule("two", "sum(tilt, 60s) > 100 deg", clear="share(tilt > 3 deg, 60s) < 0.1")
    probe = FAMILIES["probe"]
    alone = [cost(read_rules([each], FAMILIES), probe) for each in (one, two)]
    both = cost(read_rules([one, two], FAMILIES), probe)
    assert both.buckets == 30
    assert both.bytes < alone[0].bytes + alone[1].bytes
    assert both.bytes == taken([one, two]) + 2


def test_a_rule_over_its_bound_is_refused_with_what_it_costs() -> None:
    windows = " or ".join(f"max(tilt, {minutes}m) > 3 deg" for minutes in range(1, 30))
    with pytest.raises(RulesError) as caught:
        read_rules([rule("greedy", windows)], FAMILIES)
    (fault,) = caught.value.faults
    assert fault.key == "when"
    assert f"bytes a device of probe, at most {MOST_BYTES:,}" in fault.message
    assert "shorten" in fault.remedy


def test_the_rules_of_a_family_have_a_bound_together() -> None:
    greedy = [rule(f"r{days}", f"power > usual(power, {days}d)") for days in range(1, 32)]
    with pytest.raises(RulesError, match=f"the rules of probe cost .* at most {MOST_OF_ALL:,}"):
        read_rules(greedy, FAMILIES)
    read_rules(greedy[:20], FAMILIES)


def test_work_grows_with_what_closes_and_what_is_asked() -> None:
    def operations(when: str) -> int:
        return cost(read_rules([rule("x", when)], FAMILIES), FAMILIES["probe"]).operations

    assert operations("tilt > 3 deg") < operations("tilt > 3 deg and power > 2 W")
    assert operations("mean(tilt, 15s) > 3 deg") > operations("mean(tilt, 1h) > 3 deg")


def test_the_shipped_rules_are_far_below_the_bounds() -> None:
    rules = read_rules(packs.load(), SHIPPED)
    for family in SHIPPED.values():
        assert cost(rules, family).bytes < MOST_OF_ALL / 8
    assert cost(rules, SHIPPED["streetlight"]).bytes <= 1_000  # there are a million of them


def test_parameters_and_versions_cost_nothing() -> None:
    limit = parameter(10, "deg", 0, 90)
    probe = FAMILIES["probe"]
    tuned = cost(read_rules([rule("x", "tilt > limit", limit=limit)], FAMILIES), probe)
    assert tuned.bytes == cost(read_rules([rule("x", "tilt > 10 deg")], FAMILIES), probe).bytes
    assert cost(read_rules(OTHERS, FAMILIES), probe).bytes > tuned.bytes
