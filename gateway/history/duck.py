"""The local history: whatever `commit` returned for is on disk (law 1), exactly once (design 2, Identity).

One thread writes. Readers have cursors of their own and see whole ticks only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

import duckdb

from drivers.telemetry import Batch, Family
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.history import hot, manifest, names, tables
from gateway.history.hot import Layout
from gateway.history.identity import Kept, all_kept, judge, relatives
from gateway.history.manifest import Part
from gateway.history.replay import Replayed, Span, replay, spans
from gateway.history.settings import HistorySettings
from gateway.history.source import Scope, Shelf
from gateway.history.space import Level, Space
from rules import control

if TYPE_CHECKING:
    from drivers.telemetry import Bool

__all__ = ["History", "Kept"]

log = logging.getLogger(__name__)

ROW_GROUP: Final = 10_240  # rows; small groups keep checkpoints short (design 7)
OWN_CHECKPOINT: Final = "1GB"  # a log this large DuckDB folds in by itself; ours come long before

ROOM: Final = 4 << 20  # bytes a checkpoint may need beyond the log it folds in

Result = TypeVar("Result")


class Moved(NamedTuple):
    """Hot rows that parts hold now, of all families: tick ≤ until and time < before (µs UTC)."""

    until: int
    before: int


class History:
    """Owner of `<folder>/history.duckdb`. Raises StoreError where it cannot be opened."""

    def __init__(
        self, folder: Path, families: Mapping[str, Family], settings: HistorySettings, clock: Clock
    ) -> None:
        self.families = families
        self.shelf = Shelf(folder)
        self.space = Space(folder, settings)
        self._settings = settings
        self._clock = clock
        self._file = folder / "history.duckdb"
        self._wal = folder / "history.duckdb.wal"
        folder.mkdir(parents=True, exist_ok=True)
        self._con = duckdb.connect(
            ":memory:",
            config={
                "threads": settings.threads,
                "memory_limit": f"{settings.memory_mb}MB",
                "temp_directory": str(folder / "spill"),
                "checkpoint_threshold": OWN_CHECKPOINT,
                "preserve_insertion_order": True,  # rows are asked for as they stand: in order of commit
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._con.execute("SET GLOBAL parquet_metadata_cache = true")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="history-writer")
        self.layout = Layout({}, 0)
        self._attached = False
        self._fresh_wal = True
        self._checkpointed = clock.monotonic()
        try:
            self._attach()
            self._tick, self._received = self._newest()
        except duckdb.Error as error:
            self.close()
            raise StoreError(f"{self._file}: cannot be opened: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the commit that runs, fold in the log, let go of the file."""
        self._writer.shutdown()
        try:
            self._con.execute(f"DETACH DATABASE IF EXISTS {tables.CATALOG}")
        except duckdb.Error as error:  # the log still has all; the next start folds it in
            log.warning("history closed without a checkpoint: %s", error)
        self._con.close()

    def change(self, settings: HistorySettings) -> None:
        """Other times of checkpoints, and marks of the disk."""
        self._settings = settings
        self.space.change(settings)

    def last_tick(self) -> int:
        """The newest tick that stored anything; 0 in an empty history."""
        return self._tick

    def last_received(self) -> int:
        """The newest receive time of any reading, µs UTC; 0 in an empty history."""
        return self._received

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A reader's own connection, for use in one thread at a time; the reader closes it."""
        return self._con.cursor()

    def replay(self, after_tick: int) -> Iterator[Replayed]:
        """Every tick after `after_tick`, as committed: (tick, a batch for each family with rows, control rows)."""
        return replay(self.cursor(), self.layout, self.shelf, after_tick)

    def spans(self, after_tick: int) -> Iterator[Span]:
        """The same in few pieces: ticks that follow one another without control rows are told as one."""
        return spans(self.cursor(), self.layout, self.shelf, after_tick)

    async def commit(
        self,
        tick: int,
        batches: Sequence[Batch],
        controls: Sequence[control.Control],
        suspects: Sequence[Bool],
    ) -> list[Kept]:
        """Store a tick durably, in one transaction: all of it, or nothing and StoreError; then it may be tried again.

        At most one batch a family. tick is larger than any before. suspects[i][row]: the row's key may be stored
        already or stand twice in the batch; the others are stored unseen.
        """
        return await self._write(self._commit, tick, batches, controls, suspects)

    def checkpoint_due(self) -> bool:
        """Whether enough is in the log, and enough real time has passed."""
        if self._clock.monotonic() - self._checkpointed < self._settings.checkpoint_seconds:
            return False
        return self._wal_bytes() >= self._settings.checkpoint_kb * 1024

    async def checkpoint(self) -> None:
        """Fold the log into the tables. For the time between two ticks, when the acks are out: commits wait for it."""
        await self._write(self._checkpoint)

    async def probe(self) -> None:
        """A real, durable write that leaves nothing behind; raises StoreError where none is possible."""
        await self._write(self._probe)

    async def relist(self, new: Sequence[Part], old: Sequence[Part], moved: Moved | None = None) -> None:
        """In one transaction: these parts count from now on, those no longer, and the rows that moved are not hot.

        Raises StoreError; then none of it, or after a restart all of it, has happened.
        """
        await self._write(self._relist, new, old, moved)

    async def _write(self, work: Callable[..., Result], *args: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, *args)

    # -- below here: the writer's thread --

    def _commit(
        self,
        tick: int,
        batches: Sequence[Batch],
        controls: Sequence[control.Control],
        suspects: Sequence[Bool],
    ) -> list[Kept]:
        if tick <= self._tick:
            raise ValueError(f"tick {tick} does not follow tick {self._tick}")
        if len({batch.family.name for batch in batches}) != len(batches):
            raise ValueError("two batches of one family in a tick")
        if batches and self.space.level() is Level.FLOOR:
            raise StoreError(f"{self._file.parent}: {self.space.reason()}")
        try:
            self._attach()
            kept = [self._identify(batch, mask) for batch, mask in zip(batches, suspects, strict=True)]
        except duckdb.Error as error:
            self._recover()
            raise StoreError(f"{self._file}: cannot be read: {error}") from error
        if not controls and not any(len(each.batch) for each in kept):
            return kept
        try:
            self._store(tick, kept, controls)
        except (duckdb.Error, OSError) as error:
            if not self._landed(tick):
                raise StoreError(f"{self._file}: tick {tick} not stored: {error}") from error
        self._received = max([self._received, *(int(each.batch.received.max(initial=0)) for each in kept)])
        return kept

    def _probe(self) -> None:
        try:
            self._attach()
            self._con.begin()
            tables.probe(self._con)
            self._con.commit()
        except duckdb.Error as error:
            self._recover()
            raise StoreError(f"{self._file}: cannot be written: {error}") from error

    def _relist(self, new: Sequence[Part], old: Sequence[Part], moved: Moved | None) -> None:
        try:
            self._attach()
            self._con.begin()
            manifest.drop(self._con, old)
            manifest.add(self._con, new)
            if moved is not None:
                hot.delete(self._con, self.layout, moved.until, moved.before)
            self._con.commit()
        except duckdb.Error as error:
            self._recover()
            raise StoreError(f"{self._file}: parts cannot be listed: {error}") from error

    def _store(self, tick: int, kept: Sequence[Kept], controls: Sequence[control.Control]) -> None:
        self._con.begin()
        if batches := [each.batch for each in kept if len(each.batch)]:
            hot.insert(self._con, self.layout, tick, batches)
        if controls:
            tables.insert_control(self._con, tick, [control.encode(row).decode() for row in controls])
            names.learn(self._con, controls)
        self._con.commit()  # returns after fdatasync of the log
        if self._fresh_wal:
            self._sync_folder()
        self._tick = tick

    def _identify(self, batch: Batch, suspect: Bool) -> Kept:
        if not suspect.any():
            return all_kept(batch)
        return judge(batch, relatives(batch, suspect), self._stored(batch.take(suspect)))

    def _stored(self, batch: Batch) -> Batch:
        """The stored rows with the key of any of these. A part that cannot be read hides its rows, and stops nothing."""
        scope = Scope(int(batch.time.min()), int(batch.time.max()) + 1)
        view, near = self.shelf.view(self._con, batch.family, scope), tables.table(batch.family)
        try:
            return self._look_up(view, batch)
        except duckdb.Error as error:
            if view == near:
                raise
            log.error("what parts hold is not known, `citygate history verify` says which: %s", error)  # noqa: TRY400
            return self._look_up(near, batch)

    def _look_up(self, view: str, batch: Batch) -> Batch:
        """Few are stored, so keys alone are looked for first."""
        known = tables.known(self._con, view, batch)
        return tables.rows_of(self._con, view, batch.take(known)) if len(known) else Batch.empty(batch.family)

    def _landed(self, tick: int) -> bool:
        """After a failed commit: whether the tick is stored in spite of it, and by now durably.

        Raises duckdb.Error where it is stored but cannot be made durable: then only a restart tells the truth.
        """
        if not self._recover() or self._tick < tick:
            return False
        self._con.execute(f"CHECKPOINT {tables.CATALOG}")
        return True

    def _recover(self) -> bool:
        """Back to a usable state after an error; False where that must wait for the next try."""
        with suppress(duckdb.Error):  # most errors have ended the transaction already
            self._con.rollback()
        for attempt in (self._newest, self._reopen):
            try:
                attempt()
                self._tick, _ = self._newest()
            except duckdb.Error as error:
                log.warning("history is not usable: %s", error)
            else:
                return True
        self._attached = False
        return False

    def _reopen(self) -> None:
        self._con.execute(f"DETACH DATABASE IF EXISTS {tables.CATALOG}")
        self._attached = False
        self._attach()

    def _checkpoint(self) -> None:
        self._checkpointed = self._clock.monotonic()
        if shutil.disk_usage(self._file.parent).free < 2 * self._wal_bytes() + ROOM:
            return  # a checkpoint that runs out of space closes the database; the log alone can go on
        try:
            self._con.execute(f"CHECKPOINT {tables.CATALOG}")
        except duckdb.Error as error:
            log.warning("checkpoint failed, the log goes on: %s", error)
            self._recover()
        self._fresh_wal = True

    def _attach(self) -> None:
        if self._attached:
            return
        path = str(self._file).replace("'", "''")
        self._con.execute(f"ATTACH IF NOT EXISTS '{path}' AS {tables.CATALOG} (ROW_GROUP_SIZE {ROW_GROUP})")
        self.layout = hot.ensure(self._con, self.families.values())
        tables.ensure(self._con)
        manifest.ensure(self._con)
        names.ensure(self._con)
        self._attached = True

    def _newest(self) -> tuple[int, int]:
        """(newest tick, newest receive time) of all tables and parts."""
        near, far = hot.newest(self._con), manifest.newest(self._con)
        return max(near[0], far[0], tables.newest_control(self._con)), max(near[1], far[1])

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _sync_folder(self) -> None:
        """A new log file is durable only with its name."""
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._fresh_wal = False
