"""A host whose time passes, and whose time of day is set, only when told."""

from __future__ import annotations

from drivers.telemetry import SECOND
from gateway.clock import Host

NOON = 1_790_000_000 * SECOND


class HandHost(Host):
    """true: µs UTC, what a right clock shows."""

    def __init__(self, wall: int = NOON, true: int | None = None) -> None:
        self.true = wall if true is None else true
        self._wall = wall * 1000
        self._since_boot = 77_000_000_000

    def wall(self) -> int:
        return self._wall

    def monotonic(self) -> int:
        return self._since_boot

    def run(self, span: int) -> None:
        """span: µs."""
        self.true += span
        self._wall += span * 1000
        self._since_boot += span * 1000

    def set(self, by: int) -> None:
        """Somebody sets the time of day ahead by `by` µs, or back."""
        self._wall += by * 1000

    def correct(self) -> None:
        """NTP does."""
        self._wall = self.true * 1000
