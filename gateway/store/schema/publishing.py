"""What stands retained at other people's brokers because of us, so that it can be taken back."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from gateway.store.schema.metadata import Time, metadata

publication = Table(
    "publication",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("subject", String(96), primary_key=True),  # "alarm:<id>", "case:<id>" or "device:<id>"
    Column("ended", Time),  # since when it is over: cleared, closed, retired; null: it stands
    Index("ix_publication_ended", "channel", "ended"),
)
