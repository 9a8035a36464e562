"""Rules, people and time in any order: what must hold of alarms and cases after each step."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import func, select

from drivers.telemetry import HOUR, MINUTE
from gateway.cases.lifecycle import (
    ALARM_TRANSITIONS,
    BY_PEOPLE,
    CASE_TRANSITIONS,
    NEEDS_NOTE,
    OVER,
    RUNNING,
    AlarmEvent,
    AlarmState,
    CaseEvent,
    CaseState,
    Entry,
)
from gateway.cases.record import Case
from gateway.errors import CallerError, Conflict, Invalid
from gateway.store.schema import cases as schema
from tests.gateway.cases.city import City

SOURCES = [
    ("tilt", "MH-0042"),
    ("lamp", "LP-1"),
    ("lamp", "LP-2"),
    ("dust", "DU-1"),
    ("battery", "MH-0043"),
]


class DeskMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.city = City()
        self.standing: set[tuple[str, str]] = set()
        self.said = 0  # no two transitions are of one event time: that would be the same transition

    def teardown(self) -> None:
        self.city.__exit__()

    @rule(minutes=st.sampled_from([1, 20, 90, 600, 3_000]))
    def time_passes(self, minutes: int) -> None:
        self.city.advance(minutes * MINUTE)

    @rule(
        sources=st.lists(st.sampled_from(SOURCES), min_size=1, max_size=5), late=st.sampled_from([0, 45, 300])
    )
    def rules_speak(self, sources: list[tuple[str, str]], late: int) -> None:
        self.city.advance(MINUTE)
        said = []
        for name, device in sources:
            self.said += 1
            raised = (name, device) not in self.standing
            self.standing ^= {(name, device)}
            time = self.city.now - late * MINUTE + self.said
            said.append(self.city.transition(name, device, raised, time, self.city.now))
        self.city.hear(*said)
        assert self.city.hear(*said) == []

    @precondition(lambda self: self.city.cases())
    @rule(data=st.data(), event=st.sampled_from(sorted(BY_PEOPLE)), note=st.sampled_from(["", "because"]))
    def a_person_acts(self, data: st.DataObject, event: CaseEvent, note: str) -> None:
        case = data.draw(st.sampled_from(self.city.cases()))
        allowed = CASE_TRANSITIONS[case.state]
        try:
            self.city.act(case, event, note, crew="night crew", extra=2, revision=case.revision)
        except Conflict:
            late = event is CaseEvent.EXTEND and (case.overdue is not None or case.time_left == 0)
            assert event not in allowed or event is CaseEvent.REOPEN or late
        except Invalid:
            assert event in NEEDS_NOTE
            assert not note
        else:
            assert self.city.case_of(case).state == allowed[event]

    @precondition(lambda self: self.city.alarms())
    @rule(data=st.data(), event=st.sampled_from(["acknowledge", "shelve", "unshelve"]))
    def an_operator_acts(self, data: st.DataObject, event: str) -> None:
        alarm = data.draw(st.sampled_from(self.city.alarms()))
        city, desk = self.city, self.city.desk
        try:
            with city.transaction() as conn:
                if event == "acknowledge":
                    desk.acknowledge(conn, alarm.id, "token:wu", city.now)
                elif event == "shelve":
                    desk.shelve(conn, alarm.id, "token:wu", city.now, city.now + 5 * HOUR, "works")
                else:
                    desk.unshelve(conn, alarm.id, "token:wu", city.now)
        except CallerError:
            assert AlarmEvent(event) not in ALARM_TRANSITIONS[alarm.state]

    @invariant()
    def alarms_stand_as_rules_said(self) -> None:
        alarms = self.city.alarms()
        standing = [(alarm.rule, alarm.device) for alarm in alarms if alarm.standing]
        assert sorted(standing) == sorted(self.standing)
        for alarm in alarms:
            assert alarm.state is not AlarmState.NEW
            assert alarm.standing or alarm.state in {AlarmState.CLEARED, AlarmState.SHELVED}
            assert alarm.state is not AlarmState.CLEARED or not alarm.standing

    @invariant()
    def a_cause_has_one_open_case(self) -> None:
        causes = [case.cause for case in self.city.cases() if case.state not in OVER]
        assert len(causes) == len(set(causes))

    @invariant()
    def cases_count_their_alarms(self) -> None:
        standing: dict[int | None, int] = defaultdict(int)
        for alarm in self.city.alarms():
            standing[alarm.case] += alarm.standing
        for case in self.city.cases():
            assert case.standing == standing[case.id], case
            assert (case.proof is None) or not case.standing
            waits = case.state is CaseState.FILED and not case.level
            reminds = case.state in RUNNING and case.level < len(self.city.desk.casework.steps)
            assert (case.alert is not None) == (waits or reminds)
            assert (case.waiting is not None) == (case.state is CaseState.FILED)
            assert (case.suspended is not None) == (case.state is CaseState.SUSPENDED)
            assert case.state not in RUNNING or case.deadline is not None
            assert (case.closed is not None) == (case.state in OVER)

    @invariant()
    def active_alarms_with_a_template_are_in_a_case(self) -> None:
        for alarm in self.city.alarms():
            if alarm.state is AlarmState.ACTIVE and alarm.rule != "battery":
                assert alarm.case is not None

    @invariant()
    def the_timeline_of_a_case_follows_the_table(self) -> None:
        for case in self.city.cases():
            state = CaseState.NEW
            entries = self._entries(case)
            for event in entries:
                state = state if event in set(Entry) else CASE_TRANSITIONS[state][CaseEvent(event)]
            assert state is case.state
            assert len(entries) == case.revision
            assert case.reopened == entries.count("reopen")
            assert case.reworked == entries.count("rework")

    @invariant()
    def the_outside_knows_how_it_stands(self) -> None:
        last = {message.subject: message for message in self.city.told}
        for case in self.city.cases():
            assert last[f"case:{case.id}"].payload["case"]["state"] == case.state
        for alarm in self.city.alarms():
            if f"alarm:{alarm.id}" in last:
                assert last[f"alarm:{alarm.id}"].payload["alarm"]["state"] == alarm.state
        assert len({message.key for message in self.city.told}) == len(self.city.told)

    def _entries(self, case: Case) -> list[str]:
        table = schema.case_event
        query = select(table.c.event).where(table.c.case == case.id).order_by(table.c.revision)
        with self.city.engine.connect() as conn:
            assert conn.scalar(select(func.count()).where(table.c.case == case.id)) == case.revision
            return list(conn.scalars(query))


DeskMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestDeskMachine = DeskMachine.TestCase
