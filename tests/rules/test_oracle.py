from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.transition import Transition
from tests.rules.live import Live
from tests.rules.oracle import Oracle, Said
from tests.rules.streams import EXAMPLES, FAMILIES, Restart, Row, Step, Sweep, batch_of, streams


def truth(log: list[Step]) -> list[Said]:
    """What the scalar reference says, row by row."""
    oracle = Oracle(FAMILIES)
    said: list[Said] = []
    for step in log:
        if isinstance(step, Row):
            batch = batch_of([step])
            said += oracle.hear(batch)
            if not step.late:
                said += oracle.evaluate(batch)
        elif isinstance(step, Sweep):
            said += oracle.sweep(step.now)
        elif not isinstance(step, Restart):
            oracle.control(step)
    return sorted(said)


def shown(transitions: list[Transition]) -> list[Said]:
    return [Said(t.time, t.rule, t.family, t.index, t.raised, t.received, t.id) for t in transitions]


@settings(max_examples=EXAMPLES)
@given(streams, st.sampled_from([1, 2, 5, 100]))
def test_engine_says_what_the_scalar_reference_says_in_any_batching(log: list[Step], size: int) -> None:
    assert shown(Live(size).run(log)) == truth(log)


@pytest.mark.drill
@settings(max_examples=10_000)
@given(streams, st.sampled_from([1, 2, 5, 100]))
def test_ten_thousand_streams(log: list[Step], size: int) -> None:
    assert shown(Live(size).run(log)) == truth(log)


@settings(max_examples=EXAMPLES // 5)
@given(streams, st.sampled_from([2, 7, 100]))
def test_batching_and_restarts_leave_no_trace_in_transitions_or_evidence(log: list[Step], size: int) -> None:
    whole = Live(1).run([step for step in log if not isinstance(step, Restart)])
    assert Live(size).run(log) == whole
    ids = [each.id for each in whole]
    assert len(set(ids)) == len(ids)
    for each in whole:
        json.dumps(each.evidence, allow_nan=False)


@settings(max_examples=EXAMPLES // 5)
@given(streams)
def test_sweeps_only_hasten_what_rows_would_find(log: list[Step]) -> None:
    """A replay without sweeps says the same, as long as no control row changes what is judged in between."""
    kinds = (Row, Sweep, Restart)
    steady = [step for place, step in enumerate(log) if place < 5 or isinstance(step, kinds)]
    assert shown(Live(3, sweeps=False).run(steady)) == shown(Live(100).run(steady))
