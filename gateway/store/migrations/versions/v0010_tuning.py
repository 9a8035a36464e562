"""Rules: which version is in force where, what tried ones said, and which version a rollback restores."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0010"
down_revision: Final = "0009"


def upgrade() -> None:
    for table in ("rule_version", "parameter"):
        op.add_column(table, sa.Column("restores", sa.Integer(), nullable=True))
    op.create_table(
        "rule_standing",
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("live", sa.Integer(), nullable=True),
        sa.Column("withdrawn", sa.String(length=16), nullable=False),
        sa.Column("canary", sa.Integer(), nullable=True),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("shadow", sa.Integer(), nullable=True),
        sa.Column("shadow_areas", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_rule_standing")),
    )
    op.execute(
        "INSERT INTO rule_standing (rule, live, withdrawn, areas, shadow_areas) "
        "SELECT rule, MAX(version), '', '[]', '[]' FROM rule_version GROUP BY rule"
    )
    _shadows()


def _shadows() -> None:
    op.create_table(
        "shadow_transition",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("area", sa.String(length=256), nullable=False),
        sa.Column("raised", sa.Boolean(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_transition")),
    )
    op.create_index("ix_shadow_transition_rule", "shadow_transition", ["rule", "time"])
    op.create_index("ix_shadow_transition_received", "shadow_transition", ["received"])
    op.create_table(
        "shadow_count",
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("area", sa.String(length=256), nullable=False),
        sa.Column("raised", sa.Integer(), nullable=False),
        sa.Column("cleared", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "version", "day", "area", name=op.f("pk_shadow_count")),
    )
