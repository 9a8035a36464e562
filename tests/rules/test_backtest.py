"""A trial judges beside the log's own version what else might have been in force, and disturbs neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND, Batch, Flag
from rules import backtest, packs
from rules.backtest import RECORDED, Said, TooMuchError, Trial, Version
from rules.control import Control, DeviceRow, Devices, Parameter, Rules
from rules.document import RulesError
from rules.engine import Engine
from rules.order import Order
from rules.transition import Transition

RULE = "dust-pm10-high"
ZONE = "Asia/Shanghai"
START = 1_790_000_000 * SECOND // MINUTE * MINUTE
STATIONS = 4
OTHERS = (RULE, "dust-tsp-high", "dust-noise-day")  # rules in force beside it


def document(rule: str = RULE, **changed: Any) -> dict[str, Any]:
    return {**next(each for each in packs.load() if each["id"] == rule), **changed}


def in_force() -> list[dict[str, Any]]:
    return [document(rule) for rule in OTHERS]


def devices() -> Control:
    return Devices(
        "dust", [DeviceRow(n, f"DU-{n}", "generic-dust", interval=MINUTE) for n in range(STATIONS)]
    )


def rows(seed: int, minutes: int = 120) -> Batch:
    """A reading a minute of each station, device by device; some late, some without PM10."""
    rng = np.random.default_rng(seed)
    batch = Batch.empty(FAMILIES["dust"], STATIONS * minutes)
    batch.device[:] = np.repeat(np.arange(STATIONS), minutes)
    batch.time[:] = START + np.tile(np.arange(minutes), STATIONS) * MINUTE + batch.device * SECOND
    batch.received[:] = batch.time + 3 * SECOND
    batch.flags[rng.random(len(batch)) < 0.05] = Flag.LATE
    pm10 = batch.family.index["pm10"]
    wave = 150 + 70 * np.sin(np.arange(len(batch)) / 17)
    batch.values[pm10] = np.round(wave + rng.normal(0, 25, len(batch)), 1)
    batch.quality[pm10] = np.where(rng.random(len(batch)) < 0.05, 255, 0)
    return batch


def alone(documents: list[dict[str, Any]], parameters: list[Parameter], batch: Batch) -> list[Transition]:
    """What an engine with these rules and all points says."""
    engine, order = Engine(FAMILIES, ZONE), Order(FAMILIES)
    for control in (devices(), Rules(documents), *parameters):
        engine.control(control)
        order.control(control)
    found = [*engine.tick([batch], [order.admit(batch)])]
    found += engine.sweep(int(batch.received.max()) + DAY)
    return found


def fewer(batch: Batch, trial: Trial) -> Batch:
    """The batch with the points that the trial reads."""
    family = trial.families[batch.family.name]
    found = Batch.empty(family, len(batch))
    for name in ("device", "time", "received", "kind", "flags"):
        setattr(found, name, getattr(batch, name))
    for point in family.points:
        found.values[family.index[point.name]] = batch.values[batch.family.index[point.name]]
        found.quality[family.index[point.name]] = batch.quality[batch.family.index[point.name]]
    return found


def tried(log: list[Control], versions: dict[str, Version], batch: Batch) -> list[Said]:
    plan = backtest.plan(RULE, versions, log, FAMILIES)
    trial = Trial(plan, FAMILIES, ZONE, log)
    for control in log:
        trial.control(control)
    trial.judge([fewer(batch, trial)])
    return trial.finish(int(batch.received.max()) + DAY)


def line(said: list[Said], name: str) -> list[tuple[Any, ...]]:
    return sorted((each.time, each.index, each.raised, each.id) for each in said if each.line == name)


def told(transitions: list[Transition]) -> list[tuple[Any, ...]]:
    return sorted((each.time, each.index, each.raised, each.id) for each in transitions if each.rule == RULE)


@given(st.integers(0, 10_000), st.sampled_from([90.0, 130.0, 150.0, 190.0]))
@settings(max_examples=10)
def test_both_lines_say_what_engines_of_their_own_would_say(seed: int, limit: float) -> None:
    batch, changed = rows(seed), Parameter(RULE, "limit", "", limit)
    log = [devices(), Rules(in_force())]
    said = tried(log, {"new": Version(document(), [changed])}, batch)
    assert line(said, RECORDED) == told(alone(in_force(), [], batch))
    assert line(said, "new") == told(alone([document()], [changed], batch))


def test_another_window_is_judged_beside_the_recorded_one() -> None:
    batch, shorter = rows(3), document(when="mean(pm10, 5m) > limit", clear="mean(pm10, 5m) < 0.8 * limit")
    said = tried([devices(), Rules(in_force())], {"new": Version(shorter, [])}, batch)
    assert line(said, RECORDED) == told(alone(in_force(), [], batch))
    assert line(said, "new") == told(alone([shorter], [], batch)) != line(said, RECORDED)


def test_a_narrower_scope_keeps_winning() -> None:
    batch = rows(5)
    parameters = [Parameter(RULE, "limit", "device:DU-1", 2000.0), Parameter(RULE, "limit", "", 100.0)]
    said = tried([devices(), Rules(in_force())], {"new": Version(document(), parameters)}, batch)
    assert {each.index for each in said if each.line == "new" and each.raised} == {0, 2, 3}


def test_only_points_that_are_asked_for_are_read() -> None:
    plan = backtest.plan("dust-spray-failure", {}, [Rules(packs.load())], FAMILIES)
    assert {family: set(points) for family, points in plan.points.items()} == {
        "dust": {"pm10", "spray", "rain", "temperature", "online"}
    }
    assert not plan.apart
    assert not plan.cross


def test_what_others_show_needs_their_families_and_all_devices() -> None:
    own = document(when="pm10 > 2 * peers(median, pm10)", clear="pm10 < limit")
    plan = backtest.plan(RULE, {"new": Version(own, [])}, [], FAMILIES)
    assert plan.cross
    least = {"value": 5, "unit": "W", "min": 0, "max": 50}
    dark = {key: each for key, each in document("lamp-dark").items() if not isinstance(each, dict)}
    above = {
        **dark,
        "when": "cabinet.on and power < least",
        "clear": "power >= least",
        "hold": "5m",
        "least": least,
    }
    found = backtest.plan(above["id"], {"new": Version(above, [])}, [], FAMILIES)
    assert found.cross
    assert "cabinet" in found.points


def test_how_far_a_rule_looks_back() -> None:
    silent = backtest.plan("dust-silent", {}, [Rules(packs.load())], FAMILIES)
    assert (
        silent.lookback == 60 * HOUR + DAY
    )  # a device that reports once a day is silent after two and a half
    window = backtest.plan(RULE, {}, [Rules(packs.load())], FAMILIES)
    assert window.lookback == HOUR // 4 + DAY


def test_a_rule_whose_windows_changed_keeps_company_with_those_that_share_them() -> None:
    other = document(when="mean(pm10, 10m) > limit", clear="mean(pm10, 10m) < 0.9 * limit")
    before, after = packs.load(), [other if each["id"] == RULE else each for each in packs.load()]
    plan = backtest.plan(RULE, {}, [Rules(before), Rules(after)], FAMILIES)
    assert plan.apart
    assert RULE in plan.recorded
    shares = {each["id"] for each in before if "mean(pm10, 15m)" in str(each["when"])}
    assert shares <= plan.recorded


def test_what_is_no_rule_is_refused() -> None:
    with pytest.raises(RulesError):
        backtest.plan(RULE, {"new": Version(document(when="pm10 >"), [])}, [], FAMILIES)


def test_a_rule_that_never_stops_speaking_is_stopped() -> None:
    log = [devices(), Rules([document(when="pm10 > limit", clear="pm10 <= limit")])]
    trial = Trial(backtest.plan(RULE, {}, log, FAMILIES), FAMILIES, ZONE, log, most=10)
    for control in log:
        trial.control(control)
    with pytest.raises(TooMuchError, match="shorten the span"):
        trial.judge([fewer(rows(1), trial)])
