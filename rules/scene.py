"""What kernels see: a moment of some devices, with their last values; or the rows themselves, on their way into windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rules.minutes import end_of_closed
from rules.sun import sun_height
from rules.windows import Reading

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64
    from rules.memory import Memory
    from rules.tree import Elsewhere, Peers
    from rules.watch import Watch


class Moment:
    """n different devices, each at its own event time, brought about at its receive time.

    Columns are gathered once and shared by all rules.
    """

    def __init__(self, memory: Memory, devices: Int64, time: Int64, received: Int64) -> None:
        self.devices = devices
        self.time = time
        self.received = received
        self.columns: dict[int, Float64] = {}
        self._memory = memory
        self._watch: Watch | None = None
        self._windows: dict[tuple[str, str], Reading] = {}
        self._expected: dict[str, Float64] = {}
        self._sun: dict[tuple[int, int], tuple[Bool, Bool]] = {}
        self._time_of_day: Int64 | None = None

    def __len__(self) -> int:
        return len(self.devices)

    def of(self, watch: Watch) -> Moment:
        """The same moment, in the eyes of another rule: its parameters, its valid share."""
        self._watch = watch
        return self

    def some(self, rows: Int64) -> Moment:
        """Only these of its devices."""
        part = Moment(self._memory, self.devices[rows], self.time[rows], self.received[rows])
        part._watch = self._watch
        return part

    def point(self, row: int) -> Float64:
        column = self.columns.get(row)
        if column is None:
            column = self.columns[row] = self._memory.last[row].take(self.devices)
        return column

    def attribute(self, name: str) -> Float64 | float:
        column = self._memory.devices.attributes.get(name)
        return np.nan if column is None else column.take(self.devices)

    def parameter(self, name: str) -> Float64 | float:
        assert self._watch is not None
        value = self._watch.parameters[name]
        return value if isinstance(value, float) else value.take(self.devices)

    def window(self, ring: str, statistic: str) -> Float64:
        assert self._watch is not None
        reading = self._windows.get((ring, statistic))
        if reading is None:
            reading = self._windows[ring, statistic] = self._memory.rings[ring].read(
                statistic, self.devices, self._memory.devices.interval
            )
        valid = self._watch.rule.valid
        if not valid or statistic == "coverage":
            return reading.value
        expected = self._expected.get(ring)
        if expected is None:
            expected = self._expected[ring] = (
                self._memory.rings[ring].expected.take(self.devices).astype(np.float64)
            )
        return np.where(reading.filled < valid * expected, np.nan, reading.value)

    def aged(self, row: int, age: int) -> Float64:
        since = self._memory.aged[row].take(self.devices)
        return np.where(self.time - since <= age, self.point(row), np.nan)

    def usual(self, key: str) -> Float64:
        assert self._watch is not None
        past = self._memory.past[key]
        value, known = past.usual(self.devices, self.time)
        return np.where(known < self._watch.rule.valid * past.days, np.nan, value)

    def fresh(self, key: str) -> Float64:
        return self._memory.traces[key].fresh(self.devices)

    def moved(self, key: str) -> Float64:
        raise LookupError(f"only a window is told of {key}")

    def elsewhere(self, node: Elsewhere) -> Float64:
        memory, city = self._memory, self._memory.city
        found = np.full(len(self), np.nan)
        code, end = memory.devices.parent.take(self.devices), end_of_closed(self.received)
        for family, row in node.rows:
            who = city.above(memory.family.name, node.who, family).take(code)
            if (who >= 0).any():
                value = city.families[family].minutes.read(row, who, end)
                found = np.where(who >= 0, value, found)
        return found

    def peers(self, node: Peers) -> Float64:
        end = end_of_closed(self.received)
        found = np.full(len(self), np.nan)
        for each in np.unique(end).tolist():
            column = self._memory.city.peers(self._memory.family.name, node, each)
            found = np.where(end == each, column.take(self.devices), found)
        return found

    def sun(self, dusk: int = 0, dawn: int = 0) -> tuple[Bool, Bool]:
        if (dusk, dawn) not in self._sun:
            devices = self._memory.devices
            up = self._memory.sun().up(self.devices, self.time, (devices.lat, devices.lon), (dusk, dawn))
            placed = np.isfinite(devices.lat.take(self.devices)) & np.isfinite(devices.lon.take(self.devices))
            self._sun[dusk, dawn] = (up & placed, ~up & placed)
        return self._sun[dusk, dawn]

    def sun_height(self) -> Float64:
        devices = self._memory.devices
        return sun_height(self.time, devices.lat.take(self.devices), devices.lon.take(self.devices))

    def date(self, kind: str) -> tuple[Bool, Bool]:
        city = self._memory.city
        return city.dates.are(kind, city.zone.day(self.time))

    def time_of_day(self) -> Int64:
        if self._time_of_day is None:
            self._time_of_day = self._memory.city.zone.time_of_day(self.time)
        return self._time_of_day


class Rows:
    """Rows as they come: a point's value is the row's own, NaN where the row does not carry it or it may not be judged.

    Nothing else is to be seen of them: what a window collects depends on its rows alone.
    """

    def __init__(self, values: Float64, moves: dict[str, Float64]) -> None:
        self._values = values
        self._moves = moves

    def __len__(self) -> int:
        return int(self._values.shape[1])

    def point(self, row: int) -> Float64:
        column: Float64 = self._values[row]
        return column

    def moved(self, key: str) -> Float64:
        return self._moves[key]

    def attribute(self, name: str) -> Float64:
        raise LookupError(f"a window has no attribute {name}")

    def parameter(self, name: str) -> Float64:
        raise LookupError(f"a window has no parameter {name}")

    def window(self, ring: str, statistic: str) -> Float64:
        raise LookupError(f"a window holds no window: {statistic} of {ring}")

    def aged(self, row: int, age: int) -> Float64:
        raise LookupError(f"a window has no age of point {row} within {age}")

    def usual(self, key: str) -> Float64:
        raise LookupError(f"a window has no {key}")

    def fresh(self, key: str) -> Float64:
        raise LookupError(f"a window has no {key}")

    def elsewhere(self, node: Elsewhere) -> Float64:
        raise LookupError(f"a window sees no other device: {node.who}.{node.name}")

    def peers(self, node: Peers) -> Float64:
        raise LookupError(f"a window sees no peers: {node.point.name}")

    def sun(self, dusk: int, dawn: int) -> tuple[Bool, Bool]:
        raise LookupError(f"a window sees no sun: {dusk}, {dawn}")

    def sun_height(self) -> Float64:
        raise LookupError("a window sees no sun")

    def date(self, kind: str) -> tuple[Bool, Bool]:
        raise LookupError(f"a window has no date: {kind}")

    def time_of_day(self) -> Int64:
        raise LookupError("a window has no time of day")
