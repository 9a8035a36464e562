"""Log-ins that have gone to the provider and not come back: bound to one browser, each for once and for a while."""

from __future__ import annotations

import secrets
from typing import Final

from drivers.telemetry import MINUTE
from gateway.api.provider import Journey
from gateway.clock import Clock
from gateway.registry import secret

PATIENCE: Final = 10 * MINUTE  # µs for a log-in there
UNDER_WAY: Final = 1_000  # beyond: the oldest is forgotten


class Journeys:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, tuple[int, Journey]] = {}

    def begin(self, journey: Journey) -> str:
        """The word for the browser's cookie."""
        word = secret.generate()
        while len(self._known) >= UNDER_WAY:
            del self._known[next(iter(self._known))]
        self._known[secret.digest(word)] = self._clock.now(), journey
        return word

    def end(self, word: str, state: str) -> Journey | None:
        """Each comes back once."""
        begun, journey = self._known.pop(secret.digest(word.encode("utf-8", "replace")), (0, None))
        if journey is None or self._clock.now() - begun > PATIENCE:
            return None
        return journey if secrets.compare_digest(journey.state.encode(), state.encode()) else None
