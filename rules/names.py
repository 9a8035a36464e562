"""What a bare name or a dotted one means: the rule's parameters first, then points, attributes, devices above, the site.

A name is one thing or it is refused with the nearest names that would be something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from drivers.telemetry import Family, Point
from rules.attributes import attributes_of
from rules.language import Syntax
from rules.tree import (
    DATES,
    AttributeValue,
    Compare,
    Constant,
    Elsewhere,
    Number,
    ParameterValue,
    Peers,
    PointValue,
    SunHeight,
)
from rules.units import Unit, parse_unit

CONDITIONS = ("night", "day", *DATES)
_SAID = frozenset({"event", "online"})  # every family has them: their labels alone say nothing


@dataclass(frozen=True)
class Vocabulary:
    """What the names of a rule may mean: its family's points, its parameters with units, and all families."""

    family: Family
    parameters: Mapping[str, Unit]
    families: Mapping[str, Family] = field(default_factory=dict)

    @property
    def units(self) -> frozenset[str]:
        return frozenset(point.unit for point in self.family.points if point.unit)

    def names(self) -> list[str]:
        attributes = [f"attr.{name}" for name in attributes_of(self.family.name)]
        return [*self.family.index, *self.parameters, *attributes, "sun", *CONDITIONS]


def point_value(family: Family, name: str, units: frozenset[str]) -> PointValue:
    """The point of the family; it has one of that name."""
    row = family.index[name]
    point = family.points[row]
    return PointValue(name, row, parse_unit(point.unit, units), point.labels)


def resolve(vocabulary: Vocabulary, syntax: Syntax) -> Number:
    """The number that a name stands for; raises LanguageError."""
    name, family = syntax.text, vocabulary.family
    if "." in name:
        return _dotted(vocabulary, syntax)
    if name in vocabulary.parameters:
        return ParameterValue(name, vocabulary.parameters[name])
    if name in family.index:
        return point_value(family, name, vocabulary.units)
    if name in attributes_of(family.name):
        return AttributeValue(name, parse_unit(attributes_of(family.name)[name]))
    if name == "sun":
        return SunHeight(parse_unit("deg"))
    if name in CONDITIONS:
        raise syntax.error(f"expected a number, found the condition {name!r}")
    raise syntax.error(
        f"expected a point of {family.name}, a parameter or an attribute, found {name!r}"
        + _hint(name, vocabulary.names()),
        f"points: {', '.join(family.index)}",
    )


def _hint(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, 3, 0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _dotted(vocabulary: Vocabulary, syntax: Syntax) -> Number:
    who, name = syntax.text.split(".")
    if who == "attr":
        known = attributes_of(vocabulary.family.name)
        if name not in known:
            kind = f"expected an attribute of {vocabulary.family.name}, found {name!r}"
            raise syntax.error(kind + _hint(name, list(known)))
        return AttributeValue(name, parse_unit(known[name]))
    if who not in {"parent", "site", *vocabulary.families}:
        words = ", ".join(["attr", "parent", "site", *vocabulary.families])
        raise syntax.error(f"expected one of {words} before the dot, found {who!r}")
    return _above(vocabulary, syntax, who, name)


def _above(vocabulary: Vocabulary, syntax: Syntax, who: str, name: str) -> Elsewhere | Peers:
    mine = vocabulary.family
    found = list(_having(vocabulary, who, name))
    if who == "site":  # of one's own stations where they have it, else of the one family that has it
        found = [each for each in found if each[0] is mine] or found
    if not found:
        where = "any family" if who in {"parent", "site"} else who
        names = sorted({each for family in _families(vocabulary, who) for each in family.index})
        raise syntax.error(f"expected a point of {where}, found {name!r}" + _hint(name, names))
    point = found[0][1]
    if who == "site" and len(found) > 1:
        shown = " and ".join(family.name for family, _ in found)
        raise syntax.error(f"{name} is a point of {shown}: it is not clear whose the site means")
    if any((other.unit, other.labels) != (point.unit, point.labels) for _, other in found):
        shown = ", ".join(f"{family.name} [{other.unit or 'plain'}]" for family, other in found)
        raise syntax.error(
            f"{name} is not the same in {shown}: name the family, as in {found[0][0].name}.{name}"
        )
    unit = parse_unit(point.unit, frozenset({point.unit}))
    if who == "site":
        family = found[0][0]
        if point.labels:
            raise syntax.error(f"expected a measured point, {name} is enumerated: it has no median")
        return Peers(
            "median", family.name, point_value(family, name, frozenset({point.unit})), "site", 1, unit
        )
    rows = tuple((family.name, family.index[name]) for family, _ in found)
    return Elsewhere(who, name, rows, unit, point.labels)


def _families(vocabulary: Vocabulary, who: str) -> list[Family]:
    if who in {"parent", "site"}:
        return list(vocabulary.families.values())
    return [vocabulary.families[who]]


def _having(vocabulary: Vocabulary, who: str, name: str) -> Iterator[tuple[Family, Point]]:
    for family in _families(vocabulary, who):
        if name in family.index:
            yield family, family.points[family.index[name]]


def by_label(vocabulary: Vocabulary, syntax: Syntax) -> Compare | None:
    """`on`, `cabinet.on`: that the one enumerated point with this label has it; None where the name means no such thing."""
    who, _, label = syntax.text.rpartition(".")
    if who and who not in vocabulary.families:
        return None
    family = vocabulary.families[who] if who else vocabulary.family
    if label in family.index or (not who and label in vocabulary.parameters):
        return None
    having = [point for point in family.points if label in point.labels and point.name not in _SAID]
    if len(having) > 1:
        shown = " or ".join(f'{point.name} == "{label}"' for point in having)
        raise syntax.error(f"{label!r} is a label of several points: expected {shown}")
    if not having:
        return None
    (point,) = having
    row = family.index[point.name]
    number: Number = (
        Elsewhere(who, point.name, ((family.name, row),), parse_unit(""), point.labels)
        if who
        else PointValue(point.name, row, parse_unit(""), point.labels)
    )
    return Compare("==", number, Constant(float(point.labels.index(label))))
