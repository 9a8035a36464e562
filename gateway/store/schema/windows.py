"""The table of maintenance windows: what is suppressed by design (ISA-18.2), from when until when, and why."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from gateway.store.schema.metadata import Serial, Time, metadata

# An empty word selects everything; the device stands for all below it too.
maintenance_window = Table(
    "maintenance_window",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("begins", Time, nullable=False),
    Column("ends", Time, nullable=False),  # brought forward when it is ended early
    Column("area", String(256), nullable=False),
    Column("device", String(64), nullable=False),
    Column("family", String(32), nullable=False),
    Column("rule", String(128), nullable=False),
    Column("alarm", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", String(128), nullable=False),
    Column("created", Time, nullable=False),
    Column("ended_by", String(128), nullable=False),  # "": it ran its time
    Index("ix_maintenance_window_ends", "ends"),
)
