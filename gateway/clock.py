"""The only place that reads a clock. City time may run faster than real time (demo); sockets and ticks may not.

City time never goes back and never jumps unsaid: it is on its way to the host's time at a bounded rate, or, where the host
was set far ahead, waits for `leap`, which the pipeline says to the log.
"""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

SECOND = 1_000_000
DAY: Final = 86_400 * SECOND

RATE: Final = 8  # city time gains or loses at most an eighth: keepalives and intervals bear that, and so do their owners
LEAST: Final = 10_000  # µs that are not worth a correction
LEAP: Final = 60 * SECOND  # behind by more, right device clocks would look wrong: city time leaps
BACK: Final = DAY  # a host further behind what is recorded has lost its clock, and is not believed
AHEAD: Final = 400 * DAY  # nor is one further ahead of what is recorded
EPOCH: Final = 1_767_225_600 * SECOND  # 2026-01-01: no earlier time is believed
UNSET: Final = 90 * DAY  # what is recorded so soon after EPOCH is by a host that never knew the time


class Clock(Protocol):
    """City time judges telemetry and deadlines; real time paces sockets, ticks and time-outs."""

    @property
    def speed(self) -> float: ...

    def now(self) -> int:
        """City time, µs UTC; never goes back."""

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Real seconds."""


class Host:
    """The host's clocks, in ns."""

    def wall(self) -> int:
        """UTC; may be set at any time, forward or back."""
        return time.time_ns()

    def monotonic(self) -> int:
        return time.monotonic_ns()


class Verdict(StrEnum):
    """How city time stands to the host's clock."""

    TOGETHER = "together"
    SLOWING = "slowing"  # city time is ahead and lets the host catch up
    HURRYING = "hurrying"  # city time is behind and catches up
    BEHIND = "behind"  # by so much that it will leap
    DISBELIEVED = "disbelieved"


class Step(NamedTuple):
    """City time went from `before` to `after` in no time (µs UTC)."""

    before: int
    after: int


class CityClock:
    """City time that starts at the host's time and follows it; or at `start` (µs UTC), or `speed` times as fast: then it does not.

    Between two calls of `follow` only the monotonic clock is read. believed: µs that the host may be ahead of the log.
    """

    def __init__(
        self, start: int | None = None, speed: float = 1.0, host: Host | None = None, believed: int = AHEAD
    ) -> None:
        self._host = host or Host()
        self._believed = believed
        self._follows = start is None and speed == 1.0
        self._zero = self._host.monotonic()
        self._start = self._host.wall() // 1000 if start is None else start
        self._speed = speed
        self._debt = 0  # what city time has to gain, or to lose where it is below 0
        self._recorded = False  # the log has times that were right
        self.gap = 0  # the host's clock less city time, when it was last looked at
        self.skew = (
            self._skewed()
        )  # the host's time of day less its monotonic clock, then: it moves when it is set
        self.verdict = Verdict.TOGETHER
        if self._follows and self._start < EPOCH:
            self._start = EPOCH

    @property
    def speed(self) -> float:
        return self._speed

    def __str__(self) -> str:
        """The whole clock in a word, for another process of this host: monotonic ns, city µs and speed at the start."""
        return f"{self._zero}:{self._start}:{self._speed!r}"

    def now(self) -> int:
        elapsed = (self._host.monotonic() - self._zero) // 1000
        if self._debt:
            paid = min(abs(self._debt), elapsed // RATE)
            elapsed += paid if self._debt > 0 else -paid
        return self._start + (elapsed if self._speed == 1.0 else int(elapsed * self._speed))

    def not_before(self, moment: int) -> None:
        """City time goes on from `moment` (µs UTC), the newest that is recorded, where the host says less.

        Nor does it begin so far ahead of it that the host is not believed.
        """
        self._recorded = moment > EPOCH + UNSET
        excess = self.now() - moment
        if excess < 0 or (self._follows and self._recorded and excess > self._believed):
            self._start -= excess

    def follow(self) -> Verdict:
        """Look at the host's clock, and be on the way to it from now on. Called many times a second."""
        if not self._follows:
            return self.verdict
        now = self.now()
        self.skew = self._skewed()
        self.gap = self._host.wall() // 1000 - now
        self.verdict = self._judge(now + self.gap)
        under_way = self.verdict in {Verdict.SLOWING, Verdict.HURRYING}
        if under_way or self._debt:
            self._zero, self._start = self._host.monotonic(), now
            self._debt = self.gap if under_way else 0
        return self.verdict

    def _skewed(self) -> int:
        return (self._host.wall() - self._host.monotonic()) // 1000

    def _judge(self, wall: int) -> Verdict:
        if wall < EPOCH or self.gap < -BACK or (self._recorded and self.gap > self._believed):
            return Verdict.DISBELIEVED
        if self.gap > LEAP:
            return Verdict.BEHIND
        if abs(self.gap) < LEAST:
            return Verdict.TOGETHER
        return Verdict.HURRYING if self.gap > 0 else Verdict.SLOWING

    def leap(self) -> Step:
        """Be where the host is. Who calls sees to it that timers stand still over the step."""
        before = self.now()
        self._start += max(0, self.gap)
        self._recorded = True
        return Step(before, self.now())

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
