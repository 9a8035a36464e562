"""The whole tick as it runs: the real pipeline, flat out, with everything but sockets. Overlap and pauses included."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Final

from gateway.cli.bench.bare import US, WARM, Size, bare
from gateway.cli.bench.carrier import Carriers
from gateway.cli.bench.figure import Figure, of
from gateway.cli.bench.stopwatch import collected_as_in_service

AHEAD: Final = 2  # ticks that wait while one runs; below the bound of pending readings


async def whole(size: Size) -> list[Figure]:
    """Every tick's readings, from the first read to the last acknowledgement."""
    town = size.town()
    n, count = len(town), AHEAD + WARM + size.ticks
    cpu, wall = [time.thread_time_ns()], [time.perf_counter_ns()]
    async with bare(town) as gateway:
        carriers = Carriers(gateway.app, gateway.app.core.inbox, town.carriers)
        ticks = [town.reads(tick) for tick in range(count)]
        with collected_as_in_service():
            for tick, reads in enumerate(ticks):
                gateway.clock.reach(town.time(tick))
                carriers.feed(reads)
                if tick >= AHEAD:
                    await carriers.tally.reach((tick - AHEAD + 1) * n)
                    cpu.append(time.thread_time_ns())
                    wall.append(time.perf_counter_ns())
            await carriers.tally.reach(count * n)
    return [
        of("in all, the running pipeline", US, _steps(cpu, n), 4.0),
        of("the same, as time passed", US, _steps(wall, n), note="its inverse is the rate without sockets"),
    ]


def _steps(moments: list[int], n: int) -> list[float]:
    """µs a message between successive moments (ns), without those of the warm-up."""
    return [(after - before) / 1e3 / n for before, after in pairwise(moments[WARM:])]
