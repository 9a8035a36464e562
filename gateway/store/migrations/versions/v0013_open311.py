"""Open311: what came by it, and what was sent by it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0013"
down_revision: Final = "0012"

SERIAL: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    waiting = sa.text("form IS NOT NULL")
    op.create_table(
        "open311_request",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("form", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("report", sa.Integer(), nullable=True),
        sa.Column("media_url", sa.Text(), nullable=False),
        sa.Column("address_id", sa.String(length=128), nullable=False),
        sa.Column("zipcode", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_open311_request")),
        sa.UniqueConstraint("token", name=op.f("uq_open311_request_token")),
        sa.UniqueConstraint("report", name=op.f("uq_open311_request_report")),
    )
    op.create_index(
        "ix_open311_request_waiting",
        "open311_request",
        ["id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "open311_forward",
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("case", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(length=128), nullable=True),
        sa.Column("request", sa.String(length=128), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "case", name=op.f("pk_open311_forward")),
    )
    op.create_index("ix_open311_forward_due", "open311_forward", ["channel", "next_at"])
