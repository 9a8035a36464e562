"""The outside world's clock, and the only place in the simulators that reads one.

City time may run faster than real time; two processes of one host share it by handing over its text.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Self

SECOND: Final = 1_000_000


class Pace:
    """City time that was `start` (µs UTC) when the host's monotonic clock stood at `zero` (ns)."""

    def __init__(self, start: int, speed: float = 1.0, zero: int | None = None) -> None:
        if not speed > 0:
            raise ValueError(f"a pace is above 0, not {speed}")
        self.start = start
        self.speed = speed
        self.zero = time.monotonic_ns() if zero is None else zero

    @classmethod
    def real(cls) -> Self:
        """City time is the host's time."""
        return cls(time.time_ns() // 1000)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of str(): "monotonic_ns:city_us:speed"."""
        parts = text.split(":")
        if len(parts) != 3:
            raise ValueError(f"a pace is written monotonic_ns:city_us:speed, not {text!r}")
        return cls(int(parts[1]), float(parts[2]), int(parts[0]))

    def __str__(self) -> str:
        return f"{self.zero}:{self.start}:{self.speed!r}"

    def now(self) -> int:
        """City time, µs UTC; never goes back."""
        elapsed = (time.monotonic_ns() - self.zero) // 1000
        return self.start + (elapsed if self.speed == 1.0 else int(elapsed * self.speed))

    def nanoseconds(self) -> int:
        """Real nanoseconds from an arbitrary start: for latencies."""
        return time.monotonic_ns()

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start: for time-outs."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Real seconds."""
        await asyncio.sleep(seconds)
