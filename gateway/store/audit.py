"""The audit trail: who changed what, when and why. Written in the transaction of the change itself, never altered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert

from gateway.store.schema.registry import audit


def record(
    conn: Connection,
    time: int,
    actor: str,
    action: str,
    object: str,  # noqa: A002 - the trail's own word
    detail: dict[str, Any] | None = None,
) -> None:
    """time: µs UTC. actor: "token:<name>", "device:<id>" or "gateway". object: "<table>:<key>"."""
    conn.execute(
        insert(audit).values(time=time, actor=actor, action=action, object=object, detail=detail or {})
    )


def record_all(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> None:
    """Many lines at once, each with the arguments of `record` by name."""
    if lines:
        conn.execute(insert(audit), lines)
