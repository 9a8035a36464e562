"""Whatever is replayed after a restart, nothing is applied twice."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from drivers.telemetry import MINUTE
from gateway.store.schema import cases as schema
from rules.transition import Transition
from tests.gateway.cases.city import City

SOURCES = [
    ("tilt", "MH-0042"),
    ("tilt", "MH-0043"),
    ("lamp", "LP-1"),
    ("lamp", "LP-2"),
    ("battery", "MH-0042"),
]


def stream(city: City, steps: list[tuple[int, int]]) -> list[list[Transition]]:
    """Calls of transitions, as an engine would say them: raised and cleared in turn. steps: (source, call)."""
    standing: set[tuple[str, str]] = set()
    calls: list[list[Transition]] = [[] for _ in range(6)]
    for position, (source, call) in enumerate(sorted(steps, key=lambda step: step[1])):
        rule, device = SOURCES[source]
        time = city.now + position * MINUTE
        raised = (rule, device) not in standing
        standing ^= {(rule, device)}
        calls[call].append(city.transition(rule, device, raised, time, time))
    return calls


def rows(city: City) -> dict[str, list[tuple[Any, ...]]]:
    with city.engine.connect() as conn:
        tables = (schema.alarm, schema.alarm_event, schema.case, schema.case_event)
        return {
            table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))]
            for table in tables
        }


STEPS = st.lists(st.tuples(st.integers(0, len(SOURCES) - 1), st.integers(0, 5)), max_size=20)


@given(STEPS, st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=60)
def test_a_replay_from_anywhere_changes_nothing(
    steps: list[tuple[int, int]], reached: int, back: int
) -> None:
    with City() as once, City() as restarted:
        calls = stream(once, steps)
        for call in calls:
            once.hear(*call)
        for call in calls[:reached]:
            restarted.hear(*call)
        told = len(restarted.told)
        for call in calls[min(back, reached) : reached]:
            assert restarted.hear(*call) == []
        assert len(restarted.told) == told
        for call in calls[reached:]:
            restarted.hear(*call)
        assert rows(restarted) == rows(once)
        assert restarted.told == once.told


@given(STEPS, st.integers(0, 20))
@settings(max_examples=60)
def test_a_prefix_that_comes_again_with_the_rest_is_applied_once(
    steps: list[tuple[int, int]], length: int
) -> None:
    with City() as once, City() as twice:
        flat = [t for call in stream(once, steps) for t in call]
        once.hear(*flat[:length])
        once.hear(*flat[length:])
        twice.hear(*flat[:length])
        twice.hear(*flat[:length], *flat)
        assert rows(twice) == rows(once)
        assert twice.told == once.told


@given(STEPS)
@settings(max_examples=60)
def test_any_split_into_calls_gives_the_same_alarms_and_cases(steps: list[tuple[int, int]]) -> None:
    with City() as together, City() as apart:
        flat = [t for call in stream(together, steps) for t in call]
        together.hear(*flat)
        for t in flat:
            apart.hear(t)
        left, right = rows(together), rows(apart)
        assert left["alarm"] == right["alarm"]
        assert left["case"] == right["case"]
        assert left["case_event"] == right["case_event"]
