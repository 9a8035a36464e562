"""What a link does for whoever opens it: an alarm is acknowledged, a case taken on; what is answered stays as it is."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from gateway.cases.desk import Desk
from gateway.cases.lifecycle import CaseEvent, CaseState
from gateway.cases.record import Alarm, Case, Change
from gateway.errors import NotFound
from gateway.notify.answered import active_alarms, load, unanswered

NOTE: Final = "by the link in a message"


def subject(conn: Connection, name: str) -> tuple[Alarm | Case, bool]:
    """The alarm or case of "alarm:<id>" or "case:<id>", and whether it waits for an answer; raises NotFound."""
    record = load(conn, name)
    if record is None:
        raise NotFound("what this link was for is no more")
    return record, unanswered(conn, record)


def answer(conn: Connection, desk: Desk, name: str, actor: str, now: int) -> list[Change]:
    """In one transaction; [] where somebody was faster."""
    record, waits = subject(conn, name)
    if not waits:
        return []
    if isinstance(record, Alarm):
        return desk.acknowledge(conn, record.id, actor, now, NOTE)
    if record.state == CaseState.DISPATCHED:
        return desk.act(conn, record.id, CaseEvent.ACCEPT, actor, now, NOTE)
    changes: list[Change] = []
    for one in active_alarms(conn, record.id):
        changes += desk.acknowledge(conn, one, actor, now, NOTE)
    return changes
