"""Commands under limits: instructions, stages, events. What was open before had no limits, so it expires unsent."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    _instruction()
    _command()
    _command_event()
    _linkage()
    _adopt()


def _instruction() -> None:
    op.create_table(
        "instruction",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("args", sa.Text(), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("stages", sa.Text(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("second", sa.Text(), nullable=False),
        sa.Column("approver", sa.String(length=128), nullable=False),
        sa.Column("lifetime", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruction")),
    )
    op.create_index("uq_instruction_actor_key", "instruction", ["actor", "key"], unique=True)
    op.create_index("ix_instruction_created", "instruction", ["created", "id"], unique=False)
    op.create_index("ix_instruction_state", "instruction", ["state"], unique=False)


def _command() -> None:
    for column in (
        sa.Column("instruction", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("family", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("stage", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("sent", sa.BigInteger(), nullable=True),
        sa.Column("patience", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("rated", sa.Float(precision=53), nullable=True),
    ):
        op.add_column("command", column)
    op.create_index("ix_command_instruction", "command", ["instruction", "stage", "state"], unique=False)
    op.create_index("ix_command_sent", "command", ["device", "sent"], unique=False)
    op.create_index("ix_command_due", "command", ["due"], unique=False)


def _command_event() -> None:
    op.create_table(
        "command_event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("instruction", sa.String(length=32), nullable=False),
        sa.Column("command", sa.String(length=32), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command_event")),
    )
    op.create_index("ix_command_event_instruction", "command_event", ["instruction", "id"], unique=False)
    op.create_index("ix_command_event_command", "command_event", ["command", "id"], unique=False)


def _linkage() -> None:
    op.create_table(
        "linkage",
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "device", name=op.f("pk_linkage")),
    )


def _adopt() -> None:
    """Each command of before becomes an instruction of its own."""
    op.execute("UPDATE command SET state = 'expired' WHERE state IN ('queued', 'sent', 'accepted')")
    op.execute("UPDATE command SET instruction = id")
    op.execute(
        "UPDATE command SET family = (SELECT device.family FROM device WHERE device.id = command.device)"
    )
    op.execute(
        """
        INSERT INTO instruction (id, actor, name, args, family, target, note, devices, stages, stage, second,
                                 approver, lifetime, created, expires, state, changed, error)
        SELECT id, actor, name, args, family, '{"devices":["' || device || '"]}', '', 1, '[1]', 0, '',
               '', expires - created, created, expires,
               CASE state WHEN 'applied' THEN 'done' ELSE 'stopped' END, changed, error
        FROM command
        """
    )
