"""MQTT sessions in operations: a subscription and its unexpired commands survive a restart (design 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, and_, delete, insert, or_, select

from gateway.ingest.session import Key, SessionState
from gateway.store.schema.registry import session as table
from gateway.store.store import Store

PORTION: Final = 200  # sessions named in one statement, below every database's limit

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(SessionState).decode


class SessionRows:
    """A SessionStore on SQL."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Sequence[SessionState]:
        return await self._store.read(
            lambda conn: [_decode(state) for state in conn.scalars(select(table.c.state))]
        )

    async def save(self, states: Mapping[Key, SessionState | None]) -> None:
        await self._store.write(lambda conn: _save(conn, states))


def _save(conn: Connection, states: Mapping[Key, SessionState | None]) -> None:
    keys = list(states)
    for start in range(0, len(keys), PORTION):
        named = [
            and_(table.c.name == name, table.c.client == client)
            for name, client in keys[start : start + PORTION]
        ]
        conn.execute(delete(table).where(or_(*named)))
    rows = [
        {"name": name, "client": client, "state": _encode(state).decode()}
        for (name, client), state in states.items()
        if state is not None
    ]
    if rows:
        conn.execute(insert(table), rows)
