"""Brings connections up at a bounded rate and brings back those that broke, each after a growing pause."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.world.noise import Noise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.link import Link
    from simulators.pace import Pace

TOGETHER: Final = 256  # connections that are being made at one time
SHORTEST, LONGEST = 0.25, 20.0  # seconds of pause after the first failure and after many
BEAT: Final = 0.01


class Dialer:
    """`make(number)` gives the protocol of one attempt; `lost(number)` must be told when a connection ends."""

    def __init__(
        self,
        pace: Pace,
        server: tuple[str, int],
        rate: float,
        seed: int,
        make: Callable[[int], Link],
        *,
        addresses: Sequence[str] = (),
        together: int = TOGETHER,
    ) -> None:
        """server: host and port. rate: new connections a second. addresses: to come from, in turn; each has its own ports."""
        self._addresses = addresses
        self._together = together
        self._pace, self._server, self._rate, self._make = pace, server, rate, make
        self._noise = Noise(seed, "dial")
        self._due: list[tuple[float, int]] = []
        self._failures: dict[int, int] = {}
        self._held: set[int] = set()
        self._making = 0
        self.failed = 0

    def want(self, numbers: range | list[int]) -> None:
        """Connect these, in order, as soon as the rate allows."""
        now = self._pace.monotonic()
        for number in numbers:
            heapq.heappush(self._due, (now, number))

    def hold(self, number: int) -> None:
        """Do not bring this one back until it is released."""
        self._held.add(number)

    def holds(self, number: int) -> bool:
        return number in self._held

    def release(self, number: int) -> None:
        if number in self._held:
            self._held.remove(number)
            heapq.heappush(self._due, (self._pace.monotonic(), number))

    def arrived(self, number: int) -> None:
        """The connection of this one stands."""
        self._failures.pop(number, None)

    def lost(self, number: int) -> None:
        """The connection of this one ended."""
        if number in self._held:
            return
        tries = self._failures[number] = self._failures.get(number, 0) + 1
        pause = min(SHORTEST * 2 ** min(tries - 1, 16), LONGEST)
        jitter = float(self._noise.uniform(np.array([number]), tries)[0])
        heapq.heappush(self._due, (self._pace.monotonic() + pause * (0.5 + jitter), number))

    async def run(self) -> None:
        """Until cancelled."""
        credit, last = 1.0, self._pace.monotonic()
        async with asyncio.TaskGroup() as group:
            while True:
                now = self._pace.monotonic()
                credit = min(credit + (now - last) * self._rate, max(1.0, self._rate * 0.1))
                last = now
                while self._due and self._due[0][0] <= now and credit >= 1 and self._making < self._together:
                    _, number = heapq.heappop(self._due)
                    if number not in self._held:
                        credit -= 1
                        self._making += 1
                        group.create_task(self._connect(number), name=f"connect {number}")
                await self._pace.sleep(BEAT)

    async def _connect(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            here = (self._addresses[number % len(self._addresses)], 0) if self._addresses else None
            await loop.create_connection(lambda: self._make(number), *self._server, local_addr=here)
        except OSError:
            self.failed += 1
            self.lost(number)
        finally:
            self._making -= 1
