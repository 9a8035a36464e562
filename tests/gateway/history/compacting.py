"""Commits and compacts in a process of its own; exits hard at a named point, or goes on until it is killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from drivers.telemetry import DAY, Family
from gateway.clock import CityClock
from gateway.history.compaction import Compactor
from gateway.history.duck import Moved
from gateway.history.manifest import Part
from gateway.history.settings import HistorySettings
from tests.gateway.history.committer import tick_of
from tests.gateway.history.readings import fresh, opened

OPTIONS = HistorySettings(memory_mb=128, part_rows=400, checkpoint_seconds=0.05, checkpoint_kb=16)
POINTS = ("half a file", "file written", "part not listed", "part listed", "files swept", "merge begun", "")


class Victim(Compactor):
    point = ""

    def _write(self, rows: str, family: Family, day: int, *, settled: bool, group: int) -> Part | None:
        if settled:
            self._at("merge begun")
        part = super()._write(rows, family, day, settled=settled, group=group)
        if part is not None and self.point == "half a file":
            path = self._history.shelf.path(part)
            path.write_bytes(path.read_bytes()[: part.bytes // 2])
            os._exit(1)
        self._at("file written")
        return part

    async def _relist(self, new: Sequence[Part], old: Sequence[Part], moved: Moved | None = None) -> None:
        self._at("part not listed")
        await super()._relist(new, old, moved)
        self._at("part listed")

    def sweep(self, *, now: bool = False) -> None:
        super().sweep(now=now)
        self._at("files swept")

    def _at(self, point: str) -> None:
        if self.point == point:
            os._exit(1)


async def compact_on(folder: Path, point: str) -> None:
    with opened(folder, OPTIONS) as history:
        compactor = Victim(history, OPTIONS, CityClock(3 * DAY), history.last_tick)
        for tick in range(history.last_tick() + 1, 10_000):
            compactor.point = point if tick % 20 > 10 else ""
            batches, up = tick_of(tick)
            await history.commit(tick, batches, [up], [fresh(batch) for batch in batches])
            sys.stdout.write(f"{tick}\n")
            sys.stdout.flush()
            await (compactor.run() if tick % 7 == 0 else compactor.step())
            compactor.sweep(now=True)
            if history.checkpoint_due():
                await history.checkpoint()


if __name__ == "__main__":
    asyncio.run(compact_on(Path(sys.argv[1]), sys.argv[2]))
