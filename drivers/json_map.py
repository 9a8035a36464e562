"""How a maker's own JSON speaks, as a declaration: where the time stands, where each point, in which scale and words.

A mapping is data (a product file, or a [[product]] table of the configuration); every fault of it is reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from drivers.shape import IMPLIED, QUALITIES
from drivers.table import Table

if TYPE_CHECKING:
    from drivers.telemetry import Family, Point

Raw = str | float | bool | None
Path = tuple[str | int, ...]
Unit = Literal["s", "ms", "us", "iso8601"]

UNITS: Final[dict[str, int]] = {"s": 1_000_000, "ms": 1_000, "us": 1, "iso8601": 0}  # µs in one

_STEP: Final = re.compile(r'(?:"([^"]+)"|([^.\[\]"]+))((?:\[\d{1,4}\])*)(?:\.(?!\Z)|\Z)')
_INDEX: Final = re.compile(r"\d+")
_OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)")
_DEEPEST: Final = 15
_LONGEST: Final = 999


def path(text: str) -> Path:
    """`a.b[0]."c.d"` as its steps; raises ValueError."""
    steps: list[str | int] = []
    end = 0
    while end < len(text):
        found = _STEP.match(text, end)
        if found is None:
            raise ValueError(f'no path: {text!r} at character {end + 1}; write a.b[0]."key.with.dots"')
        steps.append(found[1] or found[2])
        steps += [int(index) for index in _INDEX.findall(found[3])]
        end = found.end()
    if not steps or len(steps) > _DEEPEST or any(isinstance(step, int) and step > _LONGEST for step in steps):
        raise ValueError(f"no path: {text!r}; at most {_DEEPEST} steps, indices up to {_LONGEST}")
    return tuple(steps)


def word(raw: Raw) -> str:
    """A raw value as the word that tables of words name it by: 1.0 is "1", true is "true"."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return str(raw)


@dataclass(frozen=True, slots=True)
class PointMap:
    """value = raw * scale + offset; or, of words, words[raw]: a label or a number.

    absent: raw values that mean "no value". text: numbers come as strings. quality: path of this point's own word.
    """

    point: str
    path: str
    scale: float = 1.0
    offset: float = 0.0
    words: Mapping[str, str | float] = field(default_factory=dict)
    absent: tuple[Raw, ...] = ()
    text: bool = False
    quality: str = ""


@dataclass(frozen=True, slots=True)
class TimeMap:
    """utc_offset ("+08:00") is for ISO 8601 texts that name no offset."""

    path: str
    unit: Unit = "ms"
    utc_offset: str = ""


@dataclass(frozen=True, slots=True)
class WordMap:
    """A raw word and what it means; "" means nothing. quality: quality words; event: canonical alarm names."""

    words: Mapping[str, str]
    path: str = ""


@dataclass(frozen=True, slots=True)
class JsonMap:
    """device: path of the device's id, for sources that speak for several. quality without a path only translates."""

    points: tuple[PointMap, ...]
    device: str = ""
    time: TimeMap | None = None
    quality: WordMap | None = None
    event: WordMap | None = None


def offset(text: str) -> timedelta:
    """A text like "+08:00" as a time difference; raises ValueError."""
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        raise ValueError(f"no UTC offset: {text!r}; write it as +08:00")
    span = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return span if found[1] == "+" else -span


def read(table: Table, family: Family) -> JsonMap:
    """A mapping from its table; faults go to the table."""
    points = table.table("points", required=True)
    known = {point.name: point for point in family.points if point.name not in IMPLIED}
    maps = [_point(name, points, known) for name in points.names()]
    if not maps:
        table.fault("points", "names no point; write at least one as point = path")
    mapping = JsonMap(
        points=tuple(one for one in maps if one is not None),
        device=_path(table, "device"),
        time=_time(table),
        quality=_words(table, "quality", set(QUALITIES)),
        event=_words(table, "event", {alarm.name for alarm in family.alarms} | {""}),
    )
    table.close()
    if any(one.quality for one in mapping.points) and mapping.quality is None:
        table.fault("quality", "is missing, and points have quality paths; write quality = { words = {…} }")
    return mapping


def _path(table: Table, key: str, *, required: bool = False) -> str:
    text = table.text(key, required=required)
    if text:
        try:
            path(text)
        except ValueError as error:
            table.fault(key, str(error))
    return text


def _time(table: Table) -> TimeMap | None:
    if not table.has("time"):
        return None
    inner = table.table_or_text("time", "path")
    unit = inner.text("unit", "ms")
    if unit not in UNITS:
        inner.fault("unit", f"is {unit!r}; one of {', '.join(UNITS)}")
    stated = inner.text("utc_offset")
    if stated:
        try:
            offset(stated)
        except ValueError as error:
            inner.fault("utc_offset", str(error))
    found = TimeMap(_path(inner, "path", required=True), unit, stated)  # type: ignore[arg-type]
    inner.close()
    return found


def _words(table: Table, key: str, allowed: set[str]) -> WordMap | None:
    if not table.has(key):
        return None
    inner = table.table(key)
    words = inner.table("words", required=True)
    found = {raw: words.text(raw) for raw in words.names()}
    for raw, meaning in found.items():
        if meaning not in allowed:
            words.fault(raw, f"means {meaning!r}, which is none of {', '.join(sorted(allowed))}")
    mapping = WordMap(found, _path(inner, "path", required=key == "event"))
    inner.close()
    return mapping


def _point(name: str, points: Table, known: Mapping[str, Point]) -> PointMap | None:
    inner = points.table_or_text(name, "path")
    point = known.get(name)
    if point is None:
        points.fault(name, f"is no point of the family; it has {', '.join(known)}")
        return None
    scale = inner.number("scale", 1.0)
    if scale == 0:
        inner.fault("scale", "is 0; every value would be the same")
    found = PointMap(
        name,
        _path(inner, "path", required=True),
        scale,
        inner.number("offset", 0.0),
        _meanings(inner, point),
        inner.raws("absent"),
        inner.flag("text"),
        _path(inner, "quality"),
    )
    inner.close()
    return found


def _meanings(inner: Table, point: Point) -> dict[str, str | float]:
    words = inner.table("words")
    found: dict[str, str | float] = {}
    for raw in words.names():
        meaning = words.text_or_number(raw)
        if isinstance(meaning, str) and meaning not in point.labels:
            words.fault(
                raw, f"means {meaning!r}, which is no label of {point.name}: {', '.join(point.labels)}"
            )
        found[raw] = meaning
    return found
