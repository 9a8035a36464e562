"""The functions of the language: what each takes, what it gives, and what is said when it is called otherwise.

m is metre in arithmetic and minute in durations: wherever a function takes a span of time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from drivers.telemetry import DAY, HOUR, SECOND
from rules.language import LanguageError, Syntax
from rules.names import Vocabulary
from rules.tree import (
    MEASURES,
    PEERS,
    Absolute,
    Aged,
    Arithmetic,
    Both,
    Changed,
    Compare,
    Condition,
    Constant,
    Either,
    Known,
    Negation,
    Number,
    Peers,
    PointValue,
    Rises,
    Silent,
    Sun,
    Usual,
    Window,
    walk,
)
from rules.units import PLAIN, SECONDS, Unit, duration, parse_unit

LONGEST_WINDOW: Final = 31 * DAY
MOST_DAYS: Final = 31  # of one's own past
FARTHEST: Final = 6 * HOUR  # from sunset or sunrise
FEWEST_PEERS: Final = 3
_ALONE: Final = "silent(…) can only stand alone, as the whole of `when`"
GROUPS: Final = ("parent", "area")


class Checker(Protocol):
    """What gives the parts of a call their meaning; every method raises LanguageError."""

    vocabulary: Vocabulary

    def number(self, syntax: Syntax) -> Number: ...
    def measured(self, syntax: Syntax) -> Number: ...
    def condition(self, syntax: Syntax) -> Condition: ...


# -- numbers


def _absolute(checker: Checker, syntax: Syntax) -> Number:
    _arity(syntax, 1, "abs(number)")
    item = checker.measured(syntax.parts[0])
    return Absolute(item, item.unit)


def _known(checker: Checker, syntax: Syntax) -> Number:
    if len(syntax.parts) < 2:
        raise syntax.error("expected known(number, number, …), found 1 argument")
    items = [checker.measured(part) for part in syntax.parts]
    first = items[0]
    for part, item in zip(syntax.parts, items, strict=True):
        if item.unit.powers != first.unit.powers or item.unit.factor != first.unit.factor:
            raise part.error(f"expected {first.unit} like the first, found {item.unit}")
    return Known(tuple(items), first.unit)


def _last(checker: Checker, syntax: Syntax) -> Number:
    _arity(syntax, 2, "last(point, max duration)")
    point = _point(checker, syntax, "last(power, max 30m)")
    return Aged(point, _length(_setting(syntax.parts[1], "max", "max 30m")), point.unit, point.labels)


def _usual(checker: Checker, syntax: Syntax) -> Number:
    _arity(syntax, 2, "usual(point, days)")
    point = _point(checker, syntax, "usual(power, 7d)")
    checker.measured(syntax.parts[0])
    span = _span(syntax.parts[1])
    if span % DAY or not 1 <= span // DAY <= MOST_DAYS:
        raise syntax.parts[1].error(f"expected whole days, 1d to {MOST_DAYS}d")
    return Usual(point, span // DAY, point.unit)


def _peers(checker: Checker, syntax: Syntax) -> Number:
    usage = f"peers(statistic, point, by {' or '.join(GROUPS)}, min {FEWEST_PEERS})"
    if not 2 <= len(syntax.parts) <= 4:
        raise syntax.error(f"expected {usage}, found {len(syntax.parts)} arguments")
    statistic, point, *settings = syntax.parts
    if statistic.kind != "name" or statistic.text not in PEERS:
        raise statistic.error(f"expected one of {', '.join(PEERS)}")
    value = checker.measured(point)
    if not isinstance(value, PointValue):
        raise point.error("expected a point, as in peers(median, pm10)")
    by, least = "area", FEWEST_PEERS
    for setting in settings:
        if setting.kind == "setting" and setting.text == "by":
            by = _group(setting.parts[0])
        else:
            least = _whole(_setting(setting, "min", "by area or min 3"))
    return Peers(statistic.text, checker.vocabulary.family.name, value, by, least, value.unit)


def _group(syntax: Syntax) -> str:
    if syntax.text not in GROUPS:
        raise syntax.error(f"expected by {' or by '.join(GROUPS)}, found by {syntax.text}")
    return syntax.text


def _whole(syntax: Syntax) -> int:
    if not syntax.text.isdigit() or not 1 <= int(syntax.text) <= 10_000:
        raise syntax.error(f"expected a whole number of devices from 1 to 10000, found {syntax.text!r}")
    return int(syntax.text)


# -- windows


def _measure(checker: Checker, syntax: Syntax) -> Number:
    """mean, min, max, sum, delta, rate and count of a point; count of a condition too."""
    name = syntax.text
    _arity(syntax, 2, f"{name}(point, duration)")
    length = _length(syntax.parts[1])
    if name == "count" and (source := _counted(checker, syntax.parts[0])) is not None:
        return Window(name, source, length, PLAIN)
    point = _point(checker, syntax, f"{name}(point, 15m)")
    if name == "count":
        return Window(name, point, length, PLAIN)
    checker.measured(syntax.parts[0])
    return Window(name, point, length, _per_hour(point.unit) if name == "rate" else point.unit)


def _counted(checker: Checker, syntax: Syntax) -> Condition | None:
    """The condition to count, None where what stands there is a number."""
    family = checker.vocabulary.family
    if syntax.kind == "name" and (syntax.text in family.index or "." in syntax.text):
        return None
    if syntax.kind in {"quantity", "arithmetic", "signed", "label"}:
        return None
    return _of_rows(checker, syntax)


def _per_hour(unit: Unit) -> Unit:
    return unit.over(parse_unit("h"))


def _of_rows(checker: Checker, syntax: Syntax) -> Condition:
    """A condition that a row alone decides."""
    source = checker.condition(syntax)
    if not all(isinstance(node, _ROWS) for node in walk(source)):
        raise syntax.error(
            "expected a condition of points and constants only",
            "what a window counts is decided by the row alone: move the rest outside of the window",
        )
    return source


_ROWS: Final = (Compare, Both, Either, Negation, Arithmetic, Absolute, PointValue, Constant)


def _of_condition(checker: Checker, syntax: Syntax) -> Number:
    """share(condition, duration), cycles(condition, duration)."""
    name = syntax.text
    _arity(syntax, 2, f"{name}(condition, duration)")
    source = _of_rows(checker, syntax.parts[0])
    return Window(name, Rises(source) if name == "cycles" else source, _length(syntax.parts[1]), PLAIN)


def _changes(checker: Checker, syntax: Syntax) -> Number:
    _arity(syntax, 2, "changes(point, duration)")
    point = _point(checker, syntax, "changes(point, 1h)")
    return Window("changes", Changed(point), _length(syntax.parts[1]), PLAIN)


def _coverage(checker: Checker, syntax: Syntax) -> Number:
    _arity(syntax, 2, "coverage(point, duration)")
    point = _point(checker, syntax, "coverage(pm10, 1h)")
    if point.name == "event":
        raise syntax.parts[0].error(
            "expected a measured point: events come when there are some, not each interval",
            "count them: count(event, 1h)",
        )
    return Window("coverage", point, _length(syntax.parts[1]), PLAIN)


# -- conditions


def _changed(checker: Checker, syntax: Syntax) -> Condition:
    if len(syntax.parts) not in {1, 2}:
        raise syntax.error("expected changed(point) or changed(point, duration)")
    if len(syntax.parts) == 2:
        return Compare(">", _changes(checker, syntax), Constant(0.0))
    return Changed(_point(checker, syntax, "changed(door)"))


def _night(checker: Checker, syntax: Syntax) -> Condition:
    """night(+30m, -20m): from half an hour after sunset to twenty minutes before sunrise; day(…) the other way round."""
    del checker
    _arity(syntax, 2, f"{syntax.text}(offset, offset), as in night(+30m, -20m)")
    first, second = (_offset(part) for part in syntax.parts)
    night = syntax.text == "night"
    return Sun(night, first, second) if night else Sun(night, second, first)


def _offset(syntax: Syntax) -> int:
    inner = syntax.parts[0] if syntax.kind == "signed" else syntax
    if inner.kind == "quantity" and inner.text == "0":
        return 0
    span = _span(inner)
    if span > FARTHEST:
        raise syntax.error(f"expected at most {FARTHEST // HOUR}h before or after")
    return -span if syntax.kind == "signed" and syntax.text == "-" else span


def silent(checker: Checker, syntax: Syntax, whole: bool) -> Silent:
    if not whole:
        raise syntax.error(_ALONE, "make a rule of its own of it")
    _arity(syntax, 1, "silent(duration) or silent(parameter)")
    part = syntax.parts[0]
    if part.kind == "name" and part.text in checker.vocabulary.parameters:
        unit = checker.vocabulary.parameters[part.text]
        if not unit.matches(SECONDS):
            raise part.error(f"expected a parameter in s, min, h or d, {part.text} is in {unit}")
        return Silent(0, part.text)
    return Silent(_span(part), "")


NUMBERS: Final[dict[str, Callable[[Checker, Syntax], Number]]] = {
    **dict.fromkeys(MEASURES, _measure),
    "coverage": _coverage,
    "changes": _changes,
    "share": _of_condition,
    "cycles": _of_condition,
    "abs": _absolute,
    "known": _known,
    "last": _last,
    "usual": _usual,
    "peers": _peers,
}
TRUTHS: Final[dict[str, Callable[[Checker, Syntax], Condition]]] = {
    "changed": _changed,
    "night": _night,
    "day": _night,
}


def call_number(checker: Checker, syntax: Syntax) -> Number:
    """The number that a call gives; raises LanguageError."""
    name = syntax.text
    if name == "silent":
        raise syntax.error(_ALONE, "make a rule of its own of it")
    if name in TRUTHS:
        raise syntax.error(f"expected a number, found the condition {name}(…)")
    if name not in NUMBERS:
        raise syntax.error(f"unknown function {name!r}: expected {', '.join([*NUMBERS, *TRUTHS])} or silent")
    return NUMBERS[name](checker, syntax)


# -- what stands between the brackets


def _point(checker: Checker, syntax: Syntax, usage: str) -> PointValue:
    point = checker.number(syntax.parts[0])
    if not isinstance(point, PointValue):
        raise syntax.parts[0].error(f"expected a point, as in {usage}")
    return point


def _setting(syntax: Syntax, word: str, usage: str) -> Syntax:
    if syntax.kind != "setting" or syntax.text != word:
        raise syntax.error(f"expected {usage}")
    return syntax.parts[0]


def _arity(syntax: Syntax, count: int, usage: str) -> None:
    if len(syntax.parts) != count:
        raise syntax.error(f"expected {usage}, found {len(syntax.parts)} arguments")


def _span(syntax: Syntax) -> int:
    if syntax.kind != "quantity":
        raise syntax.error("expected a duration such as 90s, 15m, 26h or 2d")
    try:
        span = duration(syntax.text)
    except ValueError as error:
        raise LanguageError(str(error), syntax.line, syntax.column) from None
    if span <= 0:
        raise syntax.error("expected a duration above zero")
    return span


def _length(syntax: Syntax) -> int:
    span = _span(syntax)
    if not SECOND <= span <= LONGEST_WINDOW:
        raise syntax.error(
            "a window is between 1s and 31d long", "for longer, compare with usual(point, days)"
        )
    return span
