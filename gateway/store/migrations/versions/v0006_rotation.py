"""A device or source may hold its former secret for a while, beside the new one."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    for table in ("device", "source"):
        op.add_column(table, sa.Column("former", sa.LargeBinary(length=32), nullable=True))
        op.add_column(table, sa.Column("former_until", sa.BigInteger(), nullable=True))
