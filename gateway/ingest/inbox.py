"""Where every transport hands over what it received, and learns what became of it (laws 1, 4 and 5).

A frame put here is settled exactly once, after the tick that took it is durable, in the order of arrival a source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from msgspec import Struct

from drivers.refusal import Reason, Refusal


class Origin(Protocol):
    """A connection or request that waits for its frames to be settled."""

    @property
    def address(self) -> str:
        """For the quarantine: who spoke ("mqtt:LP-0001@127.0.0.1:51515")."""

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """These frames are done, in this order. `refused` says of which, by token, nothing or (`whole` False) not all was used."""


class Lane(Struct, frozen=True, eq=False):
    """What decodes a frame: a product and a channel of it. One object for each pair; compare by identity."""

    product: str
    family: str
    channel: str  # telemetry | event | status | reply


class Frame(Struct, gc=False):
    """One payload as it arrived. device: dense index in the lane's family. received: µs UTC.

    token names the frame to its origin; 0 = nothing to acknowledge. `verdict` is set where the transport itself
    refused it (foreign topic, oversize …); lane is None then and payload is what to keep in the quarantine.
    who: the id it came under, where no device has that id.
    """

    lane: Lane | None
    device: int
    payload: bytes
    received: int
    origin: Origin
    token: int
    topic: str = ""
    verdict: Reason | None = None
    detail: str = ""
    who: str = ""


class Inbox:
    """Bounded queue of frames in order of arrival.

    Transports append to `frames` and call `arrived()` once a read. When `full()` they stop reading their sockets; the
    inbox calls every `resume` once it has drained below half of the bound.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.frames: list[Frame] = []
        self.paused = False
        self._ready = asyncio.Event()
        self._gates: list[tuple[Callable[[], None], Callable[[], None]]] = []

    def gate(self, pause: Callable[[], None], resume: Callable[[], None]) -> Callable[[], None]:
        """A transport's way to stop and restart all its sockets; what it gives takes that away."""
        gate = pause, resume
        self._gates.append(gate)

        def remove() -> None:
            if gate in self._gates:
                self._gates.remove(gate)

        return remove

    @contextmanager
    def still(self) -> Iterator[None]:
        """Meanwhile no transport reads, so that none of its timers runs: city time leaps in here."""
        gates = [] if self.paused else self._gates
        for pause, _ in gates:
            pause()
        yield
        for _, resume in gates:
            resume()

    def arrived(self) -> None:
        """Wake the pipeline; at the bound, pause every transport (law 5)."""
        self._ready.set()
        if not self.paused and len(self.frames) >= self.bound:
            self.paused = True
            for pause, _ in self._gates:
                pause()

    async def wait(self) -> None:
        await self._ready.wait()

    def take(self, limit: int) -> list[Frame]:
        """The oldest frames, at most `limit`."""
        if len(self.frames) <= limit:
            taken, self.frames = self.frames, []
            self._ready.clear()
        else:
            taken = self.frames[:limit]
            del self.frames[:limit]
        if self.paused and len(self.frames) <= self.bound // 2:
            self.paused = False
            for _, resume in self._gates:
                resume()
        return taken
