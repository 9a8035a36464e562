"""Commits tick after tick in a process of its own, and says each tick once its commit has returned."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

import numpy as np

from drivers.telemetry import Batch
from gateway.history.settings import HistorySettings
from rules.control import GatewayUp
from tests.gateway.history.readings import DUST, LOT, fresh, opened


def tick_of(tick: int) -> tuple[list[Batch], GatewayUp]:
    """What the tick commits; a function of its number, so that the other process can tell."""
    rng = np.random.default_rng(tick)
    batches = []
    for family in (DUST, LOT):
        batch = Batch.empty(family, int(rng.integers(1, 300)))
        batch.device[:] = rng.integers(0, 50, len(batch))
        batch.time[:] = tick * 1000 + np.arange(len(batch))
        batch.values[0], batch.quality[0] = rng.normal(size=len(batch)), 0
        batches.append(batch)
    return batches, GatewayUp(down=tick, up=tick + 1)


async def commit_on(folder: Path, last: int) -> None:
    settings = HistorySettings(memory_mb=128, checkpoint_seconds=0.05, checkpoint_kb=16)
    with opened(folder, settings) as history:
        for tick in count(history.last_tick() + 1):
            batches, up = tick_of(tick)
            await history.commit(tick, batches, [up], [fresh(batch) for batch in batches])
            sys.stdout.write(f"{tick}\n")
            sys.stdout.flush()
            if tick == last:
                return
            if history.checkpoint_due():
                await history.checkpoint()


if __name__ == "__main__":
    asyncio.run(commit_on(Path(sys.argv[1]), int(sys.argv[2])))
