"""The master of one bus, without I/O and without a clock: at most one request is outstanding, each has a deadline.

Commands go before polls. What slaves that fail cost the others is limited to a share of the bus (`Limits.share`).
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.modbus.command import TRIES, Task
from drivers.modbus.poll import Carried, Counters, Polled, Round, Target, Unheard
from drivers.modbus.wire import EXCEPTIONS, Answer, Framing, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.modbus.plan import Read
    from drivers.modbus.station import Station

UNREADABLE: Final = frozenset((2, 3))  # exceptions that say: not these registers, or not so many
SAVED: Final = 2  # time-outs that a bus may spend at once when nothing has failed for long

Event = Polled | Unheard | Carried


class Limits(NamedTuple):
    """Seconds. share: of the bus's time, what failed requests may take while another slave is well."""

    timeout: float = 1.0
    pause: float = 0.0  # between an answer and the next request
    share: float = 0.02


class _Out(NamedTuple):
    """The outstanding request."""

    request: Request
    station: Station
    sent: float
    read: Read | None = None
    probe: bool = False
    task: Task | None = None


class Master:
    """`send`, `receive` and `expire` are called with the time (monotonic seconds); `events` is emptied by the caller."""

    def __init__(
        self, framing: Framing, targets: Sequence[Target], limits: Limits, now: float, phase: float = 0.0
    ) -> None:
        """phase: 0 to 1, where in its period each target begins."""
        self.targets = tuple(targets)
        self.counters = Counters()
        self.events: list[Event] = []
        self._framing = framing
        self._limits = limits
        self._stations = {station.unit: station for target in targets for station in target.stations}
        self._tasks: deque[Task] = deque()
        self._round: Round | None = None
        self._out: _Out | None = None
        self._free = now  # nothing is sent before
        self._purse = self._full = SAVED * limits.timeout  # seconds that failing slaves may still cost
        self._counted = now
        count = max(len(self.targets), 1)
        self._due = [
            (now + target.period * (phase + place / count) % target.period, place)
            for place, target in enumerate(self.targets)
        ]
        heapify(self._due)

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._out is not None

    @property
    def deadline(self) -> float | None:
        return None if self._out is None else self._out.sent + self._limits.timeout

    def wake(self) -> float | None:
        """When `expire` or `send` has something to do, if nothing arrives before; None: never."""
        if self._out is not None:
            return self._out.sent + self._limits.timeout
        if self._tasks or self._round is not None:
            return self._free
        return max(self._free, self._due[0][0]) if self._due else None

    def command(self, task: Task) -> None:
        self._tasks.append(task)

    def halt(self) -> None:
        """No command that was not written yet is written, or written again."""
        under_way = self._out.task if self._out is not None else None
        for task in (*self._tasks, *([under_way] if under_way else [])):
            if not task.written:
                task.expires, task.tries = float("-inf"), TRIES

    def connected(self, now: float) -> None:
        """The line is new: everybody is asked again."""
        self._framing.clear()
        self._free = now
        self._purse, self._counted = self._full, now
        for station in self._stations.values():
            station.revive()

    def lost(self) -> None:
        """The line is gone: that is no slave's fault."""
        if self._out is not None and self._out.task is not None:
            self._tasks.appendleft(self._out.task)
        if self._out is not None and not self._framing.ids:
            self._out.station.owed[self._out.request] = self._out.sent
        self._out = self._round = None

    def send(self, now: float) -> bytes | None:
        """The next request, if it is time for one."""
        if self._out is not None or now < self._free:
            return None
        out = self._next_task(now) or self._next_read(now)
        if out is None:
            return None
        self._out = out
        self.counters.requests += 1
        return self._framing.frame(out.request)

    def receive(self, data: bytes, now: float) -> None:
        """Raises Desync where the line must be opened anew."""
        out = self._out
        owed = [] if self._framing.ids else [one for s in self._stations.values() if s.owed for one in s.owed]
        answer, late = self._framing.take(data, None if out is None else out.request, owed)
        for one in late:
            self._stations[one.unit].owed.pop(one, None)
        if out is None or answer is None:
            return
        self._out = None
        self._free = now + self._limits.pause
        self.counters.answers += 1
        if answer.exception:
            self._refused(out, answer.exception, now)
        elif out.task is not None:
            self._done(out, out.task, answer)
        else:
            self._read(out, answer)

    def expire(self, now: float) -> None:
        """Give up the outstanding request once its deadline has passed."""
        out = self._out
        if out is None or now < out.sent + self._limits.timeout:
            return
        self._out = None
        self._free = now
        self.counters.timeouts += 1
        self.counters.overshoot = max(self.counters.overshoot, now - out.sent - self._limits.timeout)
        if not self._framing.ids:
            out.station.owed[out.request] = now
        self._failed(out, now, f"no answer within {self._limits.timeout:g} s")

    def _next_task(self, now: float) -> _Out | None:
        while self._tasks:
            task = self._tasks.popleft()
            station = self._stations[task.unit]
            if task.expires <= now:
                self.events.append(Carried(task.id, task.place, "failed", "expired before it could be sent"))
            elif task.back is not None and task.written:
                return _Out(station.request(task.back), station, now, task.back, task=task)
            else:
                return _Out(task.request, station, now, task=task)
        return None

    def _next_read(self, now: float) -> _Out | None:
        while True:
            if self._round is None and not self._begin(now):
                return None
            round_ = self._round
            assert round_ is not None
            while round_.jobs:
                station, read, probe = round_.jobs.popleft()
                request = station.request(read)
                if self._framing.ids or station.unmistakable(request, now):
                    return _Out(request, station, now, read, probe)
                round_.fail(station)
            self._finish(round_)

    def _begin(self, now: float) -> bool:
        """Start the round of the target that has been due the longest; False where none is due."""
        for _ in range(len(self._due)):
            due, place = self._due[0]
            if due > now:
                return False
            target = self.targets[place]
            following = due + target.period
            heapreplace(self._due, (max(now, following), place))
            self._round = round_ = Round(place, target)
            for station in target.stations:
                if self._may_ask(station, now):
                    round_.jobs.extend((station, *one) for one in station.sequence(now))
            if round_.jobs:
                target.pace.begun(due, now, target.period)
                return True
            self._round = None
            self._skip(now, place)
        return False

    def _skip(self, now: float, place: int) -> None:
        """A target that nobody may ask now is looked at again after its period, and not before one of its slaves may be."""
        target = self.targets[place]
        trial = min((station.trial_at for station in target.stations), default=now)
        self._due = [one for one in self._due if one[1] != place]
        self._due.append((max(now + target.period, trial), place))
        heapify(self._due)

    def _may_ask(self, station: Station, now: float) -> bool:
        if station.healthy:
            return True
        if now < station.trial_at:
            return False
        self._purse = min(self._full, self._purse + self._limits.share * (now - self._counted))
        self._counted = now
        return self._purse >= 0 or not any(one.healthy for one in self._stations.values())

    def _read(self, out: _Out, answer: Answer) -> None:
        out.station.answered()
        round_ = self._round
        if round_ is None or out.read is None or out.probe:
            return
        round_.values |= out.station.reader.values(out.read, answer.data, round_.faults)
        round_.answered.add(out.station.unit)
        if not round_.jobs:
            self._finish(round_)

    def _refused(self, out: _Out, code: int, now: float) -> None:
        """An exception: it is an answer, so the slave is there; only that the read is none of its own mends by itself."""
        self.counters.exceptions += 1
        round_ = self._round
        plain = out.read is not None and out.task is None and not out.probe and not out.station.owed
        if plain and round_ is not None and out.read is not None and code in UNREADABLE:
            instead = out.station.refused(out.read)
            if instead is not None:
                round_.jobs.extendleft((out.station, read, False) for read in reversed(instead))
                if not round_.jobs:
                    self._finish(round_)
                return
        self._failed(out, now, f"exception {code}, {EXCEPTIONS.get(code, 'of its own')}")

    def _failed(self, out: _Out, now: float, why: str) -> None:
        out.station.failed(now)
        self._purse -= now - out.sent
        if out.task is not None:
            self._not_done(out.task, why)
            return
        if self._round is not None:
            self._round.fail(out.station)
            self._round.why = why
            if not self._round.jobs:
                self._finish(self._round)

    def _finish(self, round_: Round) -> None:
        self._round = None
        self.events.append(round_.result())

    def _done(self, out: _Out, task: Task, answer: Answer) -> None:
        out.station.answered()
        if not task.written:
            task.written = True
            if task.back is None:
                self.events.append(Carried(task.id, task.place, "accepted"))
            elif self._framing.ids or out.station.unmistakable(out.station.request(task.back), out.sent):
                self._tasks.appendleft(task)
            else:
                self.events.append(Carried(task.id, task.place, "accepted"))
            return
        assert task.back is not None
        values = out.station.reader.values(task.back, answer.data, [])
        read = values.get(task.point)
        if read is not None and task.agrees(read):
            self.events.append(Carried(task.id, task.place, "applied", values={task.point: read}))
        else:
            said = f"reads back {'nothing' if read is None else f'{read:g}'}, not {task.value:g}"
            self.events.append(
                Carried(
                    task.id, task.place, "failed", said, values={task.point: read} if read is not None else {}
                )
            )

    def _not_done(self, task: Task, why: str) -> None:
        task.tries += 1
        if task.tries < TRIES:
            self._tasks.append(task)
        elif task.written:
            self.events.append(Carried(task.id, task.place, "accepted", f"cannot be read back: {why}"))
        else:
            self.events.append(Carried(task.id, task.place, "failed", why))
