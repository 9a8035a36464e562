"""What a link's session at its broker is subscribed to. Brokers keep that for us, so we must know what to take back.

A filter is remembered before it is asked for and forgotten after the broker has confirmed its end: a crash in between
costs an UNSUBSCRIBE of nothing, never a topic that goes on arriving.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select

from gateway.ingest.link_broker import WATCHED
from gateway.ingest.link_settings import LinkSettings
from gateway.store.schema.registry import meta

log = logging.getLogger(__name__)

T = TypeVar("T")
KEY: Final = "link.{}.filters"


class Remembered(Struct, frozen=True):
    """session: client id and address of the broker whose session has these filters."""

    session: str
    filters: tuple[str, ...]


class Memory(Protocol):
    """Where they outlive the process; both raise StoreError."""

    async def load(self, link: str) -> Remembered | None: ...

    async def save(self, link: str, remembered: Remembered) -> None: ...


class LinkFilters:
    """wanted: as the settings say. gone: what the broker's session may still have and the settings no longer."""

    def __init__(self, settings: LinkSettings, memory: Memory) -> None:
        self.wanted = (*settings.subscriptions, *(WATCHED if settings.watch else ()))
        self.gone: tuple[str, ...] = ()
        self.ended = False  # the broker has confirmed the end of those that are gone
        self._name = settings.name
        self._session = f"{settings.client}@{settings.host}:{settings.port}"
        self._memory = memory
        self._saved: tuple[str, ...] | None = None  # None: not known yet

    async def prepare(self) -> None:
        """Before a connection; raises StoreError."""
        if self._saved is None:
            self._saved = await self._load()
        self.gone = tuple(one for one in self._saved if one not in self.wanted)
        if set(self.wanted) - set(self._saved):
            await self._save((*self.wanted, *self.gone))

    async def settle(self) -> None:
        """Once subscribed; raises StoreError."""
        if self.gone and self.ended:
            log.info("link %s: no longer subscribed to %s", self._name, ", ".join(self.gone))
            await self._save(self.wanted)
            self.gone = ()

    async def _load(self) -> tuple[str, ...]:
        found = await self._memory.load(self._name)
        if found is None:
            return ()
        if found.session != self._session:
            log.warning(
                "link %s: the session of %s is left behind; its broker keeps it until it expires there",
                self._name,
                found.session,
            )
            return ()
        return found.filters

    async def _save(self, filters: tuple[str, ...]) -> None:
        await self._memory.save(self._name, Remembered(self._session, filters))
        self._saved = filters


class Operations(Protocol):
    """gateway.store.store.Store, as far as it is needed here."""

    def read(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...


class FilterRows:
    """The memory in operations."""

    def __init__(self, store: Operations) -> None:
        self._store = store

    async def load(self, link: str) -> Remembered | None:
        query = select(meta.c.value).where(meta.c.key == KEY.format(link))
        text: Any = await self._store.read(lambda conn: conn.scalar(query))
        return None if text is None else msgspec.json.decode(text, type=Remembered)

    async def save(self, link: str, remembered: Remembered) -> None:
        key, value = KEY.format(link), msgspec.json.encode(remembered).decode()

        def write(conn: Connection) -> None:
            conn.execute(delete(meta).where(meta.c.key == key))
            conn.execute(insert(meta).values(key=key, value=value))

        await self._store.write(write)
