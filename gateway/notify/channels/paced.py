"""A channel that people read: asked at a pace, and where the pace leaves no room, many messages come in one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from gateway.notify.channels.pace import Pace
from gateway.notify.outbox import Delivery
from gateway.notify.text import Digest, Writer


class PacedChannel(ABC):
    """The flow asks `pace` before it sends; every `send` counts itself there."""

    def __init__(self, writer: Writer, pace: Pace) -> None:
        self._writer = writer
        self._widest: int | None = None  # subjects in a digest, while one of them is refused
        self.pace = pace

    @abstractmethod
    async def send(self, text: str) -> None:
        """Returns once the other side has taken it; raises LinkError."""

    @abstractmethod
    async def close(self) -> None: ...

    async def deliver(self, delivery: Delivery) -> None:
        await self.send(self._writer.one(delivery))

    def compose(self, newest: Sequence[Delivery]) -> Digest:
        """One text for as many of these as it has room for."""
        return self._writer.together(newest[: self._widest])

    def narrow(self, refused: int) -> bool:
        """A digest of so many subjects was refused: half as many next time. False: it was but one."""
        self._widest = max(1, refused // 2)
        return refused > 1

    def widen(self) -> None:
        """It took one."""
        self._widest = None
