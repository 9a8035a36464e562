"""What a number of a rule is called, alone or with the value it had; and whose threshold it was compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard

from drivers.telemetry import DAY, SECOND, Family
from rules.explain_facts import Facts
from rules.explain_numbers import DIGITS, quantity, share, span
from rules.explain_words import ATTRIBUTES, LABELS, PARAMETERS, PLACE, WORDS, Language
from rules.parameters import DEFAULT
from rules.tree import (
    Absolute,
    Aged,
    Arithmetic,
    AttributeValue,
    Changed,
    Condition,
    Constant,
    Elsewhere,
    Known,
    Number,
    ParameterValue,
    Peers,
    PointValue,
    Rises,
    SunHeight,
    Usual,
    Window,
    walk,
)
from rules.units import PLAIN
from rules.windows import needs_cover

SHARES: Final = frozenset({"share", "coverage"})  # statistics told in percent
_LISTED: Final = 6  # operands that a sum names


class Nouns:
    """Of one rule on one device. bare: says a condition without values, for what windows count.

    versioned: the rule's version was named already.
    """

    def __init__(
        self,
        families: Mapping[str, Family],
        family: Family,
        facts: Facts,
        language: Language,
        version: int,
        *,
        brief: bool,
    ) -> None:
        self.families, self.family, self.facts = families, family, facts
        self.language, self.version, self.brief = language, version, brief
        self.versioned = False
        self.bare: Callable[[Condition], str] = lambda _: ""

    def word(self, name: str, /, **parts: object) -> str:
        text = WORDS[name][PLACE[self.language]]
        return text.format(**parts) if parts else text

    # -- names

    def of(self, node: Number) -> str:
        """Its name; what arithmetic is made of is named with its values."""
        return _NAMES[type(node)](self, node)

    def own(self, table: Mapping[str, tuple[str, str]], name: str, otherwise: str) -> str:
        return table[name][PLACE[self.language]] if name in table else otherwise

    def point(self, node: PointValue, family: str = "") -> str:
        point = self.families[family].points[node.row] if family else self.family.points[node.row]
        return point.zh or point.name if self.language == "zh" else point.en or point.name

    def known(self, node: Known) -> str:
        return self.of(self.speaks(node))

    def speaks(self, node: Known) -> Number:
        """The first of its items that is known; the first where none is."""
        known = [item for item in node.items if self.facts.number(item) is not None]
        return (known or node.items)[0]

    def peers(self, node: Peers) -> str:
        named = {"point": self.point(node.point, node.family), "group": self.word(f"group.{node.by}")}
        return self.word(f"peers.{node.statistic}", **named)

    def above(self, node: Elsewhere) -> str:
        family, row = node.rows[0]
        point = self.point(PointValue(node.name, row, node.unit), family)
        if node.who == "parent":
            return self.word("above.parent", point=point)
        who = self.families[family]
        return self.word("above", point=point, who=who.zh if self.language == "zh" else who.en)

    def window(self, node: Window) -> str:
        over = self.span(node.length)
        source = node.source
        match source:
            case PointValue():
                return self.word(node.statistic, point=self.point(source), span=over)
            case Changed(point=point):
                return self.word("changes", point=self.point(point), span=over)
            case Rises(condition=condition):
                return self.word("cycles", condition=self.bare(condition), span=over)
            case _:
                name = "count.of" if node.statistic == "count" else node.statistic
                return self.word(name, condition=self.bare(source), span=over)

    def span(self, micros: int) -> str:
        return span(micros / SECOND, self.language)

    # -- arithmetic

    def arithmetic(self, node: Arithmetic) -> str:
        left, right = node.left, node.right
        if converts(node):
            return self.of(left)
        match node.operator:
            case "*" if (found := _factor(node)) is not None:
                return self._part(*found)
            case "+" if (items := _summed(node)) and all(map(_simple, items)):
                return self._sum(items)
            case "-" if _simple(left) and _simple(right):
                return self._less(left, right)
            case "/" if _simple(left) and _simple(right):
                return self.word("ratio", left=self.valued(left), right=self.valued(right))
            case _:
                return self.word("reckoned", items=self._listed(_operands(node)))

    def _part(self, factor: Number, other: Number) -> str:
        value, noun = self.facts.number(factor), self.valued(other)
        if value is None:
            return self.word("reckoned", items=self._listed([*_operands(factor), other]))
        if 0 <= value <= 1:
            return self.word("part", factor=share(value, self.language), noun=noun)
        return self.word("times", factor=quantity(value, PLAIN, self.language), noun=noun)

    def _sum(self, items: Sequence[Number]) -> str:
        if len(items) == 2 and isinstance(items[1], Constant | ParameterValue):
            return self.word("more", left=self.valued(items[0]), right=self.valued(items[1]))
        return self.word("sum of", items=self._listed(items))

    def _less(self, left: Number, right: Number) -> str:
        name = "less" if isinstance(right, Constant | ParameterValue) else "difference"
        return self.word(name, left=self.valued(left), right=self.valued(right))

    def _listed(self, items: Sequence[Number]) -> str:
        named = [self.valued(item) for item in items]
        if len(named) == 1:
            return named[0]
        return self.word("comma").join(named[:-1]) + self.word("and") + named[-1]

    # -- with values

    def valued(self, node: Number, digits: int = DIGITS, *, percent: bool = False) -> str:
        """Its name and the value it had; of a window, how much of its data came."""
        if isinstance(node, Constant):
            return self.shown(node.value, node, digits, percent=percent)
        value = self.facts.number(node)
        noun = self.of(node)
        if isinstance(node, ParameterValue | AttributeValue) and value is not None:
            return self.word("of value", noun=noun, value=self.shown(value, node, digits, percent=percent))
        shown = self.word("unknown") if value is None else self.shown(value, node, digits, percent=percent)
        cover = self.cover(node)
        return self.word("valued.cover" if cover else "valued", noun=noun, value=shown, cover=cover)

    def shown(self, value: float, node: Number, digits: int = DIGITS, *, percent: bool = False) -> str:
        if percent or (isinstance(node, Window) and node.statistic in SHARES):
            return share(value, self.language, digits)
        return quantity(value, node.unit, self.language, digits)

    def label(self, node: PointValue | Aged | Elsewhere, value: float) -> str:
        """The word for an enumerated value; of `event`, what the family says of that alarm."""
        if not (0 <= value < len(node.labels)):
            return quantity(value, PLAIN, self.language)
        name = node.labels[int(value)]
        if is_event(node):
            alarms = {alarm.name: alarm for alarm in self.family.alarms}
            if name in alarms:
                return (alarms[name].zh if self.language == "zh" else alarms[name].en) or name
        if self.language == "en":
            return name
        return LABELS.get(f"{_point_of(node)}.{name}", LABELS.get(name, name))

    def cover(self, node: Number) -> str:
        """How much of a window's data came; "" where that says nothing."""
        if self.brief or not isinstance(node, Window) or not needs_cover(node):
            return ""
        if node.statistic == "coverage":  # it says so itself
            return ""
        return self.word("cover", share=share(self.facts.reading(node).valid, self.language, 2))

    def scope(self, parameters: Sequence[ParameterValue]) -> str:
        """Who set these thresholds, and in which version of the rule."""
        if self.brief or not parameters:
            return ""
        scopes = list(dict.fromkeys(map(self.facts.scope, parameters)))
        named = [self._scope(scope) for scope in scopes if scope != DEFAULT]
        if self.versioned and not named:
            return ""
        self.versioned = True
        if not named:
            return self.word("scope.own", version=self.version)
        return self.word("scope", scopes=self.word("and").join(named), version=self.version)

    def _scope(self, scope: str) -> str:
        kind, _, name = scope.partition(":")
        return self.word(f"scope.{kind or 'city'}", name=name)


def _point_of(node: PointValue | Aged | Elsewhere) -> str:
    return node.point.name if isinstance(node, Aged) else node.name


def is_event(node: PointValue | Aged | Elsewhere) -> bool:
    return _point_of(node) == "event"


def parameters_in(*nodes: Number) -> list[ParameterValue]:
    return [
        each
        for node in nodes
        for each in walk(node, inside_windows=False)
        if isinstance(each, ParameterValue)
    ]


def converts(node: Number) -> TypeGuard[Arithmetic]:
    """Whether it only puts a number into the unit of what it is compared with."""
    return (
        isinstance(node, Arithmetic)
        and node.operator == "*"
        and isinstance(node.right, Constant)
        and node.left.unit.matches(node.unit)
        and node.left.unit.factor != node.unit.factor
    )


def _factor(node: Arithmetic) -> tuple[Number, Number] | None:
    """A plain number that the rule gives, times something that can be named."""
    for one, other in ((node.left, node.right), (node.right, node.left)):
        given = all(isinstance(each, Constant | ParameterValue | Arithmetic) for each in walk(one))
        if given and not one.unit.powers and _simple(other):
            return one, other
    return None


def _summed(node: Number) -> list[Number]:
    """The operands of a + b + c."""
    if not isinstance(node, Arithmetic) or node.operator != "+":
        return [node]
    found = [*_summed(node.left), *_summed(node.right)]
    return found if len(found) <= _LISTED else []


def _simple(node: Number) -> bool:
    return not isinstance(node, Arithmetic) or converts(node)


def _operands(node: Number) -> list[Number]:
    """What a formula is made of, each once; constants are no news."""
    if isinstance(node, Arithmetic):
        return list(dict.fromkeys([*_operands(node.left), *_operands(node.right)]))
    return [] if isinstance(node, Constant) else [node]


_NAMES: Final[dict[type, Callable[[Nouns, Any], str]]] = {
    PointValue: lambda nouns, node: nouns.point(node),
    AttributeValue: lambda nouns, node: nouns.own(ATTRIBUTES, node.name, node.name),
    ParameterValue: lambda nouns, node: nouns.own(PARAMETERS, node.name, nouns.own(PARAMETERS, "", "")),
    Constant: lambda nouns, node: quantity(node.value, node.unit, nouns.language),
    Arithmetic: lambda nouns, node: nouns.arithmetic(node),
    Window: lambda nouns, node: nouns.window(node),
    Absolute: lambda nouns, node: nouns.word("absolute", item=nouns.of(node.item)),
    Known: lambda nouns, node: nouns.known(node),
    Aged: lambda nouns, node: nouns.word("aged", point=nouns.point(node.point), span=nouns.span(node.age)),
    Usual: lambda nouns, node: nouns.word(
        "usual", point=nouns.point(node.point), span=nouns.span(node.days * DAY)
    ),
    Elsewhere: lambda nouns, node: nouns.above(node),
    Peers: lambda nouns, node: nouns.peers(node),
    SunHeight: lambda nouns, _: nouns.word("sun"),
}
