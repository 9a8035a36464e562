"""Leaky buckets: a rate that may be exceeded by a burst. Times are integers of any unit; memory is bounded (law 5)."""

from __future__ import annotations

from typing import Final

BOUND: Final = 65_536  # keys remembered
LONGEST_KEY: Final = 65  # characters of a stranger's text that are kept


class Pace:
    """Two buckets of one speaker: packets and bytes. `due` is when all that was spent will have been paid for."""

    __slots__ = ("_burst", "_byte", "_bytes_due", "_packet", "_packets_due")

    def __init__(self, packets: float, size: float, burst: float, second: float) -> None:
        """packets, size: a second. burst: seconds of them that may come at once. second: in units of time."""
        self._packet = second / packets
        self._byte = second / size
        self._burst = burst * second
        self._packets_due = self._bytes_due = 0.0

    def spend(self, packets: int, size: int, now: int) -> int:
        """How long to take no more from this speaker; 0 while it is within its burst."""
        at = float(now)  # an int of this length is slow to compare with a float
        packets_due, bytes_due = self._packets_due, self._bytes_due
        self._packets_due = packets_due = (max(at, packets_due)) + packets * self._packet
        self._bytes_due = bytes_due = (max(at, bytes_due)) + size * self._byte
        free = at + self._burst
        if packets_due <= free and bytes_due <= free:
            return 0
        return int(max(packets_due, bytes_due) - free) + 1

    def price(self, packets: int) -> int:
        """The time that so many packets are worth."""
        return int(packets * self._packet)

    def idle(self, now: int) -> bool:
        """All is paid for: a new one would be the same."""
        return max(self._packets_due, self._bytes_due) <= now


class Buckets:
    """One bucket a key. Beyond the bound the keys that were used least recently are forgotten."""

    def __init__(self, number: float, period: int, bound: int = BOUND, *, longest: int | None = None) -> None:
        """number: what may come at once, and again in each period. longest: how far over that counts at most."""
        self._longest = period if longest is None else longest
        self._cost = period / number
        self._period = period
        self._bound = bound
        self._due: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def room(self, key: str, now: int) -> bool:
        """Whether one more is within the bounds."""
        return self._due.get(key[:LONGEST_KEY], 0.0) + self._cost - self._period <= now

    def take(self, key: str, now: int) -> int:
        """Counts one; how far over the bounds that is, as time."""
        key = key[:LONGEST_KEY]
        most = float(now + self._period + self._longest)
        due = min(max(self._due.pop(key, 0.0), float(now)) + self._cost, most)
        if len(self._due) >= self._bound:
            self._forget(now)
        self._due[key] = due
        return max(0, int(due - now - self._period))

    def give_back(self, key: str) -> None:
        """One that was counted did not count."""
        key = key[:LONGEST_KEY]
        if key in self._due:
            self._due[key] -= self._cost

    def _forget(self, now: int) -> None:
        self._due = {key: due for key, due in self._due.items() if due > now}
        for key in list(self._due)[: max(0, len(self._due) - self._bound // 2)]:
            del self._due[key]
