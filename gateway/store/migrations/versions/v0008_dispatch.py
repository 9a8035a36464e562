"""Dispatch: responsibility, rosters, visits, reports by people and photos; verdicts, merged cases and who must verify."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0008"
down_revision: Final = "0007"


def upgrade() -> None:
    _extend()
    _responsibility()
    _visits()
    _reports()


def _extend() -> None:
    words = {
        "department": 64,
        "returned": 64,
        "grid": 15,
        "part": 16,
        "verdict": 16,
        "repaired_by": 128,
        "doubt": 16,
    }
    columns: list[sa.Column[Any]] = [
        *(
            sa.Column(name, sa.String(length=length), nullable=False, server_default="")
            for name, length in words.items()
        ),
        sa.Column("origin", sa.String(length=16), nullable=False, server_default="telemetry"),
        sa.Column("verification", sa.String(length=16), nullable=False, server_default="telemetry"),
        sa.Column("returns", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("visit", sa.Integer(), nullable=True),
    ]
    for column in columns:
        op.add_column("case", column)
    op.create_index("ix_case_visit", "case", ["visit"])
    op.add_column("case_event", sa.Column("detail", sa.Text(), nullable=True))


def _responsibility() -> None:
    op.create_table(
        "responsibility",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("area", sa.String(length=256), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("department", sa.String(length=64), nullable=False),
        sa.Column("crew", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responsibility")),
        sa.UniqueConstraint("area", "family", "cause", name=op.f("uq_responsibility_area_family_cause")),
    )
    op.create_table(
        "crew",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("department", sa.String(length=64), nullable=False),
        sa.Column("lat", sa.Float(precision=53), nullable=True),
        sa.Column("lon", sa.Float(precision=53), nullable=True),
        sa.Column("last_lat", sa.Float(precision=53), nullable=True),
        sa.Column("last_lon", sa.Float(precision=53), nullable=True),
        sa.Column("last_seen", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_crew")),
    )
    op.create_index("ix_crew_department", "crew", ["department", "name"])
    op.create_table(
        "crew_member",
        sa.Column("crew", sa.String(length=64), nullable=False),
        sa.Column("member", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("crew", "member", name=op.f("pk_crew_member")),
    )
    op.create_table(
        "shift",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("crew", sa.String(length=64), nullable=False),
        sa.Column("days", sa.String(length=64), nullable=False),
        sa.Column("begins", sa.String(length=5), nullable=False),
        sa.Column("ends", sa.String(length=5), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift")),
    )
    op.create_index("ix_shift_crew", "shift", ["crew"])


def _visits() -> None:
    op.create_table(
        "visit",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("crew", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=192), nullable=False),
        sa.Column("lat", sa.Float(precision=53), nullable=True),
        sa.Column("lon", sa.Float(precision=53), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )
    op.create_index("ix_visit_crew", "visit", ["crew", "id"])
    op.create_table(
        "photo",
        sa.Column("case", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media", sa.String(length=32), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("case", "sha256", name=op.f("pk_photo")),
    )
    op.create_index("ix_photo_sha256", "photo", ["sha256"])


def _reports() -> None:
    op.create_table(
        "report",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("number", sa.String(length=64), nullable=True),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("address", sa.String(length=256), nullable=False),
        sa.Column("area", sa.String(length=256), nullable=False),
        sa.Column("grid", sa.String(length=15), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("lat", sa.Float(precision=53), nullable=True),
        sa.Column("lon", sa.Float(precision=53), nullable=True),
        sa.Column("case", sa.Integer(), nullable=False),
        sa.Column("match", sa.String(length=16), nullable=False),
        sa.Column("nearby", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("number", name=op.f("uq_report_number")),
    )
    op.create_index("ix_report_case", "report", ["case", "id"])
    op.create_index("ix_report_time", "report", ["time", "id"])
    op.create_table(
        "report_contact",
        sa.Column("report", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=192), nullable=False),
        sa.PrimaryKeyConstraint("report", name=op.f("pk_report_contact")),
    )
