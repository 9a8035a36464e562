"""The way down to devices behind LoRaWAN network servers."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from gateway.store.schema.metadata import metadata

way = Table(
    "network_way",
    metadata,
    Column("family", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # the device's index in its family
    Column("topic", Text, nullable=False),  # of its last uplink
    Column("link", String(64), nullable=False),  # by which it came; "": by the endpoint
)
