"""The closed tree of a checked rule: every number has its unit, every name is resolved to what it names.

Kernels, evidence and the tests' scalar oracle read this tree and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from drivers.telemetry import MINUTE
from rules.units import PLAIN, Unit, spell


@dataclass(frozen=True, slots=True)
class Constant:
    value: float
    unit: Unit = PLAIN


@dataclass(frozen=True, slots=True)
class PointValue:
    """The last judged value of a point; inside a window, the value of the row itself."""

    name: str
    row: int  # of the family's points
    unit: Unit
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeValue:
    name: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """The rule's own parameter, as tuned for the device."""

    name: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """operator: + - * /. Division by zero is unknown (NaN)."""

    operator: str
    left: Number
    right: Number
    unit: Unit


@dataclass(frozen=True, slots=True)
class Absolute:
    item: Number
    unit: Unit


@dataclass(frozen=True, slots=True)
class Known:
    """The first of the items that is known."""

    items: tuple[Number, ...]
    unit: Unit


@dataclass(frozen=True, slots=True)
class Aged:
    """The last value of a point, unknown where its row is more than `age` µs older than the moment judged."""

    point: PointValue
    age: int
    unit: Unit
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usual:
    """The median of the point's hourly means at the same hour of the last `days` days, as far as they are known."""

    point: PointValue
    days: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A point of the device above in the last closed minute: of the nearest of a family, or of the `parent`, whatever it is.

    rows: (family, row of the point) of each family that it may be.
    """

    who: str
    name: str
    rows: tuple[tuple[str, int], ...]
    unit: Unit
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peers:
    """A statistic of a point over the other devices of the same group in the last closed minute; unknown below `least`.

    by: parent, area, or site: the same area too, but of the family named and with the device itself.
    """

    statistic: str
    family: str
    point: PointValue
    by: str
    least: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class SunHeight:
    """How high the sun stands at the device's place, without refraction; below 0 deg it is under the horizon."""

    unit: Unit


@dataclass(frozen=True, slots=True)
class Window:
    """A statistic over the closed buckets of the last `length` µs; share and count: of rows for which a condition held.

    changes, cycles: how often a point changed, or a condition became true. coverage: how much of the data that the
    device's interval should give is there, 0 to 1; it is known whatever is missing.
    """

    statistic: str
    source: PointValue | Condition
    length: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Compare:
    """operator: == != <= >= < >. Both sides are in the same unit."""

    operator: str
    left: Number
    right: Number


@dataclass(frozen=True, slots=True)
class Both:
    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    item: Condition


@dataclass(frozen=True, slots=True)
class Changed:
    """Whether the newest row brought another value of the point than was known before."""

    point: PointValue


@dataclass(frozen=True, slots=True)
class Rises:
    """Whether a row made the condition true that was known to be false before. Only in windows."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Sun:
    """Whether it is night (or, not night, day) at the device's place: from `dusk` µs after sunset to `dawn` µs after sunrise."""

    night: bool
    dusk: int = 0
    dawn: int = 0


@dataclass(frozen=True, slots=True)
class Date:
    """Whether the day in the city's zone is one of DATES."""

    kind: str


@dataclass(frozen=True, slots=True)
class Between:
    """Time of day in the city's zone, µs after midnight: start included, end not; over midnight where start > end."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing heard for `timeout` µs, or for the parameter named; for MISSED of the device's intervals where that is
    longer. Always the whole condition.
    """

    timeout: int
    parameter: str


Value = (
    Constant
    | PointValue
    | AttributeValue
    | ParameterValue
    | Aged
    | Usual
    | Elsewhere
    | Peers
    | SunHeight
    | Window
)
Number = Value | Arithmetic | Absolute | Known
Condition = Compare | Both | Either | Negation | Changed | Rises | Sun | Between | Date | Silent
Node = Number | Condition

MISSED: Final = (
    2.5  # intervals without a word before a device is silent: an uplink missing for 2 to 3 (domain B.6)
)
OF_LAST_VALUES: Final = (  # what is seen of a device's last values, its registration and the time, and of nothing else
    *(Constant, PointValue, AttributeValue, ParameterValue, SunHeight, Arithmetic, Absolute, Known),
    *(Compare, Both, Either, Negation, Sun, Between, Date),
)
MEASURES: Final = (
    "mean",
    "min",
    "max",
    "sum",
    "delta",
    "rate",
    "count",
)  # of a point; `count` of a condition too
WEEK: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DATES: Final = (*WEEK, "weekday", "weekend", "workday", "holiday")  # the last two need a Calendar in the log
PEERS: Final = ("median", "mean", "min", "max")


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case Both() | Either() | Known():
            return node.items
        case Absolute(item=item) | Negation(item=item) | Rises(condition=item):
            return (item,)
        case Changed(point=point) | Aged(point=point):
            return (point,)
        case Window(source=source):
            return (source,)
        case _:
            return ()


def walk(node: Node, inside_windows: bool = True) -> Iterator[Node]:
    """The node and all below it, parents first."""
    yield node
    if inside_windows or not isinstance(node, Window):
        for child in children(node):
            yield from walk(child, inside_windows)


def text(node: Node) -> str:
    """Canonical text: the same for the same meaning, so it can name a window in snapshot and evidence."""
    return _TEXTS[type(node)](node)


def _joined(word: str, items: tuple[Node, ...]) -> str:
    return "(" + f" {word} ".join(text(item) for item in items) + ")"


def _clock(time_of_day: int) -> str:
    return f"{time_of_day // (60 * MINUTE):02}:{time_of_day // MINUTE % 60:02}"


def _source(window: Window) -> str:
    source = window.source
    return text(
        source.point
        if isinstance(source, Changed)
        else source.condition
        if isinstance(source, Rises)
        else source
    )


def _peers(node: Peers) -> str:
    if node.by == "site":
        return f"site.{node.point.name}"
    return f"peers({node.statistic}, {node.point.name}, by {node.by}, min {node.least})"


def _sun(node: Sun) -> str:
    name, first, last = ("night", node.dusk, node.dawn) if node.night else ("day", node.dawn, node.dusk)
    shown = ", ".join(f"{'-' if each < 0 else '+'}{spell(abs(each))}" for each in (first, last))
    return f"{name}({shown})" if node.dusk or node.dawn else name


_TEXTS: Final[dict[type, Callable[[Any], str]]] = {
    Constant: lambda node: f"{node.value!r} {node.unit.text}".rstrip(),
    PointValue: lambda node: node.name,
    AttributeValue: lambda node: f"attr.{node.name}",
    ParameterValue: lambda node: node.name,
    Absolute: lambda node: f"abs({text(node.item)})",
    Known: lambda node: "known(" + ", ".join(map(text, node.items)) + ")",
    Aged: lambda node: f"last({node.point.name}, max {spell(node.age)})",
    Usual: lambda node: f"usual({node.point.name}, {node.days}d)",
    Elsewhere: lambda node: f"{node.who}.{node.name}",
    Peers: _peers,
    SunHeight: lambda _: "sun",
    Window: lambda node: f"{node.statistic}({_source(node)}, {spell(node.length)})",
    Arithmetic: lambda node: _joined(node.operator, (node.left, node.right)),
    Compare: lambda node: _joined(node.operator, (node.left, node.right)),
    Both: lambda node: _joined("and", node.items),
    Either: lambda node: _joined("or", node.items),
    Negation: lambda node: f"not {text(node.item)}",
    Changed: lambda node: f"changed({node.point.name})",
    Rises: lambda node: f"rises({text(node.condition)})",
    Sun: _sun,
    Date: lambda node: node.kind,
    Between: lambda node: f"between {_clock(node.start)} and {_clock(node.end)}",
    Silent: lambda node: f"silent({node.parameter or spell(node.timeout)})",
}
