"""Tables of the registry: devices, sources, tokens, rules and sessions, and the audit trail."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.store.schema.metadata import Digest, Document, Serial, Time, metadata

meta = Table(
    "meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False)
)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("time", Time, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(192), nullable=False),
    Column("detail", Document, nullable=False),
    Column("chain", Digest),  # over this entry and the chain before it; null = older than the chain
    Index("ix_audit_object", "object", "id"),
)

# What history must hear before anyone uses it: written with the change, deleted once history has it (design 4).
announcement = Table(
    "announcement",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("control", Text, nullable=False),
)

device = Table(
    "device",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("family", String(32), nullable=False),
    Column("idx", Integer, nullable=False),
    Column("product", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("link", String(64), nullable=False),
    Column("lat", Float(53)),
    Column("lon", Float(53)),
    Column("grid", String(32), nullable=False),
    Column("area", String(256), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("parent", String(64), nullable=False),
    Column("interval", Time, nullable=False),
    Column("attributes", Document, nullable=False),
    Column("retired", Boolean(create_constraint=False), nullable=False),
    Column("digest", Digest, nullable=False),
    Column("former", Digest),  # the secret before this one, which opens until …
    Column("former_until", Time),
    Column("created", Time, nullable=False),
    Column("updated", Time, nullable=False),
    UniqueConstraint("family", "idx"),
    Index("ix_device_area", "area", "id"),
    Index("ix_device_parent", "parent"),
    Index("ix_device_updated", "updated", "id"),
)

# Every index ever given. Rows are never deleted, so an index is never used again.
device_index = Table(
    "device_index",
    metadata,
    Column("family", String(32), primary_key=True),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("device", String(64), ForeignKey("device.id"), nullable=False),
    Index("ix_device_index_device", "device"),
)

source = Table(
    "source",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("filters", Document, nullable=False),  # MQTT topic filters it may publish under
    Column("devices", Document),  # list of ids it may speak for; null where area says it
    Column("area", String(256)),  # or every device under this area path; "" = every device
    Column("digest", Digest, nullable=False),
    Column("former", Digest),  # the secret before this one, which opens until …
    Column("former_until", Time),
    Column("created", Time, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("digest", Digest, nullable=False, unique=True),
    Column("created", Time, nullable=False),
    Column("creator", String(128), nullable=False),
    Column("revoked", Time),
    Column("owner", String(64)),  # the person whose it is; null = a program's
    Column("expires", Time),
    Column("areas", Document),  # list of area paths; null = the whole city
)

# What of an MQTT session outlives the process: one document, owned by gateway.ingest.session.
session = Table(
    "session",
    metadata,
    Column("name", String(64), primary_key=True),  # of the principal
    Column("client", String(256), primary_key=True),
    Column("state", Text, nullable=False),
)

rule_version = Table(
    "rule_version",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", Document, nullable=False),
    Column(
        "shipped", String(64), nullable=False
    ),  # digest of the shipped text it came from; "" = written here
    Column("author", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("time", Time, nullable=False),
    Column("restores", Integer),  # the earlier version that this one brings back
    Column("backtest", Document),  # what the author was shown of it, in short
)

parameter = Table(
    "parameter",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("scope", String(320), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", Float(53)),  # null = the override was taken away
    Column("author", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("time", Time, nullable=False),
    Column("restores", Integer),  # the earlier version that this one brings back
    Column("backtest", Document),  # what the author was shown of it, in short
)
