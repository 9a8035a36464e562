"""Sources: who speaks for many devices (network server, concentrator, bridge), under which topics and for which of them."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from drivers.mqtt.topics import filter_fault
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry import device as fields
from gateway.registry import rotation, secret
from gateway.registry.directory import SOURCE, Directory, Voice
from gateway.registry.rotation import Rotation
from gateway.store import audit
from gateway.store.schema.registry import source
from gateway.store.store import Store


class Source(Struct, frozen=True):
    """devices: ids it may speak for; or None, and then all under the area path `area` ("" = every device)."""

    name: str
    filters: list[str]
    devices: list[str] | None
    area: str | None
    created: int = 0


class Sources:
    def __init__(self, store: Store, clock: Clock, directory: Directory) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """At the start and after each change: tell the directory."""
        async with self._turn:  # what is read later is put later
            self._directory.put_voices(await self._store.read(_voices))

    async def listing(self) -> list[Source]:
        return await self._store.read(_sources)

    async def create(self, new: Source, actor: str) -> tuple[Source, str]:
        """The source and its secret, which is not shown again. Raises Invalid, Conflict."""
        _check(new)
        now = self._clock.now()
        word = secret.generate()
        columns = {**_columns(new), "created": now}

        def work(conn: Connection) -> None:
            if conn.scalar(select(source.c.name).where(source.c.name == new.name)):
                raise Conflict(f"source {new.name} is registered already")
            conn.execute(insert(source).values(**columns, digest=secret.digest(word)))
            audit.record(conn, now, actor, "created", f"source:{new.name}", columns)

        await self._store.write(work)
        await self.load()
        return Source(**columns), word

    async def rotate(self, name: str, actor: str, overlap: int = 0) -> str:
        """A new secret; the former one opens for `overlap` µs more, or nothing from now on."""
        now, rotations = self._clock.now(), self._directory.rotations
        word = secret.generate()

        def work(conn: Connection) -> Rotation | None:
            here = source.c.name == name
            current = conn.scalar(select(source.c.digest).where(here))
            if current is None:
                raise NotFound(f"no source {name!r:.80}")
            former = rotations.kept(name, current)
            changed = rotation.columns(word, former if overlap else None, now + overlap)
            conn.execute(update(source).where(here).values(**changed))
            audit.record(conn, now, actor, "secret rotated", f"source:{name}", {"overlap": overlap})
            return Rotation(SOURCE, name, former, now + overlap) if overlap else None

        rotations.replace(name, await self._store.write(work))
        await self.load()
        return word

    async def remove(self, name: str, actor: str) -> None:
        now = self._clock.now()

        def work(conn: Connection) -> None:
            if not conn.execute(delete(source).where(source.c.name == name)).rowcount:
                raise NotFound(f"no source {name!r:.80}")
            audit.record(conn, now, actor, "removed", f"source:{name}")

        await self._store.write(work)
        self._directory.rotations.replace(name, None)
        await self.load()


def _check(new: Source) -> None:
    errors: list[dict[str, str]] = []
    checks = [("name", fields.identity, new.name)]
    checks += [("devices", fields.identity, name) for name in new.devices or ()]
    for at, check, value in checks:
        try:
            check(value)
        except fields.Wrong as wrong:
            errors.append({"at": at, "problem": wrong.problem, "remedy": wrong.remedy})
    errors.extend(
        {"at": "filters", "problem": f"{pattern!r:.80}: {problem}", "remedy": "such as city/+/+/telemetry"}
        for pattern in new.filters
        if (problem := filter_fault(pattern))
    )
    if not new.filters:
        errors.append(
            {"at": "filters", "problem": "no topic filter", "remedy": "give at least one, such as city/#"}
        )
    if (new.devices is None) == (new.area is None):
        errors.append(
            {
                "at": "devices",
                "problem": "devices or area must be given, not both",
                "remedy": 'area "" is every device',
            }
        )
    if errors:
        raise Invalid("; ".join(error["problem"] for error in errors), errors=errors)


def _columns(one: Source) -> dict[str, Any]:
    return {"name": one.name, "filters": one.filters, "devices": one.devices, "area": one.area}


def _sources(conn: Connection) -> list[Source]:
    rows = conn.execute(select(source).order_by(source.c.name))
    return [Source(row.name, row.filters, row.devices, row.area, row.created) for row in rows]


def _voices(conn: Connection) -> list[Voice]:
    return [
        Voice(
            row.name,
            tuple(row.filters),
            None if row.devices is None else frozenset(row.devices),
            row.area,
            row.digest,
        )
        for row in conn.execute(select(source))
    ]
