"""History hears first: a change's control rows are written with the change and announced before anyone acts on it.

What a crash leaves unannounced is announced at the next start; saying it twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from gateway.store.schema.registry import announcement
from gateway.store.store import Store
from rules.control import Control, decode, encode

Announce = Callable[[list[Control]], Awaitable[None]]
PORTION: Final = 5  # controls read and announced at once
ROWS: Final = 2_000  # devices in one control


def write(conn: Connection, controls: Iterable[Control]) -> None:
    """Part of the transaction of the change."""
    rows = [{"control": encode(control).decode()} for control in controls]
    if rows:
        conn.execute(insert(announcement), rows)


class Announcer:
    """Hands pending controls to `announce` in order, then to `learn`, one flush at a time."""

    def __init__(
        self, store: Store, announce: Announce, learn: Callable[[list[Control]], Awaitable[None]]
    ) -> None:
        self._store = store
        self._announce = announce
        self._learn = learn
        self.turn = asyncio.Lock()

    async def flush(self) -> None:
        """Announce all that is pending; raises StoreError, and what is left stays pending."""
        async with self.turn:
            while pending := await self._store.read(_oldest):
                controls: list[Control] = [decode(row.control) for row in pending]
                await self._announce(controls)
                await self._learn(controls)
                await self._store.write(partial(_forget, last=pending[-1].id))


def _oldest(conn: Connection) -> list[Any]:
    return list(conn.execute(select(announcement).order_by(announcement.c.id).limit(PORTION)))


def _forget(conn: Connection, last: int) -> None:
    conn.execute(delete(announcement).where(announcement.c.id <= last))
