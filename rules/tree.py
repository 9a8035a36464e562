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
class Window:
    """A statistic over the closed buckets of the last `length` µs; share: of the rows for which a condition held."""

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
class Sun:
    """Whether the sun is down (night) or up (not night) at the device's place."""

    night: bool


@dataclass(frozen=True, slots=True)
class Between:
    """Time of day in the city's zone, µs after midnight: start included, end not; over midnight where start > end."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing heard for `timeout` µs, or for the parameter named. Always the whole condition."""

    timeout: int
    parameter: str


Number = Constant | PointValue | AttributeValue | ParameterValue | Arithmetic | Absolute | Window
Condition = Compare | Both | Either | Negation | Sun | Between | Silent
Node = Number | Condition

MEASURES: Final = (
    "mean",
    "min",
    "max",
    "sum",
    "delta",
    "count",
)  # statistics of a point; `share` is of a condition


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case Both(items=items) | Either(items=items):
            return items
        case Absolute(item=item) | Negation(item=item):
            return (item,)
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


_TEXTS: Final[dict[type, Callable[[Any], str]]] = {
    Constant: lambda node: f"{node.value!r} {node.unit.text}".rstrip(),
    PointValue: lambda node: node.name,
    AttributeValue: lambda node: node.name,
    ParameterValue: lambda node: node.name,
    Absolute: lambda node: f"abs({text(node.item)})",
    Window: lambda node: f"{node.statistic}({text(node.source)}, {spell(node.length)})",
    Arithmetic: lambda node: _joined(node.operator, (node.left, node.right)),
    Compare: lambda node: _joined(node.operator, (node.left, node.right)),
    Both: lambda node: _joined("and", node.items),
    Either: lambda node: _joined("or", node.items),
    Negation: lambda node: f"not {text(node.item)}",
    Sun: lambda node: "night" if node.night else "day",
    Between: lambda node: f"between {_clock(node.start)} and {_clock(node.end)}",
    Silent: lambda node: f"silent({node.parameter or spell(node.timeout)})",
}
