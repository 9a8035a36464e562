"""What one rule sees of one device, in plain Python: the scalar oracle's expressions and windows. None is unknown."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from drivers.telemetry import LAST_JUDGED, MINUTE, SECOND, Batch, Family
from rules.control import DeviceRow
from rules.document import Rule
from rules.tree import (
    Absolute,
    Arithmetic,
    AttributeValue,
    Between,
    Both,
    Compare,
    Condition,
    Constant,
    Either,
    Negation,
    Number,
    ParameterValue,
    PointValue,
    Sun,
    Window,
    text,
)
from tests.rules.sunlight import sun_up

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


@dataclass
class Stand:
    """Where one rule stands on one device. pending: (event time, receive time) at which its hold began."""

    raised: bool = False
    pending: tuple[int, int] | None = None
    changed: int | None = None


@dataclass
class Pane:
    """A window: the number of its open bucket, and the values of it and of the closed ones by bucket number."""

    width: int
    buckets: int
    open: int | None = None
    values: dict[int, list[float]] = field(default_factory=dict)

    @classmethod
    def of(cls, window: Window) -> Pane:
        width = max(window.length // 15, SECOND)
        return cls(width, min(15, window.length // width))

    @property
    def end(self) -> int | None:
        return None if self.open is None else (self.open + 1) * self.width

    def closed(self) -> list[list[float]]:
        """The values of the closed buckets that hold any, oldest first."""
        if self.open is None:
            return []
        numbers = range(self.open - self.buckets, self.open)
        return [self.values[number] for number in numbers if number in self.values]

    def close(self) -> None:
        assert self.open is not None
        self.open += 1
        oldest = self.open - self.buckets
        self.values = {number: values for number, values in self.values.items() if number >= oldest}


@dataclass
class Device:
    family: Family
    row: DeviceRow
    last: dict[str, float | None] = field(default_factory=dict)
    heard: int | None = None
    newest: int | None = None
    panes: dict[str, Pane] = field(default_factory=dict)
    stands: dict[str, Stand] = field(default_factory=dict)

    def stand(self, rule: Rule) -> Stand:
        return self.stands.setdefault(rule.id, Stand())

    @property
    def grace(self) -> int:
        return 60 * SECOND + self.row.lateness


@dataclass
class Sight:
    device: Device
    time: int
    values: Mapping[str, float | None]
    zone: ZoneInfo
    valid: float = 0.0
    parameter: Callable[[str], float] = float

    def truth(self, node: Condition) -> bool | None:
        match node:
            case Compare(operator=sign, left=left, right=right):
                first, second = self.number(left), self.number(right)
                return None if first is None or second is None else bool(OPERATORS[sign](first, second))
            case Both(items=items):
                found = [self.truth(item) for item in items]
                return False if False in found else None if None in found else True
            case Either(items=items):
                found = [self.truth(item) for item in items]
                return True if True in found else None if None in found else False
            case Negation(item=item):
                held = self.truth(item)
                return None if held is None else not held
            case _:
                return self.timed(node)

    def timed(self, node: Condition) -> bool | None:
        match node:
            case Sun(night=night):
                up = sun_up(self.time, self.device.row.lat, self.device.row.lon)
                return None if up is None else up is not night
            case Between(start=start, end=end):
                local = datetime.fromtimestamp(self.time // SECOND, UTC).astimezone(self.zone)
                now = (local.hour * 60 + local.minute) * MINUTE
                return start <= now < end if start < end else now >= start or now < end
            case _:
                raise AssertionError(node)

    def number(self, node: Number) -> float | None:
        found = self.raw(node)
        return None if found is None or math.isnan(found) else found

    def raw(self, node: Number) -> float | None:
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, PointValue):
            return self.values.get(node.name)
        if isinstance(node, AttributeValue):
            return self.device.row.attributes.get(node.name)
        if isinstance(node, ParameterValue):
            return self.parameter(node.name)
        return self.computed(node)

    def computed(self, node: Absolute | Arithmetic | Window) -> float | None:
        if isinstance(node, Absolute):
            inner = self.number(node.item)
            return None if inner is None else abs(inner)
        if isinstance(node, Window):
            return self.window(node)
        first, second = self.number(node.left), self.number(node.right)
        if first is None or second is None or (node.operator == "/" and second == 0):
            return None
        return first / second if node.operator == "/" else float(OPERATORS[node.operator](first, second))

    def window(self, window: Window) -> float | None:
        pane = self.device.panes.get(pane_key(window), Pane.of(window))
        closed = pane.closed()
        interval = self.device.row.interval or self.device.family.interval
        expected = min(pane.buckets, max(1, window.length // interval))
        if len(closed) < self.valid * expected:
            return None
        values = [value for bucket in closed for value in bucket]
        scale = scale_of(window, self.device.family)
        total = sum(round(value * scale) for value in values)
        figures: dict[str, Callable[[], float | None]] = {
            "count": lambda: float(len(values)),
            "sum": lambda: total / scale,
            "mean": lambda: total / (scale * len(values)) if values else None,
            "share": lambda: total / (scale * len(values)) if values else None,
            "min": lambda: min(values, default=None),
            "max": lambda: max(values, default=None),
            "delta": lambda: values[-1] - values[0] if len(values) > 1 else None,
        }
        return figures[window.statistic]()

    def source(self, window: Window) -> float | None:
        """What the row itself puts into a window."""
        if isinstance(window.source, PointValue):
            return self.values.get(window.source.name)
        held = self.truth(window.source)
        return None if held is None else float(held)


def pane_key(window: Window) -> str:
    kind = {"mean": "sum", "share": "sum"}.get(window.statistic, window.statistic)
    return f"{kind} of {text(window.source)} over {window.length}"


def scale_of(window: Window, family: Family) -> float:
    """Sums are kept in the finest decimal fraction that leaves the largest value within 2**40."""
    bound = 1.0
    if isinstance(window.source, PointValue):
        point = family.points[window.source.row]
        bound = max(abs(point.low), abs(point.high))
    return float(max(10**n for n in range(20) if bound * 10.0**n <= 2**40))


def cell(batch: Batch, name: str, row: int) -> float | None:
    """The value a row carries, None where it carries none that may be judged."""
    place = batch.family.index[name]
    value = float(batch.values[place, row])
    return None if batch.quality[place, row] > LAST_JUDGED or math.isnan(value) else value
