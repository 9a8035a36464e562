"""History hears first: a change's control rows are written with the change and announced before anyone acts on it.

What a crash or a stalled history leaves unannounced is announced at the next start, or once it can be written; saying
it twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from gateway.errors import Unavailable
from gateway.store.schema.registry import announcement
from gateway.store.store import Store
from rules.control import Control, decode, encode

Announce = Callable[[list[Control]], Awaitable[None]]
PORTION: Final = 5  # controls read and announced at once
PATIENCE: Final = 10.0
ROWS: Final = 2_000  # devices in one control


def write(conn: Connection, controls: Iterable[Control]) -> None:
    """Part of the transaction of the change."""
    rows = [{"control": encode(control).decode()} for control in controls]
    if rows:
        conn.execute(insert(announcement), rows)


class Announcer:
    """Hands pending controls to `announce` in order, then to `learn`, one flush at a time.

    `stalled` says why history cannot be written at the moment; None: it can. patience: real seconds.
    """

    def __init__(
        self,
        store: Store,
        announce: Announce,
        learn: Callable[[list[Control]], Awaitable[None]],
        stalled: Callable[[], str | None],
    ) -> None:
        self._store = store
        self._announce = announce
        self._learn = learn
        self._stalled = stalled
        self._owed = False
        self.patience = PATIENCE
        self.turn = asyncio.Lock()

    def check(self) -> None:
        """Before a change: raises Unavailable while nobody could use it."""
        why = self._stalled()
        if why is not None:
            raise Unavailable(f"nothing was changed, since history cannot hear of it: {why}; try again")

    async def flush(self, *, forever: bool = False) -> None:
        """Announce all that is pending; raises StoreError, and what is left stays pending.

        Unless it is to wait for ever, it raises Unavailable where there is no progress for longer than `patience`.
        """
        self._owed = True
        try:
            await self._flush(None if forever else self.patience)
        except TimeoutError:
            self._owed = True
            why = self._stalled() or "it is slow"
            raise Unavailable(
                f"it is written, and takes effect once history has heard of it: {why}"
            ) from None

    async def _flush(self, patience: float | None) -> None:
        async with asyncio.timeout(patience):
            await self.turn.acquire()
        try:
            while pending := await self._store.read(_oldest):
                controls: list[Control] = [decode(row.control) for row in pending]
                async with asyncio.timeout(patience):
                    await self._announce(controls)
                await self._learn(controls)
                await self._store.write(partial(_forget, last=pending[-1].id))
            self._owed = False
        finally:
            self.turn.release()

    async def again(self) -> None:
        """Now and then: what had to wait for history."""
        if self._owed and self._stalled() is None and not self.turn.locked():
            with suppress(Unavailable):
                await self.flush()


def _oldest(conn: Connection) -> list[Any]:
    return list(conn.execute(select(announcement).order_by(announcement.c.id).limit(PORTION)))


def _forget(conn: Connection, last: int) -> None:
    conn.execute(delete(announcement).where(announcement.c.id <= last))
