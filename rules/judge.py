"""The rules of one family at work: rows in rounds, so that a batch judges as its rows would one by one.

A row first closes the buckets and ends the holds that its time or its receipt has passed, then counts, then is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from drivers.telemetry import LAST_JUDGED, Batch, Family
from rules.control import DeviceRow
from rules.document import Rule
from rules.evidence import describe, transitions
from rules.memory import NEVER, Memory
from rules.parameters import Overrides
from rules.rounds import Columns, rounds
from rules.scene import Moment, Rows
from rules.silence import Silence
from rules.state import MOST_SWEPT, RAISED
from rules.transition import Transition
from rules.tree import Silent
from rules.watch import Watch
from rules.windows import DORMANT, GRACE
from rules.zone import Zone

if TYPE_CHECKING:
    from drivers.telemetry import Int64

_OFFLINE: Final = 0.0
MOST_PAST: Final = 100  # withdrawn rules whose last transitions are remembered


class Standing(NamedTuple):
    """An alarm that stands; since: event time of its raise."""

    rule: str
    version: int
    alarm: str
    severity: str
    since: int


class Judge:
    """Owner of all rule state of a family; writes its transitions to `out`."""

    def __init__(self, family: Family, zone: Zone, overrides: Overrides, out: list[Transition]) -> None:
        self.family = family
        self.memory = Memory(family, zone)
        self._overrides = overrides
        self._out = out
        self._watches: list[Watch] = []
        self._silences: list[Silence] = []
        self._past: dict[
            str, tuple[Int64, Int64]
        ] = {}  # withdrawn rules: devices, and their last transitions
        self._mark = np.empty(0, np.int64)  # scratch of `rounds`
        self._stale = True  # parameters must be resolved anew

    @property
    def _all(self) -> list[Watch | Silence]:
        return [*self._watches, *self._silences]

    # -- what the control log says

    def register(self, rows: list[DeviceRow]) -> None:
        """New and changed devices; a retired one clears what stands and is judged no more."""
        at = self.memory.register(rows)
        room = self.memory.devices.capacity
        for each in self._all:
            each.track.reserve(room)
        self._mark = np.zeros(room, np.int64)
        self._stale = True
        gone = at[~self.memory.devices.alive[at]]
        if len(gone):
            for each in self._all:
                each.track.cancel(gone)
                self._withdraw(each, gone[each.track.state[gone] == RAISED], "device retired")
            self.memory.forget(gone)

    def employ(self, rules: list[Rule]) -> None:
        """Replace the rules; what was raised by those that are gone is cleared.

        One that judges as before keeps its state; one with the same alarm keeps what it raised.
        """
        old = {each.rule.id: each for each in self._all}
        room = self.memory.devices.capacity
        name = self.family.name
        self._watches, self._silences = [], []
        for rule in rules:
            before = old.get(rule.id)
            if isinstance(rule.meanings[name].when, Silent):
                new: Watch | Silence = Silence(rule, name, room, self._emit)
                self._silences.append(new)  # type: ignore[arg-type]
            else:
                new = Watch(rule, name, room, self._emit)
                self._watches.append(new)
            if before is not None and before.rule.alarm == rule.alarm:
                del old[rule.id]
                if rule.judges_like(before.rule, name):
                    new.track = before.track
                else:
                    new.track.inherit(before.track)
            elif before is not None:
                new.track.changed = before.track.changed
            elif rule.id in self._past:
                who, changed = self._past.pop(rule.id)
                new.track.changed[who] = changed
        for gone in old.values():
            self._part(gone)
        self.memory.collect(window for watch in self._watches for window in watch.meaning.windows())
        self._stale = True

    def _part(self, gone: Watch | Silence) -> None:
        """Clear what it raised; when it last spoke is kept, so that it never says the same twice if it comes back."""
        self._withdraw(gone, (gone.track.state == RAISED).nonzero()[0], "rule withdrawn")
        spoke = (gone.track.changed > NEVER).nonzero()[0]
        self._past[gone.rule.id] = (spoke, gone.track.changed[spoke])
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
        rows = Columns(devices, batch.time, batch.received, values, batch.present())
        known = self.memory.known(devices)
        if not known.all():
            rows = rows.take(known)
        for each in rounds(rows, self._mark):
            self._round(each)

    def _round(self, rows: Columns) -> None:
        memory = self.memory
        devices, time, received = rows.devices, rows.time, rows.received
        grace = memory.devices.lateness.take(devices) + GRACE
        closing = received - grace
        self._close(devices, np.maximum(time, closing), received, grace)
        for watch in self._watches:
            watch.expire(devices, time, received, grace)
        moment = Moment(memory, devices, time)
        self._remember(rows, moment)
        for watch in self._watches:
            if not watch.rings:
                watch.judge(moment, received, grace)
        source = Rows(rows.values)
        for key, ring in memory.rings.items():
            ring.enter(devices, time, closing, memory.sources[key](source))

    def _remember(self, rows: Columns, moment: Moment) -> None:
        """Last values; a point that no row carries costs nothing."""
        some, every = np.any(rows.present, axis=1), np.all(rows.present, axis=1)
        for point in np.flatnonzero(some).tolist():
            last, column = self.memory.last[point], rows.values[point]
            if not every[point]:
                column = np.where(rows.present[point], column, last.take(rows.devices))
            last[rows.devices] = column
            moment.columns[point] = column
        self.memory.newest[rows.devices] = rows.time

    def _close(self, devices: Int64, limit: Int64, received: Int64, grace: Int64) -> None:
        """Close every bucket that ends at or before the device's limit, in order of time, and judge at each end."""
        rings = self.memory.rings
        while rings and len(devices):
            edges = {key: ring.edge.take(devices) for key, ring in rings.items()}
            edge = reduce(np.minimum, edges.values())
            rows = (edge <= limit).nonzero()[0]
            if not len(rows):
                return
            if len(rows) < len(devices):
                devices, limit, received, grace, edge = (
                    column[rows] for column in (devices, limit, received, grace, edge)
                )
                edges = {key: column[rows] for key, column in edges.items()}
            self._close_one(devices, edge, edges, (np.minimum(received, edge + grace), grace))

    def _close_one(
        self, devices: Int64, edge: Int64, edges: dict[str, Int64], caused: tuple[Int64, Int64]
    ) -> None:
        """One end of bucket for each device, at its `edge`; caused: (receive time, grace)."""
        received, grace = caused
        ends = {key: column == edge for key, column in edges.items()}
        closing = [(self.memory.rings[key], devices[mask]) for key, mask in ends.items() if mask.any()]
        judged = [
            (watch, reduce(np.logical_or, [ends[key] for key in watch.rings]).nonzero()[0])
            for watch in self._watches
            if watch.rings
        ]
        for watch, rows in judged:
            if watch.track.running:
                watch.expire(devices[rows], edge[rows], received[rows], grace[rows], by_clock=False)
        for ring, who in closing:
            ring.close(who)
        moment = Moment(self.memory, devices, edge)
        for watch, rows in judged:
            if len(rows) == len(devices):
                watch.judge(moment, received, grace)
            elif len(rows):
                watch.judge(moment.some(rows), received[rows], grace[rows])
        for ring, who in closing:
            ring.rest(who)

    # -- the clock

    def begin(self, now: int) -> None:
        self.memory.begin(now)

    def sweep(self, now: int) -> bool:
        """Whatever ended by receive time; True where there is more: nobody's judgement depends on when it is swept."""
        self._bind()
        more = self._sweep_buckets(now)
        grace = self.memory.devices.lateness + GRACE if self._watches else np.empty(0, np.int64)
        for watch in self._watches:
            if not (
                more and watch.rings
            ):  # a hold over windows may still be contradicted by a bucket that waits
                more |= watch.sweep(now, grace)
        for silence in self._silences:
            more |= silence.sweep(now, self.memory)
        return more

    def _sweep_buckets(self, now: int) -> bool:
        rings = [ring for ring in self.memory.rings.values() if now >= ring.due]
        if not rings:
            return False
        grace = self.memory.devices.lateness + GRACE
        limit = now - grace
        ended = reduce(np.logical_or, [ring.edge <= limit for ring in rings]).nonzero()[0]
        some = ended[:MOST_SWEPT]
        if len(some):
            self._close(some, limit[some], np.full(len(some), now), grace[some])
        if len(some) < len(ended):
            return True
        for ring in rings:
            ring.due = int(ring.edge.min(initial=DORMANT)) + GRACE
        return False

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
            if each.track.state[index] == RAISED
        ]

    def explain(self, rule: str, index: int) -> dict[str, Any] | None:
        """What the rule sees of the device now, as in the evidence of a transition; None where it judges no such thing."""
        self._bind()
        for each in self._all:
            if each.rule.id == rule and index < self.memory.devices.size:
                return describe(each, self.memory, self._overrides, np.array([index]))[0]
        return None

    def snapshot(self) -> dict[str, Any]:
        size = self.memory.devices.size
        return {
            "memory": self.memory.snapshot(),
            "tracks": {each.rule.id: each.track.snapshot(size) for each in self._all},
            "past": {rule: list(columns) for rule, columns in self._past.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """After `employ`, on a judge that has heard nothing."""
        self.memory.restore(state["memory"])
        room, size = self.memory.devices.capacity, self.memory.devices.size
        self._mark = np.zeros(room, np.int64)
        for each in self._all:
            each.track.reserve(room)
            if each.rule.id in state["tracks"]:
                each.track.restore(state["tracks"][each.rule.id], size)
        self._past = {rule: (who, changed) for rule, (who, changed) in state["past"].items()}
        self._stale = True
