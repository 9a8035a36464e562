"""What kernels see: a moment of some devices, with their last values; or the rows themselves, on their way into windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rules.windows import Reading

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64
    from rules.memory import Memory
    from rules.watch import Watch


class Moment:
    """n different devices, each at its own event time. Columns are gathered once and shared by all rules."""

    def __init__(self, memory: Memory, devices: Int64, time: Int64) -> None:
        self.devices = devices
        self.time = time
        self.columns: dict[int, Float64] = {}
        self._memory = memory
        self._watch: Watch | None = None
        self._windows: dict[tuple[str, str], Reading] = {}
        self._expected: dict[str, Float64] = {}
        self._sun: tuple[Bool, Bool] | None = None
        self._time_of_day: Int64 | None = None

    def __len__(self) -> int:
        return len(self.devices)

    def of(self, watch: Watch) -> Moment:
        """The same moment, in the eyes of another rule: its parameters, its valid share."""
        self._watch = watch
        return self

    def some(self, rows: Int64) -> Moment:
        """Only these of its devices."""
        part = Moment(self._memory, self.devices[rows], self.time[rows])
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
            reading = self._windows[ring, statistic] = self._memory.rings[ring].read(statistic, self.devices)
        valid = self._watch.rule.valid
        if not valid:
            return reading.value
        expected = self._expected.get(ring)
        if expected is None:
            expected = self._expected[ring] = (
                self._memory.rings[ring].expected.take(self.devices).astype(np.float64)
            )
        return np.where(reading.filled < valid * expected, np.nan, reading.value)

    def sun(self) -> tuple[Bool, Bool]:
        if self._sun is None:
            devices = self._memory.devices
            up = self._memory.sun().up(self.devices, self.time, devices.lat, devices.lon)
            placed = np.isfinite(devices.lat.take(self.devices)) & np.isfinite(devices.lon.take(self.devices))
            self._sun = (up & placed, ~up & placed)
        return self._sun

    def time_of_day(self) -> Int64:
        if self._time_of_day is None:
            self._time_of_day = self._memory.zone.time_of_day(self.time)
        return self._time_of_day


class Rows:
    """Rows as they come: a point's value is the row's own, NaN where the row does not carry it or it may not be judged."""

    def __init__(self, values: Float64) -> None:
        self._values = values

    def __len__(self) -> int:
        return int(self._values.shape[1])

    def point(self, row: int) -> Float64:
        column: Float64 = self._values[row]
        return column

    def attribute(self, name: str) -> Float64:
        raise LookupError(f"a window has no attribute {name}")

    def parameter(self, name: str) -> Float64:
        raise LookupError(f"a window has no parameter {name}")

    def window(self, ring: str, statistic: str) -> Float64:
        raise LookupError(f"a window holds no window: {statistic} of {ring}")

    def sun(self) -> tuple[Bool, Bool]:
        raise LookupError("a window sees no sun")

    def time_of_day(self) -> Int64:
        raise LookupError("a window has no time of day")
