"""What a rule does when it is raised and undoes when it is cleared: one command, with its times and the weather it keeps from.

The table [rule.action]. Who carries it out decides whether the limits let it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Final

from msgspec import Struct

from drivers.telemetry import Command, Family, Point
from rules.units import duration

KEYS: Final = frozenset({"command", "args", "undo", "min_run", "min_pause", "not_when"})
BOUNDS: Final = frozenset({"above", "below"})


class Bound(Struct, frozen=True):
    """The action is not for when the point's value lies above or below; a value that nobody knows forbids it too."""

    point: str
    above: float | None = None
    below: float | None = None

    def forbids(self, value: float | None) -> bool:
        if value is None:
            return True
        return (self.above is not None and value > self.above) or (
            self.below is not None and value < self.below
        )


class Action(Struct, frozen=True):
    """args when raised, undo when cleared. min_run, min_pause: µs."""

    command: str
    args: Mapping[str, float | str]
    undo: Mapping[str, float | str]
    min_run: int
    min_pause: int
    not_when: tuple[Bound, ...]


def read(document: Mapping[str, Any]) -> Action | None:
    """The action of a document without faults; None where it has none."""
    table = document.get("action")
    if table is None:
        return None
    return Action(
        table["command"],
        table.get("args", {}),
        table.get("undo", {}),
        duration(table.get("min_run", "0s")),
        duration(table.get("min_pause", "0s")),
        tuple(Bound(point, **bounds) for point, bounds in table.get("not_when", {}).items()),
    )


def faults(document: Mapping[str, Any], families: Sequence[Family]) -> Iterator[tuple[str, str]]:
    """(key, message) of all that is wrong with a document's action, for the families that the rule is about."""
    if "action" not in document:
        return
    table = document["action"]
    if not isinstance(table, Mapping):
        yield "action", "expected a table with command, args, undo, min_run, min_pause and not_when"
        return
    for stray in sorted(set(table) - KEYS):
        yield f"action.{stray}", f"expected one of {', '.join(sorted(KEYS))}"
    for key in ("min_run", "min_pause"):
        yield from _span(key, table.get(key, "0s"))
    for family in families:
        yield from _command(table, family)
        yield from _weather(table.get("not_when", {}), family)


def _span(key: str, value: object) -> Iterator[tuple[str, str]]:
    try:
        duration(value if isinstance(value, str) else "")
    except ValueError as error:
        yield f"action.{key}", str(error)


def _command(table: Mapping[str, Any], family: Family) -> Iterator[tuple[str, str]]:
    known = {command.name: command for command in family.commands}
    command = known.get(str(table.get("command", "")))
    if command is None:
        names = ", ".join(known) or "none"
        yield (
            "action.command",
            f"expected a command of {family.name}: {names}; found {table.get('command')!r}",
        )
        return
    for key in ("args", "undo"):
        yield from _args(key, table.get(key, {}), command)


def _args(key: str, given: object, command: Command) -> Iterator[tuple[str, str]]:
    points = {point.name: point for point in command.args}
    if not isinstance(given, Mapping) or set(given) != set(points):
        yield f"action.{key}", f"expected {', '.join(points) or 'no arguments'}"
        return
    for name, point in points.items():
        if not _fits(point, given[name]):
            wanted = ", ".join(point.labels) or f"{point.low:g} to {point.high:g} {point.unit}"
            yield f"action.{key}.{name}", f"expected {wanted}, found {given[name]!r}"


def _fits(point: Point, value: object) -> bool:
    if isinstance(value, str):
        return value in point.labels
    return _number(value) is not None and point.low <= float(str(value)) <= point.high


def _weather(given: object, family: Family) -> Iterator[tuple[str, str]]:
    if not isinstance(given, Mapping):
        yield "action.not_when", "expected a table such as { rain = { above = 0.1 } }"
        return
    for name, bounds in given.items():
        if name not in family.index:
            yield f"action.not_when.{name}", f"is no point of {family.name}"
        elif not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= BOUNDS:
            yield f"action.not_when.{name}", "expected above, below or both"
        elif any(_number(bound) is None for bound in bounds.values()):
            yield f"action.not_when.{name}", "expected numbers, in the point's own unit"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)
