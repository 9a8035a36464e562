"""A backup of the running gateway: snapshots, then operations, then history, so that each is ahead of the one before.

Each is of one moment; what lies between them a restore replays. Ticks go on: every step is short, or runs beside them in
one thread that makes way.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

import duckdb
from msgspec import Struct

from drivers.telemetry import SECOND, Family
from gateway.backup import bundle, inventory, operations, readings
from gateway.backup.bundle import Bundle
from gateway.backup.inventory import File, Inventory, Ticks
from gateway.backup.readings import Hours
from gateway.clock import Clock
from gateway.errors import Conflict, StoreError
from gateway.history import hot, snapshot, tables
from gateway.history.compaction import Compactor
from gateway.history.duck import History
from gateway.history.manifest import Part
from gateway.notify import links
from gateway.store import checkpoints
from gateway.store.store import Store

NICE: Final = 10  # of the thread that copies: ticks go first
STATE: Final = (  # files at the top of the data folder; all else there is made anew
    "*.json",  # how far a mirror or forward has come
    checkpoints.KEY,
    links.KEY_FILE,  # links that went out open what they opened
)

Result = TypeVar("Result")


class Progress(Struct, frozen=True):
    """files, bytes: in the backup by now."""

    stage: str
    files: int
    bytes: int


class Taken(Struct, frozen=True):
    """A finished backup. tick: every reading acknowledged up to it is in; operations, snapshot: see inventory.Ticks.

    damaged: parts of history that are not what its list says, and are left out.
    """

    tick: int
    operations: int
    snapshot: int
    files: int
    bytes: int
    damaged: list[str]


@dataclass(frozen=True, slots=True)
class Origin:
    """What is backed up. turn: held while the registry's announcements go into history. data: the data folder."""

    store: Store
    history: History
    compactor: Compactor
    turn: asyncio.Lock
    clock: Clock
    data: Path


class Backup:
    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._busy = asyncio.Lock()
        self._copy: _Copy | None = None

    async def close(self) -> None:
        """Break off what runs. Comes before the stores close."""
        if self._copy is not None:
            self._copy.stopped = True
        async with self._busy:
            pass

    async def take(self, target: Path) -> AsyncGenerator[Progress | Taken]:
        """Says how far it is, and at last what it has. Raises CallerError where the target cannot be used, StoreError.

        Leaves nothing behind where it fails or is not heard to its end.
        """
        if self._busy.locked():
            raise Conflict("a backup is being made already; wait for it")
        async with self._busy:
            self._copy = copy = _Copy(self._origin, bundle.opened(target))
            try:
                async with aclosing(copy.stages()) as stages:
                    async for stage in stages:
                        yield stage
            except BaseException:
                await asyncio.to_thread(copy.into.abandon)
                raise
            finally:
                self._copy = None
                await asyncio.to_thread(copy.thread.shutdown)


class _Copy:
    """One backup on its way."""

    def __init__(self, origin: Origin, into: Bundle) -> None:
        self.origin, self.into = origin, into
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="backup", initializer=_be_nice)
        self.stopped = False
        self.files: list[File] = []
        self.bytes = 0
        self.parts: list[Part] = []
        self.damaged: list[str] = []
        self.rows: dict[str, list[Hours]] = {name: [] for name in origin.history.families}
        self.controls = 0

    async def stages(self) -> AsyncGenerator[Progress | Taken]:
        origin = self.origin
        reached = await self._step(self._take_snapshots)
        await self._step(self._take_state)
        yield self._progress("snapshots")
        known = await self._take_operations()
        yield self._progress("operations")
        await self._step(self._take_photos)  # none is ever removed: all that operations name are there
        async with origin.compactor.still() as listed:
            until, level = origin.history.last_tick(), origin.history.space.level()
            with origin.history.cursor() as con:
                async with aclosing(self._take_history(con, listed, until)) as steps:
                    async for stage in steps:
                        yield self._progress(stage)
                        if origin.history.space.level() > level:
                            raise StoreError(f"the backup is broken off: {origin.history.space.reason()}")
        contents = await self._step(self._contents, Ticks(reached, known, until))
        await self._step(self.into.finish, contents)
        done = self._progress("done")
        yield Taken(until, known, reached, done.files, done.bytes, self.damaged)

    async def _step(self, work: Callable[..., Result], *args: object) -> Result:
        """Work in the copying thread; one that began is always waited for."""
        if self.stopped:
            raise StoreError("the backup is broken off: the gateway stops")
        step = asyncio.get_running_loop().run_in_executor(self.thread, work, *args)
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            await asyncio.wait([step])
            raise
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"the backup is broken off: {error}") from error

    async def _take_operations(self) -> int:
        """The newest tick at their moment, in which the registry has no announcement half way into history."""
        name = inventory.OPERATIONS
        async with self.origin.turn:
            view = await self._step(operations.View, self.origin.store.url)
            known = self.origin.history.last_tick()
        try:
            await self._step(view.copy, self.into.scratch(name))
        finally:
            view.close()
        self.schema, self.tables = await self._step(operations.described, self.into.scratch(name))
        self._kept(await self._step(self.into.keep, name))
        return known

    async def _take_history(
        self, con: duckdb.DuckDBPyConnection, listed: list[Part], until: int
    ) -> AsyncGenerator[str]:
        """Control rows, hot rows, parts; after each short step, what it was."""
        for number, span in enumerate(await self._step(readings.slices, con, tables.CONTROL, until)):
            await self._step(self._write_controls, con, span, f"{inventory.CONTROLS}/{number:06d}.parquet")
            yield "history"
        for number, span in enumerate(await self._step(readings.slices, con, hot.TABLE, until)):
            for name, family in self.origin.history.families.items():
                path = f"{inventory.HOT}/{name}/{number:06d}.parquet"
                await self._step(self._write_hot, con, family, span, path)
                yield "history"
        for part in listed:
            await self._step(self._take_part, con, part)
            yield "parts"

    def _progress(self, stage: str) -> Progress:
        return Progress(stage, len(self.files), self.bytes)

    def _kept(self, file: File) -> None:
        self.files.append(file)
        self.bytes += file.bytes

    # -- below here: the copying thread --

    def _take_snapshots(self) -> int:
        """The tick of the newest; one that is replaced meanwhile has a newer one in its place."""
        folder, newest = self.origin.data / "snapshots", 0
        for path in sorted(folder.glob("snapshot-*.bin")):
            with suppress(FileNotFoundError):
                self._kept(self.into.take(f"{inventory.SNAPSHOTS}/{path.name}", path))
                newest = snapshot.tick_of(path)
        return newest

    def _take_state(self) -> None:
        for path in sorted(path for names in STATE for path in self.origin.data.glob(names)):
            made = self.into.scratch(f"{inventory.DATA}/{path.name}")
            made.touch(bundle.PRIVATE)  # before there is a key in it
            made.write_bytes(path.read_bytes())
            self._kept(self.into.keep(f"{inventory.DATA}/{path.name}"))

    def _take_photos(self) -> None:
        for path in sorted((self.origin.data / "photos").glob("??/*")):
            if not path.suffix:  # one that is still being written
                self._kept(self.into.take(f"{inventory.PHOTOS}/{path.parent.name}/{path.name}", path))

    def _write_controls(self, con: duckdb.DuckDBPyConnection, span: tuple[int, int], name: str) -> None:
        self.controls += readings.write_controls(con, span, self.into.scratch(name))
        self._kept(self.into.keep(name))

    def _write_hot(
        self, con: duckdb.DuckDBPyConnection, family: Family, span: tuple[int, int], name: str
    ) -> None:
        hours = readings.write_hot(con, family, span, self.into.scratch(name))
        if hours:
            self.rows[family.name].append(hours)
            self._kept(self.into.keep(name))

    def _take_part(self, con: duckdb.DuckDBPyConnection, part: Part) -> None:
        name = f"{inventory.PARTS}/{part.name}"
        try:
            file = self.into.take(name, self.origin.history.shelf.path(part))
        except FileNotFoundError:
            self.damaged.append(part.name)
            return
        self._kept(file)
        if (file.bytes, file.sha256) != (part.bytes, part.sha256):
            self.damaged.append(part.name)
            return
        self.parts.append(part)
        self.rows[part.family].append(readings.part_hours(con, self.origin.history.shelf.path(part)))

    def _contents(self, ticks: Ticks) -> Inventory:
        now = self.origin.clock.now()
        return Inventory(
            version=version("citygate"),
            schema=self.schema,
            made=datetime.fromtimestamp(now // SECOND, UTC).isoformat(),
            time=now,
            ticks=ticks,
            rows={name: readings.total(hours) for name, hours in self.rows.items() if hours},
            controls=self.controls,
            tables=self.tables,
            parts=self.parts,
            files=self.files,
        )


def _be_nice() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
