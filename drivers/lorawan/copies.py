"""A frame that comes again by another way: same device, counter, port and bytes within minutes.

A network server drops most copies itself; one that arrives after its window has a time of its own. It gets the time of
the first, and history then knows it as the same reading. Bounded: beyond, the oldest frame is forgotten (law 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.telemetry import MINUTE

if TYPE_CHECKING:
    from drivers.codec import Mark

FRAMES: Final = 65_536
WINDOW: Final = (
    5 * MINUTE
)  # longer than any server waits for copies, shorter than a counter needs to come round


class Copies:
    def __init__(self, bound: int = FRAMES) -> None:
        self._bound = bound
        self._seen: dict[tuple[int, int], tuple[bytes, int]] = {}  # device and counter -> bytes, time

    def __len__(self) -> int:
        return len(self._seen)

    def time(self, device: int, mark: Mark, time: int) -> int:
        """The time of the first of these copies; µs UTC."""
        key = device, mark.counter
        known = self._seen.get(key)
        if known is not None and known[0] == mark.frame and abs(time - known[1]) <= WINDOW:
            return known[1]
        self._seen.pop(key, None)  # written again it is the newest
        self._seen[key] = mark.frame, time
        if len(self._seen) > self._bound:
            del self._seen[next(iter(self._seen))]
        return time
