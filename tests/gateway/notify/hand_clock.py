from __future__ import annotations

import asyncio
from typing import Final

from drivers.telemetry import SECOND

START: Final = 1_741_000_000 * SECOND


class HandClock:
    """City and real time move only when told, and when someone sleeps."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.time = START
        self.slept: list[float] = []

    def now(self) -> int:
        return self.time

    def not_before(self, moment: int) -> None:
        self.time = max(self.time, moment)

    def monotonic(self) -> float:
        return (self.time - START) / SECOND / self.speed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += round(seconds * SECOND * self.speed)
        await asyncio.sleep(0)  # noqa: TID251 - lets the others run
