"""How well alarms serve operators: rates, floods, the most frequent, chattering, fleeting, stale, priorities."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from drivers.telemetry import DAY
from gateway.api.auth import Reader, within
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.span import Moment
from gateway.cases.performance import (
    ACCEPTABLE,
    FLOOD_BEGINS,
    MANAGEABLE,
    RECOMMENDED,
    By,
    Load,
    performance,
    standing,
)

router: Final = resource("/alarms", "alarms")


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class FloodView(_View):
    """Over ten alarms in ten minutes, until there are fewer than five. peak: the most in any ten minutes. Times µs UTC."""

    begin: int
    end: int
    alarms: int
    peak: int


class OftenView(_View):
    """rule or device is "" where it is counted over all of them. share: of all alarms of the period."""

    rule: str
    device: str
    times: int
    share: float


class FiguresView(_View):
    """average: alarms in ten minutes for each operator; peak: most in any ten minutes, for all of them.

    over: share of ten-minute slots with a flood's rate; flooded: share of time. chattering: raised three times or more
    within a minute. fleeting: over within a minute. priorities: shares by severity, without info.
    """

    alarms: int
    average: float
    peak: int
    load: Load
    over: float
    flooded: float
    floods: list[FloodView]
    rules: list[OftenView]
    devices: list[OftenView]
    top_share: float
    chattering: list[OftenView]
    fleeting: int
    fleeting_rules: list[OftenView]
    priorities: dict[str, float]


class OldView(_View):
    """An alarm that has stood for more than a day. raised: µs UTC."""

    rule: str
    device: str
    severity: str
    area: str
    raised: int


class Targets(BaseModel):
    """What the standards recommend: alarms in ten minutes for an operator, and shares by priority (critical: below it)."""

    acceptable: float
    manageable: float
    flood: int
    priorities: dict[str, float]


class Performance(BaseModel):
    """items: by the names of what is compared; with `by=all` there is one, "". standing, stale, oldest: as of now."""

    since: int
    until: int
    by: By
    operators: int
    items: dict[str, FiguresView]
    standing: int
    stale: int
    oldest: list[OldView]
    targets: Targets


@router.get("/performance")
async def alarm_performance(
    services: With,
    caller: Reader,
    since: Moment | None = None,
    until: Moment | None = None,
    by: By = By.ALL,
    depth: Annotated[int, Query(ge=1, le=16)] = 1,
    area: str = "",
    operators: Annotated[int, Query(ge=1, le=1_000)] = 1,
) -> Performance:
    """By ISA-18.2 and EEMUA 191, of alarms that operators were told of in since ≤ time < until: else of the last day."""
    within(caller, area)
    now = services.clock.now()
    end = now if until is None else until
    begin = end - DAY if since is None else since
    found = await services.store.read(
        lambda conn: performance(conn, begin, end, by=by, depth=depth, area=area, operators=operators)
    )
    stands = await services.store.read(lambda conn: standing(conn, now, area))
    return Performance(
        since=begin,
        until=end,
        by=by,
        operators=operators,
        items={name: FiguresView.model_validate(one) for name, one in found.items()},
        standing=stands.standing,
        stale=stands.stale,
        oldest=[OldView.model_validate(one) for one in stands.oldest],
        targets=Targets(
            acceptable=ACCEPTABLE,
            manageable=MANAGEABLE,
            flood=FLOOD_BEGINS,
            priorities=dict(RECOMMENDED),
        ),
    )
