"""How far city time had come when a transition was last recorded: it must not be earlier after a restart.

A sweep's transitions are in no log of readings; were time to go back behind them, a later reading could deny them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, insert, select, update

from gateway.store.schema.registry import meta

KEY: Final = "horizon"


def reach(conn: Connection, time: int) -> None:
    """Part of the transaction that records transitions; time: µs UTC."""
    if not conn.execute(update(meta).where(meta.c.key == KEY).values(value=str(time))).rowcount:
        conn.execute(insert(meta).values(key=KEY, value=str(time)))


def reached(conn: Connection) -> int:
    """µs UTC; 0 where nothing was ever recorded."""
    return int(conn.scalar(select(meta.c.value).where(meta.c.key == KEY)) or 0)
