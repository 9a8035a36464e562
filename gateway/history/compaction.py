"""Hot rows become Parquet parts, small step by small step, between ticks and beside them (design 2).

Only rows of ticks that snapshot and mirror have passed move: a replay never needs them. The oldest become parts, one a
family and day, when there are enough of them, the rest when their UTC day is over. Parts of a day are merged, some when
many small ones wait, all when it is over. A kill at any point leaves files that no list names, and the next start removes
them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import duckdb

from drivers.telemetry import DAY, MINUTE, Family
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.history import hot, manifest, parquet, tables
from gateway.history.duck import History, Moved
from gateway.history.manifest import Part
from gateway.history.parquet import Place
from gateway.history.settings import HistorySettings
from gateway.history.verify import Verdict, verify

log = logging.getLogger(__name__)

NICE: Final = 10  # of the thread that writes parts: ticks go first
GRACE: Final = 60.0  # real seconds; a query that began with a dropped part may still read it
LATEST: Final = 2**62
SLICES: Final = (
    4  # hot rows move as soon as they would make this share of a part: few of them stay to be looked through
)
MANY: Final = 4  # small parts of a family and day that are merged before it is over
SMALL: Final = 2 / 3  # of a part; merging many yields none that is smaller, or but one

Result = TypeVar("Result")


class Held(NamedTuple):
    """All listed parts together."""

    parts: int
    rows: int
    bytes: int


@dataclass
class Fold:
    """Waiting parts of a day on their way into fewer, device range by device range. settled: all of them, for good."""

    family: Family
    day: int
    old: list[Part]
    ranges: list[tuple[int, int]]  # first device, last device; still to do
    new: list[Part] = field(default_factory=list)
    settled: bool = True


class Compactor:
    """The only one who makes, lists and drops parts. `passed` says which tick snapshot and mirror have passed.

    Every method raises StoreError where a disk or file does not let it work; it may be tried again.
    """

    def __init__(
        self, history: History, settings: HistorySettings, clock: Clock, passed: Callable[[], int]
    ) -> None:
        self._history = history
        self._settings = settings
        self._clock = clock
        self._passed = passed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history-compactor", initializer=_be_nice)
        self._con = history.cursor()
        self._turn = asyncio.Lock()
        self._numbers: dict[tuple[str, int], int] = {}  # the newest of each family and day in this process
        self._condemned: list[tuple[float, Path]] = []
        self._day = -1  # before it nothing is hot, late rows excepted
        self._due = (-1, 0)  # that day to be, and the tick that ends it
        self._fold: Fold | None = None
        self._sweep_orphans()
        self.held = _held(self._con)

    def change(self, settings: HistorySettings) -> None:
        """What is under way goes on as it began."""
        self._settings = settings

    def close(self) -> None:
        """Wait for the step that runs. Comes before the history's own close."""
        self._thread.shutdown()
        for _, path in self._condemned:
            path.unlink(missing_ok=True)
        self._con.close()

    async def step(self, *, merge: bool = True) -> bool:
        """Do one piece of what is due; False where nothing is. Merging needs room for a day twice."""
        return await self._step(force=False, merge=merge)

    async def run(self) -> int:
        """Move all that may be moved now, whole days only; returns how many parts were written."""
        before = sum(self._numbers.values())
        while await self._step(force=True, merge=True):
            pass
        return sum(self._numbers.values()) - before

    async def parts(self, family: str = "") -> list[Part]:
        """What is listed, of one family or of all."""
        return await self._ask(manifest.listed, *(("family = ?", [family]) if family else ()))

    @asynccontextmanager
    async def still(self) -> AsyncIterator[list[Part]]:
        """What is listed: until the block is left, nothing is made, moved or dropped."""
        async with self._turn:
            yield await self._ask(manifest.listed)

    async def verify(self, part: Part) -> Verdict | None:
        """Whether the part's file is whole; None where it is listed no longer."""
        return await asyncio.to_thread(verify, self._history, part)

    async def expire(self) -> list[Part]:
        """Drop the parts of days that no family's retention keeps."""
        today = self._clock.now() // DAY
        old: list[Part] = []
        for family in self._history.families.values():
            days = self._settings.keep.get(family.name, self._settings.keep_days)
            if days:
                old += await self._ask(manifest.listed, "family = ? AND day < ?", [family.name, today - days])
        await self.drop(old)
        return old

    async def oldest(self) -> list[Part]:
        """The parts of the oldest day there is, of all families."""
        return await self._ask(
            manifest.listed,
            f"day = (SELECT min(day) FROM {manifest.TABLE})",  # noqa: S608
        )

    async def drop(self, parts: Sequence[Part]) -> None:
        """They count no longer; their files go as soon as no query can be reading them."""
        async with self._turn:
            if not parts:
                return
            if self._fold is not None and set(self._fold.old) & set(parts):
                self._abandon()
            await self._relist([], parts)

    def sweep(self, *, now: bool = False) -> None:
        """Delete the files of dropped parts whose time has come."""
        limit = self._clock.monotonic() - (0 if now else GRACE)
        for _, path in [each for each in self._condemned if each[0] <= limit]:
            path.unlink(missing_ok=True)
        self._condemned = [each for each in self._condemned if each[0] > limit]

    async def _step(self, *, force: bool, merge: bool) -> bool:
        async with self._turn:
            try:
                moved = await self._run(self._choose, force)
                if moved is None:
                    return merge and await self._fold_on()
                await self._relist(await self._run(self._write_hot, moved), [], moved)
            except StoreError:
                self._abandon()
                await self._run(self._sweep_orphans)
                raise
            return True

    async def _fold_on(self) -> bool:
        """The next piece of a merge; False where no day needs one."""
        if self._fold is None:
            self._fold = await self._run(self._choose_fold)
        fold = self._fold
        if fold is None:
            return False
        if fold.ranges:
            part = await self._run(self._write_range, fold, fold.ranges[0])
            if part is not None:
                fold.new.append(part)
            del fold.ranges[0]
        if not fold.ranges:
            await self._relist(fold.new, fold.old)
            self._fold = None
        return True

    async def _relist(self, new: Sequence[Part], old: Sequence[Part], moved: Moved | None = None) -> None:
        await self._history.relist(new, old, moved)
        kept = {part.name for part in new}
        gone = [self._history.shelf.path(part) for part in old if part.name not in kept]
        self._condemned += [(self._clock.monotonic(), path) for path in gone]
        self.held = await self._ask(_held)

    def _abandon(self) -> None:
        """Forget the merge that is under way; it starts again from the parts that are still listed."""
        fold, self._fold = self._fold, None
        if fold is not None and len(fold.old) > 1:
            for part in fold.new:
                self._history.shelf.path(part).unlink(missing_ok=True)

    async def _ask(self, work: Callable[..., Result], *args: object) -> Result:
        return await self._run(work, self._con, *args)

    async def _run(self, work: Callable[..., Result], *args: object) -> Result:
        def guarded() -> Result:
            try:
                return work(*args)
            except (duckdb.Error, OSError) as error:
                raise StoreError(f"parts cannot be written: {error}") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)

    # -- below here: the compactor's thread --

    def _choose(self, force: bool) -> Moved | None:
        """The next hot rows that should move, oldest ticks first: so whole row groups go, and no checkpoint has to rewrite any."""
        passed, limit = self._passed(), max(1, self._settings.part_rows // SLICES)
        rows = f"{hot.TABLE} WHERE tick <= {passed:d} AND {self._history.layout.known}"
        front = f"SELECT tick FROM {rows} LIMIT {limit:d}"  # noqa: S608
        measure = f"SELECT count(*), min(tick), max(tick) FROM ({front})"  # noqa: S608
        count, first, last = self._con.execute(measure).fetchall()[0]
        if count >= limit:  # the last tick may have more rows than were looked at
            return Moved(last if first == last else last - 1, LATEST)
        today = (self._clock.now() - self._settings.settle_minutes * MINUTE) // DAY
        if not force and not self._day_is_due(today, passed):
            return None
        query = f"SELECT max(tick) FROM {rows} AND time < {today * DAY:d}"  # noqa: S608
        until = self._con.execute(query).fetchall()[0][0]
        if until is not None:
            return Moved(until, today * DAY)
        if not force:
            self._day = today
        return None

    def _day_is_due(self, today: int, passed: int) -> bool:
        """Once a day, and not before all that was heard until its end has been passed."""
        if self._day == today:
            return False
        if self._due[0] != today:
            self._due = today, self._history.last_tick()
        return passed >= self._due[1]

    def _write_hot(self, moved: Moved) -> list[Part]:
        where = f"tick <= {moved.until:d} AND time < {moved.before:d}"
        group = parquet.WAITING if moved.before == LATEST else parquet.ROW_GROUP
        parts = []
        for family in self._history.families.values():
            view = tables.table(family)
            days = (
                f"SELECT DISTINCT (time - (time % {DAY} + {DAY}) % {DAY}) // {DAY} FROM {view} WHERE {where}"  # noqa: S608
            )
            for (day,) in sorted(self._con.execute(days).fetchall()):
                span = f"time >= {day * DAY:d} AND time < {(day + 1) * DAY:d}"
                rows = f"SELECT * FROM {view} WHERE {where} AND {span}"  # noqa: S608
                part = self._write(rows, family, day, settled=False, group=group)
                if part is not None:
                    parts.append(part)
        return parts

    def _choose_fold(self) -> Fold | None:
        """The oldest day that is over and has parts that wait; or, so that few are asked, many small ones of a day."""
        over = (self._clock.now() - self._settings.settle_minutes * MINUTE) // DAY
        small = "NOT settled AND (day < ? OR rows < ?)"
        waiting = manifest.listed(self._con, small, [over, SMALL * self._settings.part_rows])
        days = Counter((part.day, part.family) for part in waiting)
        due = sorted(key for key, count in days.items() if key[0] < over or count >= MANY)
        if not due:
            return None
        day, name = due[0]
        family, old = self._history.families[name], [p for p in waiting if (p.day, p.family) == due[0]]
        if len(old) == 1:
            return Fold(family, day, old, [], [old[0]._replace(settled=True)])
        return Fold(family, day, old, list(self._ranges(family, old)), settled=day < over)

    def _ranges(self, family: Family, parts: Sequence[Part]) -> Iterator[tuple[int, int]]:
        """Ranges of devices with about `part_rows` rows each, together all devices."""
        cold = self._history.shelf.cold(family, parts)
        query = f"SELECT device, count(*) FROM ({cold}) GROUP BY device ORDER BY device"  # noqa: S608
        counted = self._con.execute(query).fetchall()
        total = sum(rows for _, rows in counted)
        share = -(-total // -(-total // self._settings.part_rows))
        first, held = counted[0][0], 0
        for device, rows in counted:
            held += rows
            if held >= share:
                yield first, device
                first, held = device + 1, 0
        if held:
            yield first, counted[-1][0]

    def _write_range(self, fold: Fold, devices: tuple[int, int]) -> Part | None:
        first, last = devices
        parts = [part for part in fold.old if part.first_device <= last and part.last_device >= first]
        cold = self._history.shelf.cold(fold.family, parts)
        rows = f"SELECT * FROM ({cold}) WHERE device BETWEEN {first:d} AND {last:d}"  # noqa: S608
        group = parquet.ROW_GROUP if fold.settled else parquet.WAITING
        return self._write(rows, fold.family, fold.day, settled=fold.settled, group=group)

    def _write(self, rows: str, family: Family, day: int, *, settled: bool, group: int) -> Part | None:
        key = family.name, day
        if key not in self._numbers:
            query = f"SELECT coalesce(max(n), 0) FROM {manifest.TABLE} WHERE family = ? AND day = ?"  # noqa: S608
            self._numbers[key] = self._con.execute(query, list(key)).fetchall()[0][0]
        self._numbers[key] += 1
        place = Place(self._history.shelf.folder, family, day, self._numbers[key])
        return parquet.write(self._con, rows, place, settled=settled, group=group)

    def _sweep_orphans(self) -> None:
        condemned = {path for _, path in self._condemned}
        parts = manifest.listed(self._con)
        for path in manifest.orphans(self._history.shelf.folder, self._history.families, parts):
            if path not in condemned:
                log.info("removed %s, which no list names", path)
                path.unlink(missing_ok=True)


def _held(con: duckdb.DuckDBPyConnection) -> Held:
    query = f"SELECT count(*), coalesce(sum(rows), 0)::BIGINT, coalesce(sum(bytes), 0)::BIGINT FROM {manifest.TABLE}"  # noqa: S608
    return Held(*con.execute(query).fetchall()[0])


def _be_nice() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
