"""Stage times. The main thread's own CPU time is what the budgets speak of: neighbours on the machine do not count."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.cli.serve import YOUNG


class Stopwatch:
    """Times by name, µs a message of `n`. cpu: of the thread that asks; wall: as it passed."""

    def __init__(self, n: int) -> None:
        self._n = n
        self.cpu: dict[str, list[float]] = defaultdict(list)
        self.wall: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        yield
        self.cpu[name].append((time.thread_time_ns() - cpu) / 1e3 / self._n)
        self.wall[name].append((time.perf_counter_ns() - wall) / 1e3 / self._n)

    def forget(self, laps: int) -> None:
        """Drop the first laps of every name: what is made on first use is no part of a stage."""
        for times in (self.cpu, self.wall):
            for name in times:
                del times[name][:laps]


@contextmanager
def collected_as_in_service() -> Iterator[None]:
    """The garbage collector as `citygate run` sets it."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
