"""Tables of folds and inhibitions: what explains what, by labels and event times alone."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from drivers.families import FAMILIES
from drivers.telemetry import MINUTE
from rules import correlate, packs
from rules.correlate import Correlation, CorrelationError, Labels

CABINET = Labels(
    "c", "supplyLoss", "cabinet-supply-loss", "cabinet", "critical", "CB-1", "", "xuhui", 100 * MINUTE
)
LAMP = Labels(
    "l",
    "lampFailure",
    "lamp-dark",
    "streetlight",
    "major",
    "SL-1",
    "LP-1",
    "xuhui",
    100 * MINUTE,
    None,
    ("LP-1", "CB-1"),
)
SHIPPED = correlate.shipped()


def table(**more: Any) -> dict[str, Any]:
    return {
        "id": "t",
        "source": {"alarm": ["supplyLoss"]},
        "target": {"alarm": ["lampFailure"]},
        "below": True,
    } | more


@pytest.mark.parametrize(
    ("minutes", "explained"), [(-31, False), (-30, True), (0, True), (500, True)], ids=str
)
def test_a_target_may_come_so_much_before_its_source(minutes: int, explained: bool) -> None:
    (link,) = correlate.read([table(before="30m")]).links
    assert link.explains(CABINET, replace(LAMP, raised=CABINET.raised + minutes * MINUTE)) is explained


@pytest.mark.parametrize(("minutes", "explained"), [(44, True), (45, True), (46, False)])
def test_and_so_much_after_it_has_cleared(minutes: int, explained: bool) -> None:
    (link,) = correlate.read([table(linger="45m")]).links
    cleared = CABINET.raised + 10 * MINUTE
    target = replace(LAMP, raised=cleared + minutes * MINUTE)
    assert link.explains(replace(CABINET, cleared=cleared), target) is explained
    assert link.joins(replace(CABINET, cleared=cleared), target)


@pytest.mark.parametrize(
    ("source", "target", "explained"),
    [
        ({}, {}, True),
        ({"device": "CB-2"}, {}, False),
        ({"device": "LP-1"}, {}, True),
        ({"device": "SL-1"}, {}, False),
        ({"alarm": "cabinetDoorOpen"}, {}, False),
        ({}, {"alarm": "leakageDetected"}, False),
        ({"family": "dust"}, {}, False),
        ({}, {"family": "parking"}, False),
        ({"id": "l"}, {}, False),
    ],
)
def test_the_shipped_fold_of_a_cabinet(
    source: dict[str, Any], target: dict[str, Any], explained: bool
) -> None:
    link = SHIPPED.by_id["cabinet-without-power"]
    assert link.explains(replace(CABINET, **source), replace(LAMP, **target)) is explained


@pytest.mark.parametrize("label", ["device", "parent", "area"])
def test_labels_that_must_be_equal(label: str) -> None:
    (link,) = correlate.read(inhibits=[table(below=False, equal=[label])]).links
    same = replace(LAMP, **{label: "here"})
    assert link.explains(replace(CABINET, **{label: "here"}), same)
    assert not link.explains(replace(CABINET, **{label: "there"}), same)
    nowhere = replace(LAMP, **{label: ""})
    assert not link.explains(replace(CABINET, **{label: ""}), nowhere), "what is not known is not equal"


def test_the_nearest_explains_then_the_earliest_whatever_the_order() -> None:
    loop = replace(CABINET, id="loop", device="LP-1", raised=CABINET.raised + MINUTE)
    older = replace(CABINET, id="older", raised=CABINET.raised - MINUTE)
    mute = replace(LAMP, id="mute", alarm="communicationFailure", rule="lamp-silent")
    weak = replace(LAMP, alarm="lampPowerTooLow", rule="lamp-power-low")
    near = [CABINET, loop, older, mute]
    for seed in range(20):
        random.Random(seed).shuffle(near)
        found = SHIPPED.explain(LAMP, near)
        assert found is not None
        assert found.source.id == "loop"
        found = SHIPPED.explain(LAMP, [one for one in near if one.id != "loop"])
        assert found is not None
        assert found.source.id == "older"
        found = SHIPPED.explain(weak, [*near, replace(LAMP, id="dark")])
        assert found is not None
        assert found.link.kind == "fold", "before an inhibition"
    assert SHIPPED.explain(LAMP, []) is None


def test_causes_come_before_what_they_explain() -> None:
    kinds = {
        "weak": replace(LAMP, alarm="lampPowerTooLow"),
        "lamp": LAMP,
        "supply": CABINET,
        "mute": replace(CABINET, alarm="communicationFailure"),
        "silent": replace(LAMP, alarm="communicationFailure"),
    }
    depth = SHIPPED.depths(kinds)
    assert depth["supply"] < depth["lamp"] < depth["weak"]
    assert depth["supply"] < depth["mute"]
    assert depth["supply"] < depth["silent"]
    assert Correlation().depths(kinds) == dict.fromkeys(kinds, 0)


def test_a_city_replaces_adds_and_takes_away() -> None:
    own = correlate.read(
        [table(id="cabinet-without-power", linger="2h"), table(id="own")],
        [{**table(id="dark-lamp"), "off": True}],
        SHIPPED,
    )
    assert own.by_id["cabinet-without-power"].linger == 120 * MINUTE
    assert "own" in own.by_id
    assert "dark-lamp" not in own.by_id
    assert own.linger(CABINET) == 120 * MINUTE
    assert own.linger(replace(LAMP, alarm="leakageDetected")) is None


def test_every_fault_of_every_table_is_told_with_its_place() -> None:
    bad = [
        table(below=False),
        table(id="b", before="soon"),
        {"id": "c", "source": {"famly": ["cabinet"]}, "target": {}},
        {"target": {}},
        table(id="window"),
        table(id="e", equal=["colour"]),
    ]
    with pytest.raises(CorrelationError) as refused:
        correlate.read(bad)
    assert [fault.split(":")[0] for fault in refused.value.faults] == [
        "fold t",
        "fold b",
        "fold c",
        "fold number 4",
        "fold window",
        "fold e",
    ]
    assert "famly" in refused.value.faults[2]


def test_the_shipped_tables_name_alarms_and_families_that_there_are_in_both_languages() -> None:
    raised = {rule["alarm"] for rule in packs.load()}
    for link in SHIPPED.links:
        for matcher in (link.source, link.target):
            assert set(matcher.alarm) <= raised, link.id
            assert set(matcher.family) <= set(FAMILIES), link.id
        assert link.en
        assert any(letter >= "\u4e00" for letter in link.zh)
