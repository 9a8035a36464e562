"""What one rule sees of one device, in plain Python: the scalar oracle's expressions and windows. None is unknown."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from drivers.telemetry import HOUR, LAST_JUDGED, MINUTE, SECOND, Batch, Family
from rules.control import DeviceRow
from rules.document import Rule
from rules.tree import (
    Absolute,
    Aged,
    Arithmetic,
    AttributeValue,
    Between,
    Both,
    Changed,
    Compare,
    Condition,
    Constant,
    Date,
    Either,
    Known,
    Negation,
    Number,
    ParameterValue,
    PointValue,
    Rises,
    Sun,
    SunHeight,
    Usual,
    Window,
    text,
    walk,
)
from tests.rules.beyond import NOWHERE, Town, told_date, usual
from tests.rules.sunlight import sun_height, sun_up

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
    """A window: the number of its open bucket, the values of it and of the closed ones by bucket number, and since which
    bucket there were some without the window ever running empty.
    """

    width: int
    buckets: int
    open: int | None = None
    since: int = 0
    values: dict[int, list[tuple[int, float]]] = field(default_factory=dict)  # (time, value)

    @classmethod
    def of(cls, window: Window) -> Pane:
        width = max(window.length // 15, SECOND)
        return cls(width, min(15, window.length // width))

    @property
    def end(self) -> int | None:
        return None if self.open is None else (self.open + 1) * self.width

    def closed(self) -> list[list[tuple[int, float]]]:
        """The values of the closed buckets that hold any, oldest first."""
        if self.open is None:
            return []
        numbers = range(self.open - self.buckets, self.open)
        return [self.values[number] for number in numbers if number in self.values]

    def could_fill(self, interval: int) -> int:
        """The most readings, one each interval, between the first value and the end of the closed buckets."""
        if self.open is None:
            return 0
        return math.ceil(Fraction(min(self.open - self.since, self.buckets) * self.width, interval))

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
    before: dict[str, float] = field(default_factory=dict)  # of traces: the last known value
    fresh: dict[str, float | None] = field(default_factory=dict)  # of traces: what the newest row changed
    carried: dict[str, int] = field(default_factory=dict)  # point: time of the newest row that carries it
    hours: dict[str, dict[int, list[int]]] = field(
        default_factory=dict
    )  # usual: hour, values as whole fractions
    seen: dict[str, list[tuple[int, int, float | None]]] = field(
        default_factory=dict
    )  # (minute, time, value)

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
    received: int = 0
    town: Town = NOWHERE
    moves: Mapping[str, float | None] = field(default_factory=dict)

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
            case Sun(night=night, dusk=dusk, dawn=dawn):
                up = sun_up(self.time, self.device.row.lat, self.device.row.lon, dusk, dawn)
                return None if up is None else up is not night
            case Changed():
                fresh = self.device.fresh.get(text(node))
                return None if fresh is None else bool(fresh)
            case Date(kind=kind):
                day = datetime.fromtimestamp(self.time // SECOND, UTC).astimezone(self.zone).date()
                return told_date(kind, day, self.town.calendar)
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
        if isinstance(node, Absolute | Arithmetic | Known | Window):
            return self.computed(node)
        return self.remembered(node)

    def remembered(self, node: Number) -> float | None:
        device = self.device
        match node:
            case Aged(point=point, age=age):
                since = device.carried.get(point.name)
                return self.values.get(point.name) if since is not None and self.time - since <= age else None
            case Usual(days=days, point=point):
                scale = scale_of(point, device.family)
                found, known = usual(device.hours.get(text(node), {}), self.time, days, scale)
                return found if known >= self.valid * days else None
            case SunHeight():
                return sun_height(self.time, device.row.lat, device.row.lon)
            case _:
                return self.town.other(node, device, self.received)

    def computed(self, node: Absolute | Arithmetic | Known | Window) -> float | None:
        if isinstance(node, Known):
            return next((found for item in node.items if (found := self.number(item)) is not None), None)
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
        events = {each.name for each in walk(window.source) if isinstance(each, PointValue)} == {"event"}
        filled = min(len(closed), pane.could_fill(interval))
        timed = [pair for bucket in closed for pair in bucket]
        if window.statistic == "coverage":
            return min(filled / expected, len(timed) / max(1, window.length // interval), 1.0)
        if filled < self.valid * expected and not events:
            return None
        values = [value for _, value in timed]
        scale = scale_of(window.source, self.device.family)
        total = sum(round(value * scale) for value in values)
        figures: dict[str, Callable[[], float | None]] = {
            "count": lambda: float(len(values) if isinstance(window.source, PointValue) else total / scale),
            **dict.fromkeys(("sum", "changes", "cycles"), lambda: total / scale),
            "mean": lambda: total / (scale * len(values)) if values else None,
            "share": lambda: total / (scale * len(values)) if values else None,
            "min": lambda: min(values, default=None),
            "max": lambda: max(values, default=None),
            "delta": lambda: values[-1] - values[0] if len(values) > 1 else None,
            "rate": lambda: rate_of(timed),
        }
        return figures[window.statistic]()

    def source(self, window: Window) -> float | None:
        """What the row itself puts into a window."""
        if isinstance(window.source, Changed | Rises):
            return self.moves[text(window.source)]
        if isinstance(window.source, PointValue):
            return self.values.get(window.source.name)
        held = self.truth(window.source)
        return None if held is None else float(held)


def rate_of(timed: list[tuple[int, float]]) -> float | None:
    """An hour, from the first to the last of them."""
    if len(timed) < 2 or timed[-1][0] <= timed[0][0]:
        return None
    return (timed[-1][1] - timed[0][1]) / ((timed[-1][0] - timed[0][0]) / HOUR)


def pane_key(window: Window) -> str:
    kind = {"mean": "sum", "share": "sum", "changes": "sum", "cycles": "sum", "rate": "delta"}.get(
        window.statistic, window.statistic
    )
    kind = "count" if kind == "coverage" else kind
    if kind == "count" and not isinstance(window.source, PointValue):
        kind = "sum"
    return f"{kind} of {text(window.source)} over {window.length}"


def scale_of(source: object, family: Family) -> float:
    """Sums are kept in the finest decimal fraction that leaves the largest value within 2**40."""
    bound = 1.0
    if isinstance(source, PointValue):
        point = family.points[source.row]
        bound = max(abs(point.low), abs(point.high))
    return float(max(10**n for n in range(20) if bound * 10.0**n <= 2**40))


def cell(batch: Batch, name: str, row: int) -> float | None:
    """The value a row carries, None where it carries none that may be judged."""
    place = batch.family.index[name]
    value = float(batch.values[place, row])
    return None if batch.quality[place, row] > LAST_JUDGED or math.isnan(value) else value
