"""A proposal's question and answer: many values of one parameter, judged side by side over the same history.

Each is tried for the city, or for the area that is asked about, in place of whatever is set more narrowly there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.backtest.occurrences import OPEN, occurrences
from gateway.backtest.work import Judged
from gateway.errors import Invalid
from gateway.registry.candidate import declared
from rules.backtest import Said, Version
from rules.control import Parameter
from rules.parameters import CITY, PRESET
from rules.suggest import Now, Suggestion, Tried, suggest, values_to_try

AREA: Final = "area:"
MOST_NAMED: Final = 5  # scopes that the answer names


class Question(Struct, frozen=True):
    """Values by line. current: the value now, of the city or of the area asked about (scope "area:<path>").

    dropped: narrower scopes with a value of their own, which is left out.
    """

    parameter: str
    unit: str
    current: float
    values: dict[str, float]
    scope: str = CITY
    dropped: tuple[str, ...] = ()


def ask(
    document: Mapping[str, Any], overrides: Sequence[Parameter], parameter: str, area: str = ""
) -> tuple[Question, dict[str, Version]]:
    """The question, and the versions that answer it. parameter "": the rule's only one, or its limit. Raises Invalid."""
    known = declared(dict(document))
    name = parameter or _the_one(list(known))
    if name not in known:
        raise Invalid(
            f"say which parameter of {document['id']}: {', '.join(known) or 'it has none'}",
            field="parameter",
        )
    tunable = known[name]
    scope = f"{AREA}{area}" if area else CITY
    scopes = {one.scope: one.value for one in overrides if one.name == name and one.value is not None}
    current = next((scopes[each] for each in _wider(area) if each in scopes), tunable.value)
    values = {
        f"v{place}": value for place, value in enumerate(values_to_try(current, tunable.low, tunable.high))
    }
    dropped = tuple(sorted(each for each in scopes if _narrower(each, area)))
    kept = [one for one in overrides if one.name != name or one.scope not in dropped]
    rule = str(document["id"])
    versions = {
        line: Version(dict(document), [*kept, Parameter(rule, name, scope, value)])
        for line, value in values.items()
    }
    return Question(name, tunable.unit.text, current, values, scope, dropped), versions


def _wider(area: str) -> list[str]:
    """Scopes that hold the whole area, the most specific first."""
    parts = area.split("/") if area else []
    return [*(AREA + "/".join(parts[:length]) for length in range(len(parts), 0, -1)), CITY, PRESET]


def _narrower(scope: str, area: str) -> bool:
    """Whether its value would stand above the area's, or the city's, for a device that is judged."""
    if scope.startswith(AREA):
        return scope.startswith(f"{AREA}{area}/") if area else True
    return scope not in (CITY, PRESET)


def _the_one(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else "limit"


def conclude(
    question: Question, said: Sequence[Said], judged: Iterable[Judged], span: tuple[int, int], days: float
) -> Suggestion:
    """span: of the alarms that count. days: of history looked at."""
    of: dict[tuple[str, int], list[Judged]] = defaultdict(list)
    for one in judged:
        of[one.family, one.index].append(one)
    tried = [_tried(value, said, line, of, span) for line, value in question.values.items()]
    verdicts = [one.verdict for each in of.values() for one in each]
    counts = (verdicts.count("real"), verdicts.count("false_alarm"))
    found = suggest(Now(question.parameter, question.unit, question.current, *counts, days), tried)
    en, zh = _scope_said(question)
    return replace(found, limits_en=[*en, *found.limits_en], limits_zh=[*zh, *found.limits_zh])


def _scope_said(question: Question) -> tuple[list[str], list[str]]:
    """Whose value it would be, and what was left out for it."""
    en, zh = [], []
    if question.scope:
        en.append(f"It is a value for {question.scope}, not for the city.")
        zh.append(f"该取值仅用于{question.scope}，不是全市的值。")
    if question.dropped:
        named = question.dropped[:MOST_NAMED]
        more = len(question.dropped) - len(named)
        en.append(
            f"Values set more narrowly were left out, every device was judged by the value tried: {', '.join(named)}"
            + (f" and {more} more." if more else ".")
        )
        zh.append(
            f"更具体范围的设定未计入，所有设备均按所试取值判定：{'、'.join(named)}"
            + (f"等{len(question.dropped)}处。" if more else "。")
        )
    return en, zh


def _tried(
    value: float,
    said: Sequence[Said],
    line: str,
    judged: Mapping[tuple[str, int], Sequence[Judged]],
    span: tuple[int, int],
) -> Tried:
    """An alarm that was judged is raised, too, where one of this value overlaps it in time."""
    alarms = occurrences(said, line, *span)
    raised: set[tuple[str, str]] = set()
    for alarm in alarms:
        for one in judged.get((alarm.family, alarm.index), ()):
            if one.raised <= alarm.end and alarm.raised <= (OPEN if one.cleared is None else one.cleared):
                raised.add((one.id, one.verdict))
    kept = [verdict for _, verdict in raised]
    return Tried(value, len(alarms), kept.count("real"), kept.count("false_alarm"))
