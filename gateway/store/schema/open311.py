"""Tables of Open311: what came by it, and what was sent by it."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from gateway.store.schema.metadata import Document, Serial, Time, metadata

WAITING = text("form IS NOT NULL")

# What a request has besides its report. While it waits to become one, form holds it; then nothing of it stays here.
request = Table(
    "open311_request",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("token", String(32), unique=True),  # null: its number was told at once
    Column("time", Time, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("form", Document),
    Column("error", Text, nullable=False),  # why it became no report
    Column("report", Integer, unique=True),
    Column("media_url", Text, nullable=False),
    Column("address_id", String(128), nullable=False),
    Column("zipcode", String(16), nullable=False),
    Index("ix_open311_request_waiting", "id", sqlite_where=WAITING, postgresql_where=WAITING),
)

# A case that another platform has taken, and what it says of it.
forward = Table(
    "open311_forward",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("case", Integer, primary_key=True, autoincrement=False),
    Column("sent", Time, nullable=False),
    Column("token", String(128)),
    Column("request", String(128)),  # null: the token is not redeemed yet
    Column("status", String(16), nullable=False),
    Column("notes", Text, nullable=False),
    Column("next_at", Time),  # when to ask again; null: never
    Index("ix_open311_forward_due", "channel", "next_at"),
)
