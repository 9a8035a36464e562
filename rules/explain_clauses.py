"""A condition as a clause: what was seen, and how it compared; of alternatives those that were so."""

from __future__ import annotations

from typing import Final

from drivers.telemetry import HOUR, MINUTE
from rules.explain_nouns import SHARES, Nouns, converts, is_event, parameters_in
from rules.explain_numbers import digits_for, share, times
from rules.tree import (
    Aged,
    Arithmetic,
    Between,
    Both,
    Changed,
    Compare,
    Condition,
    Constant,
    Date,
    Either,
    Elsewhere,
    Known,
    Negation,
    Number,
    PointValue,
    Rises,
    Silent,
    Sun,
    Window,
)

_OPPOSITE: Final = {"==": "!=", "!=": "==", "<=": ">", ">": "<=", ">=": "<", "<": ">="}
_FLAG: Final = ("no", "yes")
_COUNTS: Final = frozenset({"count", "changes", "cycles"})
_NAMED: Final = (PointValue, Aged, Elsewhere)


class Clauses:
    def __init__(self, nouns: Nouns) -> None:
        self.nouns = nouns
        self.facts = nouns.facts
        nouns.bare = self.bare

    def of(self, condition: Condition, *, wanted: bool = True) -> str:
        """What made it true, or, not wanted, false."""
        match condition:
            case Compare():
                return self._compare(condition, wanted=wanted)
            case Negation(item=item):
                return self.of(item, wanted=not wanted)
            case Both(items=items) | Either(items=items):
                return self._several(items, every=isinstance(condition, Both) is wanted, wanted=wanted)
            case _:
                return self._told(condition, wanted=wanted)

    def _several(self, items: tuple[Condition, ...], *, every: bool, wanted: bool) -> str:
        word = self.nouns.word
        if every:
            return word("also").join(self.of(item, wanted=wanted) for item in items)
        so = [item for item in items if self.facts.truth(item) is wanted]
        return word("also" if so else "or").join(self.of(item, wanted=wanted) for item in so or items)

    def unknown(self, condition: Condition) -> str:
        """Why nobody can say whether it is so."""
        word = self.nouns.word
        if not isinstance(condition, Compare):
            return self.bare(condition) + "?"
        left, right = condition.left, condition.right
        if isinstance(left, Window) and self.facts.thin(left) and self.facts.reading(left).value is not None:
            return self._thin(left)
        if self.facts.number(left) is None:
            return word("says.unknown", noun=self.nouns.of(left))
        return word("threshold unknown", said=self._said(left), noun=self.nouns.of(right))

    def _thin(self, window: Window) -> str:
        nouns, reading = self.nouns, self.facts.reading(window)
        assert reading.value is not None
        said = nouns.word("says", noun=nouns.window(window), value=nouns.shown(reading.value, window))
        least = share(self.facts.valid, nouns.language, 2)
        return nouns.word("thin", said=said, cover=nouns.cover(window), least=least)

    # -- comparisons

    def _compare(self, condition: Compare, *, wanted: bool) -> str:
        left, right = condition.left, condition.right
        if isinstance(left, _NAMED) and left.labels and isinstance(right, Constant):
            return self._labelled(left, right.value, equal=(condition.operator == "==") is wanted)
        if _at_all(condition):
            return self._said(left)
        if isinstance(left, Known) and isinstance(self.nouns.speaks(left), Constant):
            return self.nouns.word("says.unknown", noun=self.nouns.of(left.items[0]))
        nouns = self.nouns
        digits = digits_for(self.facts.number(left), self.facts.number(right))
        percent = any(isinstance(side, Window) and side.statistic in SHARES for side in (left, right))
        said = self._said(left, digits, percent=percent)
        threshold = self._threshold(right, digits, percent=percent)
        scope = nouns.scope(parameters_in(left, right))
        return nouns.word(
            "compared",
            said=said,
            relation=self._relation(condition, wanted=wanted),
            threshold=threshold + scope,
        )

    def _threshold(self, node: Number, digits: int, *, percent: bool) -> str:
        nouns = self.nouns
        if not converts(node):
            return nouns.valued(node, digits, percent=percent)
        inner = node.left
        named = nouns.of(inner) if isinstance(inner, Arithmetic) else nouns.valued(inner)
        value = self.facts.number(node)
        shown = "" if value is None else nouns.shown(value, node, digits)
        return named if shown in named else nouns.word("valued", noun=named, value=shown)

    def _relation(self, condition: Compare, *, wanted: bool) -> str:
        many = "many" if isinstance(condition.left, Window) and condition.left.statistic in _COUNTS else ""
        relation = self.nouns.word(many + condition.operator)
        return relation if wanted else self.nouns.word("not", relation=relation)

    def _said(self, node: Number, digits: int = 4, *, percent: bool = False) -> str:
        """What a number was."""
        value = self.facts.number(node)
        nouns = self.nouns
        if value is None:
            return nouns.word("says.unknown", noun=nouns.of(node))
        shown = nouns.shown(value, node, digits, percent=percent)
        said = self._window(node, value, shown) if isinstance(node, Window) else ""
        said = said or nouns.word("says", noun=nouns.of(node), value=shown)
        cover = nouns.cover(node)
        return nouns.word("covered", said=said, cover=cover) if cover else said

    def _window(self, window: Window, value: float, shown: str) -> str:
        """The windows that have a statement of their own; "" for others."""
        nouns, source, over = self.nouns, window.source, self.nouns.span(window.length)
        match source:
            case PointValue() if window.statistic in {"mean", "count"}:
                point = nouns.point(source)
                return nouns.word(f"says.{window.statistic}", point=point, value=shown, span=over)
            case Changed(point=point):
                name = "says.changes" if value else "says.changes.none"
                often = times(value, nouns.language)
                return nouns.word(name, point=nouns.point(point), times=often, span=over)
            case Rises(condition=condition):
                often = times(value, nouns.language)
                return nouns.word("says.cycles", times=often, span=over, condition=self.bare(condition))
            case _:
                return ""

    def _labelled(self, node: PointValue | Aged | Elsewhere, label: float, *, equal: bool) -> str:
        nouns, value = self.nouns, self.facts.number(node)
        wanted = nouns.label(node, label)
        if value is None:
            return nouns.word("says.unknown", noun=nouns.of(node))
        if node.labels == _FLAG:
            return nouns.word("says.flag" if value else "says.flag.not", noun=nouns.of(node))
        name = "says.event" if is_event(node) else "says.label"
        was = nouns.label(node, value)
        if equal or was == wanted:
            return nouns.word(name, noun=nouns.of(node), value=was)
        name = "says.event.not" if is_event(node) else "says.not"
        return nouns.word(name, noun=nouns.of(node), value=was, other=wanted)

    # -- what rows must be like to be counted: no values

    def bare(self, condition: Condition, *, wanted: bool = True) -> str:
        word = self.nouns.word
        match condition:
            case Compare():
                return self._bare_compare(condition, wanted=wanted)
            case Negation(item=item):
                return self.bare(item, wanted=not wanted)
            case Both(items=items) | Either(items=items):
                joint = "and" if isinstance(condition, Both) is wanted else "or"
                return word(joint).join(self.bare(item, wanted=wanted) for item in items)
            case _:
                return self._told(condition, wanted=wanted)

    def _bare_compare(self, condition: Compare, *, wanted: bool) -> str:
        nouns, left, right = self.nouns, condition.left, condition.right
        if isinstance(left, _NAMED) and left.labels and isinstance(right, Constant):
            return self._bare_label(left, right.value, equal=(condition.operator == "==") is wanted)
        relation = nouns.word(condition.operator if wanted else _OPPOSITE[condition.operator])
        return nouns.word("was", noun=nouns.of(left), relation=relation, threshold=nouns.of(right))

    def _bare_label(self, node: PointValue | Aged | Elsewhere, label: float, *, equal: bool) -> str:
        nouns = self.nouns
        if node.labels == _FLAG:
            return nouns.word("says.flag" if bool(label) is equal else "says.flag.not", noun=nouns.of(node))
        name, shown = "says.event" if is_event(node) else "says.label", nouns.label(node, label)
        return nouns.word(
            name, noun=nouns.of(node), value=shown if equal else nouns.word("not", relation=shown)
        )

    # -- conditions that no number decides

    def _told(self, condition: Changed | Rises | Sun | Date | Between | Silent, *, wanted: bool) -> str:
        word, end = self.nouns.word, "" if wanted else ".not"
        match condition:
            case Changed(point=point):
                return word(f"changed{end}", point=self.nouns.point(point))
            case Sun():
                return self._sun(condition, end)
            case Between(start=start, end=stop):
                return word(f"between{end}", start=_clock(start), end=_clock(stop))
            case Date(kind=kind):
                return word(f"date{end}", kind=word(kind))
            case Rises(condition=inner):
                return self.bare(inner, wanted=wanted)
            case Silent(timeout=timeout):
                return word("silent", span=self.nouns.span(timeout))

    def _sun(self, sun: Sun, end: str) -> str:
        word = self.nouns.word
        said = word(("night" if sun.night else "day") + end)
        if not sun.dusk and not sun.dawn:
            return said
        moments = [self._offset("sunset", sun.dusk), self._offset("sunrise", sun.dawn)]
        first, last = moments if sun.night else moments[::-1]
        return word("offsets", said=said, start=first, end=last)

    def _offset(self, name: str, offset: int) -> str:
        word = self.nouns.word
        if not offset:
            return word(name)
        return word("after" if offset > 0 else "before", span=self.nouns.span(abs(offset)), moment=word(name))


def _at_all(condition: Compare) -> bool:
    """Whether something happened at all: then how often says everything."""
    left, right = condition.left, condition.right
    if not isinstance(left, Window) or left.statistic not in _COUNTS or not isinstance(right, Constant):
        return False
    return (condition.operator, right.value) in {(">", 0.0), ("<", 1.0), (">=", 1.0), ("<=", 0.0)}


def _clock(time_of_day: int) -> str:
    return f"{time_of_day // HOUR:02}:{time_of_day // MINUTE % 60:02}"
