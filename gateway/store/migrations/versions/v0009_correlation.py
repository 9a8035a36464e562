"""What suppresses an alarm, which storm a case is in, and maintenance windows."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"


def upgrade() -> None:
    op.add_column("alarm", sa.Column("suppressed_by", sa.String(length=64), nullable=True))
    op.add_column("alarm", sa.Column("suppression", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("alarm", sa.Column("release", sa.BigInteger(), nullable=True))
    op.create_index("ix_alarm_suppressed_by", "alarm", ["suppressed_by"])
    op.create_index("ix_alarm_release", "alarm", ["release"])
    uncleared = sa.text("state <> 'cleared'")
    for name in ("device", "parent", "area"):
        op.create_index(
            f"ix_alarm_uncleared_{name}",
            "alarm",
            [name],
            sqlite_where=uncleared,
            postgresql_where=uncleared,
        )
    op.add_column("case", sa.Column("storm", sa.Integer(), nullable=True))
    op.create_index("ix_case_storm", "case", ["storm"])
    op.create_table(
        "maintenance_window",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.String(length=256), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("alarm", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=128), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_maintenance_window"),
    )
    op.create_index("ix_maintenance_window_ends", "maintenance_window", ["ends"])
