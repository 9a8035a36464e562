"""Puts together the weekly report and the monthly ranking for whoever asks: of their areas, in their language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import Connection

from drivers.telemetry import SECOND
from gateway.cases.evaluation import By as CaseBy
from gateway.cases.evaluation import Indicators, evaluate
from gateway.evaluation import report as tables
from gateway.evaluation.facilities import Facilities, Figures
from gateway.evaluation.period import Length, Period, latest, period_of
from gateway.evaluation.ranking import Standing, ranking
from gateway.evaluation.report import Report, Table
from gateway.evaluation.settings import EvaluationSettings
from gateway.evaluation.units import By
from gateway.evaluation.words import TITLES, WORDS, pick
from gateway.registry.roles import Areas
from gateway.store.store import Store

WEEKLY: Final = (CaseBy.AREA, CaseBy.DEPARTMENT, CaseBy.CREW, CaseBy.TEMPLATE)
MONTHLY: Final = (CaseBy.AREA, CaseBy.DEPARTMENT, CaseBy.CREW, CaseBy.GRID)


class Composer:
    """day: any of the period; None = the last that is over. depth: levels of the area path."""

    def __init__(self, store: Store, facilities: Facilities) -> None:
        self._store = store
        self._facilities = facilities

    @property
    def settings(self) -> EvaluationSettings:
        return self._facilities.settings

    def period(self, length: Length, day: date | None) -> Period:
        facilities = self._facilities
        if day is None:
            return latest(length, facilities.clock.now(), facilities.zone)
        return period_of(length, day, facilities.zone)

    async def ranking(self, period: Period, by: CaseBy, depth: int, areas: Areas) -> list[Standing]:
        return await ranking(
            self._store, period, by, depth, areas, self.settings.weights, self._facilities.clock.now()
        )

    async def trend(
        self, last: Period, count: int, by: CaseBy, depth: int, areas: Areas
    ) -> list[tuple[Period, dict[str, Indicators]]]:
        """So many periods up to this one, oldest first; each as of its own end."""
        periods = [last]
        while len(periods) < count:
            periods.append(periods[-1].before)
        now = self._facilities.clock.now()

        def read(conn: Connection) -> list[tuple[Period, dict[str, Indicators]]]:
            ends = [max(min(one.until, now), one.since) for one in periods]
            return [
                (one, evaluate(conn, one.since, end, by, depth, areas))
                for one, end in reversed(list(zip(periods, ends, strict=True)))
            ]

        return await self._store.read(read)

    async def figures(
        self, period: Period, by: By, depth: int, areas: Areas, area: str = ""
    ) -> tuple[Figures, Figures]:
        """Of the period and of the one before it."""
        now = await self._facilities.of(period, by, depth, areas, area)
        return now, await self._facilities.of(period.before, by, depth, areas, area)

    async def weekly(self, day: date | None, areas: Areas, depth: int, language: str) -> Report:
        """Cases of the week, compared, and what facilities did in it."""
        period = self.period(Length.WEEK, day)
        whole = await self.ranking(period, CaseBy.ALL, depth, areas)
        compared = await self._ranked(WEEKLY, period, depth, areas, language)
        return self._report(
            "weekly",
            period,
            language,
            [
                tables.totals(whole, language),
                await self._table("facilities", period, By.ALL, depth, areas, language),
                *compared,
                await self._table("facilities_area", period, By.AREA, depth, areas, language),
                await self._table("facilities_owner", period, By.OWNER, depth, areas, language),
                tables.notes(language),
            ],
        )

    async def monthly(self, day: date | None, areas: Areas, depth: int, language: str) -> Report:
        """Who stands where in the month, and facilities by area."""
        period = self.period(Length.MONTH, day)
        compared = await self._ranked(MONTHLY, period, depth, areas, language)
        return self._report(
            "monthly",
            period,
            language,
            [
                *compared,
                await self._table("facilities_area", period, By.AREA, depth, areas, language),
                await self._table("facilities_owner", period, By.OWNER, depth, areas, language),
                tables.notes(language),
            ],
        )

    async def _ranked(
        self, several: tuple[CaseBy, ...], period: Period, depth: int, areas: Areas, language: str
    ) -> list[Table]:
        weights = self.settings.weights
        return [
            tables.ranked(by, await self.ranking(period, by, depth, areas), weights, language)
            for by in several
        ]

    async def _table(
        self, title: str, period: Period, by: By, depth: int, areas: Areas, language: str
    ) -> Table:
        now, then = await self.figures(period, by, depth, areas)
        missing = pick(WORDS["city" if by is By.ALL else "none"], language)
        return tables.facilities(
            pick(TITLES[title], language), _named(now, missing), _named(then, missing), language
        )

    def _report(self, title: str, period: Period, language: str, several: list[Table]) -> Report:
        facilities = self._facilities
        local = datetime.fromtimestamp(facilities.clock.now() / SECOND, UTC).astimezone(facilities.zone)
        span = f"{period.first} – {period.last}"
        if facilities.clock.now() < period.until:
            span += f" ({pick(WORDS['until'], language)}{local:%Y-%m-%d %H:%M})"
        return Report(pick(TITLES[title], language), span, language, several)


def _named(figures: Figures, missing: str) -> Figures:
    return {name or missing: found for name, found in figures.items()}
