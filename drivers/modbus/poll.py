"""What a bus polls and what comes of it: targets, their rounds, the events of a master and its counters."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from drivers.modbus.plan import Read
    from drivers.modbus.station import Station

BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)  # seconds of jitter
_WEIGHT: Final = 0.2  # of the newest interval in the achieved period


class Pace:
    """How well a target's period is kept, in seconds. jitter: counts by BOUNDS, the last beyond all of them."""

    def __init__(self) -> None:
        self.rounds = 0
        self.achieved = 0.0
        self.jitter = [0] * (len(BOUNDS) + 1)
        self.jitter_sum = 0.0
        self._last = 0.0

    def begun(self, due: float, now: float, period: float) -> None:
        """A round that was due at `due` begins now. Jitter: how far its distance from the last one is off the period."""
        del due
        if self.rounds:
            interval = now - self._last
            off = abs(interval - period)
            self.jitter[bisect_left(BOUNDS, off)] += 1
            self.jitter_sum += off
            known = self.achieved or interval
            self.achieved = known + _WEIGHT * (interval - known)
        self.rounds += 1
        self._last = now


@dataclass(slots=True)
class Target:
    """One device of a bus. period: seconds."""

    device: str
    stations: tuple[Station, ...]
    period: float
    pace: Pace = field(default_factory=Pace)


class Polled(NamedTuple):
    """A round in which at least one module answered. stale: newest values of modules that did not."""

    place: int
    values: dict[str, float]
    stale: dict[str, float]
    faults: list[str]


class Unheard(NamedTuple):
    """A round in which no module answered."""

    place: int
    why: str


class Carried(NamedTuple):
    """What became of a command. result: accepted, applied or failed (the words of a reply)."""

    id: str
    place: int
    result: str
    error: str = ""
    values: dict[str, float] = {}  # noqa: RUF012 - never written to


@dataclass(slots=True)
class Counters:
    """Of one bus, since the start. overshoot: seconds by which a deadline was passed at most."""

    requests: int = 0
    answers: int = 0
    exceptions: int = 0
    timeouts: int = 0
    overshoot: float = 0.0


class Round:
    """One turn over the modules of a target."""

    __slots__ = ("answered", "failed", "faults", "jobs", "place", "target", "values", "why")

    def __init__(self, place: int, target: Target) -> None:
        self.place = place
        self.target = target
        self.jobs: deque[tuple[Station, Read, bool]] = deque()
        self.values: dict[str, float] = {}
        self.faults: list[str] = []
        self.answered: set[int] = set()
        self.failed: set[int] = set()
        self.why = "it is not asked while it fails"

    def fail(self, station: Station) -> None:
        """The rest of what was to be asked of it must wait for the next round."""
        self.jobs = deque(job for job in self.jobs if job[0] is not station)
        self.failed.add(station.unit)

    def result(self) -> Polled | Unheard:
        if not self.answered:
            return Unheard(self.place, self.why)
        stations = self.target.stations
        if len(stations) == 1 and not self.failed:
            stations[0].newest.update(self.values)
            return Polled(self.place, self.values, {}, self.faults)
        stale: dict[str, float] = {}
        for station in stations:
            if station.unit in self.answered:
                station.newest.update(
                    {name: value for name, value in self.values.items() if name in station.points}
                )
            if station.unit in self.failed or station.unit not in self.answered:
                stale |= {name: value for name, value in station.newest.items() if name not in self.values}
        return Polled(self.place, self.values, stale, self.faults)
