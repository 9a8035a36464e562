"""Tables of the desk: alarms, cases and their timelines, messages on their way out, and what was refused.

Timelines are append-only; `revision` counts the changes of a row, and no two entries of a timeline share one.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.schema.metadata import Document, Serial, Time, metadata

UNCLEARED = text("state <> 'cleared'")
OPEN = text("state NOT IN ('closed', 'void')")
UNDELIVERED = text("state <> 'delivered'")

# One row an occurrence: from the raise to the clear that ends it. Its key is the id of the raising transition.
alarm = Table(
    "alarm",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("rule", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("family", String(32), nullable=False),
    Column("idx", Integer, nullable=False),
    Column("device", String(64), nullable=False),
    Column("device_name", String(128), nullable=False),
    Column("area", String(256), nullable=False),
    Column("parent", String(64), nullable=False),
    Column("lat", Float(53)),
    Column("lon", Float(53)),
    Column("state", String(16), nullable=False),
    Column(
        "standing", Boolean(create_constraint=False), nullable=False
    ),  # the condition holds, shelved or not
    Column("raised", Time, nullable=False),  # event time
    Column("received", Time, nullable=False),
    Column("cleared", Time),  # event time
    Column("acknowledged", Time),
    Column("told", Time),  # when people first heard of it by itself; null: something else spoke for it
    Column("shelved_until", Time),
    Column("suppressed_by", String(64)),  # "alarm:<id>" that explains it, or "window:<id>"; null: by nothing
    Column("suppression", String(64), nullable=False),  # the fold or inhibition that says so, or "window"
    Column("release", Time),  # when what it holds back, or what holds it back, must be looked at again
    Column("evidence", Document, nullable=False),
    Column("case", Integer),
    Column("revision", Integer, nullable=False),
    Index("ix_alarm_device", "family", "device", "raised"),
    Index("ix_alarm_raised", "raised", "id"),
    Index("ix_alarm_case", "case"),
    Index("ix_alarm_told", "told"),
    Index("ix_alarm_shelved_until", "shelved_until"),
    Index("ix_alarm_suppressed_by", "suppressed_by"),
    Index("ix_alarm_release", "release"),
    *(
        Index(f"ix_alarm_uncleared_{name}", name, sqlite_where=UNCLEARED, postgresql_where=UNCLEARED)
        for name in ("device", "parent", "area")  # what correlation looks for
    ),
    Index(  # a rule stands at most once on a device
        "uq_alarm_uncleared",
        "family",
        "idx",
        "rule",
        unique=True,
        sqlite_where=UNCLEARED,
        postgresql_where=UNCLEARED,
    ),
)

# `transition` is what makes the desk idempotent: an id that stands here was applied, and is never applied again.
alarm_event = Table(
    "alarm_event",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("alarm", String(32)),  # null: a clear that found nothing to clear
    Column("revision", Integer, nullable=False),
    Column("transition", String(32), unique=True),
    Column("time", Time, nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_alarm_event_alarm", "alarm", "id"),
)

case = Table(
    "case",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cause", String(512), nullable=False),
    Column("template", String(64), nullable=False),
    Column("en", String(128), nullable=False),
    Column("zh", String(128), nullable=False),
    Column("code", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("family", String(32), nullable=False),
    Column("device", String(64), nullable=False),  # of the first alarm; the others are in the case's alarms
    Column("device_name", String(128), nullable=False),
    Column("area", String(256), nullable=False),
    Column("parent", String(64), nullable=False),
    Column("lat", Float(53)),
    Column("lon", Float(53)),
    Column("state", String(16), nullable=False),
    Column("crew", String(64), nullable=False),
    Column("department", String(64), nullable=False),
    Column("returned", String(64), nullable=False),  # the department (or crew) that handed it back last
    Column("returns", Integer, nullable=False),
    Column("grid", String(15), nullable=False),  # 单元网格 of GB/T 30428.1
    Column("part", String(16), nullable=False),  # 部件 of GB/T 30428.2
    Column("origin", String(16), nullable=False),  # telemetry, citizen, inspector
    Column("verdict", String(16), nullable=False),  # "" | real | false_alarm | duplicate
    Column("merged_into", Integer),  # the case that goes on in its place
    Column("visit", Integer),  # the crew's way there that it is part of
    Column("repaired_by", String(128), nullable=False),  # who must not verify it
    Column("verification", String(16), nullable=False),  # telemetry, person
    Column("doubt", String(16), nullable=False),  # why telemetry cannot verify it
    Column("storm", Integer),  # the case of the storm that lists it
    Column("alarms", Integer, nullable=False),  # that ever joined it; of a storm: cases
    Column("standing", Integer, nullable=False),  # of them, whose condition holds
    Column("quiet_since", Time),  # event time of the clear that left none standing
    Column("filed", Time, nullable=False),
    Column("dispatched", Time),
    Column("deadline", Time),
    Column("waiting", Time),  # since when it waits for a dispatcher
    Column("provisional", Boolean(create_constraint=False), nullable=False),  # holidays on its way: not known
    Column("allowed", Time, nullable=False),  # µs of the limit, extensions among them
    Column("clock_from", Time),  # when the limit's clock last started; null while it stands still
    Column("time_left", Time),  # of the limit, when its clock last started or stopped
    Column("unit", String(16)),  # of the limit it was dispatched with; null: its template's
    Column("reminded", Float(53), nullable=False),  # share of the limit, or of the wait, said last
    Column("extended", Integer, nullable=False),
    Column("suspended", Time),
    Column("alert", Time),  # when the deadline must be looked at next; null while its clock stands still
    Column("overdue", Time),
    Column("repaired", Time),
    Column("proof", Time),  # when telemetry will have proved it, if nothing changes; null: no proof runs
    Column("verified", Time),
    Column("closed", Time),
    Column("reworked", Integer, nullable=False),
    Column("reopened", Integer, nullable=False),
    Column("updated", Time, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("ix_case_cause", "cause", "closed"),
    Index("ix_case_filed", "filed", "id"),
    Index("ix_case_device", "family", "device"),
    Index("ix_case_alert", "alert"),
    Index("ix_case_proof", "proof"),
    Index("ix_case_visit", "visit"),
    Index("ix_case_storm", "storm"),
    Index("uq_case_open_cause", "cause", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
)

case_event = Table(
    "case_event",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("case", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("time", Time, nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("alarm", String(32)),
    Column("detail", Document),  # what was chosen with it: crew, department, verdict, …
    UniqueConstraint("case", "revision"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column(
        "key", String(192), nullable=False
    ),  # the same message of the same change, however often it is written
    Column("channel", String(64), nullable=False),
    Column("subject", String(64), nullable=False),  # its messages go out one after the other
    Column("event", String(32), nullable=False),
    Column("payload", Document, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created", Time, nullable=False),
    Column("next_at", Time, nullable=False),
    Column("delivered", Time),
    Column("error", Text, nullable=False),
    UniqueConstraint("channel", "key"),
    Index("ix_outbox_due", "channel", "state", "id"),
    Index("ix_outbox_delivered", "delivered"),
    Index("ix_outbox_subject", "channel", "subject", "state", "id"),
    Index(
        "ix_outbox_undelivered",
        "channel",
        "state",
        "created",
        sqlite_where=UNDELIVERED,
        postgresql_where=UNDELIVERED,
    ),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("time", Time, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("device", String(64), nullable=False),
    Column("origin", String(192), nullable=False),
    Column("topic", String(512), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_quarantine_reason", "reason", "id"),
)
