"""Random life of a small city in which some rules are tuned, tried and withdrawn, and all others must not notice."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from rules.control import GatewayUp, Parameter, Rules
from rules.transition import Transition
from tests.rules.streams import AREAS, SCOPES, START, Restart, Row, Step, Sweep, parameter, rule

Json = dict[str, Any]
NORTH = ["north"]  # and north/lake, not north2
TRIED = "tried"  # the only rule of these tests that changes
TEXTS = (
    "tilt > limit",
    "mean(tilt, 60s) > limit",
    "max(tilt, 45s) - min(tilt, 45s) > limit and power > 10 W",
    'changed(door) and tilt > limit or cycles(door == "open", 2m) >= 2 and tilt > limit',
    "tilt > peers(median, tilt, by area, min 1) + limit",
    "power > 1.2 * usual(power, 2d) + 1 W and tilt > limit",
    "silent(3m)",
)


def with_canary(rules: Iterable[Json], areas: list[str]) -> list[Json]:
    """Each rule twice: published, and the very same as a canary."""
    return [twice for each in rules for twice in (each, {**each, "areas": areas, "version": 9})]


def with_shadow(rules: Iterable[Json]) -> list[Json]:
    return [twice for each in rules for twice in (each, {**each, "shadow": True})]


def rewritten(log: Iterable[Step], change: Any) -> list[Step]:
    return [Rules(change(step.rules)) if isinstance(step, Rules) else step for step in log]


def unversioned(said: Iterable[Transition]) -> list[Transition]:
    return [msgspec.structs.replace(each, version=0) for each in said]


def trial(dice: random.Random, number: int) -> Json:
    when = dice.choice(TEXTS)
    more: Json = (
        {} if when.startswith("silent") else {"limit": parameter(dice.choice((3, 8, 12)), "deg", 0, 90)}
    )
    if more and dice.random() < 0.5:
        more["hold"] = dice.choice(("4s", "60s"))
    return rule(TRIED, when, version=number, **{**more, "alarm": dice.choice(("one", "other"))})


def tried(dice: random.Random, number: int) -> list[Json]:
    """What stands of the rule now: published, canary, shadow, any of them or none."""
    found = []
    if dice.random() < 0.7:
        found.append(trial(dice, number))
    if dice.random() < 0.5:
        found.append({**trial(dice, number), "areas": dice.sample(AREAS, dice.choice((1, 2)))})
    if dice.random() < 0.5:
        areas = {"areas": [dice.choice(AREAS)]} if dice.random() < 0.5 else {}
        found.append({**trial(dice, number), "shadow": True, **areas})
    return found


def swept(log: Iterable[Step]) -> Iterator[Step]:
    """As it runs live: what has ended is said before anything else is changed. The first rules stay in force."""
    now, employed = START, False
    for step in log:
        if isinstance(step, Rules) and employed:
            continue
        employed = employed or isinstance(step, Rules)
        if isinstance(step, Row):
            now = step.received
        elif isinstance(step, Sweep):
            now = step.now
        elif isinstance(step, GatewayUp):
            yield Sweep(now)
            now = step.up
        elif not isinstance(step, Restart):
            yield Sweep(now)
        yield step


def changed(log: Iterable[Step], changes: int, seed: int) -> Iterator[Step]:
    """The log with so many changes of one rule spread over it; what others are, is as it was."""
    dice, steps, others = random.Random(seed), list(log), []
    places = sorted(dice.randrange(5, len(steps)) for _ in range(changes))
    for place, step in enumerate(steps):
        if isinstance(step, Rules):
            others = step.rules
        yield step
        while places and places[0] == place:
            places.pop(0)
            if dice.random() < 0.3:
                yield Parameter(TRIED, "limit", dice.choice(SCOPES), dice.choice((None, 2.0, 9.0, 30.0)))
            else:
                yield Rules([*others, *tried(dice, changes - len(places))])
    assert not places
