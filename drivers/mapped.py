"""Reads and writes a maker's JSON by its declared mapping. Keys that the mapping does not name are the maker's own affair."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, TypeVar

from drivers.city_json import Faults, value_of
from drivers.json_map import UNITS, offset, path, word
from drivers.jsonscan import Limits, kind, parse, show
from drivers.refusal import Reason, Refused
from drivers.shape import LAST_MILLISECOND, UNTIMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.json_map import JsonMap, Path, PointMap, TimeMap
    from drivers.shape import Shape
    from drivers.telemetry import Family, Point

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = LAST_MILLISECOND * 1_000
_LONGEST_ID: Final = 200
_MICROSECOND: Final = timedelta(microseconds=1)

T = TypeVar("T")


def walk(document: object, steps: Path) -> Any:
    """What stands at a path; None where nothing does."""
    for step in steps:
        if isinstance(step, str):
            if not isinstance(document, dict):
                return None
            document = document.get(step)
        else:
            if not isinstance(document, list) or step >= len(document):
                return None
            document = document[step]
    return document


def device_id(mapping: JsonMap, payload: bytes, limits: Limits | None = None) -> str:
    """Of whom a source's payload speaks; raises Refused."""
    found = walk(parse(payload, limits or Limits()), path(mapping.device))
    plain = isinstance(found, str | int) and not isinstance(found, bool)
    if not plain or not 0 < len(str(found)) <= _LONGEST_ID or not str(found).isprintable():
        raise Refused(Reason.UNKNOWN_DEVICE, f"no device id at {mapping.device}, but {show(found)}")
    return str(found)


class MappedReader:
    """Reads elements of one mapping into readings of a shape; ts in µs."""

    def __init__(self, mapping: JsonMap, shape: Shape) -> None:
        self._shape = shape
        self._mapping = mapping
        points = {point.name: point for point in shape.family.points}
        own = mapping.quality.path if mapping.quality else ""
        self._points = [
            (points[one.point], one, path(one.path), path(one.quality or own) if one.quality or own else None)
            for one in mapping.points
        ]
        self._time = path(mapping.time.path) if mapping.time else ()
        self._event = path(mapping.event.path) if mapping.event else ()

    def read(self, element: object, faults: Faults) -> Any:
        if not isinstance(element, dict):
            raise Refused(Reason.WRONG_TYPE, f"a reading is an object, not {kind(element)}")
        time = UNTIMED
        if self._mapping.time is not None:
            time = microseconds(self._mapping.time, walk(element, self._time))
        event = self._event_of(element, faults)
        values: dict[str, float] = {}
        quality: dict[str, str] = {}
        for point, rule, where, graded in self._points:
            grade = self._quality_of(point.name, element, graded, faults)
            if grade == "":
                continue
            value = mapped_value(point, rule, walk(element, where), faults)
            if value is not None:
                values[point.name] = value
                if grade is not None:
                    quality[point.name] = grade
        if not values and event is None:
            expected = ", ".join(one.path for one in self._mapping.points)
            raise Refused(Reason.EMPTY, f"no value at any of {expected}")
        v = self._shape.values(**values)
        return self._shape.reading(v=v, ts=time, q=quality or None, hist=False, event=event)

    def _event_of(self, element: object, faults: Faults) -> str | None:
        rule = self._mapping.event
        raw = walk(element, self._event) if rule else None
        if rule is None or raw is None:
            return None
        stated = meaning_of(rule.words, raw)
        if stated is None:
            faults.note(Reason.UNKNOWN_EVENT, undeclared(rule.path, raw, rule.words))
        return stated or None

    def _quality_of(self, name: str, element: object, steps: Path | None, faults: Faults) -> str | None:
        """A quality word; "" where it cannot be read and the point is left out; None where none is stated."""
        rule = self._mapping.quality
        raw = walk(element, steps) if steps else None
        if rule is None or raw is None:
            return None
        stated = meaning_of(rule.words, raw)
        if stated is None:
            faults.note(
                Reason.UNKNOWN_QUALITY, f"{name}: {undeclared(rule.path or 'quality', raw, rule.words)}"
            )
        return stated or ""


def meaning_of(words: Mapping[str, T], raw: Any) -> T | None:
    """What a raw value is declared to mean; None where nothing is."""
    return words.get(word(raw)) if isinstance(raw, str | int | float) else None


def undeclared(where: str, raw: Any, words: Mapping[str, Any]) -> str:
    return f"{where} {show(raw)} is none of {', '.join(words)}; declare it in the product's words"


def mapped_value(point: Point, rule: PointMap, raw: Any, faults: Faults) -> float | None:
    """A point's value from its raw one; None where there is none, or with the fault noted."""
    if raw is None or (rule.absent and _absent(rule, raw)):
        return None
    if rule.words:
        meaning = meaning_of(rule.words, raw)
        if meaning is None:
            faults.note(Reason.OUT_OF_RANGE, undeclared(rule.path, raw, rule.words))
            return None
        return value_of(point, meaning, faults)
    if point.labels:
        return value_of(point, raw, faults)
    if rule.text and isinstance(raw, str):
        try:
            raw = float(raw)
        except ValueError:
            faults.note(Reason.WRONG_TYPE, f"{rule.path} {show(raw)} is no number")
            return None
    value = value_of(point, raw, faults)
    return None if value is None else value_of(point, value * rule.scale + rule.offset, faults)


def _absent(rule: PointMap, raw: Any) -> bool:
    """Whether a raw value means "no value"; 1 is not true here, as it is in Python."""
    return any(raw == absent and isinstance(raw, bool) is isinstance(absent, bool) for absent in rule.absent)


def microseconds(rule: TimeMap, raw: Any) -> int:
    """µs UTC of a raw time, UNTIMED of none; raises Refused."""
    if raw is None:
        return UNTIMED
    time = _text_time(rule, raw) if rule.unit == "iso8601" else _number_time(rule, raw)
    if not 0 <= time <= _LAST:
        raise Refused(Reason.BAD_TIME, f"{rule.path} {show(raw)} is not within 1970 to 9999 in {rule.unit}")
    return round(time)


def _number_time(rule: TimeMap, raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise Refused(Reason.BAD_TIME, f"{rule.path} {show(raw)} is no number of {rule.unit}")
    return raw * UNITS[rule.unit]


def _text_time(rule: TimeMap, raw: Any) -> int:
    try:
        time = datetime.fromisoformat(raw)
    except (ValueError, TypeError):
        raise Refused(Reason.BAD_TIME, f"{rule.path} {show(raw)} is no ISO 8601 time") from None
    if time.tzinfo is None:
        if not rule.utc_offset:
            raise Refused(Reason.BAD_TIME, f"{rule.path} {show(raw)} names no UTC offset; declare utc_offset")
        time = time.replace(tzinfo=timezone(offset(rule.utc_offset)))
    return (time - _EPOCH) // _MICROSECOND


def write(
    mapping: JsonMap,
    family: Family,
    time: int | None,
    values: Mapping[str, float],
    *,
    quality: Mapping[str, str],
    event: str | None,
) -> dict[str, Any]:
    """The document that reads back as these values. time: µs UTC. Raises ValueError for what the mapping cannot say."""
    document: dict[str, Any] = {}
    rules = {rule.point: rule for rule in mapping.points}
    for name, value in values.items():
        if name not in rules:
            raise ValueError(f"the mapping has no point {name}; it has {', '.join(rules)}")
        place(document, path(rules[name].path), raw_of(family.points[family.index[name]], rules[name], value))
    if time is not None and mapping.time is not None:
        place(document, path(mapping.time.path), _raw_time(mapping.time, time))
    if event is not None:
        if mapping.event is None:
            raise ValueError(f"the mapping has no events, so it cannot say {event}")
        place(document, path(mapping.event.path), _said(mapping.event.words, event))
    for name, grade in quality.items():
        own = mapping.quality.path if mapping.quality else ""
        steps = rules[name].quality or own
        if mapping.quality is None or not steps:
            raise ValueError(f"the mapping has no quality, so it cannot say {grade} of {name}")
        place(document, path(steps), _said(mapping.quality.words, grade))
    return document


def raw_of(point: Point, rule: PointMap, value: float) -> Any:
    """The raw value that reads back as `value`."""
    if rule.words:
        label = point.labels[int(value)] if point.labels else None
        for raw, meaning in rule.words.items():
            if meaning in {label, value}:
                return _unworded(raw)
        raise ValueError(f"no word of {point.name} means {label or value}")
    if point.labels:
        return int(value)
    number = (value - rule.offset) / rule.scale
    plain = int(number) if number.is_integer() else number
    return str(plain) if rule.text else plain


def _said(words: Mapping[str, str], meaning: str) -> Any:
    for raw, stated in words.items():
        if stated == meaning:
            return _unworded(raw)
    raise ValueError(f"no word means {meaning}; there are {', '.join(words.values())}")


def _unworded(raw: str) -> Any:
    """The inverse of `word`, as far as it goes: digits were a number."""
    if raw in {"true", "false"}:
        return raw == "true"
    return int(raw) if raw.lstrip("-").isdecimal() else raw


def _raw_time(rule: TimeMap, time: int) -> Any:
    if rule.unit == "iso8601":
        return (_EPOCH + timedelta(microseconds=time)).isoformat()
    raw = time / UNITS[rule.unit]
    return int(raw) if raw.is_integer() else raw


def place(document: dict[str, Any], steps: Path, value: Any) -> None:
    """Put a value at a path, making the objects and lists on the way."""
    here: Any = document
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        if isinstance(here, list):
            assert isinstance(step, int)
            here += [None] * (step + 1 - len(here))
        if following is None:
            here[step] = value
            return
        below = here.get(step) if isinstance(here, dict) else here[step]
        if below is None:
            below = [] if isinstance(following, int) else {}
            here[step] = below
        here = below
