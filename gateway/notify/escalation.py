"""Messages that nobody answers go on to the next channel of their chain; what waits for an answer stands in SQL.

The end is asked of the alarm or the case itself: acknowledged, accepted, cleared or closed, whoever did it and however.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Insert, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.cases.record import Message, message, rank
from gateway.notify.answered import OPENING, UNREAD, load, unanswered, waits
from gateway.notify.settings import ChannelSettings
from gateway.store.schema.escalation import escalation

PORTION: Final = 200  # messages that go on in one round


def watch(
    conn: Connection, channel: ChannelSettings, told: Sequence[Message], due: Mapping[str, int]
) -> None:
    """What this channel was just told of, and must be answered within its time. due: when each goes out, by key."""
    if not channel.escalate_to:
        return
    rows = [
        {"channel": channel.name, "subject": one.subject, "due": due[one.key] + channel.escalate_after}
        for one in told
        if one.event in OPENING
        and waits(one.payload)
        and rank(one.severity) >= rank(channel.escalate_severity)
    ]
    if rows:
        conn.execute(_insert_if_new(conn), rows)


def overdue(conn: Connection, now: int) -> list[tuple[str, Message]]:
    """What was not answered in time, each with the channel that had told it; it waits there no more."""
    c = escalation.c
    rows = conn.execute(
        select(escalation).where(c.due <= now).order_by(c.due, c.subject).limit(PORTION)
    ).all()
    found: list[tuple[str, Message]] = []
    for row in rows:
        conn.execute(delete(escalation).where(c.channel == row.channel, c.subject == row.subject))
        record = load(conn, row.subject)
        if record is not None and unanswered(conn, record):
            told = message(record, UNREAD, now, "gateway", "")
            found.append((row.channel, told))
    return found


def wait(conn: Connection, channel: ChannelSettings, subject: str, now: int) -> None:
    """It has come to this channel: the chain goes on from here."""
    if channel.escalate_to:
        row = {"channel": channel.name, "subject": subject, "due": now + channel.escalate_after}
        conn.execute(_insert_if_new(conn), [row])


def _insert_if_new(conn: Connection) -> Insert:
    if conn.dialect.name == "postgresql":
        return postgresql.insert(escalation).on_conflict_do_nothing()
    return sqlite.insert(escalation).on_conflict_do_nothing()
