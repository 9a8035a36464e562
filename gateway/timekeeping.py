"""City time follows the host's clock, and nothing is raised or missed because the host's clock was set.

Small differences are made up at a bounded rate. Where the host was set far ahead, city time leaps: sockets stand still over
it, and a control row tells rules to carry over what runs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.clock import RATE, SECOND, CityClock, Verdict
from gateway.ingest.inbox import Frame, Inbox
from rules.control import (
    Calendar,
    Clock,
    ClockStep,
    Control,
    Devices,
    GatewayUp,
    LinkDown,
    LinkUp,
    Moment,
    Parameter,
    Rules,
)

log = logging.getLogger(__name__)

FORWARD: Final = "forward"
BACK: Final = "back"


class Timekeeper(Collector):
    """Looks once a tick. steps: by direction, of the host's clock since the start."""

    def __init__(self, clock: CityClock, inbox: Inbox) -> None:
        self._clock = clock
        self._inbox = inbox
        self._skew = clock.skew
        self._said = Verdict.TOGETHER
        self.steps: Counter[str] = Counter()
        self.leaps = 0

    def look(self) -> list[ClockStep]:
        """What the log must hear before anything that is received from now on."""
        clock = self._clock
        verdict = clock.follow()
        self._notice(clock.skew - self._skew)
        self._skew = clock.skew
        if verdict is not self._said:
            self._said = verdict
            if (trouble := self.trouble()) is not None:
                log.warning("clock: %s", trouble)
        if verdict is not Verdict.BEHIND:
            return []
        with self._inbox.still():
            step = clock.leap()
        self.leaps += 1
        log.warning(
            "clock: city time leapt %.1f s to the host's; timers, holds and windows are carried over it",
            (step.after - step.before) / SECOND,
        )
        return [ClockStep(step.before, step.after)]

    def _notice(self, moved: int) -> None:
        if abs(moved) >= SECOND:
            direction = FORWARD if moved > 0 else BACK
            self.steps[direction] += 1
            log.warning("clock: the host's clock was set %s by %.1f s", direction, abs(moved) / SECOND)

    def trouble(self) -> str | None:
        """Why city time is not the host's; None where it is, or nearly."""
        gap = abs(self._clock.gap) / SECOND
        match self._clock.verdict:
            case Verdict.SLOWING if gap >= 1:
                return f"the host's clock is {gap:.0f} s behind; city time waits for it, slower by 1/{RATE}"
            case Verdict.HURRYING if gap >= 1:
                return f"the host's clock is {gap:.0f} s ahead; city time makes up for it, faster by 1/{RATE}"
            case Verdict.DISBELIEVED:
                where = "ahead of" if self._clock.gap > 0 else "behind"
                return f"the host's clock is {gap / 86_400:.1f} days {where} what is recorded, and is not believed"
            case _:
                return None

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "citygate_host_clock_ahead_seconds", "The host's clock less city time", self._clock.gap / SECOND
        )
        steps = CounterMetricFamily(
            "citygate_host_clock_steps",
            "Times the host's clock was set by a second or more",
            labels=["direction"],
        )
        for direction in (FORWARD, BACK):
            steps.add_metric([direction], self.steps[direction])
        yield steps
        yield CounterMetricFamily(
            "citygate_city_time_leaps",
            "Times city time leapt to a host's clock that was set far ahead",
            self.leaps,
        )


def ended(controls: Sequence[Control], frames: Sequence[Frame], now: int) -> list[Moment]:
    """What must be said before these controls of a tick take effect, so that a replay, which has no sweeps, says it too.

    No time that one of them or a frame of the tick names lies before it.
    """
    if not any(isinstance(control, Devices | Rules | Parameter | Calendar | Clock) for control in controls):
        return []
    named = [_named(control) for control in controls]
    return [Moment(min([now, *(frame.received for frame in frames[:1]), *(time for time in named if time)]))]


def _named(control: Control) -> int:
    """When it begins; 0 for what begins with its tick."""
    match control:
        case LinkDown(time=time) | LinkUp(time=time):
            return time
        case GatewayUp(down=down):
            return down
        case ClockStep(before=before):
            return before
        case _:
            return 0
