"""The only place that reads a clock. City time may run faster than real time (demo); sockets and ticks may not."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

SECOND = 1_000_000


class Clock(Protocol):
    """City time judges telemetry and deadlines; real time paces sockets, ticks and time-outs."""

    @property
    def speed(self) -> float: ...

    def now(self) -> int:
        """City time, µs UTC; never goes back."""

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Real seconds."""


class CityClock:
    """City time that starts at `start` (µs UTC; default: the real time) and runs `speed` times as fast as real time.

    Steps of the host's clock do not reach it: after the start only the monotonic clock is read.
    """

    def __init__(self, start: int | None = None, speed: float = 1.0) -> None:
        self._zero = time.monotonic_ns()
        self._start = time.time_ns() // 1000 if start is None else start
        self._speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    def __str__(self) -> str:
        """The whole clock in a word, for another process of this host: monotonic ns, city µs and speed at the start."""
        return f"{self._zero}:{self._start}:{self._speed!r}"

    def now(self) -> int:
        elapsed = (time.monotonic_ns() - self._zero) // 1000
        return self._start + (elapsed if self._speed == 1.0 else int(elapsed * self._speed))

    def not_before(self, moment: int) -> None:
        """City time goes on from `moment` (µs UTC) where the host's clock says less: history is never overtaken."""
        self._start += max(0, moment - self.now())

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
