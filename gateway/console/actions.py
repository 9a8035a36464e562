"""What this person may do with a case or an alarm now: the lifecycle table, the roles, and what each event asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.api.auth import Permission, may
from gateway.api.cases import CaseFile, CaseView, permission
from gateway.cases.lifecycle import (
    ALARM_TRANSITIONS,
    BY_PEOPLE,
    CASE_TRANSITIONS,
    NEEDS_NOTE,
    AlarmEvent,
    AlarmState,
    CaseEvent,
    CaseState,
)
from gateway.cases.record import PERSON
from gateway.cases.said import JUDGED
from gateway.cases.template import Template
from gateway.registry.roles import Principal

ALARM_EVENTS: Final = (AlarmEvent.ACKNOWLEDGE, AlarmEvent.SHELVE, AlarmEvent.UNSHELVE, AlarmEvent.UNSUPPRESS)
NEXT: Final[Mapping[CaseState, frozenset[CaseEvent]]] = {
    CaseState.FILED: frozenset({CaseEvent.DISPATCH}),
    CaseState.DISPATCHED: frozenset({CaseEvent.ACCEPT}),
    CaseState.ACCEPTED: frozenset({CaseEvent.START}),
    CaseState.IN_REPAIR: frozenset({CaseEvent.REPAIRED}),
    CaseState.SUSPENDED: frozenset({CaseEvent.RESUME}),
    CaseState.REPAIRED: frozenset({CaseEvent.VERIFY}),
    CaseState.VERIFIED: frozenset({CaseEvent.CLOSE}),
}  # what usually comes next: its form stands unfolded
FIELDS: Final[Mapping[CaseEvent, tuple[str, ...]]] = {
    CaseEvent.DISPATCH: ("crew", "department"),
    CaseEvent.EXTEND: ("extra",),
    CaseEvent.MERGE: ("into",),
    CaseEvent.SPLIT: ("alarms",),
}
LONG: Final = "alarms"  # a field that is given more than once
NUMBERS: Final = frozenset({"extra", "into", "revision"})


class Form(NamedTuple):
    """fields: besides the note. next: what usually comes next. tried: in vain, just now."""

    event: str
    fields: tuple[str, ...]
    needs_note: bool
    next: bool
    tried: bool


def of_case(caller: Principal, file: CaseFile, template: Template, tried: str = "") -> list[Form]:
    """What comes next first, the rest in the order of the table."""
    case, state = file.case, CaseState(file.case.state)
    able = [
        event
        for event in CASE_TRANSITIONS[state]
        if event in BY_PEOPLE and may(caller, permission(event)) and _makes_sense(caller, event, file)
    ]
    forms = [
        Form(
            str(event),
            _fields(case, event, template),
            event in NEEDS_NOTE,
            event in NEXT.get(state, ()),
            event == tried,
        )
        for event in able
    ]
    return sorted(forms, key=lambda form: not form.next)


def of_alarm(caller: Principal, state: str, tried: str = "") -> list[Form]:
    if not may(caller, Permission.OPERATE):
        return []
    ways = ALARM_TRANSITIONS[AlarmState(state)]
    forms = [
        Form(
            str(event),
            ("until",) if event is AlarmEvent.SHELVE else (),
            event is AlarmEvent.SHELVE,
            event is not AlarmEvent.SHELVE,
            event == tried,
        )
        for event in ALARM_EVENTS
        if event in ways
    ]
    return sorted(forms, key=lambda form: not form.next)


def spoken(form: Mapping[str, Any], lists: Mapping[str, list[str]]) -> dict[str, Any]:
    """What a form says, without what was left empty; the API's own model then judges it."""
    kept = {key: value.strip() for key, value in form.items() if isinstance(value, str) and value.strip()}
    kept.pop("csrf", None)
    for name in NUMBERS & kept.keys():
        kept[name] = kept[name].removeprefix("#")
    return {**kept, **{name: values for name, values in lists.items() if values}}


def _makes_sense(caller: Principal, event: CaseEvent, file: CaseFile) -> bool:
    """The desk would refuse it whatever is said."""
    case = file.case
    if event is CaseEvent.SPLIT:
        return len(file.alarms) > 1
    if event is CaseEvent.EXTEND:
        return case.overdue is None and case.clock_from is not None
    if event is CaseEvent.VERIFY:
        repairs = [entry for entry in file.timeline if entry.event == CaseEvent.REPAIRED]
        others = not repairs or repairs[-1].actor != caller.actor
        return others and (case.verification == PERSON or may(caller, Permission.SUPERVISE))
    return True


def _fields(case: CaseView, event: CaseEvent, template: Template) -> tuple[str, ...]:
    fields = FIELDS.get(event, ())
    if event is CaseEvent.DISPATCH and case.returned:
        fields = (*fields, "force")
    if event is CaseEvent.VERIFY and case.verification != PERSON:
        fields = (*fields, "force")
    if event in JUDGED:
        fields = (*fields, "verdict")
    return (*fields, "photo") if event is CaseEvent.REPAIRED and template.photo else fields
