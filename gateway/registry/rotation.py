"""Two secrets for a while: the former one opens until its time is over, and it is known who has not changed yet."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, Table, select

from gateway.clock import Clock
from gateway.registry import secret as secrets
from gateway.store.schema.registry import device, source

LONGEST: Final = 31 * 86_400  # seconds for which a former secret may open


class Use(StrEnum):
    """Which of its two secrets a device or source came in with the last time."""

    UNKNOWN = "unknown"  # it has not come since
    FORMER = "former"
    NEW = "new"


class Rotation(Struct):
    """until: µs UTC when the former secret, whose digest this is, opens no more. seen: µs UTC when it came last."""

    kind: str
    name: str
    digest: bytes
    until: int
    use: Use = Use.UNKNOWN
    seen: int | None = None


class Rotations:
    """Those under way: few, however many devices there are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: dict[str, Rotation] = {}

    def __iter__(self) -> Iterator[Rotation]:
        return iter(self._under_way.values())

    @property
    def waiting(self) -> int:
        """How many were not seen with their new secret yet."""
        return sum(one.use is not Use.NEW for one in self._under_way.values())

    def get(self, name: str) -> Rotation | None:
        return self._under_way.get(name)

    def put(self, rotations: Iterable[Rotation]) -> None:
        for one in rotations:
            before = self._under_way.get(one.name)
            if before is not None and before.digest == one.digest:
                one.use, one.seen = before.use, before.seen
            self._under_way[one.name] = one

    def replace(self, name: str, rotation: Rotation | None) -> None:
        """What was under way for a name is over; None: only its newest secret opens."""
        if rotation is None:
            self._under_way.pop(name, None)
        else:
            self.put([rotation])

    def opens(self, name: str, digest: bytes) -> bool:
        """Whether this is the digest of a former secret that still opens; notes that it was used."""
        one = self._under_way.get(name)
        if one is None or one.until <= self._clock.now() or not hmac.compare_digest(one.digest, digest):
            return False
        one.use, one.seen = Use.FORMER, self._clock.now()
        return True

    def renewed(self, name: str) -> None:
        """It came with its new secret."""
        one = self._under_way.get(name)
        if one is not None:
            one.use, one.seen = Use.NEW, self._clock.now()

    def holds(self, name: str, digest: bytes) -> bool:
        """Whether this secret was the one that still opens beside the new one."""
        one = self._under_way.get(name)
        return one is not None and one.digest == digest

    def source(self, digest: bytes) -> str | None:
        """The source whose former secret has this digest."""
        for one in self._under_way.values():
            if one.kind == source.name and one.digest == digest and self.opens(one.name, digest):
                return one.name
        return None

    def kept(self, name: str, current: bytes) -> bytes:
        """Which secret is to stay beside a newer one: the one that it was seen with."""
        one = self._under_way.get(name)
        return (
            one.digest
            if one is not None and one.use is not Use.NEW and one.until > self._clock.now()
            else current
        )

    def expired(self) -> list[Rotation]:
        """Takes out those whose time is over."""
        now = self._clock.now()
        over = [one for one in self._under_way.values() if one.until <= now]
        for one in over:
            del self._under_way[one.name]
        return over


def columns(word: str, former: bytes | None, until: int) -> dict[str, object]:
    """What a new secret changes in a row; former None: only the new one opens."""
    return {
        "digest": secrets.digest(word),
        "former": former,
        "former_until": None if former is None else until,
    }


def under_way(conn: Connection, now: int) -> list[Rotation]:
    """All whose former secret still opens."""
    return [*_of(conn, device, device.c.id.name, now), *_of(conn, source, source.c.name.name, now)]


def _of(conn: Connection, table: Table, name: str, now: int) -> Iterator[Rotation]:
    query = select(table.c[name], table.c.former, table.c.former_until).where(table.c.former_until > now)
    return (Rotation(table.name, *row) for row in conn.execute(query))
