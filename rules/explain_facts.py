"""The evidence of a transition, or what a rule sees now, read one device at a time: what was each number, what was true.

Unknown is None, in Kleene's logic; the kernels judged the same values as columns.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from rules.tree import (
    Absolute,
    Aged,
    Arithmetic,
    AttributeValue,
    Both,
    Compare,
    Condition,
    Constant,
    Either,
    Elsewhere,
    Known,
    Negation,
    Number,
    ParameterValue,
    PointValue,
    Window,
    text,
)

_ROUNDED: Final = 0.001  # evidence gives shares of valid data to three places
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_RECKON: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


class Reading(NamedTuple):
    """What a window showed, and of what share of the data it should have had."""

    value: float | None
    valid: float


class Facts:
    """valid: the least share of data that a window must have to be judged."""

    def __init__(self, evidence: Mapping[str, Any], valid: float) -> None:
        self.evidence = evidence
        self.valid = valid

    def _of(self, group: str, name: str) -> Any:
        return self.evidence.get(group, {}).get(name)

    def reading(self, window: Window) -> Reading:
        found = self._of("windows", text(window)) or {}
        return Reading(found.get("value"), found.get("valid", 0.0))

    def thin(self, window: Window) -> bool:
        """Whether too little data came to judge it."""
        return window.statistic != "coverage" and self.reading(window).valid < self.valid - _ROUNDED

    def scope(self, parameter: ParameterValue) -> str:
        """Where its value came from (rules.parameters)."""
        return str((self._of("parameters", parameter.name) or {}).get("scope", ""))

    def number(self, node: Number) -> float | None:
        match node:
            case Constant(value=value):
                return value
            case Arithmetic():
                return self._arithmetic(node)
            case Absolute(item=item):
                found = self.number(item)
                return None if found is None else abs(found)
            case Known(items=items):
                return next((each for item in items if (each := self.number(item)) is not None), None)
            case Window():
                return None if self.thin(node) else self.reading(node).value
            case _:
                return self._leaf(node)

    def _leaf(self, node: Number) -> float | None:
        match node:
            case ParameterValue(name=name):
                found = (self._of("parameters", name) or {}).get("value")
            case AttributeValue(name=name):
                found = self._of("attributes", name)
            case PointValue(name=name, labels=labels):
                found = _position(self._of("values", name), labels)
            case Aged(labels=labels) | Elsewhere(labels=labels):
                found = _position(self._of("values", text(node)), labels)
            case _:
                found = self._of("values", text(node))
        return None if found is None else float(found)

    def _arithmetic(self, node: Arithmetic) -> float | None:
        left, right = self.number(node.left), self.number(node.right)
        if left is None or right is None or (node.operator == "/" and right == 0):
            return None
        return _RECKON[node.operator](left, right)

    def truth(self, condition: Condition) -> bool | None:
        match condition:
            case Compare(operator=sign, left=left, right=right):
                one, other = self.number(left), self.number(right)
                return None if one is None or other is None else _COMPARE[sign](one, other)
            case Both(items=items):
                return _all([self.truth(item) for item in items])
            case Either(items=items):
                found = _all([_not(self.truth(item)) for item in items])
                return _not(found)
            case Negation(item=item):
                return _not(self.truth(item))
            case _:
                told: bool | None = self._of("conditions", text(condition))
                return told


def _position(value: Any, labels: tuple[str, ...]) -> Any:
    return float(labels.index(value)) if isinstance(value, str) and value in labels else value


def _not(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _all(truths: list[bool | None]) -> bool | None:
    if False in truths:
        return False
    return None if None in truths else True
