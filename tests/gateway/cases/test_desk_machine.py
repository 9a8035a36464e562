"""Rules, people and time in any order: what must hold of alarms and cases after each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select

from drivers.telemetry import HOUR, MINUTE
from gateway.cases import frontdesk
from gateway.cases.intake import Contact, NewReport
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
    Verdict,
)
from gateway.cases.record import TELEMETRY, Case
from gateway.cases.said import JUDGED, UNJUDGED
from gateway.cases.settings import DeskSettings
from gateway.cases.template import Templates, parse, shipped
from gateway.errors import CallerError, Conflict, Forbidden, Invalid
from gateway.store.schema import cases as schema
from gateway.store.schema import dispatch
from tests.gateway.cases.city import City, engine_of
from tests.gateway.store.postgres import Server

CREWS = st.sampled_from(["night crew", "day crew"])
ACTORS = st.sampled_from(["token:li", "token:wu"])
TWO_CASES = {CaseEvent.MERGE, CaseEvent.SPLIT}
SOURCES = [
    ("tilt", "MH-0042"),
    ("lamp", "LP-1"),
    ("lamp", "LP-2"),
    ("dust", "DU-1"),
    ("battery", "MH-0043"),
]


def survivor(cases: list[Case], case: Case) -> Case:
    known = {one.id: one for one in cases}
    while case.merged_into is not None:
        case = known[case.merged_into]
    return case


SETTINGS: dict[str, dict[str, Any]] = {
    "shipped": {},
    "silent": {"warnings": [], "escalation": []},
    "talkative": {
        "warnings": [0.1, 0.75, 0.9],
        "escalation": [{"at": 1, "to": "a"}, {"at": 1, "to": "b"}, {"at": 3, "to": "c"}],
    },
    "free days": {"free": ["2025-03-04", "2025-03-05"], "dispatch_within": "2h"},
    "short days": {"hours": [["09:00", "10:00"]], "working": ["2025-03-08"], "dispatch_within": "0s"},
    "elsewhere": {"zone": "Europe/Berlin", "calendar": "DE"},
}
SLOW = [{"id": "cover-danger", "limit": {"amount": 4, "unit": "work_hour"}, "proving": "3h"}]
TEMPLATES: dict[str, Templates] = {
    "shipped": shipped(),
    "slow covers": parse(SLOW, shipped()),
    "no dust": {name: one for name, one in shipped().items() if name != "site-dust"},
}


class DeskMachine(RuleBasedStateMachine):
    def __init__(self, engine: Engine | None = None) -> None:
        super().__init__()
        self.city = City(engine=engine)
        self.standing: set[tuple[str, str]] = set()
        self.caseless = {"battery"}  # rules that had no template at some time
        self.reports = 0
        self.said = 0  # no two transitions are of one event time: that would be the same transition

    def teardown(self) -> None:
        self.city.__exit__()

    @rule(minutes=st.sampled_from([1, 20, 90, 600, 3_000]))
    def time_passes(self, minutes: int) -> None:
        self.city.advance(minutes * MINUTE)

    @rule(
        desk=st.sampled_from(sorted(SETTINGS)),
        templates=st.sampled_from(sorted(TEMPLATES)),
        late=st.sampled_from([0, 20, 600]),
    )
    def settings_change(self, desk: str, templates: str, late: int) -> None:
        """By a reload, or while the gateway was away; it may tick before all is reckoned anew."""
        self.caseless |= {"dust"} if templates == "no dust" else set()
        city = self.city.reset(DeskSettings.model_validate(SETTINGS[desk]), TEMPLATES[templates])
        city.now += late * MINUTE
        with city.transaction() as conn:
            city.desk.tick(conn, city.now)
        city.reckon()
        assert city.reckon() == []

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
    @rule(
        data=st.data(),
        event=st.sampled_from(sorted(BY_PEOPLE - TWO_CASES)),
        note=st.sampled_from(["", "because"]),
        verdict=st.sampled_from(Verdict),
    )
    def a_person_acts(self, data: st.DataObject, event: CaseEvent, note: str, verdict: Verdict) -> None:
        crew, actor = data.draw(CREWS), data.draw(ACTORS)
        case = data.draw(st.sampled_from(self.city.cases()))
        allowed = CASE_TRANSITIONS[case.state]
        judged = verdict if event in JUDGED else Verdict.NONE
        try:
            self.city.act(
                case, event, note, actor=actor, crew=crew, extra=2, verdict=judged, revision=case.revision
            )
        except Conflict:
            late = event is CaseEvent.EXTEND and (
                case.overdue is not None or self.city.now > (case.deadline or 0)
            )
            again = event is CaseEvent.DISPATCH and case.returned == crew
            early = event is CaseEvent.VERIFY and case.verification == TELEMETRY
            assert event not in allowed or event is CaseEvent.REOPEN or late or again or early
        except Forbidden:
            assert (event, actor) == (CaseEvent.VERIFY, case.repaired_by)
        except Invalid:
            assert event in NEEDS_NOTE
            assert not note
        else:
            now = self.city.case_of(case)
            assert now.state == allowed[event]
            assert now.verdict == (judged or case.verdict) or event in UNJUDGED

    @precondition(lambda self: len(self.city.cases()) > 1)
    @rule(data=st.data())
    def two_cases_become_one(self, data: st.DataObject) -> None:
        case, into = data.draw(st.permutations(self.city.cases()))[:2]
        try:
            self.city.act(case, "merge", into=into.id, verdict=Verdict.DUPLICATE)
        except CallerError:
            over = survivor(self.city.cases(), into).state in OVER
            ends = survivor(self.city.cases(), into).id == case.id
            assert over or ends or CaseEvent.MERGE not in CASE_TRANSITIONS[case.state]
        else:
            assert self.city.case_of(case).merged_into == survivor(self.city.cases(), into).id
            assert all(alarm.case != case.id for alarm in self.city.alarms())

    @precondition(lambda self: self.city.alarms())
    @rule(data=st.data())
    def one_case_becomes_two(self, data: st.DataObject) -> None:
        alarm = data.draw(st.sampled_from(self.city.alarms()))
        case = next((one for one in self.city.cases() if one.id == alarm.case), None)
        if case is None:
            return
        try:
            self.city.act(case, "split", alarms=(alarm.id,))
        except CallerError:
            assert case.alarms == 1 or CaseEvent.SPLIT not in CASE_TRANSITIONS[case.state]
        else:
            assert self.city.alarms(alarm.device)[-1].case != case.id or case.alarms > 1

    @rule(kind=st.sampled_from(["cover-danger", "lamp-out"]))
    def somebody_reports(self, kind: str) -> None:
        new = NewReport(kind, "there is something", lat=31.2, lon=121.4, contact=Contact("Li", "1"))
        with self.city.transaction() as conn:
            found, _ = frontdesk.report(self.city.desk, conn, new, "token:12319", self.city.now)
        self.reports += 1
        case = next(one for one in self.city.cases() if one.id == found.case)
        assert case.state not in OVER
        assert case.template == kind

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
            assert case.alarms == sum(alarm.case == case.id for alarm in self.city.alarms())
            assert (case.verification == "person") == bool(case.doubt)
            assert case.proof is None or not case.doubt
            assert (case.merged_into is None) or case.state is CaseState.VOID
            steps, within = self.city.desk.casework.reminders
            waits = case.state is CaseState.FILED and within and case.reminded < steps[-1].at
            reminds = case.state in RUNNING and case.reminded < steps[-1].at
            assert (case.alert is not None) == bool(waits or reminds)
            assert (case.waiting is not None) == (case.state is CaseState.FILED)
            assert (case.suspended is not None) == (case.state is CaseState.SUSPENDED)
            assert case.state not in RUNNING or case.deadline is not None
            assert (case.closed is not None) == (case.state in OVER)

    @invariant()
    def active_alarms_with_a_template_are_in_a_case(self) -> None:
        for alarm in self.city.alarms():
            if alarm.state is AlarmState.ACTIVE and alarm.rule not in self.caseless:
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

    @invariant()
    def every_report_is_of_a_case_that_was_not_merged_away(self) -> None:
        with self.city.engine.connect() as conn:
            cases = list(conn.scalars(select(dispatch.report.c.case)))
        assert len(cases) == self.reports
        gone = {case.id for case in self.city.cases() if case.merged_into is not None}
        assert not gone & set(cases)

    def _entries(self, case: Case) -> list[str]:
        table = schema.case_event
        query = select(table.c.event).where(table.c.case == case.id).order_by(table.c.revision)
        with self.city.engine.connect() as conn:
            assert conn.scalar(select(func.count()).where(table.c.case == case.id)) == case.revision
            return list(conn.scalars(query))


DeskMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=22)
TestDeskMachine = DeskMachine.TestCase


def on_server(engine: Engine) -> type[DeskMachine]:
    class OnServer(DeskMachine):
        def __init__(self) -> None:
            super().__init__(engine)

    return OnServer


@pytest.fixture
def engine(postgresql: Server) -> Iterator[Engine]:
    engine = engine_of(postgresql.fresh())
    yield engine
    engine.dispose()


@pytest.mark.peer("postgresql")
def test_and_on_postgresql(engine: Engine) -> None:
    some = settings(max_examples=5, stateful_step_count=15)
    run_state_machine_as_test(on_server(engine), settings=some)


@pytest.mark.drill
def test_many_more_of_them() -> None:
    run_state_machine_as_test(DeskMachine, settings=settings(max_examples=300, stateful_step_count=40))


@pytest.mark.drill
@pytest.mark.peer("postgresql")
def test_many_more_of_them_on_postgresql(engine: Engine) -> None:
    many = settings(max_examples=40, stateful_step_count=40)
    run_state_machine_as_test(on_server(engine), settings=many)
