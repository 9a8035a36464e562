"""Alarms: when people were told of them. Rules: the backtest that the author of a version was shown."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0014"
down_revision: Final = "0013"

# Of what came before nobody wrote down whether it was told: what nothing holds back, and what was not over when it came.
TOLD: Final = """
UPDATE alarm SET told = received
WHERE coalesce(suppressed_by, '') = '' AND state <> 'shelved'
AND (received - raised <= 1800000000 OR cleared IS NULL OR cleared > received)
"""


def upgrade() -> None:
    op.add_column("alarm", sa.Column("told", sa.BigInteger(), nullable=True))
    op.execute(TOLD)
    op.create_index("ix_alarm_told", "alarm", ["told"])
    for table in ("rule_version", "parameter"):
        op.add_column(table, sa.Column("backtest", sa.Text(), nullable=True))
