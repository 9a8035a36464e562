"""What the engine remembers of each device of a family: last values, when it was heard, its windows, its sun.

A point's last value is that of the newest judged row that carries it; NaN where that value may not be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.telemetry import Family
from rules.compile import Scene, false_kernel, true_kernel
from rules.control import DeviceRow
from rules.devices import Devices, longer
from rules.sun import Almanac
from rules.tree import PointValue, Window
from rules.windows import Ring, ring_key
from rules.zone import Zone

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64

NEVER: Final = -(2**62)
Source = Callable[[Scene], "Float64"]


class Memory:
    """Arrays by device index, as long as `devices.capacity`. last float64[point, device]; newest, heard: µs, or NEVER."""

    def __init__(self, family: Family, zone: Zone) -> None:
        self.family = family
        self.zone = zone
        self.devices = Devices(family)
        self.last: Float64 = np.empty((len(family), 0))
        self.newest: Int64 = np.empty(0, np.int64)  # event time of the newest judged row
        self.heard: Int64 = np.empty(0, np.int64)  # receive time of the newest row of any kind
        self.still: Bool = np.empty(0, bool)  # behind a link that is down
        self.unheard = False  # some registered device's timers have not begun
        self.rings: dict[str, Ring] = {}
        self.sources: dict[str, Source] = {}
        self.almanac: Almanac | None = None
        self._down: Collection[str] = ()

    def register(self, rows: list[DeviceRow]) -> Int64:
        """New and changed devices; returns their indices."""
        at = self.devices.put(rows)
        self._reserve()
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
            self.last = np.ascontiguousarray(longer(self.last.T, room, np.nan).T)
            self.newest = longer(self.newest, room, NEVER)
            self.heard = longer(self.heard, room, NEVER)
            self.still = longer(self.still, room, fill=False)
        for ring in self.rings.values():
            ring.reserve(room)
        if self.almanac is not None:
            self.almanac.reserve(room)

    def collect(self, windows: Iterable[Window]) -> None:
        """Keep the rings of these windows: those at hand stay as they are, the others begin empty or go."""
        rings: dict[str, Ring] = {}
        self.sources = {}
        for window in windows:
            key = ring_key(window)
            rings[key] = rings.get(key) or self.rings.get(key) or self._ring(window)
            self.sources[key] = _source(window)
        self.rings = rings

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

    def forget(self, devices: Int64) -> None:
        """Their windows begin anew."""
        for ring in self.rings.values():
            ring.forget(devices)

    def snapshot(self) -> dict[str, Any]:
        size = self.devices.size
        return {
            "devices": self.devices.snapshot(),
            "last": {point.name: self.last[row, :size].copy() for point, row in self._points()},
            "newest": self.newest[:size].copy(),
            "heard": self.heard[:size].copy(),
            "rings": {key: ring.snapshot(size) for key, ring in self.rings.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Devices, values and timers; the rings must be collected before."""
        self.devices.restore(state["devices"])
        self._reserve()
        size = self.devices.size
        for point, row in self._points():
            if point.name in state["last"]:
                self.last[row, :size] = state["last"][point.name]
        self.newest[:size] = state["newest"]
        self.heard[:size] = state["heard"]
        self.unheard = bool((self.devices.alive & (self.heard == NEVER)).any())
        for key, ring in self.rings.items():
            ring.expect(np.arange(size), self.devices.interval[:size])
            ring.due = 0
            if key in state["rings"]:
                ring.restore(state["rings"][key], size)

    def _points(self) -> Iterable[tuple[Any, int]]:
        return ((point, row) for row, point in enumerate(self.family.points))


def _source(window: Window) -> Source:
    """What a row puts into the window: the point's value, or 1 and 0 for a condition; NaN for nothing."""
    if isinstance(window.source, PointValue):
        row = window.source.row
        return lambda scene: scene.point(row)
    true, false = true_kernel(window.source), false_kernel(window.source)
    return lambda scene: np.where(true(scene), 1.0, np.where(false(scene), 0.0, np.nan))
