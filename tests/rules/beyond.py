"""What lies beyond one device's newest values, for the scalar oracle: its past days, other devices, the calendar."""

from __future__ import annotations

import statistics
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from drivers.telemetry import HOUR, MINUTE, Family
from rules.control import Calendar, DeviceRow
from rules.tree import WEEK, Elsewhere, Number, Peers, PointValue


class Someone(Protocol):
    """A device, as others see it."""

    @property
    def family(self) -> Family: ...
    @property
    def row(self) -> DeviceRow: ...
    @property
    def seen(self) -> dict[str, list[tuple[int, int, float | None]]]: ...


def minute_of(time: int, received: int) -> int:
    """The minute a row counts in: its own, or the first that was open when it came."""
    return max(time // MINUTE, received // MINUTE - 1)


def seen(device: Someone, name: str, received: int) -> float | None:
    """The point of the device as others see it at that receive time."""
    closed = received // MINUTE - 2
    rows = [
        (minute, place) for place, (minute, _, _) in enumerate(device.seen.get(name, [])) if minute <= closed
    ]
    if not rows:
        return None
    _, time, value = device.seen[name][max(rows)[1]]
    interval = max(device.row.interval or device.family.interval, MINUTE)
    return value if time >= (closed + 1) * MINUTE - 3 * interval else None


@dataclass(eq=False)
class Town:
    """All devices, by family and index."""

    devices: Mapping[tuple[str, int], Someone] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=lambda: Calendar([]))

    def other(self, node: Number, device: Someone, received: int) -> float | None:
        if isinstance(node, Elsewhere):
            above = self.above(device, node)
            return None if above is None else seen(above, node.name, received)
        assert isinstance(node, Peers)
        found = [seen(each, node.point.name, received) for each in self.group(device, node)]
        values = [value for value in found if value is not None]
        family = next(each.family for each in self.devices.values() if each.family.name == node.family)
        return over(node, values, family) if len(values) >= max(node.least, 1) else None

    def named(self, name: str) -> Someone | None:
        found = [each for each in self.devices.values() if each.row.id == name]
        return next((each for each in found if not each.row.retired), found[0] if found else None)

    def above(self, device: Someone, node: Elsewhere) -> Someone | None:
        wanted = {family for family, _ in node.rows}
        name = device.row.parent
        for _ in range(8):
            parent = self.named(name) if name else None
            if parent is None or parent.family.name in wanted or node.who == "parent":
                return parent if parent is not None and parent.family.name in wanted else None
            name = parent.row.parent
        return None

    def group(self, device: Someone, node: Peers) -> Sequence[Someone]:
        def key(each: Someone) -> str:
            return each.row.parent if node.by == "parent" else each.row.area

        return [
            each
            for each in self.devices.values()
            if each.family.name == node.family
            and not each.row.retired
            and key(each)
            and key(each) == key(device)
            and (node.by == "site" or each is not device)
        ]


NOWHERE = Town()


def over(node: Peers, values: list[float], family: Family) -> float:
    scale = fraction(node.point, family)
    figures: dict[str, Callable[[], float]] = {
        "min": lambda: min(values),
        "max": lambda: max(values),
        "median": lambda: statistics.median(values),
        "mean": lambda: sum(round(value * scale) for value in values) / (scale * len(values)),
    }
    return figures[node.statistic]()


def fraction(source: PointValue, family: Family) -> float:
    point = family.points[source.row]
    return float(max(10**n for n in range(20) if max(abs(point.low), abs(point.high)) * 10.0**n <= 2**40))


def usual(hours: Mapping[int, list[int]], time: int, days: int, scale: float) -> tuple[float | None, int]:
    """(median of the hourly means of this hour of the last days, how many there are)."""
    newest = max(hours, default=0)
    now = time // HOUR
    past = [now - 24 * day for day in range(1, days + 1)]
    means = [
        single(hours[hour], scale) for hour in past if hour in hours and newest - 24 * days <= hour <= newest
    ]
    return (statistics.median(means) if means else None), len(means)


def single(whole: list[int], scale: float) -> float:
    """A mean in single precision, as it is kept."""
    mean: float = struct.unpack("f", struct.pack("f", sum(whole) / (scale * len(whole))))[0]
    return mean


def told_date(kind: str, day: date, calendar: Calendar) -> bool | None:
    weekday = day.weekday()
    if kind in WEEK:
        return WEEK[weekday] == kind
    if kind in {"weekday", "weekend"}:
        return (weekday < 5) is (kind == "weekday")
    if day.year not in calendar.years:
        return None
    text = day.isoformat()
    if kind == "holiday":
        return text in calendar.holidays and text not in calendar.workdays
    return text in calendar.workdays or (weekday < 5 and text not in calendar.holidays)
