"""What one person may not do alone waits for another one, who is named, in time; nobody agrees with themselves."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.cases.lifecycle import follow
from gateway.commands import ledger, staging
from gateway.commands.lifecycle import INSTRUCTION_TRANSITIONS, Event, InstructionEvent
from gateway.commands.record import Instruction
from gateway.commands.settings import CommandSettings
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.store import audit
from gateway.store.schema.commands import command, instruction


def agree(
    conn: Connection, id_: str, actor: str, note: str, now: int, settings: CommandSettings
) -> Instruction:
    """A second person agrees: it runs. Raises NotFound, Conflict, and Forbidden for the one who asked."""
    one = ledger.find(conn, id_)
    follow(INSTRUCTION_TRANSITIONS, one.state, InstructionEvent.APPROVE)
    if actor == one.actor:
        raise Forbidden("a second person must agree, not the one who asked", actor=actor)
    if now >= one.expires:
        raise Conflict("nobody agreed in time; ask anew", expires=one.expires)
    conn.execute(instruction.update().where(instruction.c.id == id_).values(approver=actor))
    staging.approve(conn, one, now, actor, settings)
    audit.record(conn, now, actor, "instruction approved", f"instruction:{id_}", {"note": note})
    return ledger.find(conn, id_)


def refuse(conn: Connection, id_: str, actor: str, note: str, now: int) -> Instruction:
    """Either person takes it back; needs a reason."""
    if not note.strip():
        raise Invalid("say why it is refused", field="note")
    one = ledger.find(conn, id_)
    ledger.step(conn, one, InstructionEvent.REFUSE, now, actor, note, error=note[: ledger.LONGEST_NOTE])
    ledger.advance_all(conn, command.c.instruction == id_, Event.FAIL, now, actor, f"refused: {note}")
    audit.record(conn, now, actor, "instruction refused", f"instruction:{id_}", {"note": note})
    return ledger.find(conn, id_)
