"""The estimate of a device's clock: a median that outliers, resends and bursts do not move."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE, NO_TIME, SECOND, Batch, Flag, Kind
from gateway.offsets import KEPT, Offsets
from rules.control import Clock

NOW = 1_790_000_000 * SECOND
DUST = FAMILIES["dust"]


def batch(*rows: tuple[int, int], flags: int = 0, kind: Kind = Kind.SAMPLE) -> tuple[Batch, np.ndarray]:
    """rows: device, and µs that its stamp lies behind its receipt; and what they said."""
    made = Batch.empty(DUST, len(rows))
    made.device[:] = [device for device, _ in rows]
    made.received[:] = NOW
    made.flags[:], made.kind[:] = flags, kind
    return made, NOW - np.array([behind for _, behind in rows], np.int64)


def learnt(*rows: tuple[int, int]) -> Offsets:
    """One row a batch."""
    offsets = Offsets(FAMILIES)
    for row in rows:
        offsets.learn(*batch(row))
    return offsets


def test_a_device_that_never_spoke_has_no_clock() -> None:
    offsets = learnt((3, SECOND))
    assert offsets.get("dust", 3) is not None
    assert offsets.get("dust", 2) is None
    assert offsets.get("dust", 3000) is None
    assert offsets.get("parking", 0) is None


def test_three_odd_samples_of_seven_do_not_move_it() -> None:
    offsets = learnt(*[(0, 10 * SECOND)] * 4, (0, DAY), (0, -DAY), (0, 3 * HOUR))
    known = offsets.get("dust", 0)
    assert known is not None
    assert (known.offset, known.samples) == (10 * SECOND, 7)


def test_a_clock_that_was_set_is_believed_after_four_samples() -> None:
    offsets = learnt(*[(0, HOUR)] * 20, *[(0, 0)] * 4)
    known = offsets.get("dust", 0)
    assert known is not None
    assert known.offset == 0


def test_of_a_burst_the_newest_counts() -> None:
    offsets = Offsets(FAMILIES)
    offsets.learn(*batch(*[(0, minute * MINUTE) for minute in range(120, -1, -1)]))
    known = offsets.get("dust", 0)
    assert known is not None
    assert (known.offset, known.samples) == (0, 1)


def test_what_says_nothing_of_the_clock_does_not_count() -> None:
    offsets = Offsets(FAMILIES)
    for flags, kind in (
        (Flag.LATE, Kind.SAMPLE),
        (Flag.HISTORICAL, Kind.SAMPLE),
        (0, Kind.HOUR),
        (0, Kind.STATUS),
    ):
        offsets.learn(*batch((0, HOUR), flags=int(flags), kind=kind))
    bare, said = batch((0, 0))
    said[:] = NO_TIME
    offsets.learn(bare, said)
    assert offsets.get("dust", 0) is None
    offsets.learn(*batch((0, HOUR), flags=int(Flag.CLOCK)))
    assert offsets.get("dust", 0) is not None, (
        "a stamp that was replaced is what shows that the clock is wrong"
    )


def test_years_are_shown_as_years() -> None:
    known = learnt((0, 20_000 * DAY)).get("dust", 0)
    assert known is not None
    assert abs(known.offset - 20_000 * DAY) < 3 * MINUTE


def test_the_worst_come_first_and_no_more_than_asked() -> None:
    offsets = learnt(*[(device, device * (-1) ** device * SECOND) for device in range(200)])
    assert [one.device for one in offsets.worst(3)] == [199, 198, 197]
    assert len(offsets.worst(1000, "dust")) == 200
    assert offsets.worst(3, "parking") == []


def test_most_clocks_speak_only_where_there_are_some() -> None:
    assert learnt(*[(device, HOUR) for device in range(4)]).consensus() is None
    assert learnt(*[(device, HOUR) for device in range(4)], (4, 0)).consensus() == HOUR
    many = learnt(*[(device, HOUR if device % 3 else 0) for device in range(5000)])
    assert many.consensus() == HOUR


def test_a_snapshot_is_taken_over_and_one_of_another_version_left() -> None:
    offsets = learnt(*[(0, 10 * SECOND)] * 3, (5, HOUR))
    again = Offsets(FAMILIES)
    again.restore(offsets.snapshot() | {"gone": {"last": np.zeros((KEPT, 1)), "turn": np.zeros(1)}})
    assert again.worst(5) == offsets.worst(5)
    again.learn(*batch((0, 10 * SECOND)))
    known = again.get("dust", 0)
    assert known is not None
    assert known.samples == 4
    other = Offsets(FAMILIES)
    other.restore({"dust": {"last": np.zeros((KEPT + 1, 9), np.float32), "turn": np.zeros(9, np.uint8)}})
    assert other.worst(5) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-10_000, 10_000)), min_size=1, max_size=60))
def test_it_is_the_lower_median_of_the_last_seven(said: list[tuple[int, int]]) -> None:
    offsets = learnt(*[(device, seconds * SECOND) for device, seconds in said])
    for device in {device for device, _ in said}:
        mine = [seconds for one, seconds in said if one == device][-KEPT:]
        known = offsets.get("dust", device)
        assert known is not None
        assert (known.offset, known.samples) == (statistics.median_low(mine) * SECOND, len(mine))


def test_the_log_is_told_once_that_a_clock_is_wrong_and_once_that_it_is_right_again() -> None:
    offsets = learnt(*[(0, 2 * HOUR)] * 3)
    assert offsets.turned() == []  # three samples may be anything
    offsets.learn(*batch((0, 2 * HOUR)))
    assert offsets.turned() == [Clock("dust", [0], [7200.0])]
    offsets.learn(*batch((0, 2 * HOUR)))
    assert offsets.turned() == []
    for _ in range(4):
        offsets.learn(*batch((0, SECOND)))
    assert offsets.turned() == [Clock("dust", [0], [1.0])]
    assert offsets.turned() == []


def test_nobody_is_blamed_while_our_own_clock_seems_wrong() -> None:
    offsets = learnt(*[(device, HOUR) for device in range(6) for _ in range(4)])
    assert offsets.turned() == []
    for device in range(5):
        for _ in range(7):
            offsets.learn(*batch((device, 0)))
    assert offsets.turned() == [Clock("dust", [5], [3600.0])]


def test_what_the_log_says_already_is_heeded_after_a_restart() -> None:
    offsets = Offsets(FAMILIES)
    offsets.heed("dust", np.array([np.nan, 7200.0]))
    for _ in range(4):
        offsets.learn(*batch((0, 0), (1, 2 * HOUR)))
    assert offsets.turned() == []
    for _ in range(4):
        offsets.learn(*batch((1, 0)))
    assert offsets.turned() == [Clock("dust", [1], [0.0])]
