"""What may happen to an alarm and to a case. What these tables do not name cannot happen (style 9).

NEW is the state before the first event; the README's diagrams are printed from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from gateway.errors import Conflict


class AlarmState(StrEnum):
    """ISA-18.2 words."""

    NEW = "new"
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"  # by design: another alarm explains it, or it lies in a maintenance window
    CLEARED = "cleared"


class AlarmEvent(StrEnum):
    RAISE = "raise"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"


class CaseState(StrEnum):
    """From filing to closing: stages 2 to 6 of GB/T 30428, under neutral names."""

    NEW = "new"
    FILED = "filed"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    IN_REPAIR = "in_repair"
    SUSPENDED = "suspended"
    REPAIRED = "repaired"
    VERIFIED = "verified"
    CLOSED = "closed"
    VOID = "void"


class CaseEvent(StrEnum):
    FILE = "file"
    DISPATCH = "dispatch"
    ACCEPT = "accept"
    START = "start"
    RETURN = "return"  # the crew hands it back undone; the dispatcher must choose anew
    SUSPEND = "suspend"  # 挂账: what it needs is not to be had now; the limit's clock stands still
    RESUME = "resume"
    EXTEND = "extend"  # 延期
    REPAIRED = "repaired"
    RECOVER = "recover"  # telemetry shows that the cause went away before anyone repaired it
    VERIFY = "verify"
    REWORK = "rework"  # the proof failed
    CLOSE = "close"
    REOPEN = "reopen"
    VOID = "void"
    MERGE = "merge"  # another case goes on in its place
    FOLD = "fold"  # what it was filed for is explained by an alarm of another case
    SPLIT = "split"  # some of its alarms become a case of their own


class Verdict(StrEnum):
    """What a case turned out to be, as crews and dispatchers say."""

    NONE = ""
    REAL = "real"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"


class Doubt(StrEnum):
    """Why telemetry cannot verify a repair, so that a person must."""

    NONE = ""
    NO_ALARM = "no_alarm"
    SILENT = "silent"
    RULE_GONE = "rule_gone"
    RETIRED = "retired"


class Entry(StrEnum):
    """What a case's timeline tells besides its lifecycle."""

    JOINED = "alarm_joined"
    CLEARED = "alarm_cleared"
    RAISED = "alarm_raised"
    UNDISPATCHED = "undispatched"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    FOLDED = "alarm_folded"  # it is explained by an alarm of this case
    UNFOLDED = "alarm_left"  # what explained it is over, and it stands
    GATHERED = "case_gathered"  # by a storm
    RECKONED = "reckoned"  # the deadline, anew: holidays were published, or settings have changed
    MERGED = "merged"  # what another case was goes on in this one
    MOVED = "alarm_moved"  # from the case or to the case that is named
    REPORTED = "reported"  # by a citizen or an inspector
    PERSON_NEEDED = "person_needed"  # telemetry cannot verify it
    PROVABLE = "provable"  # telemetry can again
    PHOTO = "photo"
    VISIT = "visit"
    FORWARDED = "forwarded"  # another platform has it, and what it says of it


_ASIDE: Final = {
    CaseEvent.RETURN: CaseState.FILED,
    CaseEvent.SUSPEND: CaseState.SUSPENDED,
    CaseEvent.VOID: CaseState.VOID,
    CaseEvent.MERGE: CaseState.VOID,
}

ALARM_TRANSITIONS: Final[Mapping[AlarmState, Mapping[AlarmEvent, AlarmState]]] = {
    AlarmState.NEW: {AlarmEvent.RAISE: AlarmState.ACTIVE},
    AlarmState.ACTIVE: {
        AlarmEvent.RAISE: AlarmState.ACTIVE,
        AlarmEvent.CLEAR: AlarmState.CLEARED,
        AlarmEvent.ACKNOWLEDGE: AlarmState.ACKNOWLEDGED,
        AlarmEvent.SHELVE: AlarmState.SHELVED,
        AlarmEvent.SUPPRESS: AlarmState.SUPPRESSED,
    },
    AlarmState.ACKNOWLEDGED: {
        AlarmEvent.RAISE: AlarmState.ACTIVE,
        AlarmEvent.CLEAR: AlarmState.CLEARED,
        AlarmEvent.SHELVE: AlarmState.SHELVED,
        AlarmEvent.SUPPRESS: AlarmState.SUPPRESSED,
    },
    AlarmState.SHELVED: {
        AlarmEvent.RAISE: AlarmState.SHELVED,
        AlarmEvent.CLEAR: AlarmState.SHELVED,
        AlarmEvent.SHELVE: AlarmState.SHELVED,
        AlarmEvent.UNSHELVE: AlarmState.ACTIVE,
    },
    AlarmState.SUPPRESSED: {
        AlarmEvent.RAISE: AlarmState.SUPPRESSED,
        AlarmEvent.CLEAR: AlarmState.CLEARED,
        AlarmEvent.UNSUPPRESS: AlarmState.ACTIVE,
    },
    AlarmState.CLEARED: {},
}

CASE_TRANSITIONS: Final[Mapping[CaseState, Mapping[CaseEvent, CaseState]]] = {
    CaseState.NEW: {CaseEvent.FILE: CaseState.FILED},
    CaseState.FILED: {
        CaseEvent.DISPATCH: CaseState.DISPATCHED,
        CaseEvent.RECOVER: CaseState.VERIFIED,
        CaseEvent.SPLIT: CaseState.FILED,
        CaseEvent.VOID: CaseState.VOID,
        CaseEvent.MERGE: CaseState.VOID,
        CaseEvent.FOLD: CaseState.VOID,
    },
    CaseState.DISPATCHED: {
        CaseEvent.ACCEPT: CaseState.ACCEPTED,
        CaseEvent.START: CaseState.IN_REPAIR,
        CaseEvent.REPAIRED: CaseState.REPAIRED,
        CaseEvent.RECOVER: CaseState.VERIFIED,
        CaseEvent.EXTEND: CaseState.DISPATCHED,
        CaseEvent.SPLIT: CaseState.DISPATCHED,
        CaseEvent.FOLD: CaseState.VOID,
        **_ASIDE,
    },
    CaseState.ACCEPTED: {
        CaseEvent.START: CaseState.IN_REPAIR,
        CaseEvent.REPAIRED: CaseState.REPAIRED,
        CaseEvent.RECOVER: CaseState.VERIFIED,
        CaseEvent.EXTEND: CaseState.ACCEPTED,
        CaseEvent.SPLIT: CaseState.ACCEPTED,
        CaseEvent.FOLD: CaseState.VOID,
        **_ASIDE,
    },
    CaseState.IN_REPAIR: {
        CaseEvent.REPAIRED: CaseState.REPAIRED,
        CaseEvent.EXTEND: CaseState.IN_REPAIR,
        CaseEvent.SPLIT: CaseState.IN_REPAIR,
        **_ASIDE,
    },
    CaseState.SUSPENDED: {
        CaseEvent.RESUME: CaseState.ACCEPTED,
        CaseEvent.RECOVER: CaseState.VERIFIED,
        CaseEvent.VOID: CaseState.VOID,
        CaseEvent.MERGE: CaseState.VOID,
    },
    CaseState.REPAIRED: {
        CaseEvent.VERIFY: CaseState.VERIFIED,
        CaseEvent.REWORK: CaseState.IN_REPAIR,
        CaseEvent.MERGE: CaseState.VOID,
    },
    CaseState.VERIFIED: {
        CaseEvent.CLOSE: CaseState.CLOSED,
        CaseEvent.REWORK: CaseState.IN_REPAIR,
    },
    CaseState.CLOSED: {CaseEvent.REOPEN: CaseState.FILED},
    CaseState.VOID: {},
}

OVER: Final = frozenset({CaseState.CLOSED, CaseState.VOID})
RUNNING: Final = frozenset({CaseState.DISPATCHED, CaseState.ACCEPTED, CaseState.IN_REPAIR})  # the limit runs
NEEDS_NOTE: Final = frozenset(
    {CaseEvent.RETURN, CaseEvent.SUSPEND, CaseEvent.EXTEND, CaseEvent.REWORK, CaseEvent.VOID}
)
BY_PEOPLE: Final = frozenset(CaseEvent) - {CaseEvent.FILE, CaseEvent.RECOVER, CaseEvent.FOLD}

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)
Table = Mapping[State, Mapping[Event, State]]


def follow(table: Table[State, Event], state: State, event: Event) -> State:
    """The state after `event`; raises Conflict that names state, event and what is allowed."""
    allowed = table[state]
    if event not in allowed:
        words = ", ".join(allowed) or "nothing"
        raise Conflict(
            f"'{event}' is not possible in state '{state}' (possible: {words})",
            state=str(state),
            event=str(event),
            allowed=[str(word) for word in allowed],
        )
    return allowed[event]


def mermaid(table: Table[State, Event]) -> str:
    """The table as a Mermaid state diagram: NEW is its start, states without a way out are its end."""
    lines = ["stateDiagram-v2"]
    for state, ways in table.items():
        source = "[*]" if state == "new" else state
        lines += [f"    {source} --> {target}: {event}" for event, target in ways.items()]
        if not ways:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines) + "\n"
