"""A rule as it would be: a checked document and checked parameter values, nothing written and nothing in force.

What is refused is refused as `rules set` and `rules publish` would: with the reason, the place and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from drivers.families import FAMILIES
from drivers.telemetry import Family
from gateway.errors import Invalid
from rules.control import Parameter
from rules.document import RulesError, Tunable, read_rules
from rules.units import parse_unit

Json = dict[str, Any]
SCOPE: Final = re.compile(
    r"|area:[^+#\x00-\x1f]{1,256}|product:[A-Za-z0-9._-]{1,64}|device:[A-Za-z0-9._-]{1,64}"
)
MOST_AREAS: Final = 100
MOST_REASON: Final = 2000
_VALUE: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*)?")


class Candidate(Struct, frozen=True):
    """What an engine is to be given to see it: the document in place of the rule's own, then the parameters."""

    document: Json
    parameters: list[Parameter]


def candidate(
    document: Json,
    values: Mapping[str, str | float],
    scope: str = "",
    families: Mapping[str, Family] = FAMILIES,
) -> Candidate:
    """Of a rule's document and values as `rules set` takes them ("120", "0.12 mg/m3"); raises Invalid."""
    try:
        (rule,) = read_rules([document], families)
    except RulesError as error:
        raise refused(error) from error
    check_scope(scope)
    settings = [
        Parameter(rule.id, name, scope, value_of(rule.id, rule.parameters, name, given, families))
        for name, given in values.items()
    ]
    return Candidate(document, settings)


def declared(document: Json, families: Mapping[str, Family] = FAMILIES) -> dict[str, Tunable]:
    """The parameters of a document that was checked."""
    known = frozenset(point.unit for family in families.values() for point in family.points)
    return {
        name: Tunable(table["value"], parse_unit(table.get("unit", ""), known), table["min"], table["max"])
        for name, table in document.items()
        if isinstance(table, dict) and "value" in table
    }


def refused(error: RulesError) -> Invalid:
    """Every fault: what, where, and what to do about it."""
    faults = [
        {
            "rule": fault.rule,
            "key": fault.key,
            "line": fault.line,
            "column": fault.column,
            "message": fault.message,
            "remedy": fault.remedy,
        }
        for fault in error.faults
    ]
    return Invalid(
        f"no rule that could be in force, {len(faults)} faults; nothing was changed", faults=faults
    )


def check_scope(scope: str) -> None:
    if not SCOPE.fullmatch(scope):
        raise Invalid(
            f'{scope!r:.80} is no scope: "" (city), area:<path>, product:<id> or device:<id>', field="scope"
        )


def tunable_of(rule: str, known: Mapping[str, Tunable], name: str) -> Tunable:
    """Raises Invalid."""
    if name not in known:
        has = ", ".join(known) or "none"
        raise Invalid(f"rule {rule} has no parameter {name!r:.80}; it has: {has}", field="name")
    return known[name]


def value_of(
    rule: str,
    known: Mapping[str, Tunable],
    name: str,
    given: str | float,
    families: Mapping[str, Family] = FAMILIES,
) -> float:
    """The value in the parameter's own unit, within its range; raises Invalid."""
    tunable = tunable_of(rule, known, name)
    value = _converted(name, tunable, given, families) if isinstance(given, str) else float(given)
    if not tunable.low <= value <= tunable.high:
        raise Invalid(
            f"{name} = {value:g} is outside {tunable.low:g} to {tunable.high:g} {tunable.unit.text}".rstrip()
            + f"; a wider range needs a new version of rule {rule}",
            field="value",
        )
    return value


def _converted(name: str, tunable: Tunable, given: str, families: Mapping[str, Family]) -> float:
    found = _VALUE.fullmatch(given)
    if found is None:
        raise Invalid(f"{name} = {given!r:.80}: expected a number, with or without its unit", field="value")
    number, unit = float(found[1]), found[2]
    if unit is None:
        return number
    try:
        said = parse_unit(
            unit.strip(), frozenset(p.unit for family in families.values() for p in family.points)
        )
    except ValueError as error:
        raise Invalid(f"{name} = {given!r:.80}: {error}", field="value") from error
    if not said.matches(tunable.unit):
        raise Invalid(f"{name} = {given!r:.80}: expected {tunable.unit}, found {said}", field="value")
    return float(f"{number * said.factor / tunable.unit.factor:.12g}")


def areas_of(areas: Sequence[str], least: int = 0) -> list[str]:
    """Area paths, each once; raises Invalid."""
    found = sorted({area.strip("/") for area in areas} - {""})
    if not least <= len(found) <= MOST_AREAS:
        raise Invalid(
            f"expected {least} to {MOST_AREAS} areas, found {len(found)}; give paths such as xuhui/tianping",
            field="areas",
        )
    return found


def why(reason: str) -> str:
    """A reason that says something; raises Invalid."""
    said = reason.strip()
    if not 0 < len(said) <= MOST_REASON:
        raise Invalid(f"reason: say why, in at most {MOST_REASON} characters", field="reason")
    return said
