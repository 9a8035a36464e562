"""A bucket lets through its burst and its rate, never more; what strangers write into it has a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.buckets import LONGEST_KEY, Buckets, Pace

SECOND = 1_000_000
START = 1_790_000_000_000_000


@given(
    st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 30), st.integers(0, 5_000)), max_size=40)
)
def test_who_waits_as_told_never_exceeds_burst_and_rate(reads: list[tuple[int, int, int]]) -> None:
    pace = Pace(10.0, 1_000.0, 2.0, SECOND)
    now, packets, size = START, 0, 0
    for gap, n, length in reads:
        now += gap
        packets, size = packets + n, size + length
        now += pace.spend(n, length, now)
        allowed = 2.0 + (now - START) / SECOND + 1e-3
        assert packets <= 10.0 * allowed
        assert size <= 1_000.0 * allowed


def test_a_pace_that_is_paid_for_is_idle() -> None:
    pace = Pace(10.0, 1_000.0, 2.0, SECOND)
    assert pace.idle(START)
    assert pace.spend(20, 100, START) == 0
    assert pace.spend(1, 1, START) > 0
    assert not pace.idle(START + SECOND)
    assert pace.idle(START + 3 * SECOND)


def test_a_key_has_its_number_in_a_period_and_then_waits() -> None:
    buckets = Buckets(3, 60 * SECOND)
    assert [buckets.take("a", START) > 0 for _ in range(4)] == [False, False, False, True]
    assert buckets.take("b", START) == 0
    assert not buckets.room("a", START + 20 * SECOND)
    assert buckets.room("a", START + 41 * SECOND)


def test_the_worst_offender_is_free_again_after_a_period() -> None:
    buckets = Buckets(3, 60 * SECOND)
    for _ in range(1_000):
        buckets.take("a", START)
    assert buckets.take("a", START + 61 * SECOND) <= 20 * SECOND
    assert buckets.room("a", START + 182 * SECOND)


def test_what_did_not_count_is_given_back() -> None:
    buckets = Buckets(1, SECOND)
    for _ in range(10):
        assert buckets.take("a", START) == 0
        buckets.give_back("a")
    buckets.give_back("nobody")


@given(st.lists(st.text(max_size=200), max_size=60))
def test_what_strangers_write_has_a_bound(names: list[str]) -> None:
    buckets = Buckets(3, SECOND, bound=8)
    for name in names:
        buckets.take(name, START)
    assert len(buckets) <= 8
    assert all(len(key) <= LONGEST_KEY for key in buckets._due)
