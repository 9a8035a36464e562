"""Power, lamps, windows and people in any order: what must hold of what is folded after each step, and after a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

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
from sqlalchemy import Engine

from drivers.telemetry import HOUR, MINUTE
from gateway.cases.lifecycle import (
    ALARM_TRANSITIONS,
    CASE_TRANSITIONS,
    OVER,
    AlarmEvent,
    AlarmState,
    CaseEvent,
)
from gateway.cases.near import source_of
from gateway.cases.record import Alarm
from gateway.cases.windows import Window, add
from gateway.errors import CallerError
from tests.gateway.cases.city import engine_of
from tests.gateway.cases.street import Street
from tests.gateway.store.postgres import Server

SOURCES = [
    ("supply", "CB-1"),
    ("supply", "LP-A"),
    ("mute", "CB-1"),
    ("lamp", "SL-A0"),
    ("lamp", "SL-A1"),
    ("silent", "SL-A0"),
    ("weak", "SL-A0"),
    ("lamp", "SL-B0"),
]


class FoldMachine(RuleBasedStateMachine):
    def __init__(self, engine: Engine | None = None) -> None:
        super().__init__()
        self.street = Street(engine=engine)
        self.standing: set[tuple[str, str]] = set()
        self.said = 0

    def teardown(self) -> None:
        self.street.__exit__()

    @rule(minutes=st.sampled_from([1, 10, 50, 200]))
    def time_passes(self, minutes: int) -> None:
        self.street.advance(minutes * MINUTE)

    @rule(sources=st.lists(st.sampled_from(SOURCES), min_size=1, max_size=6))
    def rules_speak(self, sources: list[tuple[str, str]]) -> None:
        street, said = self.street, []
        for name, device in sources:
            self.said += 1
            raised = (name, device) not in self.standing
            self.standing ^= {(name, device)}
            said.append(
                street.transition(name, device, raised, street.now + self.said, street.now + self.said)
            )
        street.hear(*said)
        assert street.hear(*said) == []

    @rule()
    def the_gateway_starts_again(self) -> None:
        self.street.restart()

    @rule(device=st.sampled_from(["CB-1", "LP-A", "SL-A0"]), hours=st.sampled_from([1, 3]))
    def a_window_opens(self, device: str, hours: int) -> None:
        street = self.street
        with street.transaction() as conn:
            new = Window(street.now, street.now + hours * HOUR, "works", device=device)
            add(conn, new, "token:wu", street.now, 24 * HOUR)

    @precondition(lambda self: bool(self.street.alarms()))
    @rule(data=st.data(), event=st.sampled_from(["shelve", "unshelve", "unsuppress"]))
    def an_operator_acts(self, data: st.DataObject, event: str) -> None:
        street = self.street
        alarm = data.draw(st.sampled_from(street.alarms()))
        try:
            with street.transaction() as conn:
                if event == "shelve":
                    street.desk.shelve(conn, alarm.id, "token:wu", street.now, street.now + HOUR, "works")
                elif event == "unshelve":
                    street.desk.unshelve(conn, alarm.id, "token:wu", street.now)
                else:
                    street.desk.unsuppress(conn, alarm.id, "token:wu", street.now)
        except CallerError:
            assert AlarmEvent(event) not in ALARM_TRANSITIONS[alarm.state]

    @precondition(lambda self: any(case.state not in OVER for case in self.street.cases()))
    @rule(data=st.data(), event=st.sampled_from(["accept", "start", "repaired", "void"]))
    def a_crew_acts(self, data: st.DataObject, event: str) -> None:
        street = self.street
        case = data.draw(st.sampled_from([case for case in street.cases() if case.state not in OVER]))
        try:
            street.act(case, event, "because")
        except CallerError:
            assert CaseEvent(event) not in CASE_TRANSITIONS[case.state]

    @invariant()
    def alarms_stand_as_rules_said(self) -> None:
        alarms = [alarm for alarm in self.street.alarms() if alarm.standing]
        assert sorted((alarm.rule, alarm.device) for alarm in alarms) == sorted(self.standing)

    @invariant()
    def cases_count_their_alarms(self) -> None:
        alarms = self.street.alarms()
        ever = Counter(alarm.case for alarm in alarms)
        standing = Counter(alarm.case for alarm in alarms if alarm.standing)
        for case in self.street.cases():
            assert case.standing == standing[case.id], case
            # What was shelved and comes back to a case that is over begins anew elsewhere.
            left = case.alarms - ever[case.id]
            assert left == 0 or (left > 0 and case.state in OVER), case
            assert case.proof is None or not case.standing

    @invariant()
    def what_is_suppressed_says_by_what_and_it_still_holds(self) -> None:
        alarms = {alarm.id: alarm for alarm in self.street.alarms()}
        for alarm in alarms.values():
            if alarm.state is not AlarmState.SUPPRESSED:
                continue
            assert alarm.suppression
            source = source_of(alarm)
            if source is None:
                assert alarm.release is not None, "a window ends"
                continue
            by = alarms[source]
            assert by.standing or by.release is not None, "or it would be held for ever"
            assert not self._leads_to(alarms, by, alarm), "two never explain each other"

    @invariant()
    def what_is_active_and_stands_is_some_case(self) -> None:
        for alarm in self.street.alarms():
            if alarm.state is AlarmState.ACTIVE and alarm.standing:
                assert alarm.case is not None

    def _leads_to(self, alarms: dict[str, Alarm], start: Alarm, end: Alarm) -> bool:
        for _ in alarms:
            if start.id == end.id:
                return True
            by = source_of(start) if start.state is AlarmState.SUPPRESSED else None
            if by is None:
                return False
            start = alarms[by]
        return True


FoldMachine.TestCase.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
TestFoldMachine = FoldMachine.TestCase


def on_server(engine: Engine) -> type[FoldMachine]:
    class OnServer(FoldMachine):
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
    some = settings(max_examples=3, stateful_step_count=12, deadline=None)
    run_state_machine_as_test(on_server(engine), settings=some)


@pytest.mark.drill
def test_many_more_of_them() -> None:
    run_state_machine_as_test(
        FoldMachine, settings=settings(max_examples=200, stateful_step_count=40, deadline=None)
    )


@pytest.mark.drill
@pytest.mark.peer("postgresql")
def test_many_more_of_them_on_postgresql(engine: Engine) -> None:
    many = settings(max_examples=40, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(on_server(engine), settings=many)
