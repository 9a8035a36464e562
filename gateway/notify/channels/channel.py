"""What a channel is: it takes one message, or says with a LinkError why it did not."""

from __future__ import annotations

from typing import Protocol

from gateway.notify.outbox import Delivery


class Channel(Protocol):
    async def deliver(self, delivery: Delivery) -> None:
        """Returns once the other side has taken it; raises LinkError where it has not, or may not have."""

    async def close(self) -> None: ...
