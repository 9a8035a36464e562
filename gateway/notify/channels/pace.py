"""How many messages the other side still takes now: sliding windows over real time, and a rest when it says it was too much."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Window(NamedTuple):
    messages: int
    seconds: float


class Pace:
    """Counts from the end of an attempt, so that two are never closer at the other side than here."""

    def __init__(self, windows: Sequence[Window], now: Callable[[], float]) -> None:
        self._windows = windows
        self._now = now
        self._ended: deque[float] = deque(maxlen=max(window.messages for window in windows))
        self._rest = now()

    def free(self) -> int:
        """Messages that may go out at once."""
        now = self._now()
        if now < self._rest:
            return 0
        return min(
            window.messages - sum(1 for ended in self._ended if ended > now - window.seconds)
            for window in self._windows
        )

    def count(self) -> None:
        """One attempt is over, whatever came of it."""
        self._ended.append(self._now())

    def rest(self, seconds: float) -> None:
        """Nothing for so long."""
        self._rest = max(self._rest, self._now() + seconds)
