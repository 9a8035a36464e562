"""Instructions and commands as their rows have them, and what is said of their changes. Times are µs UTC."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row

from gateway.commands.lifecycle import InstructionState, State
from gateway.store.schema.commands import command, instruction

GATEWAY: Final = "gateway"
RULE: Final = "rule:"


class Instruction(Struct, frozen=True):
    """What somebody wants. target: as asked for. stages: devices of each. second: why a second person is needed."""

    id: str
    actor: str
    key: str | None
    name: str
    args: dict[str, float]
    family: str
    target: dict[str, Any]
    note: str
    devices: int
    stages: list[int]
    stage: int
    second: str
    approver: str
    lifetime: int
    created: int
    expires: int
    state: InstructionState
    changed: int
    error: str


class Command(Struct, frozen=True):
    """What one device is told. args by name, enumerated ones as positions. sent: when it last left."""

    id: str
    seq: int
    instruction: str
    device: str
    family: str
    name: str
    args: dict[str, float]
    actor: str
    stage: int
    created: int
    expires: int
    state: State
    changed: int
    error: str
    sent: int | None
    patience: int
    due: int | None
    rated: float | None


class Entry(Struct, frozen=True):
    """A line of the history of an instruction; command None: of it as a whole."""

    id: int
    instruction: str
    command: str | None
    time: int
    event: str
    state: str
    actor: str
    note: str


class Change(Struct, frozen=True):
    """One change for whoever looks on. id: of the command, or of the instruction as a whole."""

    kind: str
    id: str
    instruction: str
    event: str
    state: str
    name: str
    family: str
    device: str
    area: str
    time: int
    actor: str
    note: str


def as_command(row: Row[Any]) -> Command:
    values = {name: getattr(row, name) for name in Command.__struct_fields__}
    return Command(**{**values, "state": State(row.state)})


def as_instruction(row: Row[Any]) -> Instruction:
    values = {name: getattr(row, name) for name in Instruction.__struct_fields__}
    return Instruction(**{**values, "state": InstructionState(row.state)})


COMMAND: Final = [command.c[name] for name in Command.__struct_fields__]
INSTRUCTION: Final = [instruction.c[name] for name in Instruction.__struct_fields__]
