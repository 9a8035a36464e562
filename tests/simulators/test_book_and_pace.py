from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE
from simulators.latency import Histogram
from simulators.ledger import ACKED, Ledger, load, stored
from simulators.pace import Pace
from simulators.poison import Expect
from simulators.schedule import Schedule
from tests.simulators.evening import START, city


def test_a_pace_is_handed_over_as_text() -> None:
    pace = Pace(START, 60.0, zero=123_456_789_000)
    again = Pace.parse(str(pace))
    assert (again.start, again.speed, again.zero) == (pace.start, pace.speed, pace.zero)
    early, late = pace.now(), again.now()
    assert 0 <= late - early < HOUR


def test_city_time_runs_by_its_speed() -> None:
    real = Pace(START)
    fast = Pace(START, 1_000.0, zero=real.zero - 3_600 * 10**9)
    slow = Pace(START, 1.0, zero=real.zero - 3_600 * 10**9)
    assert fast.now() - START >= 1_000 * HOUR
    assert HOUR <= slow.now() - START < 2 * HOUR
    assert Pace.real().now() > START - 365 * DAY


@pytest.mark.parametrize("text", ["", "1:2", "a:b:c", "1:2:0", "1:2:-3", "1:2:3:4"])
def test_what_is_no_pace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pace|invalid"):
        Pace.parse(text)


def test_the_ledger_knows_what_became_of_each_message(tmp_path: Path) -> None:
    ledger = Ledger(["A", "B"])
    acked = ledger.publish(0, START, 100, 1)
    refused = ledger.publish(1, START, 90, 1, Expect.REFUSED)
    ledger.publish(1, START + 1_000, 90, 2)
    again = ledger.publish(0, START, 100, 2, Expect.REPEATED)
    moved = ledger.publish(0, START + 9_000, 100, 3, Expect.RESTAMPED)
    for row, code in ((acked, 0), (refused, 0x99), (again, 0x10), (moved, 0)):
        ledger.settle(row, code)
    assert (ledger.sent, ledger.acked, dict(ledger.refused), ledger.waiting) == (5, 3, {0x99: 1}, 1)
    path = tmp_path / "ledger.npz"
    ledger.save(path)
    ids, rows = load(path)
    assert ids == ["A", "B"]
    assert stored(rows).tolist() == [True, False, False, True, False]
    assert rows["status"].tolist() == [ACKED, 0x99, 0, ACKED, ACKED]
    assert rows["time"].tolist() == [START, START, START + 1_000, START, START + 9_000]
    assert rows["packet_id"].tolist() == [1, 1, 2, 2, 3]
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.npz"]


def test_a_burst_is_many_rows_and_is_settled_in_parts() -> None:
    ledger = Ledger(["A"])
    row = ledger.burst(0, range(START, START + 5_000, 1_000), 80, 10)
    ledger.settle(row, 0, 2)
    assert ledger.rows["status"].tolist() == [1, 1, 0, 0, 0]
    assert ledger.rows["packet_id"].tolist() == [10, 11, 12, 13, 14]
    assert ledger.rows["time"].tolist() == [START + i * 1_000 for i in range(5)]
    assert (ledger.sent, ledger.acked) == (5, 2)


def test_a_full_ledger_still_counts() -> None:
    ledger = Ledger(["A"], bound=5_000)
    rows = [ledger.publish(0, START + i, 10, 1) for i in range(5_003)]
    assert rows[-3:] == [-1, -1, -1]
    for row in rows:
        ledger.settle(row, 0)
    assert (ledger.sent, ledger.acked, ledger.unrecorded, len(ledger.rows)) == (5_003, 5_003, 3, 5_000)


@given(st.lists(st.integers(1, 10**11), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_right_to_an_eighth(samples: list[int], share: float) -> None:
    histogram = Histogram()
    for sample in samples:
        histogram.add(sample)
    exact = sorted(samples)[max(0, int(np.ceil(share * len(samples))) - 1)] / 1e6
    assert exact <= histogram.quantile(share) + 1e-5
    assert histogram.quantile(share) <= max(exact * 1.13, 1e-5)


def test_no_samples_no_latency() -> None:
    assert Histogram().summary() == {}
    assert np.isnan(Histogram().quantile(0.5))


def test_each_device_reports_at_its_own_interval_from_when_it_begins() -> None:
    cohort = city().cohorts["dust"]
    schedule = Schedule(cohort)
    assert schedule.due(START)[0].size == 0
    schedule.begin(np.array([2], np.int32), START)
    assert [schedule.begun(index) for index in (1, 2)] == [False, True]
    seen: list[int] = []
    for now in range(START, START + 10 * MINUTE, MINUTE // 4):
        device, time = schedule.due(now)
        assert set(device.tolist()) <= {2}
        assert np.all(time <= now)
        seen += time.tolist()
    assert len(seen) in {9, 10}
    assert set(np.diff(seen)) == {FAMILIES["dust"].interval}


def test_a_turn_missed_many_times_is_one_and_the_rhythm_stays() -> None:
    schedule = Schedule(city().cohorts["dust"])
    schedule.begin(np.array([0], np.int32), START)
    (first,) = schedule.due(START + MINUTE)[1].tolist()
    device, time = schedule.due(START + HOUR)
    assert device.tolist() == [0]
    assert time.tolist() == [first + MINUTE]
    _, later = schedule.due(START + HOUR + 2 * MINUTE)
    assert (later[0] - first) % MINUTE == 0


def test_two_readings_of_a_device_never_have_the_same_millisecond() -> None:
    schedule = Schedule(city().cohorts["dust"])
    device = np.array([1, 4], np.int32)
    stamps = [schedule.stamp(device, np.full(2, START + i)) for i in range(5)]
    assert np.all(np.diff(stamps, axis=0) == 1_000)
    assert all(np.all(stamp % 1_000 == 0) for stamp in stamps)


def test_a_device_told_another_interval_keeps_it() -> None:
    schedule = Schedule(city().cohorts["dust"])
    schedule.begin(np.array([0], np.int32), START)
    schedule.every(0, 10 * MINUTE)
    _, first = schedule.due(START + 2 * MINUTE)
    _, second = schedule.due(START + 30 * MINUTE)
    assert second[0] - first[0] == 10 * MINUTE
