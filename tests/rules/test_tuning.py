"""Canaries, shadows and hot changes: of a device one version judges, and no other rule notices any of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.telemetry import SECOND
from rules.control import Devices, Rules
from rules.document import RulesError, read_rules
from rules.engine import Engine
from rules.parameters import PRESET, Overrides
from rules.presets import DEFAULT, changes, load
from rules.transition import Transition, transition_id
from tests.rules.live import Live
from tests.rules.streams import (
    CHUNK,
    FAMILIES,
    START,
    Row,
    Step,
    Sweep,
    build,
    device,
    plain,
    rule,
    streams,
)
from tests.rules.streams import PROBE as FAMILY
from tests.rules.tuned import NORTH, TRIED, changed, rewritten, swept, unversioned, with_canary, with_shadow

EXAMPLES = 5


@settings(max_examples=EXAMPLES)
@given(streams, st.sampled_from([1, 5, 100]))
def test_a_canary_that_says_the_same_changes_nothing_but_the_version(log: list[Step], size: int) -> None:
    tried = rewritten(log, lambda rules: with_canary(rules, NORTH))
    assert unversioned(Live(size).run(tried)) == unversioned(Live(1).run(log))


@settings(max_examples=EXAMPLES)
@given(streams, st.sampled_from([1, 5, 100]))
def test_a_shadow_says_what_its_rule_says_and_changes_nothing(log: list[Step], size: int) -> None:
    said = Live(size).run(rewritten(log, with_shadow))
    live, shadow = ([each for each in said if each.shadow is kind] for kind in (False, True))
    assert live == Live(1).run(log)
    assert [(t.rule, t.family, t.index, t.time, t.raised, t.evidence) for t in shadow] == [
        (t.rule, t.family, t.index, t.time, t.raised, t.evidence) for t in live
    ]
    assert not {each.id for each in shadow} & {each.id for each in live}


@settings(max_examples=EXAMPLES)
@given(streams, st.integers(0, 999), st.sampled_from([1, 5, 100]))
def test_hot_changes_leave_every_other_rule_as_it_was(log: list[Step], seed: int, size: int) -> None:
    whole = list(swept(log))
    busy = Live(size).run(changed(whole, 20, seed))
    assert [each for each in busy if each.rule != TRIED] == Live(size).run(whole)
    ids = [each.id for each in busy]
    assert len(set(ids)) == len(ids)
    assert_alternating(busy)


@settings(max_examples=EXAMPLES)
@given(streams, st.integers(0, 999))
def test_changes_are_judged_alike_in_any_batching_and_over_restarts(log: list[Step], seed: int) -> None:
    busy = list(changed(swept(log), 20, seed))
    assert Live(100).run(busy) == Live(1).run(busy)


def test_sixty_hot_changes_under_load() -> None:
    hot_changes(rows=300, times=60)


@pytest.mark.drill
def test_one_thousand_hot_changes_under_load() -> None:
    hot_changes(rows=2_500, times=1_000, seed=1)


def hot_changes(rows: int, times: int, seed: int = 0) -> None:
    """Alarms of untouched rules, identical to a run without the changes."""
    drawn = random.Random(seed).randbytes(1 + rows * CHUNK)
    log = list(swept(build(drawn)))
    quiet = Live(100).run(log)
    busy = Live(100).run(changed(log, times, seed))
    assert [each for each in busy if each.rule != TRIED] == quiet
    assert len(quiet) > rows / 100
    assert len(busy) > len(quiet)
    assert_alternating(busy)


def assert_alternating(said: list[Transition]) -> None:
    """Raised and cleared take turns, whatever versions came and went."""
    standing: set[tuple[str, bool, str, int]] = set()
    for each in said:
        key = (each.rule, each.shadow, each.family, each.index)
        assert each.raised is (key not in standing)
        standing ^= {key}


class Street:
    """Two probes, one in the north and one in the south, that say their tilt each second."""

    def __init__(self, *rules: dict[str, object]) -> None:
        self.live = Live(1)
        self.now = START
        self.live.other(Devices("probe", [device(0, area=0), device(1, area=3)]), last=False)
        self.rules(*rules)

    def rules(self, *rules: dict[str, object]) -> None:
        self.live.other(Rules(list(rules)), last=False)

    def tilts(self, tilt: float) -> list[tuple[int, int, bool]]:
        """(device, version, raised) of what the rules say then, shadows as version -1."""
        before = len(self.live.out)
        self.now += 10 * SECOND
        self.live.tick([Row(FAMILY, index, self.now, self.now, plain({"tilt": tilt})) for index in (0, 1)])
        self.live.other(Sweep(self.now), last=True)
        return [(t.index, -1 if t.shadow else t.version, t.raised) for t in self.live.out[before:]]

    def move(self, index: int, area: int) -> None:
        self.live.other(Devices("probe", [device(index, area=area)]), last=False)


OLD = rule("lean", "tilt > 10 deg", version=1)
NEW = rule("lean", "tilt > 5 deg", version=2)
CANARY = {**NEW, "areas": NORTH}


def test_a_canary_is_in_force_in_its_areas_and_the_old_version_elsewhere() -> None:
    street = Street(OLD, CANARY)
    assert street.tilts(7) == [(0, 2, True)]
    assert street.tilts(12) == [(1, 1, True)]
    street.rules({**NEW})  # promoted
    assert street.tilts(7) == []
    assert street.tilts(1) == [(0, 2, False), (1, 2, False)]


def test_what_a_canary_raised_goes_on_with_the_old_version_when_it_is_withdrawn() -> None:
    street = Street(OLD, CANARY)
    assert street.tilts(7) == [(0, 2, True)]
    street.rules(OLD)
    assert street.tilts(7) == [(0, 1, False)]  # by the old limit it never was


def test_a_canary_with_another_alarm_clears_what_stood_in_its_areas_with_the_reason() -> None:
    street = Street(OLD)
    street.tilts(12)
    street.rules(OLD, {**CANARY, "alarm": "other"})
    assert street.tilts(12) == [(0, 1, False), (0, 2, True)]
    (cleared,) = [each for each in street.live.out if not each.raised]
    assert cleared.evidence == {"reason": "rule withdrawn"}


def test_a_device_that_moves_into_a_canary_takes_its_alarm_along() -> None:
    street = Street(OLD, CANARY)
    street.tilts(12)
    street.move(0, area=3)
    street.move(1, area=1)  # north/lake
    assert street.tilts(7) == [(0, 1, False)]
    assert [each.version for each in street.live.engine.standing("probe", 1)] == [2]


def test_a_canary_of_a_rule_that_is_published_nowhere_is_silent_elsewhere() -> None:
    street = Street(CANARY)
    assert street.tilts(12) == [(0, 2, True)]
    street.move(0, area=3)
    assert street.tilts(12) == [(0, 2, False)]
    assert street.tilts(1) == street.tilts(12) == []


def test_a_shadow_stands_nowhere_and_says_what_it_would() -> None:
    street = Street(OLD, {**NEW, "shadow": True})
    assert street.tilts(7) == [(0, -1, True), (1, -1, True)]
    assert street.live.engine.standing("probe", 0) == []
    assert street.tilts(12) == [(0, 1, True), (1, 1, True)]


def test_ids_are_of_rule_device_and_event_time() -> None:
    street = Street(OLD, CANARY)
    street.tilts(7)
    (said,) = street.live.out
    assert said.id == transition_id("lean", "probe", 0, street.now, raised=True)


def test_one_rule_may_come_once_as_published_canary_and_shadow() -> None:
    assert [each.key for each in read_rules([OLD, CANARY, {**NEW, "shadow": True}], FAMILIES)] == [
        "lean",
        "lean/canary",
        "lean/shadow",
    ]
    with pytest.raises(RulesError, match="is the id of another rule too"):
        read_rules([OLD, CANARY, {**CANARY, "areas": ["south"]}], FAMILIES)
    for wrong in ({"areas": "north"}, {"areas": [""]}, {"shadow": 1}):
        with pytest.raises(RulesError, match="expected"):
            read_rules([{**OLD, **wrong}], FAMILIES)


def test_who_is_told_is_told_of_the_published_version() -> None:
    draft = {**rule("new", "tilt > 1 deg"), "shadow": True}
    only = {**rule("only", "tilt > 2 deg"), "areas": NORTH}
    assert Rules([CANARY, OLD, draft, only]).told() == [OLD, only]


def test_a_rule_that_did_not_change_is_not_read_again() -> None:
    known = read_rules([OLD, NEW | {"id": "other"}], FAMILIES)
    again = read_rules([{**OLD}, NEW | {"id": "other", "severity": "minor"}], FAMILIES, known)
    assert again[0] is known[0]
    assert again[1].severity == "minor"


# -- presets


def test_a_preset_goes_below_every_scope_that_people_tune() -> None:
    engine, overrides = Engine(FAMILIES), Overrides()
    engine.control(Devices("probe", [device(0, area=0)]))
    devices = engine._judges["probe"].memory.devices
    for scope, value in ((PRESET, 1.0), ("", 2.0), ("area:north", 3.0)):
        for one in [each for each in load()["shanghai"].parameters() if each.rule == "fume-high"]:
            overrides.put(type(one)(one.rule, one.name, scope, value))
        assert overrides.tuned("fume-high", "limit", 9.0, devices, 0) == (value, scope)
        assert float(np_first(overrides.resolve("fume-high", "limit", 9.0, devices))) == value


def np_first(value: object) -> float:
    return float(value if isinstance(value, float) else value[0])  # type: ignore[index]


def test_another_preset_takes_the_first_ones_values_away() -> None:
    presets = load()
    first = changes(presets["beijing"], [])
    assert (first[0].rule, first[0].scope, first[0].value) == ("fume-high", PRESET, 1.0)
    assert changes(presets["beijing"], first) == []
    gone = changes(presets[DEFAULT], first)
    assert [one.value for one in gone] == [None, None, None]
    kept = changes(presets["shanghai"], first)
    assert {(one.rule, one.value) for one in kept} == {
        ("fume-particulate-high", None),
        ("fume-nmhc-high", None),
        ("dust-tsp-high", 1.0),
    }
