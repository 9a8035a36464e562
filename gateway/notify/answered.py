"""Whether an alarm or a case still waits for somebody: an alarm for its acknowledgement, a case to be taken on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import convert
from sqlalchemy import Connection, select

from gateway.cases.lifecycle import AlarmState, CaseState
from gateway.cases.record import Alarm, Case, plain
from gateway.store.schema.cases import alarm, case

UNREAD: Final = "unread"
OPENING: Final = frozenset(  # messages with which the waiting begins
    {"alarm.raise", "alarm.unshelve", "alarm.unsuppress", "case.file", "case.dispatch", "case.reopen"}
)
ASKING: Final = frozenset({"case.due_soon", "case.overdue", "case.escalated", "case.undispatched"})


def waits(payload: Mapping[str, Any]) -> bool:
    """By what a message says."""
    event = str(payload.get("event", ""))
    kind, _, what = event.partition(".")
    record = payload.get(kind)
    if not isinstance(record, Mapping) or not (event in OPENING | ASKING or what == UNREAD):
        return False
    if kind == "alarm":
        return record.get("state") == AlarmState.ACTIVE
    return record.get("state") in {CaseState.FILED, CaseState.DISPATCHED}


def load(conn: Connection, subject: str) -> Alarm | Case | None:
    """The record of "alarm:<id>" or "case:<id>"."""
    kind, _, name = subject.partition(":")
    if kind == "alarm":
        rows = plain(conn.execute(select(alarm).where(alarm.c.id == name)))
        return convert(rows[0], Alarm) if rows else None
    if kind != "case" or not name.isdecimal():
        return None
    rows = plain(conn.execute(select(case).where(case.c.id == int(name))))
    return convert(rows[0], Case) if rows else None


def unanswered(conn: Connection, record: Alarm | Case) -> bool:
    """A case that is not dispatched is answered once all its alarms that stand are acknowledged."""
    if isinstance(record, Alarm):
        return record.state == AlarmState.ACTIVE
    if record.alarms and not record.standing:  # what it is about is gone
        return False
    if record.state == CaseState.DISPATCHED:
        return True
    return record.state == CaseState.FILED and (not record.alarms or bool(active_alarms(conn, record.id)))


def active_alarms(conn: Connection, number: int) -> list[str]:
    """Alarms of a case that nobody has acknowledged."""
    mine = (alarm.c.case == number, alarm.c.state == str(AlarmState.ACTIVE))
    return list(conn.scalars(select(alarm.c.id).where(*mine).order_by(alarm.c.raised, alarm.c.id)))
