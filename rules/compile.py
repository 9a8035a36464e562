"""From checked tree to numpy kernels, in Kleene's logic: a condition is true, false or unknown.

A condition compiles to two kernels, "is known true" and "is known false"; what is neither is unknown. NaN is unknown.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

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
    Elsewhere,
    Known,
    Negation,
    Number,
    ParameterValue,
    Peers,
    PointValue,
    Rises,
    Silent,
    Sun,
    SunHeight,
    Usual,
    Value,
    Window,
    text,
)
from rules.windows import ring_key

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Float64, Int64


class Scene(Protocol):
    """What a kernel can see of the rows it judges: one column of n, or one number that all rows share."""

    def __len__(self) -> int: ...
    def point(self, row: int) -> Float64: ...
    def attribute(self, name: str) -> Float64 | float: ...
    def parameter(self, name: str) -> Float64 | float: ...
    def window(self, ring: str, statistic: str) -> Float64: ...
    def aged(self, row: int, age: int) -> Float64: ...
    def usual(self, key: str) -> Float64: ...
    def elsewhere(self, node: Elsewhere) -> Float64: ...
    def peers(self, node: Peers) -> Float64: ...
    def sun_height(self) -> Float64: ...
    def fresh(self, key: str) -> Float64:
        """1 where the newest row changed it, 0 where not, NaN where that is unknown."""
        ...

    def moved(self, key: str) -> Float64:
        """The same for the rows themselves, on their way into windows."""
        ...

    def sun(self, dusk: int, dawn: int) -> tuple[Bool, Bool]:
        """(known to be day, known to be night), with offsets from sunset and sunrise."""
        ...

    def date(self, kind: str) -> tuple[Bool, Bool]:
        """(known to be such a day, known not to be)."""
        ...

    def time_of_day(self) -> Int64: ...


Kernel = Callable[[Scene], Any]
_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_OPPOSITE: Final = {"==": "!=", "!=": "==", "<=": ">", ">": "<=", ">=": "<", "<": ">="}


def true_kernel(condition: Condition) -> Callable[[Scene], Bool]:
    """bool[n]: where the condition is known to be true."""
    return _whole(_truth(condition, wanted=True))


def false_kernel(condition: Condition) -> Callable[[Scene], Bool]:
    """bool[n]: where the condition is known to be false."""
    return _whole(_truth(condition, wanted=False))


def _whole(kernel: Kernel) -> Callable[[Scene], Bool]:
    def column(scene: Scene) -> Bool:
        mask = kernel(scene)
        return mask if np.ndim(mask) else np.full(len(scene), bool(mask))

    return column


def _truth(condition: Condition, wanted: bool) -> Kernel:
    match condition:
        case Compare():
            return _compare(condition, wanted)
        case Both(items=items) | Either(items=items):
            kernels = [_truth(item, wanted) for item in items]
            return _fold(kernels, operator.and_ if isinstance(condition, Both) is wanted else operator.or_)
        case Negation(item=item):
            return _truth(item, not wanted)
        case _:
            return _timed(condition, wanted)


def _timed(condition: Changed | Rises | Sun | Date | Between | Silent, wanted: bool) -> Kernel:
    match condition:
        case Sun(night=night, dusk=dusk, dawn=dawn):
            place = 1 if night is wanted else 0
            return lambda scene: scene.sun(dusk, dawn)[place]
        case Date(kind=kind):
            side = 0 if wanted else 1
            return lambda scene: scene.date(kind)[side]
        case Between():
            return _between(condition, wanted)
        case Changed():
            key, told = text(condition), float(wanted)
            return lambda scene: scene.fresh(key) == told
        case Rises() | Silent():
            raise ValueError(f"{text(condition)} is not evaluated on its own")


def _fold(kernels: list[Kernel], join: Callable[[Any, Any], Any]) -> Kernel:
    if len(kernels) == 2:
        first, second = kernels
        return lambda scene: join(first(scene), second(scene))
    return lambda scene: reduce(join, (kernel(scene) for kernel in kernels))


def _compare(condition: Compare, wanted: bool) -> Kernel:
    sign = condition.operator if wanted else _OPPOSITE[condition.operator]
    left, right = _number(condition.left), _number(condition.right)
    if sign == "!=":  # NaN differs from everything, yet it is unknown
        return lambda scene: _differ(left(scene), right(scene))
    compare = _OPERATORS[sign]
    if isinstance(condition.right, Constant):
        value = condition.right.value
        return lambda scene: compare(left(scene), value)
    return lambda scene: compare(left(scene), right(scene))


def _differ(left: Any, right: Any) -> Any:
    return (left < right) | (left > right)


def _between(condition: Between, wanted: bool) -> Kernel:
    start, end = condition.start, condition.end
    if start > end:  # over midnight: not between end and start
        start, end, wanted = end, start, not wanted

    def inside(scene: Scene) -> Bool:
        time = scene.time_of_day()
        mask: Bool = (time >= start) & (time < end)
        return mask if wanted else ~mask

    return inside


def number_kernel(node: Number) -> Kernel:
    """float64[n], or one number that all rows share; NaN where unknown."""
    return _number(node)


def _number(node: Number) -> Kernel:
    match node:
        case Absolute(item=item):
            inner = _number(item)
            return lambda scene: np.abs(inner(scene))
        case Known(items=items):
            return _known([_number(item) for item in items])
        case Arithmetic():
            return _arithmetic(node)
        case _:
            return _value(node)


def _value(node: Value) -> Kernel:
    match node:
        case Window(statistic=statistic):
            ring = ring_key(node)
            return lambda scene: scene.window(ring, statistic)
        case Aged(point=point, age=age):
            return lambda scene: scene.aged(point.row, age)
        case Usual():
            key = text(node)
            return lambda scene: scene.usual(key)
        case Elsewhere():
            return lambda scene: scene.elsewhere(node)
        case Peers():
            return lambda scene: scene.peers(node)
        case _:
            return _leaf(node)


def _leaf(node: Constant | PointValue | AttributeValue | ParameterValue | SunHeight) -> Kernel:
    match node:
        case Constant(value=value):
            return lambda _: value
        case PointValue(row=row):
            return lambda scene: scene.point(row)
        case AttributeValue(name=name):
            return lambda scene: scene.attribute(name)
        case ParameterValue(name=name):
            return lambda scene: scene.parameter(name)
        case SunHeight():
            return lambda scene: scene.sun_height()


def _known(kernels: list[Kernel]) -> Kernel:
    def first(scene: Scene) -> Any:
        *others, value = (kernel(scene) for kernel in kernels)
        for other in reversed(others):
            value = np.where(np.isnan(other), value, other)
        return value

    return first


def _arithmetic(node: Arithmetic) -> Kernel:
    left, right = _number(node.left), _number(node.right)
    if node.operator == "/":
        return lambda scene: _divide(left(scene), right(scene))
    apply = _OPERATORS[node.operator]
    return lambda scene: apply(left(scene), right(scene))


def _divide(left: Any, right: Any) -> Any:
    divisor = np.where(np.equal(right, 0), np.nan, right)
    return np.divide(left, divisor)
