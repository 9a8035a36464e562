"""What links have published, and what finding it costs."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"

UNDELIVERED: Final = sa.text("state <> 'delivered'")


def upgrade() -> None:
    op.create_table(
        "publication",
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=96), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "subject", name=op.f("pk_publication")),
    )
    op.create_index("ix_publication_ended", "publication", ["channel", "ended"], unique=False)
    op.create_index("ix_device_updated", "device", ["updated", "id"], unique=False)
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["channel", "state", "created"],
        unique=False,
        sqlite_where=UNDELIVERED,
        postgresql_where=UNDELIVERED,
    )
