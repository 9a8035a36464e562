"""A proposal keeps what crews found real, spares what they found false, and says when it cannot know."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.suggest import KEPT, Now, Tried, suggest, values_to_try


def now(real: int, false: int, value: float = 120.0, days: float = 30.0) -> Now:
    return Now("limit", "ug/m3", value, real, false, days)


TRIED = [
    Tried(100.0, 90, 40, 30),
    Tried(120.0, 70, 40, 30),
    Tried(135.0, 50, 39, 8),
    Tried(150.0, 30, 30, 1),
]


def test_the_value_that_spares_most_and_keeps_nearly_all_that_was_real() -> None:
    found = suggest(now(40, 30), TRIED)
    assert found.value == 135.0
    assert "Set limit to 135 ug/m3 instead of 120 ug/m3" in found.en
    assert "keeps 39 (now 40)" in found.en
    assert "建议将limit由120 ug/m3改为135 ug/m3" in found.zh


def test_nothing_better_keeps_the_value() -> None:
    found = suggest(
        now(40, 30), [Tried(100.0, 90, 40, 30), Tried(120.0, 70, 40, 30), Tried(150.0, 30, 20, 1)]
    )
    assert found.value == 120.0
    assert found.en.startswith("Keep limit = 120 ug/m3")
    assert found.zh.startswith("建议保持limit = 120 ug/m3")


def test_too_few_verdicts_propose_nothing() -> None:
    for real, false in ((19, 0), (40, 4), (4, 40), (0, 0)):
        found = suggest(now(real, false), TRIED)
        assert found.value is None
        assert found.en.startswith("Too little data")
        assert found.zh.startswith("数据不足")


def test_a_short_history_is_said_to_be_short() -> None:
    assert len(suggest(now(40, 30, days=3), TRIED).limits_en) == 1 + len(
        suggest(now(40, 30), TRIED).limits_en
    )
    assert any("3天" in limit for limit in suggest(now(40, 30, days=3), TRIED).limits_zh)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=9),
    st.integers(5, 40),
    st.integers(15, 40),
)
@settings(max_examples=100)
def test_a_change_is_never_proposed_for_nothing(
    rows: list[tuple[int, int, int]], real: int, false: int
) -> None:
    """It spares more false alarms than now and keeps its share of the real ones, or it stays, or now keeps too few."""
    tried = [Tried(float(n), *row) for n, row in enumerate(rows)]
    standing = tried[len(tried) // 2]
    found = suggest(now(real, false, standing.value), tried)
    best = next(each for each in tried if each.value == found.value)
    if best is not standing:
        assert best.real >= KEPT * real
        assert best.false_alarm < standing.false_alarm or standing.real < KEPT * real


@given(st.floats(-50, 500), st.floats(0, 400), st.floats(0, 400))
@settings(max_examples=100)
def test_values_tried_are_in_the_range_and_hold_the_current_one(
    current: float, below: float, above: float
) -> None:
    low, high = current - below, current + above
    found = values_to_try(current, low, high)
    assert current in found
    assert all(low <= each <= high for each in found)
    assert found == sorted(set(found))
    assert len(found) <= 16
