"""The kill switch: while it is pulled nothing goes down on any transport. It is remembered, and who pulled it."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select

from gateway.errors import Conflict
from gateway.store import audit
from gateway.store.schema.registry import meta

KEY: Final = "downlink.stopped"
BY_FILE: Final = "configuration"


class Stopped(Struct, frozen=True):
    """Since when (µs UTC), by whom and why nothing goes down."""

    time: int
    actor: str
    reason: str

    def refusal(self) -> Conflict:
        return Conflict(
            f"downlink is stopped by {self.actor}: {self.reason}; resume it first",
            stopped=self.time,
            actor=self.actor,
        )


def read(conn: Connection) -> Stopped | None:
    found = conn.scalar(select(meta.c.value).where(meta.c.key == KEY))
    return msgspec.json.decode(found, type=Stopped) if found else None


def pull(conn: Connection, stopped: Stopped) -> None:
    conn.execute(delete(meta).where(meta.c.key == KEY))
    conn.execute(insert(meta).values(key=KEY, value=msgspec.json.encode(stopped).decode()))
    audit.record(
        conn, stopped.time, stopped.actor, "downlink stopped", "downlink:*", {"reason": stopped.reason}
    )


def release(conn: Connection, actor: str, reason: str, now: int) -> None:
    conn.execute(delete(meta).where(meta.c.key == KEY))
    audit.record(conn, now, actor, "downlink resumed", "downlink:*", {"reason": reason})
