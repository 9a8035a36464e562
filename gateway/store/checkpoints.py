"""Signed checkpoints of the audit trail, and its proof: nothing was altered, dropped or put in since it began.

The key lies in the data folder, readable by its owner only; a checkpoint kept elsewhere also shows what was cut off.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from sqlalchemy import Connection, func, insert, select

from drivers.telemetry import HOUR
from gateway.clock import Clock
from gateway.errors import ConfigError, StoreError
from gateway.store import audit, chain
from gateway.store.chain import Checkpoint
from gateway.store.schema.people import checkpoint as table
from gateway.store.schema.registry import audit as trail
from gateway.store.store import Store

log = logging.getLogger(__name__)

KEY: Final = "audit.key"
EVERY: Final = 1_000  # entries
LONGEST: Final = HOUR  # µs that an entry waits for a checkpoint
LOOK: Final = 10.0  # seconds


class Verdict(Struct, frozen=True):
    """broken: the first entry that is not as it was written; None where all are. why: what is wrong with it."""

    entries: int
    checkpoints: int
    broken: int | None = None
    why: str = ""


class Checkpoints:
    def __init__(self, store: Store, clock: Clock, data: Path) -> None:
        self._store = store
        self._clock = clock
        self._key = load_key(data / KEY)

    @property
    def public(self) -> bytes:
        return chain.public(self._key)

    async def run(self) -> None:
        while True:
            await self._clock.sleep(LOOK)
            try:
                if await self._store.read(self._due):
                    await self.sign()
            except StoreError as error:
                log.warning("a checkpoint of the audit cannot be written, trying again: %s", error)

    async def close(self) -> None:
        """At the stop: what was written since the last one is covered too."""
        try:
            await self.sign()
        except StoreError as error:
            log.warning("the last checkpoint of the audit was not written: %s", error)

    async def sign(self) -> Checkpoint | None:
        """The checkpoint of the newest entry, made now where there is none yet; None where nothing was ever recorded."""
        now = self._clock.now()
        return await self._store.write(lambda conn: self._sign(conn, now))

    async def verify(self, kept: Checkpoint | None = None) -> Verdict:
        """kept: a checkpoint from elsewhere, which is believed."""
        return await self._store.read(lambda conn: verify(conn, self.public, kept))

    def _due(self, conn: Connection) -> bool:
        newest = _newest(conn)
        since = trail.c.id > (newest.entry if newest else 0)
        count, first = conn.execute(select(func.count(), func.min(trail.c.time)).where(since)).one()
        return bool(count) and (count >= EVERY or first <= self._clock.now() - LONGEST)

    def _sign(self, conn: Connection, now: int) -> Checkpoint | None:
        last = conn.execute(select(trail.c.id, trail.c.chain).order_by(trail.c.id.desc()).limit(1)).first()
        if last is None or last.chain is None:
            return None
        newest = _newest(conn)
        if newest is not None and newest.entry == last.id:
            return newest
        after, before = (newest.entry, newest.entries) if newest else (0, 0)
        count = conn.scalar(select(func.count()).where(trail.c.id > after)) or 0
        made = chain.sign(Checkpoint(last.id, before + count, last.chain, now, b""), self._key)
        conn.execute(insert(table).values({name: getattr(made, name) for name in made.__struct_fields__}))
        return made


def verify(conn: Connection, trusted: bytes, kept: Checkpoint | None = None) -> Verdict:
    """The whole trail, from its beginning. trusted: the public key whose checkpoints count, beside that of `kept`."""
    held = _checkpoints(conn)
    marks = sorted([*held, *([kept] if kept else [])], key=lambda one: one.entry)
    forged = _forged(marks, {trusted} | ({kept.key} if kept else set()))
    count, broken, why = _walk(conn, marks)
    if forged is not None and (broken is None or forged[0] < broken):
        broken, why = forged
    return Verdict(count, len(held), broken, why)


def _walk(conn: Connection, marks: Sequence[Checkpoint]) -> tuple[int, int | None, str]:
    """How many entries were read, the first that is broken, and why. marks: in order of their entries."""
    before, count, waiting = chain.BEGINNING, 0, deque(marks)
    for number, hashed, line in audit.entries(conn):
        if waiting and waiting[0].entry < number:
            break
        count += 1
        before = chain.link(before, line)
        if hashed is None or bytes(hashed) != before:
            return count, number, "it, or one before it, is not what was written"
        while waiting and waiting[0].entry == number:
            mark = waiting.popleft()
            if (mark.chain, mark.entries) != (before, count):
                return count, number, "the checkpoint that covers it was made of other entries"
    if waiting:
        return count, waiting[0].entry, "it is gone: a checkpoint covers it"
    return count, None, ""


def _forged(marks: Iterable[Checkpoint], keys: set[bytes]) -> tuple[int, str] | None:
    for mark in marks:
        if not chain.genuine(mark):
            return mark.entry, "the signature of its checkpoint is wrong"
        if mark.key not in keys:
            why = f"its checkpoint is signed by another key, {mark.key.hex()[:16]}…; give one that you kept"
            return mark.entry, why
    return None


def _checkpoints(conn: Connection) -> list[Checkpoint]:
    columns = [table.c[name] for name in Checkpoint.__struct_fields__]
    return [_checkpoint(row) for row in conn.execute(select(*columns).order_by(table.c.entry))]


def _newest(conn: Connection) -> Checkpoint | None:
    columns = [table.c[name] for name in Checkpoint.__struct_fields__]
    row = conn.execute(select(*columns).order_by(table.c.entry.desc()).limit(1)).first()
    return _checkpoint(row) if row else None


def _checkpoint(row: Iterable[object]) -> Checkpoint:
    entry, entries, hashed, time, key, signature = row
    assert isinstance(entry, int)
    assert isinstance(entries, int)
    assert isinstance(time, int)
    return Checkpoint(entry, entries, _bytes(hashed), time, _bytes(key), _bytes(signature))


def _bytes(value: object) -> bytes:
    assert isinstance(value, (bytes, memoryview))
    return bytes(value)


def load_key(path: Path) -> Ed25519PrivateKey:
    """The key of this data folder, made at its first use; raises ConfigError."""
    try:
        if not path.exists():
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as opened:
                opened.write(Ed25519PrivateKey.generate().private_bytes_raw())
                opened.flush()
                os.fsync(opened.fileno())
        path.chmod(0o600)  # a copy that came with a backup may be readable by others
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError([f"data: the audit's key {path} cannot be used: {error}"]) from error
