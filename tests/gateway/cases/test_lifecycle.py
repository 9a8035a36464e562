from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest
from sqlalchemy import String

from gateway.cases import record
from gateway.cases.effect import EFFECTS
from gateway.cases.lifecycle import (
    ALARM_TRANSITIONS,
    CASE_TRANSITIONS,
    NEEDS_NOTE,
    OVER,
    AlarmEvent,
    AlarmState,
    CaseEvent,
    CaseState,
    Entry,
    follow,
    mermaid,
)
from gateway.errors import Conflict
from gateway.store.schema.cases import alarm_event, case_event, outbox
from rules.document import SEVERITIES


@pytest.mark.parametrize(
    ("table", "states", "events"),
    [(ALARM_TRANSITIONS, AlarmState, AlarmEvent), (CASE_TRANSITIONS, CaseState, CaseEvent)],
)
def test_tables_name_every_state_and_event_and_every_state_is_reached(
    table: Mapping[StrEnum, Mapping[StrEnum, StrEnum]], states: type[StrEnum], events: type[StrEnum]
) -> None:
    assert set(table) == set(states)
    assert {event for ways in table.values() for event in ways} == set(events)
    reached = {"new"} | {target for ways in table.values() for target in ways.values()}
    assert reached == set(states)


def test_every_word_of_a_timeline_has_room_in_its_column() -> None:
    of_alarm, of_case = {*AlarmEvent, Entry.MOVED}, {*CaseEvent, *Entry}
    told = {f"alarm.{word}" for word in of_alarm} | {f"case.{word}" for word in of_case}
    for table, words in ((alarm_event, of_alarm), (case_event, of_case), (outbox, told)):
        room = table.c.event.type
        assert isinstance(room, String)
        assert max(map(len, words)) <= (room.length or 0), table.name


def test_every_event_of_a_case_has_its_effect() -> None:
    assert set(EFFECTS) == set(CaseEvent)
    assert set(CaseEvent) >= NEEDS_NOTE


def test_a_void_case_is_over_for_good_and_a_closed_one_can_only_be_reopened() -> None:
    assert set(CASE_TRANSITIONS[CaseState.VOID]) == set()
    assert set(CASE_TRANSITIONS[CaseState.CLOSED]) == {CaseEvent.REOPEN}
    assert {CaseState.VOID, CaseState.CLOSED} == OVER


def test_an_illegal_pair_names_state_event_and_what_is_allowed() -> None:
    with pytest.raises(Conflict) as caught:
        follow(CASE_TRANSITIONS, CaseState.FILED, CaseEvent.REPAIRED)
    assert caught.value.status == 409
    assert caught.value.members == {
        "state": "filed",
        "event": "repaired",
        "allowed": [str(event) for event in CASE_TRANSITIONS[CaseState.FILED]],
    }
    assert "'repaired' is not possible in state 'filed' (possible: dispatch, recover," in str(caught.value)


def test_an_end_state_allows_nothing() -> None:
    with pytest.raises(Conflict, match="possible: nothing"):
        follow(ALARM_TRANSITIONS, AlarmState.CLEARED, AlarmEvent.ACKNOWLEDGE)


def test_mermaid_draws_the_table() -> None:
    assert mermaid(ALARM_TRANSITIONS).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> active: raise",
        "    active --> active: raise",
        "    active --> cleared: clear",
        "    active --> acknowledged: acknowledge",
        "    active --> shelved: shelve",
        "    active --> suppressed: suppress",
        "    acknowledged --> active: raise",
        "    acknowledged --> cleared: clear",
        "    acknowledged --> shelved: shelve",
        "    acknowledged --> suppressed: suppress",
        "    shelved --> shelved: raise",
        "    shelved --> shelved: clear",
        "    shelved --> shelved: shelve",
        "    shelved --> active: unshelve",
        "    suppressed --> suppressed: raise",
        "    suppressed --> cleared: clear",
        "    suppressed --> active: unsuppress",
        "    cleared --> [*]",
    ]


def test_severities_are_those_of_rules_in_order() -> None:
    assert sorted(SEVERITIES, key=record.rank, reverse=True) == list(SEVERITIES)
    assert record.rank("dreadful") < record.rank("info")
