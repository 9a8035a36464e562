"""Which version of a rule is in force where, and what rules that are only tried have said."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from gateway.store.schema.metadata import Document, Time, metadata

# Versions are those of rule_version; null = none. areas, shadow_areas: lists of area paths; shadow_areas [] = the whole city.
rule_standing = Table(
    "rule_standing",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("live", Integer),
    Column("withdrawn", String(16), nullable=False),  # "" = in force; release, person: by whom it is not
    Column("canary", Integer),
    Column("areas", Document, nullable=False),
    Column("shadow", Integer),
    Column("shadow_areas", Document, nullable=False),
)

# The newest ones: what a restart replays must not be counted again.
shadow_transition = Table(
    "shadow_transition",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("rule", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("family", String(32), nullable=False),
    Column("device", String(64), nullable=False),
    Column("area", String(256), nullable=False),
    Column("raised", Boolean, nullable=False),
    Column("time", Time, nullable=False),
    Column("received", Time, nullable=False),
    Index("ix_shadow_transition_rule", "rule", "time"),
    Index("ix_shadow_transition_received", "received"),
)

shadow_count = Table(
    "shadow_count",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("day", String(10), primary_key=True),  # of the city, by event time
    Column("area", String(256), primary_key=True),
    Column("raised", Integer, nullable=False),
    Column("cleared", Integer, nullable=False),
)
