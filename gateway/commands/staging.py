"""An instruction goes out in stages: the next leaves only when the former is confirmed, and failures stop the rest."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec.structs import replace
from sqlalchemy import Connection, and_, update

from gateway.commands import ledger
from gateway.commands.lifecycle import LOST, UNSENT, Event, InstructionEvent, InstructionState, State
from gateway.commands.record import GATEWAY, Instruction
from gateway.commands.settings import CommandSettings
from gateway.store.schema.commands import command


class Verdict(StrEnum):
    """What a stage says of the next."""

    WAIT = "wait"
    NEXT = "next"
    STOP = "stop"


def judge(counts: Mapping[State, int], awaiting: int, share: float) -> Verdict:
    """counts: commands of the stage by state. awaiting: applied ones whose effect is still to be seen."""
    size = sum(counts.values())
    lost = sum(counts.get(state, 0) for state in LOST)
    if lost and lost >= share * size:
        return Verdict.STOP
    confirmed = counts.get(State.EFFECTIVE, 0) + counts.get(State.APPLIED, 0) - awaiting
    return Verdict.NEXT if confirmed + lost == size else Verdict.WAIT


def release(conn: Connection, one: Instruction, stage: int, now: int, actor: str = GATEWAY) -> None:
    """Let a stage leave: from now on its commands live as long as their sender said."""
    ledger.step(
        conn, one, InstructionEvent.STAGE, now, actor, f"stage {stage + 1} of {len(one.stages)}", stage=stage
    )
    which = and_(command.c.instruction == one.id, command.c.stage == stage)
    conn.execute(update(command).where(which).values(expires=min(now + one.lifetime, one.expires)))


def approve(conn: Connection, one: Instruction, now: int, actor: str, settings: CommandSettings) -> None:
    """It may run: its commands are approved, and the first stage leaves."""
    span = max(one.lifetime, settings.staged) if len(one.stages) > 1 else one.lifetime
    expires = now + span
    ledger.step(conn, one, InstructionEvent.APPROVE, now, actor, expires=expires)
    conn.execute(update(command).where(command.c.instruction == one.id).values(expires=expires))
    ledger.advance_all(conn, command.c.instruction == one.id, Event.APPROVE, now, actor)
    release(conn, replace(one, state=InstructionState.RUNNING, expires=expires), 0, now)


def go_on(conn: Connection, one: Instruction, now: int, settings: CommandSettings) -> Verdict:
    """Look at the stage that is out: release the next, finish, or stop the rest."""
    counts = ledger.counts(conn, one.id, one.stage)
    verdict = judge(counts, ledger.awaiting(conn, one.id, one.stage), settings.failures)
    if verdict is Verdict.STOP:
        lost = sum(counts.get(state, 0) for state in LOST)
        size = one.stages[one.stage]
        stop(conn, one, now, GATEWAY, f"{lost} of {size} in stage {one.stage + 1} did not confirm")
    elif verdict is Verdict.NEXT and one.stage + 1 < len(one.stages):
        release(conn, one, one.stage + 1, now)
    elif verdict is Verdict.NEXT:
        ledger.step(conn, one, InstructionEvent.FINISH, now, GATEWAY)
    return verdict


def stop(conn: Connection, one: Instruction, now: int, actor: str, why: str) -> None:
    """Nothing more of it leaves; what has left is watched to its end."""
    ledger.step(conn, one, InstructionEvent.STOP, now, actor, why)
    unsent = and_(command.c.instruction == one.id, command.c.state.in_(UNSENT))
    ledger.advance_all(conn, unsent, Event.FAIL, now, actor, f"stopped: {why}")
