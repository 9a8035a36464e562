"""What may happen to an instruction and to each command of it. What these tables do not name cannot happen (style 9).

An instruction is what somebody wants of one or many devices; a command is what one device is told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Of a command."""

    NEW = "new"
    REQUESTED = "requested"
    APPROVED = "approved"
    SENT = "sent"
    DELIVERED = "delivered"
    APPLIED = "applied"
    EFFECTIVE = "effective"
    FAILED = "failed"
    EXPIRED = "expired"


class Event(StrEnum):
    REQUEST = "request"
    APPROVE = "approve"  # by the limits, or by a second person
    SEND = "send"  # a transport has it, and keeps it until the device acknowledged it
    DELIVER = "deliver"  # the transport says that the device has it
    APPLY = "apply"  # the device says so, or reads back so
    EFFECT = "effect"  # what it is for has come: the lamp's power follows
    FAIL = "fail"
    EXPIRE = "expire"


class InstructionState(StrEnum):
    NEW = "new"
    REQUESTED = "requested"  # waits for a second person
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    REFUSED = "refused"
    EXPIRED = "expired"


class InstructionEvent(StrEnum):
    REQUEST = "request"
    APPROVE = "approve"
    REFUSE = "refuse"  # by a person, the first or a second one
    STAGE = "stage"  # the next one may leave
    FINISH = "finish"
    STOP = "stop"  # too many did not confirm, or the kill switch was pulled
    EXPIRE = "expire"


_ENDS: Final = {Event.FAIL: State.FAILED, Event.EXPIRE: State.EXPIRED}
_FOLLOWS: Final = {Event.APPLY: State.APPLIED, **_ENDS}

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.NEW: {Event.REQUEST: State.REQUESTED},
    State.REQUESTED: {Event.APPROVE: State.APPROVED, **_ENDS},
    State.APPROVED: {Event.SEND: State.SENT, **_ENDS},
    State.SENT: {Event.DELIVER: State.DELIVERED, **_FOLLOWS},
    State.DELIVERED: _FOLLOWS,
    State.APPLIED: {Event.EFFECT: State.EFFECTIVE, Event.FAIL: State.FAILED},
    State.EFFECTIVE: {},
    State.FAILED: {},
    State.EXPIRED: {},
}

INSTRUCTION_TRANSITIONS: Final[Mapping[InstructionState, Mapping[InstructionEvent, InstructionState]]] = {
    InstructionState.NEW: {InstructionEvent.REQUEST: InstructionState.REQUESTED},
    InstructionState.REQUESTED: {
        InstructionEvent.APPROVE: InstructionState.RUNNING,
        InstructionEvent.REFUSE: InstructionState.REFUSED,
        InstructionEvent.STOP: InstructionState.STOPPED,
        InstructionEvent.EXPIRE: InstructionState.EXPIRED,
    },
    InstructionState.RUNNING: {
        InstructionEvent.STAGE: InstructionState.RUNNING,
        InstructionEvent.FINISH: InstructionState.DONE,
        InstructionEvent.STOP: InstructionState.STOPPED,
    },
    InstructionState.DONE: {},
    InstructionState.STOPPED: {},
    InstructionState.REFUSED: {},
    InstructionState.EXPIRED: {},
}

UNSENT: Final = frozenset({State.REQUESTED, State.APPROVED})
OUT: Final = frozenset(
    {State.SENT, State.DELIVERED}
)  # on its way, or with a device that has not carried it out
LOST: Final = frozenset({State.FAILED, State.EXPIRED})
OPEN: Final = UNSENT | OUT | {State.APPLIED}  # an applied one that waits for no effect is over all the same


def sources(event: Event) -> list[State]:
    """The states in which it can happen."""
    return [state for state, ways in TRANSITIONS.items() if event in ways]
