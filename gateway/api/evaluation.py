"""How well the work was done: the indicators of a span, compared by area, crew, family or cause."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Reader
from gateway.api.services import With
from gateway.api.span import Moment
from gateway.cases.evaluation import By, evaluate
from gateway.errors import Invalid

router: Final = APIRouter(prefix="/evaluation", tags=["evaluation"])


class IndicatorsView(BaseModel):
    """Counts of cases; rates between 0 and 1, null where nothing was due. mean_handling: µs from dispatch to hand-back."""

    model_config = ConfigDict(from_attributes=True)

    filed: int
    void: int
    suspended: int
    due: int
    handled: int
    handled_on_time: int
    closed: int
    closed_on_time: int
    overdue_open: int
    reworked: int
    extended: int
    handled_rate: float | None
    handled_on_time_rate: float | None
    closed_rate: float | None
    closed_on_time_rate: float | None
    rework_rate: float | None
    overdue_open_rate: float | None
    extended_rate: float | None
    mean_handling: float | None


class Evaluation(BaseModel):
    """By the names of what is compared, in order; with `by=all` there is one, ""."""

    since: int
    until: int
    by: By
    items: dict[str, IndicatorsView]


@router.get("")
async def get_evaluation(
    services: With,
    _: Reader,
    since: Moment,
    until: Moment,
    by: By = By.ALL,
    depth: Annotated[int, Query(ge=1, le=16)] = 1,
) -> Evaluation:
    """Cases of since ≤ time < until, as of `until`. A case counts where its limit ends. depth: levels of the area path."""
    if until <= since:
        raise Invalid("'until' comes after 'since'", field="until")
    found = await services.store.read(lambda conn: evaluate(conn, since, until, by, depth))
    items = {name: IndicatorsView.model_validate(one) for name, one in found.items()}
    return Evaluation(since=since, until=until, by=by, items=items)
