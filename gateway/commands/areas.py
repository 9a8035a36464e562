"""Who is limited to areas sees and touches only instructions all of whose devices lie there."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, exists, not_, select, true

from gateway.registry.roles import Areas
from gateway.registry.rows import within
from gateway.store.schema.commands import command, instruction
from gateway.store.schema.registry import device


def inside(areas: Areas) -> ColumnElement[bool]:
    """Of an instruction: no command of it goes to a device elsewhere."""
    if not areas:
        return true()
    elsewhere = select(command.c.id).join(device, device.c.id == command.c.device)
    elsewhere = elsewhere.where(command.c.instruction == instruction.c.id, not_(within(device.c.area, areas)))
    return not_(exists(elsewhere.correlate(instruction)))


def covers(conn: Connection, areas: Areas, instruction_id: str) -> bool:
    """False also where there is no such instruction."""
    query = select(instruction.c.id).where(and_(instruction.c.id == instruction_id, inside(areas)))
    return conn.scalar(query) is not None
