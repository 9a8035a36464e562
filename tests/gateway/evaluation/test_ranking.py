"""Rates against a count case by case, and places against their definition."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import DAY, HOUR
from gateway.cases.evaluation import RATES, Indicators, judged
from gateway.cases.lifecycle import CaseState, Verdict
from gateway.cases.works import Work
from gateway.errors import Invalid
from gateway.evaluation.period import Length, latest, midnight, period_of
from gateway.evaluation.ranking import rank, score
from gateway.evaluation.settings import WEIGHTS, EvaluationSettings

SHANGHAI = ZoneInfo("Asia/Shanghai")
SINCE, UNTIL = 100, 200
times = st.one_of(st.none(), st.integers(50, 199))
works = st.builds(
    Work,
    area=st.sampled_from(["a", "b/1", "b/2"]),
    crew=st.just("c"),
    department=st.just("d"),
    family=st.just("f"),
    template=st.just("t"),
    grid=st.just("g"),
    state=st.sampled_from(CaseState),
    filed=st.integers(50, 199),
    dispatched=times,
    deadline=st.one_of(st.none(), st.integers(50, 250)),
    returned=times,
    handled=times,
    closed=times,
    reworked=st.integers(0, 2),
    extended=st.integers(0, 2),
    returns=st.integers(0, 2),
    verdict=st.sampled_from(Verdict),
    origin=st.sampled_from(["telemetry", "citizen"]),
    last=st.booleans(),
)


def recount(cases: list[Work]) -> dict[str, int]:
    """Should be handled = the limit falls in the period, or was carried over; void and suspended count apart."""
    found = dict.fromkeys(
        ("due", "handled", "handled_on_time", "closed", "closed_on_time", "overdue_open", "reworked"), 0
    )
    for case in cases:
        apart = case.state is CaseState.VOID or (case.last and case.state is CaseState.SUSPENDED)
        if apart or case.dispatched is None or case.deadline is None:
            continue
        if case.returned and case.returned <= case.deadline:
            continue
        back = case.handled or case.returned
        carried_over = case.deadline < SINCE and (back is None or back >= SINCE)
        if not (SINCE <= case.deadline < UNTIL or carried_over):
            continue
        in_time = case.handled is not None and case.handled <= case.deadline
        found["due"] += 1
        found["handled"] += case.handled is not None
        found["handled_on_time"] += in_time
        found["closed"] += case.closed is not None
        found["closed_on_time"] += case.closed is not None and in_time
        found["overdue_open"] += case.handled is None and case.last
        found["reworked"] += case.reworked > 0
    return found


@given(st.lists(works, max_size=30))
def test_rates_equal_a_count_case_by_case(cases: list[Work]) -> None:
    (total,) = judged(cases, SINCE, UNTIL, lambda _: "").values() or [Indicators()]
    expected = recount(cases)
    assert {name: getattr(total, name) for name in expected} == expected
    for name in ("handled", "handled_on_time", "closed", "closed_on_time", "overdue_open"):
        rate = getattr(total, f"{name}_rate")
        assert rate == (pytest.approx(expected[name] / expected["due"]) if expected["due"] else None)


@given(st.lists(works, max_size=30))
def test_who_has_a_better_score_has_a_better_place(cases: list[Work]) -> None:
    groups = judged(cases, SINCE, UNTIL, lambda work: work.area)
    standings = rank(groups, {}, WEIGHTS)
    assert sorted(one.name for one in standings) == sorted(groups)
    known = [one for one in standings if one.score is not None]
    assert standings[: len(known)] == known
    for one in known:
        assert one.score is not None
        assert 0 <= one.score <= 100
        assert one.place == 1 + sum(
            other.score > one.score + 1e-7 for other in known if other.score is not None
        )
        assert (one.before, one.change) == (None, None)


def test_a_score_is_the_weighted_mean_of_the_rates_and_rework_lowers_it() -> None:
    good = Indicators(due=10, handled=10, handled_on_time=10, closed=10, closed_on_time=10)
    assert score(good, WEIGHTS) == pytest.approx(100)
    worse = Indicators(due=10, handled=10, handled_on_time=5, closed=10, closed_on_time=5, reworked=5)
    assert score(worse, WEIGHTS) == pytest.approx(30 * 0.5 + 20 + 20 + 20 * 0.5 + 10 * 0.5)
    assert score(Indicators(), WEIGHTS) is None
    first, second = rank({"a": worse, "b": good}, {"a": good, "b": worse}, WEIGHTS)
    assert [(one.name, one.place, one.before) for one in (first, second)] == [("b", 1, 2), ("a", 2, 1)]
    assert first.change == pytest.approx(30)
    assert second.change == pytest.approx(-30)


def test_periods_begin_at_local_midnight_and_meet() -> None:
    week = period_of(Length.WEEK, date(2026, 1, 1), SHANGHAI)
    assert (week.first, week.last) == (date(2025, 12, 29), date(2026, 1, 4))
    month = period_of(Length.MONTH, date(2026, 1, 31), SHANGHAI)
    assert (month.first, month.before.first, month.before.last) == (
        date(2026, 1, 1),
        date(2025, 12, 1),
        date(2025, 12, 31),
    )
    assert month.before.until == month.since
    assert latest(Length.WEEK, week.until, SHANGHAI) == week
    assert len(month.days(month.until)) == 31
    assert month.days(month.since + DAY + HOUR)[-1] == (month.since + DAY, month.since + DAY + HOUR)
    berlin = ZoneInfo("Europe/Berlin")
    spring = period_of(Length.DAY, date(2026, 3, 29), berlin)
    assert spring.until - spring.since == 23 * HOUR
    assert spring.since == midnight(date(2026, 3, 29), berlin)
    with pytest.raises(Invalid):
        period_of(Length.DAY, date(1900, 1, 1), SHANGHAI)


@pytest.mark.parametrize(
    "table",
    [
        {"lighting": "dusk"},
        {"facilities": ["lamps"]},
        {"faults": ["broken"]},
        {"weights": {"speed": 1}},
        {"weights": {"handled_rate": 0}},
    ],
)
def test_definitions_that_mean_nothing_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"give|no family|no rate|weights"):
        EvaluationSettings.model_validate(table)
    assert set(WEIGHTS) <= set(RATES)
