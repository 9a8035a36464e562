"""Messages that wait for a person's answer, and go to somebody else where none comes."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from gateway.store.schema.metadata import Time, metadata

escalation = Table(
    "escalation",
    metadata,
    Column("channel", String(64), primary_key=True),  # that has told it, and is answered by nobody
    Column("subject", String(64), primary_key=True),
    Column("due", Time, nullable=False),
    Index("ix_escalation_due", "due"),
)
