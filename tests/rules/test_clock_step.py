"""A step of city time changes the numbers and nothing else: what runs is carried over it (rules.control.ClockStep)."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import HOUR, SECOND, Batch, Quality
from rules.control import ClockStep, DeviceRow, Devices, Rules
from rules.engine import Engine
from tests.rules.streams import PROBE, rule
from tests.rules.timeline import MIDNIGHT, Timeline

HELD = rule("held", "tilt > 10 deg", hold="60s")
QUIET = rule("quiet", "silent(10m)")
MEAN = rule("mean", "mean(tilt, 15m) > 10 deg", valid=0.5)
MEAN_HELD = rule("mean-held", "mean(tilt, 15m) > 10 deg", hold="3m", valid=0.5)
DEVICES = [
    DeviceRow(0, "D-0", "p-one", interval=60 * SECOND),
    DeviceRow(1, "D-1", "p-one", interval=60 * SECOND),
]


def test_a_hold_runs_on_and_silence_stands_still() -> None:
    city = Timeline(PROBE, HELD, QUIET)
    city.at("10:00:00").says(tilt=12)
    city.control(ClockStep(MIDNIGHT + 10 * HOUR + 10 * SECOND, MIDNIGHT + 12 * HOUR + 10 * SECOND))
    city.at("12:00:59").sweep()
    assert city.story == []
    city.at("12:01:01").sweep()
    assert city.story == ["raised held 12:01:00"]
    city.at("12:10:01").sweep()
    assert city.story == ["raised held 12:01:00", "raised quiet 12:10:00"]


def test_what_had_run_out_before_it_is_said_first() -> None:
    city = Timeline(PROBE, HELD, QUIET)
    city.at("10:00:00").says(tilt=12)
    city.control(ClockStep(MIDNIGHT + 10 * HOUR + 700 * SECOND, MIDNIGHT + 11 * HOUR))
    city.at("11:00:00").sweep()
    assert city.story == ["raised held 10:01:00", "raised quiet 10:10:00"]


def test_a_window_keeps_what_it_has() -> None:
    city = Timeline(PROBE, MEAN, devices=DEVICES)
    for minute in range(5):
        city.at(f"10:{minute:02}:30").says(tilt=12)
    city.control(ClockStep(MIDNIGHT + 10 * HOUR + 300 * SECOND, MIDNIGHT + 13 * HOUR + 300 * SECOND))
    for minute in range(5, 9):
        city.at(f"13:{minute:02}:30").says(tilt=12)
    assert city.story == ["raised mean 13:08:00"], "eight of fifteen minutes, five of them before the step"


class Row(NamedTuple):
    device: int
    after: int  # s since the row before
    tilt: float


ROWS = st.lists(
    st.builds(Row, st.integers(0, 1), st.integers(0, 200), st.sampled_from([0.0, 12.0, float("nan")])),
    min_size=1,
    max_size=60,
)


def judged(rows: list[Row], step: int, by: int) -> list[tuple[str, int, bool, int]]:
    """What rules say of the rows; before row `step` city time leaps by `by` µs. Times as if it had not."""
    engine = Engine({PROBE.name: PROBE})
    engine.control(Devices(PROBE.name, DEVICES))
    engine.control(Rules([HELD, QUIET, MEAN, MEAN_HELD]))
    said = []
    now, gone, at = MIDNIGHT + 10 * HOUR, 0, 0
    for number, row in enumerate(rows):
        now += row.after * SECOND
        if number == step and by:
            engine.control(ClockStep(now, now + by))
            gone, at = by, now
        batch = Batch.empty(PROBE, 1)
        batch.device[0], batch.time[0], batch.received[0] = row.device, now + gone, now + gone
        place = PROBE.index["tilt"]
        batch.values[place, 0] = row.tilt
        batch.quality[place, 0] = Quality.FAULT if row.tilt != row.tilt else Quality.GOOD
        said += engine.hear(batch)
        said += engine.evaluate(batch)
    end = now + gone + HOUR
    while found := engine.sweep(end):
        said += found
    assert not any(at < one.time < at + gone for one in said), "nothing happens in no time"
    return [
        (one.rule, one.index, one.raised, one.time - gone if one.time > at + gone // 2 else one.time)
        for one in said
    ]


@given(ROWS, st.integers(0, 59), st.sampled_from([HOUR, 7 * HOUR, 30 * HOUR]))
def test_a_step_changes_nothing_but_the_numbers(rows: list[Row], step: int, by: int) -> None:
    plain = judged(rows, step, 0)
    stepped = judged(rows, step, by)
    assert sorted(stepped) == sorted(plain)


@pytest.mark.parametrize("by", [HOUR, 24 * HOUR])
def test_a_snapshot_goes_on_as_the_engine_would(by: int) -> None:
    city = Timeline(PROBE, HELD, MEAN)
    city.at("10:00:00").says(tilt=12)
    start = MIDNIGHT + 10 * HOUR + 10 * SECOND
    city.control(ClockStep(start, start + by))
    other = Engine({PROBE.name: PROBE})
    other.restore(city.engine.snapshot())
    late = start + by + HOUR
    assert other.sweep(late) == city.engine.sweep(late) != []
