"""Tables of commands: what somebody wanted of many devices, what each was told, and all that became of it, append-only."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text

from gateway.store.schema.metadata import Document, Serial, Time, metadata

instruction = Table(
    "instruction",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("actor", String(128), nullable=False),
    Column("key", String(128)),  # of the client: the same key is the same instruction
    Column("name", String(64), nullable=False),
    Column("args", Document, nullable=False),
    Column("family", String(32), nullable=False),
    Column("target", Document, nullable=False),  # as it was asked for
    Column("note", Text, nullable=False),
    Column("devices", Integer, nullable=False),
    Column("stages", Document, nullable=False),  # devices of each
    Column("stage", Integer, nullable=False),  # the one that may leave; -1 = none yet
    Column("second", Text, nullable=False),  # why a second person is needed; "" = none is
    Column("approver", String(128), nullable=False),
    Column("lifetime", Time, nullable=False),  # µs, of a command from when its stage may leave
    Column("created", Time, nullable=False),
    Column("expires", Time, nullable=False),  # of the approval while it is awaited, then of the whole
    Column("state", String(16), nullable=False),
    Column("changed", Time, nullable=False),
    Column("error", Text, nullable=False),
    Index("uq_instruction_actor_key", "actor", "key", unique=True),
    Index("ix_instruction_created", "created", "id"),
    Index("ix_instruction_state", "state"),
)

command = Table(
    "command",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("seq", Integer, nullable=False),  # order of issue; a session sends by it
    Column("device", String(64), ForeignKey("device.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("args", Document, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("created", Time, nullable=False),
    Column("expires", Time, nullable=False),
    Column("state", String(16), nullable=False),
    Column("changed", Time, nullable=False),
    Column("error", Text, nullable=False),
    Column("instruction", String(32), nullable=False),
    Column("family", String(32), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("sent", Time),
    Column("patience", Time, nullable=False),  # µs from applied to effective; 0 = no effect can be seen
    Column("due", Time),  # when its effect must have been seen
    Column("rated", Float(53)),  # W of the lamp
    Index("ix_command_device", "device", "seq"),
    Index("ix_command_state", "state", "expires"),
    Index("ix_command_instruction", "instruction", "stage", "state"),
    Index("ix_command_sent", "device", "sent"),
    Index("ix_command_due", "due"),
)

command_event = Table(
    "command_event",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("instruction", String(32), nullable=False),
    Column("command", String(32)),  # null: of the instruction as a whole
    Column("time", Time, nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_command_event_instruction", "instruction", "id"),
    Index("ix_command_event_command", "command", "id"),
)

# What a rule has running at a device: who restarts knows it, and no pump starts twice.
linkage = Table(
    "linkage",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("device", String(64), primary_key=True),
    Column("began", Time, nullable=False),  # of the last run
    Column("ends", Time, nullable=False),  # of it: by its length, or because it was ended
)
