"""A pushed request as the origin of frames: it is answered once all of them are durable or refused (law 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from drivers.refusal import Refusal


class Push:
    """Frames of one request, by token 1 to `count`. `done` resolves with the refusals among them."""

    def __init__(self, address: str, count: int) -> None:
        self.address = address
        self.done: asyncio.Future[dict[int, Refusal]] = asyncio.get_running_loop().create_future()
        self._open = count
        self._refused: dict[int, Refusal] = {}

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """Ticks may take a request in parts; the last part answers it, unless the client has gone."""
        self._open -= len(tokens)
        self._refused.update(refused)
        if self._open <= 0 and not self.done.done():
            self.done.set_result(self._refused)
