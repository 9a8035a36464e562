"""Answers of the API kept for repeated requests; messages that wait for a person's answer."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0012"
down_revision: Final = "0011"


def upgrade() -> None:
    op.create_table(
        "api_answer",
        sa.Column("scope", sa.LargeBinary(length=32), nullable=False),
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("request", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("media", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_api_answer")),
    )
    op.create_index("ix_api_answer_caller", "api_answer", ["caller"])
    op.create_index("ix_api_answer_expires", "api_answer", ["expires"])
    op.create_table(
        "escalation",
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "subject", name=op.f("pk_escalation")),
    )
    op.create_index("ix_escalation_due", "escalation", ["due"])
