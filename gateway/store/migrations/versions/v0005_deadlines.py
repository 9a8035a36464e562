"""Limits that warn, pause, are extended and may be provisional. Of older cases only the whole span is known."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    for column in (
        sa.Column("waiting", sa.BigInteger(), nullable=True),
        sa.Column(
            "provisional", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()
        ),
        sa.Column("allowed", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("clock_from", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("extended", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("suspended", sa.BigInteger(), nullable=True),
    ):
        op.add_column("case", column)
    op.execute("UPDATE \"case\" SET waiting = filed WHERE state = 'filed'")
    op.execute('UPDATE "case" SET allowed = deadline - dispatched WHERE deadline > dispatched')
