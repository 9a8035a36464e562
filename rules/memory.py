"""What the engine remembers of each device of a family: last values, when it was heard, its windows, its sun.

A point's last value is that of the newest judged row that carries it; NaN where that value may not be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.telemetry import Family
from rules.city import City
from rules.compile import Scene, false_kernel, true_kernel
from rules.control import DeviceRow
from rules.devices import Devices, longer
from rules.last import Last
from rules.minutes import Minutes
from rules.past import Hours
from rules.sun import Almanac
from rules.traces import Trace
from rules.tree import Aged, Changed, Condition, Node, PointValue, Rises, Usual, Window, text
from rules.windows import Ring, ring_key

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

NEVER: Final = -(2**62)
Source = Callable[[Scene], "Float64"]


class Memory:
    """Arrays by device index, as long as `devices.capacity`. newest, heard: µs, or NEVER."""

    def __init__(self, family: Family, city: City) -> None:
        self.family = family
        self.city = city
        self.devices = Devices(family)
        self.minutes = Minutes(self.devices)
        city.families[family.name] = self
        self.last = Last(len(family))
        self.newest: Int64 = np.empty(0, np.int64)  # event time of the newest judged row
        self.heard: Int64 = np.empty(0, np.int64)  # receive time of the newest row of any kind
        self.still: Bool = np.empty(0, bool)  # behind a link that is down
        self.unheard = False  # some registered device's timers have not begun
        self.rings: dict[str, Ring] = {}
        self.soonest: Int64 = np.empty(0, np.int64)  # no bucket of the device ends before it; a lower bound
        self.sources: dict[str, Source] = {}
        self.traces: dict[str, Trace] = {}
        self.traced: dict[str, tuple[int | None, Source]] = {}  # row of the point, or None for a condition
        self.past: dict[str, Hours] = {}
        self.aged: dict[int, Int64] = {}  # point -> event time of the newest judged row that carries it
        self.almanac: Almanac | None = None
        self._down: Collection[str] = ()

    def register(self, rows: list[DeviceRow]) -> Int64:
        """New and changed devices; returns their indices."""
        names = len(self.devices.parents.all)
        at = self.devices.put(rows)
        self._reserve()
        self.city.moved(rows, parents=len(self.devices.parents.all) > names)
        if self._down:
            self._move(at)
        for ring in self.rings.values():
            ring.expect(at, self.devices.interval[at])
            ring.due = 0
        if self.almanac is not None:
            self.almanac.moved(at)
        self.unheard = self.unheard or bool((self.heard[at] == NEVER).any())
        return at

    def _reserve(self) -> None:
        room = self.devices.capacity
        if room > len(self.heard):
            self.last.reserve(room)
            self.newest = longer(self.newest, room, NEVER)
            self.heard = longer(self.heard, room, NEVER)
            self.still = longer(self.still, room, fill=False)
            self.soonest = longer(self.soonest, room, NEVER)
        for ring in self.rings.values():
            ring.reserve(room)
        for trace in self.traces.values():
            trace.table.reserve(room)
        for hours in self.past.values():
            hours.table.reserve(room)
        self.aged = {row: longer(at, room, NEVER) if room > len(at) else at for row, at in self.aged.items()}
        self.minutes.reserve(room)
        if self.almanac is not None:
            self.almanac.reserve(room)

    @property
    def keeps(self) -> bool:
        """Whether more than last values is kept of rows."""
        return any((self.rings, self.traces, self.past, self.aged, self.minutes.points))

    def collect(self, nodes: Iterable[Node]) -> None:
        """Keep what these parts of rules need: what is at hand stays as it is, the rest begins empty or goes."""
        rings: dict[str, Ring] = {}
        traces: dict[str, Trace] = {}
        past: dict[str, Hours] = {}
        aged: dict[int, Int64] = {}
        self.sources, self.traced = {}, {}
        room = self.devices.capacity
        for node in nodes:
            key = ring_key(node) if isinstance(node, Window) else text(node)
            match node:
                case Window():
                    rings[key] = rings.get(key) or self.rings.get(key) or self._ring(node)
                    self.sources[key] = _source(node)
                case Changed() | Rises():
                    rises = isinstance(node, Rises)
                    traces[key] = traces.get(key) or self.traces.get(key) or Trace(room, rises)
                    self.traced[key] = _traced(node)
                case Usual():
                    past[key] = past.get(key) or self.past.get(key) or Hours(node, self.family, room)
                case Aged(point=point):
                    aged[point.row] = self.aged.get(point.row, np.full(room, NEVER, np.int64))
                case _:
                    pass
        self.rings, self.traces, self.past, self.aged = rings, traces, past, aged
        self.soonest[:] = NEVER

    def _ring(self, window: Window) -> Ring:
        ring = Ring(window, self.family, self.devices.capacity)
        ring.expect(np.arange(self.devices.capacity), self.devices.interval)
        return ring

    def sun(self) -> Almanac:
        if self.almanac is None:
            self.almanac = Almanac(self.devices.capacity)
        return self.almanac

    def known(self, devices: Int64) -> Bool:
        """Which of these indices are registered and not retired."""
        if len(devices) and int(devices.max()) < self.devices.size:
            return self.devices.alive.take(devices)
        inside: Bool = devices < self.devices.size
        inside[inside] = self.devices.alive.take(devices[inside])
        return inside

    def begin(self, now: int) -> None:
        """The timers of devices never heard of start now."""
        if self.unheard:
            self.unheard = False
            self.heard[self.devices.alive & (self.heard == NEVER)] = now

    def cut(self, down: Collection[str]) -> None:
        """These links are down, and no others."""
        self._down = down
        self.still = self.devices.behind(down)

    def _move(self, devices: Int64) -> None:
        """Who is no longer behind a link that is down starts anew."""
        before, self.still = self.still[devices], self.devices.behind(self._down)
        self.heard[devices[before & ~self.still[devices]]] = NEVER

    def stand_still(self, down: int, up: int, who: Bool) -> None:
        """Nobody listened to them between down and up: what was heard before counts as heard that much later."""
        before = who & (self.heard > NEVER) & (self.heard < up)
        self.heard[before] += up - np.maximum(self.heard[before], down)

    def carry(self, by: int) -> None:
        """City time went ahead by so much (µs): windows and ages are as they were."""
        for ring in self.rings.values():
            ring.carry(by)
        for at in self.aged.values():
            at[at > NEVER] += by

    def forget(self, devices: Int64) -> None:
        """Their windows begin anew."""
        for ring in self.rings.values():
            ring.forget(devices)
        for trace in self.traces.values():
            trace.table.forget(devices)

    def retire(self, devices: Int64) -> None:
        """Nothing of theirs is known any more."""
        self.forget(devices)
        self.minutes.forget(devices)
        for hours in self.past.values():
            hours.table.forget(devices)

    def snapshot(self) -> dict[str, Any]:
        size = self.devices.size
        return {
            "devices": self.devices.snapshot(),
            "last": {self.family.points[row].name: self.last[row][:size].copy() for row in self.last.said},
            "newest": self.newest[:size].copy(),
            "heard": self.heard[:size].copy(),
            "aged": {self.family.points[row].name: at[:size].copy() for row, at in self.aged.items()},
            "minutes": self.minutes.snapshot(size),
            **{
                group: {key: each.snapshot(size) for key, each in kept.items()}
                for group, kept in self._kept().items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Devices, values and timers; the rings must be collected before."""
        self.devices.restore(state["devices"])
        size, room = self.devices.size, self.devices.capacity
        for group, kept in self._kept().items():
            for key, each in kept.items():
                if key in state[group]:
                    each.restore(state[group][key], room)
        self.minutes.restore(state["minutes"], room)
        self._reserve()
        for name, column in state["last"].items():
            if name in self.family.index:
                self.last.restore(self.family.index[name], column)
        self.newest[:size] = state["newest"]
        self.heard[:size] = state["heard"]
        self.unheard = bool((self.devices.alive & (self.heard == NEVER)).any())
        self.soonest[:] = NEVER
        for ring in self.rings.values():
            ring.expect(np.arange(size), self.devices.interval[:size])
            ring.due = 0
        for row, at in self.aged.items():
            name = self.family.points[row].name
            at[:size] = state["aged"].get(name, NEVER)

    def _kept(self) -> dict[str, Mapping[str, Ring | Trace | Hours]]:
        return {"rings": self.rings, "traces": self.traces, "past": self.past}


def _source(window: Window) -> Source:
    """What a row puts into the window: the point's value, 1 or 0 for a condition or a change; NaN for nothing."""
    source = window.source
    if isinstance(source, Changed | Rises):
        key = text(source)
        return lambda scene: scene.moved(key)
    return _point(source.row) if isinstance(source, PointValue) else _truth(source)


def _traced(node: Changed | Rises) -> tuple[int | None, Source]:
    if isinstance(node, Rises):
        return None, _truth(node.condition)
    return node.point.row, _point(node.point.row)


def _point(row: int) -> Source:
    return lambda scene: scene.point(row)


def _truth(condition: Condition) -> Source:
    true, false = true_kernel(condition), false_kernel(condition)
    return lambda scene: np.where(true(scene), 1.0, np.where(false(scene), 0.0, np.nan))
