"""What a channel is: it takes one message, or says with a LinkError why it did not."""

from __future__ import annotations

from typing import Protocol

from gateway.errors import LinkError
from gateway.notify.outbox import Delivery


class UndeliverableError(LinkError):
    """The other side will never take this message as it is: give it up, where a person sees it."""


class Channel(Protocol):
    async def deliver(self, delivery: Delivery) -> None:
        """Returns once the other side has taken it; raises LinkError where it has not, or may not have."""

    async def close(self) -> None: ...
