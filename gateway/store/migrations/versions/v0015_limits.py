"""A case keeps the unit of its limit, and the share of it that it was told of; older ones were told by the steps shipped."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0015"
down_revision: Final = "0014"


def upgrade() -> None:
    op.add_column("case", sa.Column("unit", sa.String(length=16), nullable=True))
    op.add_column("case", sa.Column("reminded", sa.Float(53), nullable=False, server_default="0"))
    op.execute(
        "UPDATE \"case\" SET reminded = CASE WHEN state = 'filed' THEN 1 WHEN level = 1 THEN 0.5 WHEN level = 2 THEN 0.8 "
        "WHEN level = 3 THEN 1 WHEN level = 4 THEN 1.5 ELSE 2 END WHERE level > 0"
    )
    op.drop_column("case", "level")
    op.execute("UPDATE case_event SET event = 'reckoned' WHERE event = 'deadline_reckoned'")  # it had no room
