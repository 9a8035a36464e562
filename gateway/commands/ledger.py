"""The only writer of instructions and commands: a state changes by its table, and never without its line of history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import astuple
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from gateway.cases.lifecycle import follow
from gateway.commands.areas import inside
from gateway.commands.lifecycle import (
    INSTRUCTION_TRANSITIONS,
    OUT,
    TRANSITIONS,
    UNSENT,
    Event,
    InstructionEvent,
    InstructionState,
    State,
    sources,
)
from gateway.commands.record import (
    COMMAND,
    GATEWAY,
    INSTRUCTION,
    Command,
    Entry,
    Instruction,
    as_command,
    as_instruction,
)
from gateway.errors import NotFound
from gateway.registry.roles import Areas
from gateway.registry.rows import portions
from gateway.store.bulk import bulk
from gateway.store.schema.commands import command, command_event, instruction

LONGEST_NOTE: Final = 1_000
LINE: Final = ("instruction", "command", "time", "event", "state", "actor", "note")
SETTING: Final = ("switch", "dim", "contactor", "spray")  # of one device, the newest counts


def advance(conn: Connection, ids: Sequence[str], event: Event, now: int, actor: str, note: str = "") -> int:
    """Let it happen to those of these commands that it can happen to; how many."""
    done = 0
    for portion in portions(list(ids)):
        done += advance_all(conn, command.c.id.in_(portion), event, now, actor, note)
    return done


def advance_all(
    conn: Connection, which: ColumnElement[bool], event: Event, now: int, actor: str, note: str = ""
) -> int:
    """The same for all commands that are such."""
    able = and_(which, command.c.state.in_(sources(event)))
    if conn.execute(select(command.c.id).where(able).limit(1)).first() is None:
        return 0
    done, note = 0, note[:LONGEST_NOTE]
    for start in sources(event):
        these, state = and_(which, command.c.state == start), TRANSITIONS[start][event]
        line = (literal(str(word)) for word in (event, state, actor, note))
        lines = select(command.c.instruction, command.c.id, literal(now, BigInteger), *line).where(these)
        conn.execute(insert(command_event).from_select(LINE, lines.order_by(command.c.seq)))
        values = {"state": state, "changed": now, **_besides(event, now, note)}
        done += conn.execute(update(command).where(these).values(values)).rowcount
    return done


def _besides(event: Event, now: int, note: str) -> dict[str, Any]:
    if event is Event.SEND:
        return {"sent": now}
    if event is Event.APPLY:
        return {"due": case((command.c.patience > 0, now + command.c.patience), else_=None)}
    if event is Event.EFFECT:
        return {"due": None}
    return {"error": note, "due": None} if event in {Event.FAIL, Event.EXPIRE} else {}


def step(
    conn: Connection,
    one: Instruction,
    event: InstructionEvent,
    now: int,
    actor: str,
    note: str = "",
    **values: Any,
) -> None:
    """An event of the instruction as a whole; raises Conflict where its table has no such way."""
    state = follow(INSTRUCTION_TRANSITIONS, one.state, event)
    note = note[:LONGEST_NOTE]
    if event is InstructionEvent.STOP:
        values["error"] = note
    conn.execute(
        update(instruction).where(instruction.c.id == one.id).values(state=state, changed=now, **values)
    )
    conn.execute(insert(command_event), [_line(one.id, now, event, state, actor, note)])


def add(conn: Connection, one: Instruction, commands: Sequence[Command]) -> None:
    """A new instruction with its commands, all of them requested."""
    conn.execute(insert(instruction).values({name: getattr(one, name) for name in one.__struct_fields__}))
    args = msgspec.json.encode(one.args).decode()
    names = Command.__struct_fields__
    place = names.index("args")
    rows = ((*row[:place], args, *row[place + 1 :]) for row in map(astuple, commands))
    bulk(conn, command, names, rows)
    request = InstructionEvent.REQUEST
    conn.execute(insert(command_event), [_line(one.id, one.created, request, one.state, one.actor, one.note)])
    lines = ((one.id, each.id, one.created, request, str(each.state), one.actor, "") for each in commands)
    bulk(conn, command_event, LINE, lines)


def _line(of: str, time: int, event: str, state: str, actor: str, note: str) -> dict[str, Any]:
    """Of an instruction as a whole."""
    return dict(zip(LINE, (of, None, time, str(event), str(state), actor, note), strict=True))


def find(conn: Connection, id: str) -> Instruction:  # noqa: A002 - the field's word
    """Raises NotFound."""
    row = conn.execute(select(*INSTRUCTION).where(instruction.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"no instruction {id!r:.40}")
    return as_instruction(row)


def by_key(conn: Connection, actor: str, key: str) -> Instruction | None:
    query = select(*INSTRUCTION).where(instruction.c.actor == actor, instruction.c.key == key)
    row = conn.execute(query).one_or_none()
    return as_instruction(row) if row else None


def in_state(conn: Connection, state: InstructionState) -> list[Instruction]:
    query = select(*INSTRUCTION).where(instruction.c.state == state).order_by(instruction.c.created)
    return [as_instruction(row) for row in conn.execute(query)]


def instructions(
    conn: Connection, state: str | None, before: str | None, limit: int, areas: Areas = ()
) -> list[Instruction]:
    """Newest first, from the one before `before` ("<created>-<id>"). areas: that the caller is limited to."""
    query = select(*INSTRUCTION).where(inside(areas))
    if state:
        query = query.where(instruction.c.state == state)
    if before:
        created, _, id_ = before.partition("-")
        place = int(created) if created.isdecimal() else 0
        older = and_(instruction.c.created == place, instruction.c.id < id_)
        query = query.where((instruction.c.created < place) | older)
    query = query.order_by(instruction.c.created.desc(), instruction.c.id.desc()).limit(limit)
    return [as_instruction(row) for row in conn.execute(query)]


def commands(
    conn: Connection, which: ColumnElement[bool], limit: int, *, newest: bool = False
) -> list[Command]:
    order = command.c.seq.desc() if newest else command.c.seq
    query = select(*COMMAND).where(which).order_by(order).limit(limit)
    return [as_command(row) for row in conn.execute(query)]


def counts(conn: Connection, of: str, stage: int | None = None) -> dict[State, int]:
    """How many commands are in which state."""
    query = select(command.c.state, func.count()).where(command.c.instruction == of)
    if stage is not None:
        query = query.where(command.c.stage == stage)
    return {State(state): n for state, n in conn.execute(query.group_by(command.c.state))}


def awaiting(conn: Connection, of: str, stage: int) -> int:
    """Commands of a stage that are applied and whose effect is still to be seen."""
    held = and_(command.c.state == State.APPLIED, command.c.due.is_not(None))
    query = select(func.count()).where(command.c.instruction == of, command.c.stage == stage, held)
    return conn.scalar(query) or 0


def next_seq(conn: Connection) -> int:
    return (conn.scalar(select(func.max(command.c.seq))) or 0) + 1


def history(conn: Connection, of: str, after: int, limit: int) -> list[Entry]:
    """The lines of an instruction and of all its commands, in order."""
    query = select(command_event).where(command_event.c.instruction == of, command_event.c.id > after)
    return [Entry(*row) for row in conn.execute(query.order_by(command_event.c.id).limit(limit))]


def is_open(conn: Connection) -> bool:
    """Whether anything waits, runs, or is to be confirmed."""
    waits = instruction.c.state.in_([InstructionState.REQUESTED, InstructionState.RUNNING])
    held = or_(command.c.state.in_(UNSENT | OUT), command.c.due.is_not(None))
    return any(
        conn.execute(query.limit(1)).first() is not None
        for query in (select(instruction.c.id).where(waits), select(command.c.id).where(held))
    )


def confirmable(conn: Connection) -> list[Command]:
    """What has left and is not confirmed yet."""
    held = or_(command.c.state.in_(OUT), command.c.due.is_not(None))
    return [as_command(row) for row in conn.execute(select(*COMMAND).where(held).order_by(command.c.seq))]


def supersede(conn: Connection, ids: Sequence[str], now: int) -> None:
    """Older commands of the same lamps, contactors or sprays have no say any more: a newer one has left."""
    newer = command.alias("newer")
    overtaken = (
        select(newer.c.id)
        .where(newer.c.device == command.c.device, newer.c.seq > command.c.seq, newer.c.name.in_(SETTING))
        .correlate(command)
    )
    held = or_(command.c.state.in_(UNSENT | OUT), command.c.due.is_not(None))
    for portion in portions(list(ids)):
        which = and_(held, command.c.name.in_(SETTING), exists(overtaken.where(newer.c.id.in_(portion))))
        advance_all(conn, which, Event.FAIL, now, GATEWAY, "a newer command has left")
