"""How well the work was done: the indicators of a span, compared by area, crew, family or cause."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Reader, within
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.span import Moment
from gateway.cases.evaluation import By, evaluate
from gateway.errors import Invalid
from gateway.evaluation.measures import Measure
from gateway.evaluation.period import Length
from gateway.evaluation.report import weighed
from gateway.evaluation.units import By as Facility
from gateway.evaluation.words import CASES_NOTE, LANGUAGES, NOTES, pick

router: Final = resource("/evaluation", "evaluation")
Day = Annotated[date | None, Query()]
Depth = Annotated[int, Query(ge=1, le=16)]
Lang = Literal["en", "zh"] | None


class IndicatorsView(BaseModel):
    """Counts of cases, from `due` on of their dispatches; rates between 0 and 1, null where nothing was due.

    All as it stood at the end of the period. mean_handling: µs from dispatch to hand-back.
    """

    model_config = ConfigDict(from_attributes=True)

    filed: int
    void: int
    reported: int
    real: int
    false_alarms: int
    duplicates: int
    dispatched: int
    misdirected: int
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
    dispatched_right_rate: float | None
    false_alarm_rate: float | None
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
    caller: Reader,
    since: Moment,
    until: Moment,
    by: By = By.ALL,
    depth: Annotated[int, Query(ge=1, le=16)] = 1,
) -> Evaluation:
    """Cases of since ≤ time < until, as of `until`. A case counts where its limit ends. depth: levels of the area path."""
    if until <= since:
        raise Invalid("'until' comes after 'since'", field="until")
    found = await services.store.read(lambda conn: evaluate(conn, since, until, by, depth, caller.areas))
    items = {name: IndicatorsView.model_validate(one) for name, one in found.items()}
    return Evaluation(since=since, until=until, by=by, items=items)


class StandingView(BaseModel):
    """place: 1 is best, null where nothing was due. score: 0 to 100. before, earlier: of the period before; change: of the score."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    place: int | None
    score: float | None
    before: int | None
    change: float | None
    indicators: IndicatorsView
    earlier: IndicatorsView


class Ranking(BaseModel):
    """Local days first to last of the period. weights: of the rates in the score. note: how it is counted."""

    period: Length
    first: date
    last: date
    by: By
    weights: dict[str, float]
    note: str
    items: list[StandingView]


@router.get("/ranking")
async def get_ranking(
    services: With,
    caller: Reader,
    by: By = By.AREA,
    period: Length = Length.MONTH,
    date: Day = None,
    depth: Depth = 1,
    lang: Lang = None,
) -> Ranking:
    """Best first, with the place and the score of the period before. date: any day of the period; else the last that is over."""
    of = services.composer.period(period, date)
    found = await services.composer.ranking(of, by, depth, caller.areas)
    language = lang or caller.language or LANGUAGES[0]
    weights = services.composer.settings.weights
    return Ranking(
        period=period,
        first=of.first,
        last=of.last,
        by=by,
        weights=weights,
        note=f"{pick(CASES_NOTE, language)} {weighed(weights, language)}",
        items=[StandingView.model_validate(one) for one in found],
    )


class PeriodView(BaseModel):
    """Local days first to last; items by the names of what is compared."""

    first: date
    last: date
    items: dict[str, IndicatorsView]


class Trend(BaseModel):
    """Oldest first."""

    period: Length
    by: By
    periods: list[PeriodView]


@router.get("/trend")
async def get_trend(
    services: With,
    caller: Reader,
    by: By = By.ALL,
    period: Length = Length.WEEK,
    date: Day = None,
    count: Annotated[int, Query(ge=1, le=31)] = 8,
    depth: Depth = 1,
) -> Trend:
    """The indicators of so many days, weeks or months, up to the one that holds `date`: else to the last that is over."""
    last = services.composer.period(period, date)
    found = await services.composer.trend(last, count, by, depth, caller.areas)
    periods = [
        PeriodView(
            first=one.first,
            last=one.last,
            items={name: IndicatorsView.model_validate(each) for name, each in items.items()},
        )
        for one, items in found
    ]
    return Trend(period=period, by=by, periods=periods)


class FigureView(BaseModel):
    """value: part / whole, turnover a bay and day; of dust: hours; null where nothing is known. part, whole: hours of lamps and
    stations, facility-days, µs, or parkings. coverage: of what there was to hear, the share that was heard. devices, of them heard.
    met: whether the target is. earlier: the value of the period before.
    """

    model_config = ConfigDict(from_attributes=True)

    value: float | None
    part: float
    whole: float
    devices: int
    heard: int
    coverage: float | None
    target: float | None
    met: bool | None
    earlier: float | None = None


class FacilitiesView(BaseModel):
    """By the names of what is compared, then by measure. notes: how each measure is counted, with its source."""

    period: Length
    first: date
    last: date
    by: Facility
    notes: dict[Measure, str]
    items: dict[str, dict[Measure, FigureView]]


@router.get("/facilities")
async def get_facilities(
    services: With,
    caller: Reader,
    by: Facility = Facility.ALL,
    period: Length = Length.WEEK,
    date: Day = None,
    depth: Depth = 1,
    area: Annotated[str, Query(max_length=256)] = "",
    lang: Lang = None,
) -> FacilitiesView:
    """亮灯率, 设施完好率, parking, purifiers and dust of a period, from history. area: this one and all below it."""
    if area:
        within(caller, area)
    of = services.composer.period(period, date)
    now, then = await services.composer.figures(of, by, depth, caller.areas, area)
    language = lang or caller.language or LANGUAGES[0]
    items: dict[str, dict[Measure, FigureView]] = {}
    for name, figures in now.items():
        items[name] = {measure: FigureView.model_validate(one) for measure, one in figures.items()}
        for measure, view in items[name].items():
            former = then.get(name, {}).get(measure)
            view.earlier = former.value if former else None
    return FacilitiesView(
        period=period,
        first=of.first,
        last=of.last,
        by=by,
        notes={measure: pick(text, language) for measure, text in NOTES.items()},
        items=items,
    )
