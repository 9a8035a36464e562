"""Tables of dispatch: who is responsible where, crews and their shifts, visits, reports by people, photos of the work."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from gateway.store.schema.metadata import Document, Serial, Time, metadata

# "" in area, family or cause: any. area: an area path, or the first 6, 9, 12 or 15 digits of a grid code.
responsibility = Table(
    "responsibility",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("area", String(256), nullable=False),
    Column("family", String(32), nullable=False),
    Column("cause", String(64), nullable=False),  # id of a case template
    Column("department", String(64), nullable=False),
    Column("crew", String(64), nullable=False),  # "" = the nearest free one of the department
    UniqueConstraint("area", "family", "cause"),
)

crew = Table(
    "crew",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("department", String(64), nullable=False),
    Column("lat", Float(53)),  # where it starts from, WGS-84
    Column("lon", Float(53)),
    Column("last_lat", Float(53)),  # where it was seen last
    Column("last_lon", Float(53)),
    Column("last_seen", Time),
    Index("ix_crew_department", "department", "name"),
)

crew_member = Table(
    "crew_member",
    metadata,
    Column("crew", String(64), primary_key=True),
    Column("member", String(128), primary_key=True),
)

shift = Table(
    "shift",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("crew", String(64), nullable=False),
    Column("days", String(64), nullable=False),  # workdays, free, daily, or mon,tue …
    Column("begins", String(5), nullable=False),  # wall clock of the city: 08:00
    Column("ends", String(5), nullable=False),  # not after begins: on the next day
    Index("ix_shift_crew", "crew"),
)

visit = Table(
    "visit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("crew", String(64), nullable=False),
    Column("place", String(192), nullable=False),  # parent:<device> or near:<case>
    Column("lat", Float(53)),
    Column("lon", Float(53)),
    Column("state", String(16), nullable=False),  # planned, started, finished
    Column("created", Time, nullable=False),
    Column("started", Time),
    Column("finished", Time),
    Column("actor", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("ix_visit_crew", "crew", "id"),
)

report = Table(
    "report",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("number", String(64), unique=True),  # the hot line's own; null = none
    Column("origin", String(16), nullable=False),  # citizen, inspector
    Column("time", Time, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("category", String(64), nullable=False),
    Column("template", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("address", String(256), nullable=False),
    Column("area", String(256), nullable=False),
    Column("grid", String(15), nullable=False),
    Column("part", String(16), nullable=False),
    Column("lat", Float(53)),
    Column("lon", Float(53)),
    Column("case", Integer, nullable=False),
    Column("match", String(16), nullable=False),  # joined, created
    Column("nearby", Document, nullable=False),  # numbers of other open cases that it may be of
    Index("ix_report_case", "case", "id"),
    Index("ix_report_time", "time", "id"),
)

# Kept apart: nothing that lists reports or cases reads it.
report_contact = Table(
    "report_contact",
    metadata,
    Column("report", Integer, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False),
    Column("phone", String(64), nullable=False),
    Column("email", String(192), nullable=False),
)

# The picture itself is a file of this name in the data folder; several cases may show the same one.
photo = Table(
    "photo",
    metadata,
    Column("case", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), primary_key=True),
    Column("media", String(32), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("time", Time, nullable=False),
    Column("actor", String(128), nullable=False),
    Index("ix_photo_sha256", "sha256"),
)
