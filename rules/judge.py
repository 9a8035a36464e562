"""The rules of one family at work: rows in rounds, so that a batch judges as its rows would one by one.

A row first closes the buckets and ends the holds that its time or its receipt has passed, then counts, then is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from drivers.telemetry import LAST_JUDGED, Batch, Family
from rules import silence as silences
from rules import succession
from rules.city import City
from rules.closing import Closing
from rules.control import DeviceRow
from rules.document import Rule
from rules.evidence import describe, transitions
from rules.memory import NEVER, Memory
from rules.parameters import Overrides
from rules.rounds import Columns, lines, rounds, single
from rules.scene import Moment, Rows
from rules.silence import Silence
from rules.state import RAISED
from rules.succession import Version
from rules.transition import Transition
from rules.tree import Silent
from rules.watch import Watch
from rules.windows import GRACE

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

_OFFLINE: Final = 0.0
MOST_PAST: Final = 100  # withdrawn rules whose last transitions are remembered
_NOBODY: Final = (np.empty(0, np.int64), np.empty(0, np.int64))


class Standing(NamedTuple):
    """An alarm that stands; since: event time of its raise."""

    rule: str
    version: int
    alarm: str
    severity: str
    since: int


class Judge:
    """Owner of all rule state of a family; writes its transitions to `out`."""

    def __init__(self, family: Family, city: City, overrides: Overrides, out: list[Transition]) -> None:
        self.family = family
        self.memory = Memory(family, city)
        self._overrides = overrides
        self._out = out
        self._closing = Closing(self.memory)
        self._watches: list[Watch] = []
        self._silences: list[Silence] = []
        self._past: dict[
            str, tuple[Int64, Int64]
        ] = {}  # withdrawn rules: devices, and their last transitions
        self._mark = np.empty(0, np.int64)  # scratch of `rounds`
        self._stale = True  # parameters must be resolved anew

    @property
    def _all(self) -> list[Version]:
        return [*self._watches, *self._silences]

    # -- what the control log says

    def register(self, rows: list[DeviceRow]) -> None:
        """New and changed devices; a retired one clears what stands and is judged no more."""
        at = self.memory.register(rows)
        room = self.memory.devices.capacity
        for each in self._all:
            each.track.reserve(room)
        for versions in self._lines().values():
            if any(each.rule.areas for each in versions):
                succession.move(versions, at, self.memory.devices, self.family.name, self._withdraw)
        self._mark = np.zeros(room, np.int64)
        self._stale = True
        gone = at[~self.memory.devices.alive[at]]
        if len(gone):
            for each in self._all:
                each.track.cancel(gone)
                self._withdraw(each, gone[each.track.state[gone] == RAISED], "device retired")
            self.memory.retire(gone)

    def employ(self, rules: list[Rule]) -> None:
        """Replace the rules; what was raised by those that are gone is cleared.

        One that judges as before keeps its state; one with the same alarm keeps what it raised. A canary takes over in
        its areas, and gives back when it ends.
        """
        lines: dict[str, list[Rule]] = {}
        for rule in rules:
            lines.setdefault(rule.line, []).append(rule)
        old = self._lines()
        new: list[Version] = []
        for line, mine in lines.items():
            new += self._follow(line, old.pop(line, []), mine)
        for line, gone in old.items():
            self._part(line, gone)
        self._watches = [each for each in new if isinstance(each, Watch)]
        self._silences = [each for each in new if isinstance(each, Silence)]
        self._closing.watches = [watch for watch in self._watches if watch.rings]
        self.memory.collect(node for watch in self._watches for node in watch.meaning.nodes())
        self._stale = True

    def _lines(self) -> dict[str, list[Version]]:
        lines: dict[str, list[Version]] = {}
        for each in self._all:
            lines.setdefault(each.rule.line, []).append(each)
        return lines

    def _follow(self, line: str, old: list[Version], rules: list[Rule]) -> list[Version]:
        """The versions of a line from now on; where they are the very same, nothing is touched."""
        if len(old) == len(rules) and all(each.rule is rule for each, rule in zip(old, rules, strict=True)):
            return old
        new = [self._version(rule) for rule in rules]
        succession.reach(new, self.memory.devices)
        who, changed = self._past.pop(line, _NOBODY)
        for each in new:
            each.track.changed[who] = changed
        succession.pass_on(old, new, self.family.name, self._withdraw)
        return new

    def _version(self, rule: Rule) -> Version:
        name, room = self.family.name, self.memory.devices.capacity
        if isinstance(rule.meanings[name].when, Silent):
            return Silence(rule, name, room, self._emit)
        return Watch(rule, name, room, self._emit)

    def _part(self, line: str, gone: list[Version]) -> None:
        """Clear what it raised; when it last spoke is kept, so that it never says the same twice if it comes back."""
        succession.pass_on(gone, [], self.family.name, self._withdraw)
        changed = reduce(np.maximum, [each.track.changed for each in gone])
        spoke = (changed > NEVER).nonzero()[0]
        self._past[line] = (spoke, changed[spoke])
        if len(self._past) > MOST_PAST:
            del self._past[next(iter(self._past))]

    def _withdraw(self, watch: Watch | Silence, devices: Int64, reason: str) -> None:
        """Clear what stands, at the event time of the device's newest row."""
        if len(devices):
            time = watch.track.turn(devices, 0, self.memory.newest[devices])
            received = np.maximum(self.memory.heard[devices], 0)
            columns = (devices, time, np.where(received > 0, received, time))
            self._out += transitions(
                watch, self.memory, self._overrides, columns, raised=False, reason=reason
            )

    def tune(self) -> None:
        self._stale = True

    def _bind(self) -> None:
        if self._stale:
            self._stale = False
            for each in self._all:
                each.bind(self._overrides, self.memory.devices)

    def restart(self, device: int) -> None:
        """The device's clock stepped back: its windows and running holds begin anew."""
        if device < self.memory.devices.size:
            one = np.array([device])
            self.memory.forget(one)
            for watch in self._watches:
                watch.track.cancel(one)

    def stand_still(self, down: int, up: int, link: str | None = None) -> None:
        """For devices behind this link; without one, for those behind no link that is down."""
        who = ~self.memory.still if link is None else self.memory.devices.behind([link])
        self.memory.stand_still(down, up, who)
        for silence in self._silences:
            silence.track.due = 0

    def carry(self, by: int) -> None:
        """City time went ahead by so much (µs) in no time: what runs ends that much later."""
        self.memory.carry(by)
        for watch in self._watches:
            watch.track.carry(by)

    # -- rows

    def hear(self, batch: Batch) -> None:
        """Rows in order of arrival, late ones too; a row that says online=offline is not heard."""
        self._bind()
        devices = batch.device.astype(np.intp)
        online = self.family.index["online"]
        offline = (batch.values[online] == _OFFLINE) & (batch.quality[online] <= LAST_JUDGED)
        heard = self.memory.known(devices) & ~offline
        received = batch.received
        if not heard.all():
            devices, received = devices[heard], received[heard]
        if self._silences and len(devices):
            devices, received = self._hear_troubled(devices, received)
        np.maximum.at(self.memory.heard, devices, received)

    def _hear_troubled(self, devices: Int64, received: Int64) -> tuple[Int64, Int64]:
        """Hear devices that may raise or clear one row at a time; returns the other rows."""
        quiet = received - self.memory.heard.take(devices)
        trouble = np.zeros(len(devices), bool)
        for silence in self._silences:
            trouble |= silence.troubled(devices, quiet)
        if not trouble.any():
            return devices, received
        mine = np.isin(devices, devices[trouble])
        for place in np.flatnonzero(mine):
            one, at = devices[place : place + 1], received[place : place + 1]
            before = at if self.memory.still[one[0]] else self.memory.heard[one]
            for silence in self._silences:
                silence.hear(one, at, before)
            self.memory.heard[one] = np.maximum(self.memory.heard[one], at)
        return devices[~mine], received[~mine]

    def evaluate(self, batch: Batch) -> None:
        """Rows in judge order."""
        self._bind()
        devices = batch.device.astype(np.intp)
        values = np.where(batch.judged(), batch.values, np.nan)
        calm = np.zeros(len(devices), bool)
        rows = Columns(devices, batch.time, batch.received, values, batch.present(), calm)
        known = self.memory.known(devices)
        if not known.all():
            rows = rows.take(known)
        if single(rows, self._mark):
            if len(rows.devices):
                self._round(rows)
            return
        if not self.memory.keeps or any(watch.instant for watch in self._watches):
            rows = rows._replace(calm=self._calm(rows))
        if not self.memory.keeps:
            self._settle(rows.take(rows.calm))
            rows = rows.take(~rows.calm)
        for each in rounds(rows):
            self._round(each)

    def _calm(self, rows: Columns) -> Bool:
        """The rows of devices of which no rule that sees last values alone has anything to say.

        Most devices, most of the time: what all their rows make of all these rules is found in one pass, without rounds.
        """
        found = lines(rows, self.memory.last)
        order = found.order
        moment = Moment(self.memory, found.devices, rows.time[order], rows.received[order])
        moment.columns |= found.columns
        instant = [watch.hot(moment) for watch in self._watches if watch.instant]
        return found.whole(reduce(np.logical_or, instant, np.zeros(len(order), bool)))

    def _settle(self, rows: Columns) -> None:
        """Rows of which there is nothing to say leave their last values; of several, the last one's count."""
        for point in np.flatnonzero(rows.present.any(axis=1)).tolist():
            present = rows.present[point]
            self.memory.last.column(point)[rows.devices[present]] = rows.values[point][present]
        self.memory.newest[rows.devices] = rows.time

    def _round(self, rows: Columns) -> None:
        memory = self.memory
        devices, time, received = rows.devices, rows.time, rows.received
        grace = memory.devices.lateness.take(devices) + GRACE
        closing = received - grace
        self._closing.close(devices, np.maximum(time, closing), received, grace)
        for watch in self._watches:
            watch.expire(devices, time, received, grace)
        moment = Moment(memory, devices, time, received)
        moves = self._remember(rows, moment)
        self._judge_rows(moment, rows.calm, (received, grace))
        source = Rows(rows.values, moves)
        for key, ring in memory.rings.items():
            ring.enter(devices, time, closing, memory.sources[key](source), memory.soonest)

    def _judge_rows(self, moment: Moment, calm: Bool, caused: tuple[Int64, Int64]) -> None:
        received, grace = caused
        awake = (~calm).nonzero()[0] if calm.any() else None
        part = moment if awake is None else moment.some(awake)
        for watch in self._watches:
            if watch.rings:
                continue
            if awake is None or not watch.instant:
                watch.judge(moment, received, grace)
            elif len(awake):
                watch.judge(part, received[awake], grace[awake])

    def _remember(self, rows: Columns, moment: Moment) -> dict[str, Float64]:
        """Last values and what else is kept of them; returns what the rows changed, by trace.

        A point that no row carries costs nothing.
        """
        memory, devices = self.memory, rows.devices
        some, every = np.any(rows.present, axis=1), np.all(rows.present, axis=1)
        for point in np.flatnonzero(some).tolist():
            last, column = memory.last.column(point), rows.values[point]
            if not every[point]:
                column = np.where(rows.present[point], column, last.take(devices))
            last[devices] = column
            moment.columns[point] = column
        memory.newest[devices] = rows.time
        for point, at in memory.aged.items():
            carried = rows.present[point]
            at[devices[carried]] = rows.time[carried]
        for hours in memory.past.values():
            hours.enter(devices, rows.time, rows.values[hours.row])
        if memory.minutes.points:
            minute = memory.city.minute(rows.time, rows.received)
            columns = (rows.values, rows.present)
            memory.city.filled |= memory.minutes.enter(devices, rows.time, minute, columns)
        return self._trace(rows)

    def _trace(self, rows: Columns) -> dict[str, Float64]:
        moves: dict[str, Float64] = {}
        scene = Rows(rows.values, moves)
        for key, trace in self.memory.traces.items():
            point, source = self.memory.traced[key]
            carried = rows.present[point] if point is not None else np.ones(len(rows.devices), bool)
            moves[key] = trace.step(rows.devices, source(scene), carried)
        return moves

    # -- the clock

    def begin(self, now: int) -> None:
        self.memory.begin(now)

    def sweep(self, now: int) -> bool:
        """Whatever ended by receive time; True where there is more: nobody's judgement depends on when it is swept."""
        self._bind()
        more = self._closing.sweep(now)
        grace = self.memory.devices.lateness + GRACE if self._watches else np.empty(0, np.int64)
        for watch in self._watches:
            if not (
                more and watch.rings
            ):  # a hold over windows may still be contradicted by a bucket that waits
                more |= watch.sweep(now, grace)
        return silences.sweep(self._silences, now, self.memory) or more

    # -- what others may know

    def _emit(
        self, watch: Watch | Silence, devices: Int64, raised: bool, time: Int64, received: Int64
    ) -> None:
        self._out += transitions(watch, self.memory, self._overrides, (devices, time, received), raised)

    def standing(self, index: int) -> list[Standing]:
        if index >= self.memory.devices.size:
            return []
        return [
            Standing(
                each.rule.id,
                each.rule.version,
                each.rule.alarm,
                each.rule.severity,
                int(each.track.changed[index]),
            )
            for each in self._all
            if each.track.state[index] == RAISED and not each.rule.shadow
        ]

    def explain(self, rule: str, index: int) -> dict[str, Any] | None:
        """What the rule sees of the device now, as in the evidence of a transition, where it stands (`Track.stand`), and
        the version that judges it; None where it judges no such thing.
        """
        self._bind()
        for each in self._all:
            known = index < self.memory.devices.size and (each.mine is None or each.mine[index])
            if each.rule.line == rule and known:
                facts = describe(each, self.memory, self._overrides, np.array([index]))[0]
                return facts | each.track.stand(index) | {"version": each.rule.version}
        return None

    def snapshot(self) -> dict[str, Any]:
        size = self.memory.devices.size
        return {
            "memory": self.memory.snapshot(),
            "tracks": {each.rule.key: each.track.snapshot(size) for each in self._all},
            "past": {rule: list(columns) for rule, columns in self._past.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """After `employ`, on a judge that has heard nothing."""
        self.memory.restore(state["memory"])
        room = self.memory.devices.capacity
        self._mark = np.zeros(room, np.int64)
        for each in self._all:
            each.track.reserve(room)
            if each.rule.key in state["tracks"]:
                each.track.restore(state["tracks"][each.rule.key])
        for versions in self._lines().values():
            succession.reach(versions, self.memory.devices)
        self._past = {rule: (who, changed) for rule, (who, changed) in state["past"].items()}
        self._stale = True
