"""A proposal's question and answer: many values of one parameter, judged side by side over the same history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.backtest.occurrences import OPEN, occurrences
from gateway.backtest.work import Judged
from gateway.errors import Invalid
from gateway.registry.candidate import declared
from rules.backtest import Said, Version
from rules.control import Parameter
from rules.suggest import Now, Suggestion, Tried, suggest, values_to_try


class Question(Struct, frozen=True):
    """Values by line. current: the city's value now."""

    parameter: str
    unit: str
    current: float
    values: dict[str, float]


def ask(
    document: Mapping[str, Any], overrides: Sequence[Parameter], parameter: str
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
    now = [each.value for each in overrides if each.name == name and not each.scope]
    current = now[-1] if now and now[-1] is not None else tunable.value
    values = {
        f"v{place}": value for place, value in enumerate(values_to_try(current, tunable.low, tunable.high))
    }
    rule = str(document["id"])
    versions = {
        line: Version(dict(document), [*overrides, Parameter(rule, name, "", value)])
        for line, value in values.items()
    }
    return Question(name, tunable.unit.text, current, values), versions


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
    return suggest(Now(question.parameter, question.unit, question.current, *counts, days), tried)


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
