"""Tables of joining: devices that nobody has registered, and the windows in which they may come in."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from gateway.store.schema.metadata import Digest, Document, Time, metadata

unknown_device = Table(
    "unknown_device",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("transport", String(16), nullable=False),
    Column("address", String(192), nullable=False),
    Column("first", Time, nullable=False),
    Column("last", Time, nullable=False),
    Column("count", Integer, nullable=False),
    Column("area", String(256), nullable=False),  # of the window it came in by; "" = it was refused
    Column("products", Document, nullable=False),  # that would decode what it said, the likeliest first
    Column("samples", Document, nullable=False),  # its last payloads: [{time, topic, payload in base64}]
)

join_window = Table(
    "join_window",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("area", String(256), nullable=False),
    Column("product", String(64), nullable=False),  # "" = any
    Column("digest", Digest),  # of the window's secret; null = any secret will do
    Column("opened", Time, nullable=False),
    Column("closes", Time, nullable=False),
    Column("actor", String(128), nullable=False),
)
