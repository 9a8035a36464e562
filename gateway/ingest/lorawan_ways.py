"""The way down to each LoRaWAN device in operations: a command that waits finds it after a restart."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select

from gateway.ingest.lorawan import Heard, Key
from gateway.store.schema.network import way
from gateway.store.store import Store


class WayRows:
    """A WayStore on SQL."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> dict[Key, Heard]:
        return await self._store.read(_load)

    async def save(self, ways: Mapping[Key, Heard]) -> None:
        await self._store.write(lambda conn: _save(conn, ways))


def _load(conn: Connection) -> dict[Key, Heard]:
    rows = conn.execute(select(way.c.family, way.c.number, way.c.topic, way.c.link))
    return {(family, number): Heard(topic, link) for family, number, topic, link in rows}


def _save(conn: Connection, ways: Mapping[Key, Heard]) -> None:
    of_device = way.c.family == bindparam("of_family"), way.c.number == bindparam("of_number")
    conn.execute(
        delete(way).where(*of_device),
        [{"of_family": family, "of_number": number} for family, number in ways],
    )
    conn.execute(
        insert(way),
        [
            {"family": family, "number": number, "topic": one.topic, "link": one.link}
            for (family, number), one in ways.items()
        ],
    )
