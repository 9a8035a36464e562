"""Unknown devices in SQL: one row each, replaced whole."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gateway.registry.rows import portions
from gateway.registry.strangers import Sample, Stranger
from gateway.store.schema.joining import unknown_device as table


def row(one: Stranger) -> dict[str, Any]:
    return {
        "id": one.id,
        "transport": one.transport,
        "address": one.address,
        "first": one.first,
        "last": one.last,
        "count": one.count,
        "area": one.area,
        "products": list(one.products),
        "samples": [
            {"time": each.time, "topic": each.topic, "payload": b64encode(each.payload).decode()}
            for each in one.samples
        ],
    }


def write(conn: Connection, rows: Sequence[dict[str, Any]], gone: Sequence[str]) -> None:
    """rows: of `row`; gone: ids to delete."""
    drop(conn, [*gone, *(each["id"] for each in rows)])
    if rows:
        conn.execute(insert(table), rows)


def drop(conn: Connection, ids: Sequence[str]) -> None:
    for portion in portions(ids):
        conn.execute(delete(table).where(table.c.id.in_(portion)))


def every(conn: Connection) -> list[Stranger]:
    """The longest unheard first."""
    found = conn.execute(select(table).order_by(table.c.last, table.c.id)).mappings()
    return [_stranger(dict(each)) for each in found]


def _stranger(columns: dict[str, Any]) -> Stranger:
    samples = [
        Sample(each["time"], each["topic"], b64decode(each["payload"])) for each in columns.pop("samples")
    ]
    return Stranger(**columns, samples=samples)
