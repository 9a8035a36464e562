"""What keeps history small, in the background: compaction, retention, and shedding when the disk runs low.

Order of shedding: samples of refused payloads, files of dropped parts, then, where allowed, the oldest days of Parquet.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.history.compaction import Compactor
from gateway.history.settings import HistorySettings
from gateway.history.space import Level, Space

log = logging.getLogger(__name__)

BREATH: Final = 0.25  # real seconds between two pieces of work
REST: Final = 2.0  # where nothing is due
PATIENCE: Final = 30.0  # after a failure
RETAIN: Final = 600.0  # between two looks at retention


class Upkeep:
    """`spare` is told when samples are to be spared, and when they may be kept again."""

    def __init__(
        self,
        compactor: Compactor,
        space: Space,
        settings: HistorySettings,
        clock: Clock,
        spare: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._compactor = compactor
        self._space = space
        self._settings = settings
        self._clock = clock
        self._spare = spare
        self._level = Level.PLENTY
        self._retained = -RETAIN

    def change(self, settings: HistorySettings) -> None:
        self._settings = settings
        self._retained = -RETAIN

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                pause = BREATH if await self.round() else REST
            except StoreError as error:
                log.warning("upkeep of history waits: %s", error)
                pause = PATIENCE if self._space.level() is Level.PLENTY else REST
            await self._clock.sleep(pause)

    async def round(self) -> bool:
        """One piece of what is due, most urgent first; False where nothing is."""
        if await self._shed():
            return True
        if self._clock.monotonic() - self._retained >= RETAIN:
            self._retained = self._clock.monotonic()
            for part in await self._compactor.expire():
                log.info("dropped %s: its time of retention is over", part.name)
        self._compactor.sweep()
        if self._level is Level.FLOOR:
            return False
        return await self._compactor.step(merge=self._level is Level.PLENTY)

    async def _shed(self) -> bool:
        """True where more may have to go."""
        level, before = self._space.level(), self._level
        if level is not before:
            self._level = level
            log.warning("disk: %s", self._space.reason() or "enough space is free again")
        if level is Level.PLENTY:
            self._space.lay_by()
            if before is not Level.PLENTY:
                await self._spare(False)
            return False
        if level is Level.FLOOR:
            self._space.give_up()
        if before is Level.PLENTY:
            await self._spare(True)
            return True
        self._compactor.sweep(now=True)
        if not self._settings.shed_history or self._space.level() is Level.PLENTY:
            return False
        oldest = await self._compactor.oldest()
        for part in oldest:
            log.warning("dropped %s: the disk is nearly full", part.name)
        await self._compactor.drop(oldest)
        return bool(oldest)
