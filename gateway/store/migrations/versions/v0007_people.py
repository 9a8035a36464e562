"""People with passwords, second factors and sessions; tokens that end, belong to someone and keep to areas; a chained audit."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "person",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("password", sa.String(256), nullable=True),
        sa.Column("subject", sa.String(512), nullable=True),
        sa.Column("totp", sa.String(64), nullable=True),
        sa.Column("totp_on", sa.BigInteger(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("disabled", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("creator", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_person"),
        sa.UniqueConstraint("subject", name="uq_person_subject"),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name="fk_recovery_code_person"),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_code"),
        sa.UniqueConstraint("person", "digest", name="uq_recovery_code_person_digest"),
    )
    op.create_table(
        "login_session",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name="fk_login_session_person"),
        sa.PrimaryKeyConstraint("id", name="pk_login_session"),
        sa.UniqueConstraint("digest", name="uq_login_session_digest"),
    )
    op.create_index("ix_login_session_person", "login_session", ["person"])
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", serial, autoincrement=True, nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_checkpoint"),
    )
    op.add_column("audit", sa.Column("chain", sa.LargeBinary(32), nullable=True))
    op.add_column("token", sa.Column("owner", sa.String(64), nullable=True))
    op.add_column("token", sa.Column("expires", sa.BigInteger(), nullable=True))
    op.add_column("token", sa.Column("areas", sa.Text(), nullable=True))
