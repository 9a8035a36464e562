"""Who stands where: the indicators of a period under one weighted score, beside those of the period before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.cases.evaluation import RATES, By, Indicators, evaluate
from gateway.evaluation.period import Period
from gateway.registry.roles import Areas
from gateway.store.store import Store

FULL: Final = 100.0


class Standing(Struct, frozen=True):
    """place: 1 is best, the same for the same score; None where nothing was due. before: the same a period earlier.

    change: of the score, None where one of the two is missing.
    """

    name: str
    place: int | None
    score: float | None
    before: int | None
    change: float | None
    indicators: Indicators
    earlier: Indicators


def score(indicators: Indicators, weights: Mapping[str, float]) -> float | None:
    """0 to 100: the weighted mean of the rates that are known, each so that more is better; None where nothing was due."""
    if not indicators.due:
        return None
    known: list[tuple[float, float]] = []
    for name, weight in weights.items():
        rate = getattr(indicators, name)
        if rate is not None and weight:
            known.append((weight, rate if RATES[name] else 1 - rate))
    total = sum(weight for weight, _ in known)
    return FULL * sum(weight * rate for weight, rate in known) / total if total else None


def rank(
    now: Mapping[str, Indicators], earlier: Mapping[str, Indicators], weights: Mapping[str, float]
) -> list[Standing]:
    """Best first; then those of whom nothing was due, by name."""
    scores = {name: score(one, weights) for name, one in now.items()}
    former = {name: score(one, weights) for name, one in earlier.items()}
    places, before = _places(scores), _places(former)
    found = []
    for name, one in now.items():
        new, old = scores[name], former.get(name)
        found.append(
            Standing(
                name=name,
                place=places.get(name),
                score=new,
                before=before.get(name),
                change=None if new is None or old is None else new - old,
                indicators=one,
                earlier=earlier.get(name, Indicators()),
            )
        )
    return sorted(found, key=lambda one: (one.place is None, one.place or 0, one.name))


def _places(scores: Mapping[str, float | None]) -> dict[str, int]:
    known = {name: round(value, 9) for name, value in scores.items() if value is not None}
    better = sorted(known.values(), reverse=True)
    return {name: 1 + better.index(value) for name, value in known.items()}


async def ranking(
    store: Store, period: Period, by: By, depth: int, areas: Areas, weights: Mapping[str, float], time: int
) -> list[Standing]:
    """Of a period and the one before it, each as of its own end; time: now, beyond which nothing is due yet."""
    earlier = period.before
    until = max(min(period.until, time), period.since)
    now = await store.read(lambda conn: evaluate(conn, period.since, until, by, depth, areas))
    then = await store.read(lambda conn: evaluate(conn, earlier.since, earlier.until, by, depth, areas))
    return rank(now, then, weights)
