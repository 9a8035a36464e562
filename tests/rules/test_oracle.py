from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.transition import Transition
from tests.rules.live import Live
from tests.rules.oracle import Oracle, Said
from tests.rules.shuffled import Sample, judged, samples
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


@settings(max_examples=EXAMPLES // 4)
@given(samples, st.sampled_from([1, 3, 40]))
def test_any_order_inside_the_lateness_says_the_same(drawn: list[Sample], size: int) -> None:
    assert judged(drawn, shuffled=True, size=size) == judged(drawn, shuffled=False, size=1)


@pytest.mark.drill
@settings(max_examples=10_000)
@given(samples, st.sampled_from([1, 3, 40]))
def test_ten_thousand_shuffled_streams(drawn: list[Sample], size: int) -> None:
    assert judged(drawn, shuffled=True, size=size) == judged(drawn, shuffled=False, size=1)


@pytest.mark.drill
@settings(max_examples=10_000)
@given(streams, st.sampled_from([1, 2, 5, 100]), st.data())
def test_ten_thousand_restarts_in_mid_stream(log: list[Step], size: int, data: st.DataObject) -> None:
    """Besides those that the stream draws, one at any place after the rules are known."""
    place = data.draw(st.integers(5, len(log)))
    assert Live(size).run([*log[:place], Restart(), *log[place:]]) == Live(100).run(log)
