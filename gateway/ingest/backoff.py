"""How long to wait before the next attempt: full jitter, so that what failed together does not come back together."""

from __future__ import annotations

from random import Random
from typing import Final

FIRST: Final = 1.0  # seconds


class Backoff:
    """Pauses drawn between nothing and a bound that doubles from 1 s to `cap` seconds."""

    def __init__(self, cap: float, random: Random) -> None:
        self.bound = FIRST
        self._cap = cap
        self._random = random

    def pause(self) -> float:
        """Seconds to wait now; the bound of the next pause is twice this one's."""
        bound = self.bound
        self.bound = min(self._cap, bound * 2)
        return self._random.uniform(0, bound)

    def reset(self) -> None:
        """All is well again."""
        self.bound = FIRST

    def exhaust(self) -> None:
        """What failed will not mend by itself soon."""
        self.bound = self._cap
