"""The audit trail: who changed what, when and why. Written in the transaction of the change itself, never altered.

Each entry is chained to the one before it. Entries older than the chain are taken into it at its first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Text, bindparam, func, insert, select, type_coerce, update

from gateway.store import chain
from gateway.store.chain import Line
from gateway.store.schema.people import checkpoint
from gateway.store.schema.registry import audit

LOCK: Final = 0x6369_7479  # PostgreSQL: one transaction at a time adds to the chain
PORTION: Final = 5_000  # entries read at once


def record(
    conn: Connection,
    time: int,
    actor: str,
    action: str,
    object: str,  # noqa: A002 - the trail's own word
    detail: dict[str, Any] | None = None,
) -> None:
    """time: µs UTC. actor: "user:<name>", "token:<name>", "device:<id>" or "gateway". object: "<table>:<key>"."""
    line = {"time": time, "actor": actor, "action": action, "object": object, "detail": detail or {}}
    record_all(conn, [line])


def record_all(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> None:
    """Many lines at once, in order, each with the arguments of `record` by name."""
    if not lines:
        return
    before = _head(conn)
    rows: list[dict[str, Any]] = []
    for line in lines:
        before = chain.link(before, _line(line))
        rows.append({**line, "chain": before})
    conn.execute(insert(audit), rows)


def entries(conn: Connection, after: int = 0) -> Iterator[tuple[int, bytes | None, Line]]:
    """(id, hash, what the hash covers) of every entry from there on, in order."""
    c = audit.c
    columns = c.id, c.chain, c.time, c.actor, c.action, c.object, type_coerce(c.detail, Text)
    query = select(*columns).where(c.id > bindparam("after")).order_by(c.id).limit(PORTION)
    while rows := conn.execute(query, {"after": after}).all():
        for number, hashed, *line in rows:
            yield number, hashed, Line(*line)
        after = rows[-1][0]


def _head(conn: Connection) -> bytes:
    """The newest entry's hash."""
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(LOCK)))
    newest = conn.execute(select(audit.c.id, audit.c.chain).order_by(audit.c.id.desc()).limit(1)).first()
    if newest is None:
        return chain.BEGINNING
    if newest.chain is None and not _begun(conn):
        return _begin(conn)
    return newest.chain or chain.BEGINNING  # a hash that was taken away: `verify` names the entry


def _begun(conn: Connection) -> bool:
    hashed = select(audit.c.id).where(audit.c.chain.is_not(None)).limit(1)
    return any(conn.scalar(query) is not None for query in (hashed, select(checkpoint.c.id).limit(1)))


def _begin(conn: Connection) -> bytes:
    """Takes the entries from before the chain into it, and says so in an entry of its own."""
    before, count, time = chain.BEGINNING, 0, 0
    placed = update(audit).where(audit.c.id == bindparam("number")).values(chain=bindparam("hashed"))
    rows: list[dict[str, Any]] = []
    for number, _, line in entries(conn):
        before = chain.link(before, line)
        count, time = count + 1, line.time
        rows.append({"number": number, "hashed": before})
        if len(rows) == PORTION:
            conn.execute(placed, rows)
            rows = []
    if rows:
        conn.execute(placed, rows)
    said = {"time": time, "actor": "gateway", "action": "chain begun", "object": "audit:*"}
    record_all(conn, [{**said, "detail": {"entries": count}}])
    return _head(conn)


def _line(given: Mapping[str, Any]) -> Line:
    detail = msgspec.json.encode(given["detail"]).decode()
    return Line(given["time"], str(given["actor"]), str(given["action"]), str(given["object"]), detail)
