"""From syntax to meaning: every name is resolved, every unit checked, and what is wrong is said where it stands."""

from __future__ import annotations

import re
from typing import Final

from drivers.telemetry import HOUR, MINUTE
from rules.attributes import ATTRIBUTES
from rules.calls import NUMBERS, TRUTHS, call_number, silent
from rules.language import LanguageError, Syntax, parse
from rules.names import CONDITIONS, Vocabulary, by_label, resolve
from rules.tree import (
    DATES,
    Aged,
    Arithmetic,
    Between,
    Both,
    Compare,
    Condition,
    Constant,
    Date,
    Either,
    Elsewhere,
    Negation,
    Number,
    PointValue,
    Sun,
)
from rules.units import PLAIN, SECONDS, parse_unit

RESERVED: Final = frozenset(
    {*NUMBERS, *TRUTHS, *CONDITIONS, *ATTRIBUTES, "silent", "sun", "attr", "parent", "site"}
    | {"and", "or", "not", "between", "by", "median"}
)
LARGEST: Final = 1e100  # no unit's factor makes infinity of it
_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL)


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
            return self.condition(syntax, whole)
        except LanguageError as error:
            self.errors.append(error)
            return None

    def condition(self, syntax: Syntax, whole: bool = False) -> Condition:
        match syntax.kind:
            case "either" | "both":
                found = [item for part in syntax.parts if (item := self.attempt(part)) is not None]
                return Either(tuple(found)) if syntax.kind == "either" else Both(tuple(found))
            case "negation":
                return Negation(self.condition(syntax.parts[0]))
            case "compare":
                return self._compare(syntax)
            case "between":
                return _between(syntax)
            case "name":
                return self._named(syntax)
            case "call" if syntax.text in {"silent", *TRUTHS}:
                return (
                    silent(self, syntax, whole)
                    if syntax.text == "silent"
                    else TRUTHS[syntax.text](self, syntax)
                )
            case _:
                raise syntax.error(f"expected a condition, {self._describe(syntax)}")

    def _named(self, syntax: Syntax) -> Condition:
        if syntax.text in {"night", "day"}:
            return Sun(night=syntax.text == "night")
        if syntax.text in DATES:
            return Date(syntax.text)
        labelled = by_label(self.vocabulary, syntax)
        if labelled is None:
            raise syntax.error(f"expected a condition, {self._describe(syntax)}")
        return labelled

    def _describe(self, syntax: Syntax) -> str:
        if syntax.kind == "label":
            return f"found the label {syntax.text!r}"
        number = self.number(syntax)
        return "found an enumerated point" if _labels(number) else f"found a number in {number.unit}"

    def _compare(self, syntax: Syntax) -> Compare:
        left, right = syntax.parts
        if left.kind == "label" and right.kind != "label":
            return self._enumerated(syntax, right, left)
        if right.kind == "label":
            return self._enumerated(syntax, left, right)
        first, second = self.measured(left), self.measured(right)
        first, second = _aligned(syntax, first, second)
        return Compare(syntax.text, first, second)

    def _enumerated(self, syntax: Syntax, point: Syntax, label: Syntax) -> Compare:
        number = self.number(point)
        labels = _labels(number)
        if not labels:
            raise label.error(f"expected a number in {number.unit}, found the label {label.text!r}")
        if label.text not in labels:
            raise label.error(f"expected one of {', '.join(map(repr, labels))}, found {label.text!r}")
        if syntax.text not in {"==", "!="}:
            raise syntax.error(f"expected == or != between a point and its label, found {syntax.text}")
        return Compare(syntax.text, number, Constant(float(labels.index(label.text))))

    def measured(self, syntax: Syntax) -> Number:
        """A number that has a unit, so not an enumerated point."""
        number = self.number(syntax)
        if labels := _labels(number):
            shown = ", ".join(f'"{label}"' for label in labels)
            raise syntax.error(
                f"{syntax.text} is enumerated: compare it with == or != to one of {shown}",
                f'write {syntax.text} == "{labels[-1]}"',
            )
        return number

    def number(self, syntax: Syntax) -> Number:
        match syntax.kind:
            case "quantity":
                return self._quantity(syntax)
            case "name":
                return resolve(self.vocabulary, syntax)
            case "signed":
                return self._signed(syntax)
            case "arithmetic":
                return self._arithmetic(syntax)
            case "call":
                return call_number(self, syntax)
            case "label":
                raise syntax.error(f"expected a number, found the label {syntax.text!r}")
            case _:
                raise syntax.error("expected a number, found a condition")

    def _quantity(self, syntax: Syntax) -> Constant:
        value, unit = _split(syntax)
        if float(value) > LARGEST:
            raise syntax.error(f"expected a number up to {LARGEST:g}, found {value}")
        try:
            return Constant(float(value), parse_unit(unit, self.vocabulary.units))
        except ValueError as error:
            known = ", ".join(sorted(self.vocabulary.units))
            raise syntax.error(str(error), f"units of this family: {known}") from None

    def _signed(self, syntax: Syntax) -> Number:
        number = self.measured(syntax.parts[0])
        if syntax.text == "+":
            return number
        if isinstance(number, Constant):
            return Constant(-number.value, number.unit)
        return Arithmetic("-", Constant(0.0, number.unit), number, number.unit)

    def _arithmetic(self, syntax: Syntax) -> Arithmetic:
        left, right = (self.measured(part) for part in syntax.parts)
        if syntax.text in {"+", "-"}:
            left, right = _aligned(syntax, left, right)
            return Arithmetic(syntax.text, left, right, left.unit)
        unit = left.unit.times(right.unit) if syntax.text == "*" else left.unit.over(right.unit)
        return Arithmetic(syntax.text, left, right, unit)


def _labels(number: Number) -> tuple[str, ...]:
    return number.labels if isinstance(number, PointValue | Aged | Elsewhere) else ()


def _aligned(syntax: Syntax, left: Number, right: Number) -> tuple[Number, Number]:
    """Both in the unit of the left side (a bare 0 takes any unit); raises where the units do not match."""
    if _is_zero(left):
        left = Constant(0.0, right.unit)
    if _is_zero(right):
        right = Constant(0.0, left.unit)
    if not left.unit.matches(right.unit):
        found = f"expected {left.unit} on the right of {syntax.text}, found {right.unit}"
        raise syntax.error(found, _in_unit(syntax.parts[1], left))
    if left.unit.factor == right.unit.factor:
        return left, right
    ratio = right.unit.factor / left.unit.factor
    if isinstance(right, Constant):
        return left, Constant(right.value * ratio, left.unit)
    return left, Arithmetic("*", right, Constant(ratio), left.unit)


def _in_unit(right: Syntax, left: Number) -> str:
    if right.kind == "quantity" and left.unit.text:
        value, unit = _split(right)
        if unit == "m" and left.unit.matches(SECONDS):
            return f"m is metre here: for minutes write {value} min"
        return f"write the number with its unit, as in {value} {left.unit}"
    return "compare and add only what has the same unit; * and / make other units"


def _is_zero(number: Number) -> bool:
    return isinstance(number, Constant) and number.value == 0 and number.unit == PLAIN


def _split(syntax: Syntax) -> tuple[str, str]:
    match = _QUANTITY.fullmatch(syntax.text)
    assert match is not None
    return match[1], match[2]


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
