"""The mirror follows history: an outage of any length costs lag, never data (design 2).

What is new goes first; what lies behind is written behind it. The cursor moves after the mirror's acknowledgement.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import duckdb
from msgspec import Struct

from drivers.telemetry import Family
from gateway.clock import Clock
from gateway.errors import LinkError, StoreError
from gateway.history import cursor as cursors
from gateway.history import lines
from gateway.history.cursor import Gap
from gateway.history.duck import History
from gateway.history.mirror_settings import MirrorSettings
from gateway.history.sink import Refused, Sink, deliver

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.5  # seconds; it doubles, with full jitter

Result = TypeVar("Result")


class Status(Struct, frozen=True):
    """live: everything up to this tick is there, gaps excepted. error: why it does not go on; "" where it does."""

    live: int
    newest: int
    gaps: list[tuple[int, int]]
    written: int
    refused: int
    error: str


class Mirror:
    """Follows a history into a sink. `refuse` is told of each point that the mirror does not take."""

    def __init__(
        self,
        history: History,
        folder: Path,
        sink: Sink,
        settings: MirrorSettings,
        clock: Clock,
        chance: random.Random,
        refuse: Callable[[Refused], None],
    ) -> None:
        self._history = history
        self._folder = folder
        self._sink = sink
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._refuse = refuse
        self._cursor = cursors.load(folder)
        self._error = ""
        self._failed = 0  # rounds in a row
        self._con = history.cursor()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history-mirror")
        self._turn = asyncio.Lock()

    def close(self) -> None:
        """Wait for the write that runs. Comes before the history's own close."""
        self._thread.shutdown()
        self._sink.close()
        self._con.close()

    def passed(self) -> int:
        """The tick up to which the mirror has everything."""
        return self._cursor.passed

    def waits(self, ticks: Gap) -> bool:
        """Whether any of these is still to be written."""
        cursor = self._cursor
        return ticks.until > cursor.live or any(
            gap.after < ticks.until and ticks.after < gap.until for gap in cursor.gaps
        )

    def status(self) -> Status:
        cursor = self._cursor
        gaps = [(gap.after, gap.until) for gap in cursor.gaps]
        return Status(
            cursor.live, self._history.last_tick(), gaps, cursor.written, cursor.refused, self._error
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                more = await self.round()
            except (LinkError, StoreError) as error:
                if not self._failed:
                    log.warning("the mirror waits: %s", error)
                self._error = str(error)
                await self._clock.sleep(self._backoff())
                self._failed += 1
                continue
            if self._failed:
                log.info("the mirror goes on")
                self._error, self._failed = "", 0
            if not more:
                await self._clock.sleep(self._settings.interval_ms / 1000)

    async def round(self) -> bool:
        """What is new, then a piece of the backlog; False where there is none. Raises LinkError or StoreError."""
        async with self._turn:
            newest = self._history.last_tick()
            live = Gap(self._cursor.live, newest)
            if newest > live.after:
                waiting = await self._run(lines.pending, self._con, live.after, self._settings.batch + 1)
                if waiting > self._settings.batch:
                    self._cursor = self._cursor.leap(
                        newest
                    )  # durable with the next write; until then nothing is lost
                else:
                    until = await self._write(live)
                    self._cursor = self._cursor.moved(until)
                    await self._save()
            if self._cursor.gaps:
                gap = self._cursor.gaps[0]
                until = await self._write(gap)
                self._cursor = self._cursor.closed(gap.after, until)
                await self._save()
            return bool(self._cursor.gaps)

    async def rewind(self, spans: Sequence[Gap]) -> None:
        """Write these ticks again."""
        async with self._turn:
            for gap in spans:
                until = min(gap.until, self._cursor.live)
                self._cursor = self._cursor.opened(gap.after, until)
            await self._save()

    @property
    def _families(self) -> list[Family]:
        return list(self._history.families.values())

    async def _write(self, gap: Gap) -> int:
        """Write the first ticks of a gap; returns the last of them."""
        batch = self._settings.batch
        chunk = await self._run(
            lines.chunk, self._con, self._families, self._history.shelf, (gap.after, gap.until), batch
        )
        refused: list[Refused] = []
        for start in range(0, len(chunk.lines), batch):
            refused += await self._run(deliver, self._sink, chunk.lines[start : start + batch])
        for each in refused:
            self._refuse(each)
        self._cursor = self._cursor.counted(len(chunk.lines) - len(refused), len(refused))
        return chunk.until

    async def _save(self) -> None:
        await self._run(cursors.save, self._folder, self._cursor)

    def _backoff(self) -> float:
        bound = min(FIRST_PAUSE * 2.0 ** min(self._failed, 20), self._settings.longest_backoff_s)
        return bound * (0.1 + 0.9 * self._chance.random())

    async def _run(self, work: Callable[..., Result], *args: object) -> Result:
        def guarded() -> Result:
            try:
                return work(*args)
            except duckdb.Error as error:
                raise StoreError(f"history cannot be read: {error}") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)
