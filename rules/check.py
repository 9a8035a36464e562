"""From syntax to meaning: every name is resolved, every unit checked, and what is wrong is said where it stands.

m is metre in arithmetic and minute in durations: the second argument of a window, the argument of silent(), hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND, Family
from rules.attributes import ATTRIBUTES
from rules.language import LanguageError, Syntax, parse
from rules.tree import (
    MEASURES,
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
    Silent,
    Sun,
    Window,
    walk,
)
from rules.units import PLAIN, SECONDS, Unit, duration, parse_unit

RESERVED: Final = frozenset(
    {*MEASURES, "share", "abs", "silent", "night", "day", "and", "or", "not", "between"}
)
LONGEST_WINDOW: Final = 31 * DAY
_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Vocabulary:
    """What the names of a rule may mean: the family's points, attributes, and the rule's own parameters with units."""

    family: Family
    parameters: Mapping[str, Unit]

    @property
    def units(self) -> frozenset[str]:
        return frozenset(point.unit for point in self.family.points if point.unit)

    def names(self) -> list[str]:
        return [*self.family.index, *self.parameters, *ATTRIBUTES, "night", "day"]


def check(text: str, vocabulary: Vocabulary) -> Condition:
    """The checked tree of one condition; raises ConditionError with every fault found."""
    try:
        syntax = parse(text)
    except LanguageError as error:
        raise ConditionError([error]) from None
    checker = _Checker(vocabulary)
    tree = checker.attempt(syntax, whole=True)
    if tree is None or checker.errors:
        raise ConditionError(checker.errors)
    return tree


class ConditionError(ValueError):
    """Every fault of one condition, in order of place."""

    def __init__(self, errors: list[LanguageError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


class _Checker:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.errors: list[LanguageError] = []

    def attempt(self, syntax: Syntax, whole: bool = False) -> Condition | None:
        """The condition, or None with its fault noted, so that the faults of its neighbours are found too."""
        try:
            return self._condition(syntax, whole)
        except LanguageError as error:
            self.errors.append(error)
            return None

    def _condition(self, syntax: Syntax, whole: bool = False) -> Condition:
        match syntax.kind:
            case "either" | "both":
                found = [item for part in syntax.parts if (item := self.attempt(part)) is not None]
                return Either(tuple(found)) if syntax.kind == "either" else Both(tuple(found))
            case "negation":
                return Negation(self._condition(syntax.parts[0]))
            case "compare":
                return self._compare(syntax)
            case "between":
                return _between(syntax)
            case "name" if syntax.text in {"night", "day"}:
                return Sun(night=syntax.text == "night")
            case "call" if syntax.text == "silent":
                return self._silent(syntax, whole)
            case _:
                raise syntax.error(f"expected a condition, {self._describe(syntax)}")

    def _describe(self, syntax: Syntax) -> str:
        if syntax.kind == "label":
            return f"found the label {syntax.text!r}"
        number = self._number(syntax)
        return "found an enumerated point" if _labels(number) else f"found a number in {number.unit}"

    def _compare(self, syntax: Syntax) -> Compare:
        left, right = syntax.parts
        if left.kind == "label" and right.kind != "label":
            return self._enumerated(syntax, right, left)
        if right.kind == "label":
            return self._enumerated(syntax, left, right)
        first, second = self._measured(left), self._measured(right)
        first, second = _aligned(syntax, first, second)
        return Compare(syntax.text, first, second)

    def _enumerated(self, syntax: Syntax, point: Syntax, label: Syntax) -> Compare:
        number = self._number(point)
        labels = _labels(number)
        if not labels:
            raise label.error(f"expected a number in {number.unit}, found the label {label.text!r}")
        if label.text not in labels:
            raise label.error(f"expected one of {', '.join(map(repr, labels))}, found {label.text!r}")
        if syntax.text not in {"==", "!="}:
            raise syntax.error(f"expected == or != between a point and its label, found {syntax.text}")
        return Compare(syntax.text, number, Constant(float(labels.index(label.text))))

    def _measured(self, syntax: Syntax) -> Number:
        """A number that has a unit, so not an enumerated point."""
        number = self._number(syntax)
        if labels := _labels(number):
            shown = ", ".join(f'"{label}"' for label in labels)
            raise syntax.error(f"{syntax.text} is enumerated: compare it with == or != to one of {shown}")
        return number

    def _number(self, syntax: Syntax) -> Number:
        match syntax.kind:
            case "quantity":
                return self._quantity(syntax)
            case "name":
                return self._name(syntax)
            case "signed":
                return self._signed(syntax)
            case "arithmetic":
                return self._arithmetic(syntax)
            case "call":
                return self._call(syntax)
            case "label":
                raise syntax.error(f"expected a number, found the label {syntax.text!r}")
            case _:
                raise syntax.error("expected a number, found a condition")

    def _quantity(self, syntax: Syntax) -> Constant:
        value, unit = _split(syntax)
        try:
            return Constant(float(value), parse_unit(unit, self.vocabulary.units))
        except ValueError as error:
            raise syntax.error(str(error)) from None

    def _name(self, syntax: Syntax) -> Number:
        name, family = syntax.text, self.vocabulary.family
        if name in self.vocabulary.parameters:
            return ParameterValue(name, self.vocabulary.parameters[name])
        if name in family.index:
            row = family.index[name]
            point = family.points[row]
            return PointValue(name, row, parse_unit(point.unit, self.vocabulary.units), point.labels)
        if name in ATTRIBUTES:
            return AttributeValue(name, parse_unit(ATTRIBUTES[name]))
        if name in {"night", "day"}:
            raise syntax.error(f"expected a number, found the condition {name!r}")
        near = get_close_matches(name, self.vocabulary.names(), 3, 0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise syntax.error(
            f"expected a point of {family.name}, a parameter or an attribute, found {name!r}{hint}"
        )

    def _signed(self, syntax: Syntax) -> Number:
        number = self._measured(syntax.parts[0])
        if syntax.text == "+":
            return number
        if isinstance(number, Constant):
            return Constant(-number.value, number.unit)
        return Arithmetic("-", Constant(0.0, number.unit), number, number.unit)

    def _arithmetic(self, syntax: Syntax) -> Arithmetic:
        left, right = (self._measured(part) for part in syntax.parts)
        if syntax.text in {"+", "-"}:
            left, right = _aligned(syntax, left, right)
            return Arithmetic(syntax.text, left, right, left.unit)
        unit = left.unit.times(right.unit) if syntax.text == "*" else left.unit.over(right.unit)
        return Arithmetic(syntax.text, left, right, unit)

    def _call(self, syntax: Syntax) -> Number:
        name = syntax.text
        if name == "silent":
            raise syntax.error("silent(…) can only stand alone, as the whole of `when`")
        if name == "abs":
            _arity(syntax, 1, "abs(number)")
            item = self._measured(syntax.parts[0])
            return Absolute(item, item.unit)
        if name in MEASURES:
            return self._measure(syntax)
        if name == "share":
            return self._share(syntax)
        raise syntax.error(f"unknown function {name!r}: expected {', '.join(MEASURES)}, share, abs or silent")

    def _measure(self, syntax: Syntax) -> Window:
        _arity(syntax, 2, f"{syntax.text}(point, duration)")
        point = self._number(syntax.parts[0])
        if not isinstance(point, PointValue):
            raise syntax.parts[0].error(f"expected a point, as in {syntax.text}(point, 15m)")
        if syntax.text != "count":
            self._measured(syntax.parts[0])
        unit = PLAIN if syntax.text == "count" else point.unit
        return Window(syntax.text, point, _length(syntax.parts[1]), unit)

    def _share(self, syntax: Syntax) -> Window:
        _arity(syntax, 2, "share(condition, duration)")
        source = self._condition(syntax.parts[0])
        foreign = [
            node
            for node in walk(source)
            if isinstance(node, Window | Sun | Between | ParameterValue | AttributeValue)
        ]
        if foreign:
            raise syntax.parts[0].error("expected a condition of points and constants only")
        return Window("share", source, _length(syntax.parts[1]), PLAIN)

    def _silent(self, syntax: Syntax, whole: bool) -> Silent:
        if not whole:
            raise syntax.error("silent(…) can only stand alone, as the whole of `when`")
        _arity(syntax, 1, "silent(duration) or silent(parameter)")
        part = syntax.parts[0]
        if part.kind == "name" and part.text in self.vocabulary.parameters:
            unit = self.vocabulary.parameters[part.text]
            if not unit.matches(SECONDS):
                raise part.error(f"expected a parameter in s, min, h or d, {part.text} is in {unit}")
            return Silent(0, part.text)
        return Silent(_span(part), "")


def _labels(number: Number) -> tuple[str, ...]:
    return number.labels if isinstance(number, PointValue) else ()


def _aligned(syntax: Syntax, left: Number, right: Number) -> tuple[Number, Number]:
    """Both in the unit of the left side (a bare 0 takes any unit); raises where the units do not match."""
    if _is_zero(left):
        left = Constant(0.0, right.unit)
    if _is_zero(right):
        right = Constant(0.0, left.unit)
    if not left.unit.matches(right.unit):
        raise syntax.error(f"expected {left.unit} on the right of {syntax.text}, found {right.unit}")
    if left.unit.factor == right.unit.factor:
        return left, right
    ratio = right.unit.factor / left.unit.factor
    if isinstance(right, Constant):
        return left, Constant(right.value * ratio, left.unit)
    return left, Arithmetic("*", right, Constant(ratio), left.unit)


def _is_zero(number: Number) -> bool:
    return isinstance(number, Constant) and number.value == 0 and number.unit == PLAIN


def _split(syntax: Syntax) -> tuple[str, str]:
    match = _QUANTITY.fullmatch(syntax.text)
    assert match is not None
    return match[1], match[2]


def _arity(syntax: Syntax, count: int, usage: str) -> None:
    if len(syntax.parts) != count:
        raise syntax.error(f"expected {usage}, found {len(syntax.parts)} arguments")


def _span(syntax: Syntax) -> int:
    if syntax.kind != "quantity":
        raise syntax.error("expected a duration such as 90s, 15m, 26h or 2d")
    try:
        span = duration(syntax.text)
    except ValueError as error:
        raise syntax.error(str(error)) from None
    if span <= 0:
        raise syntax.error("expected a duration above zero")
    return span


def _length(syntax: Syntax) -> int:
    span = _span(syntax)
    if not SECOND <= span <= LONGEST_WINDOW:
        raise syntax.error("a window is between 1s and 31d long")
    return span


def _between(syntax: Syntax) -> Between:
    start, end = (_time_of_day(syntax, word) for word in syntax.text.split())
    if start == end:
        raise syntax.error("expected two different times of day")
    return Between(start, end)


def _time_of_day(syntax: Syntax, word: str) -> int:
    hours, minutes = map(int, word.split(":"))
    if minutes > 59 or hours > 24 or (hours == 24 and minutes):
        raise syntax.error(f"expected a time of day between 00:00 and 24:00, found {word}")
    return hours * HOUR + minutes * MINUTE
