"""Computes what facilities did in a period, from history, a day at a time: bounded in memory, off the loop, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from drivers.telemetry import HOUR, Family
from gateway.clock import Clock
from gateway.errors import TooMany
from gateway.evaluation import ask, faults
from gateway.evaluation.darkness import darkness
from gateway.evaluation.limits import limits
from gateway.evaluation.measures import Facts, Figure, Measure, Sums, figure
from gateway.evaluation.period import Period
from gateway.evaluation.settings import EvaluationSettings
from gateway.evaluation.units import By, Units, load
from gateway.history.query import Queries
from gateway.history.source import Scope
from gateway.registry.roles import Areas
from gateway.registry.rulebook import Rulebook
from gateway.store.store import Store

if TYPE_CHECKING:
    from drivers.telemetry import Float64

WAITING: Final = 8  # computations; beyond: 429
KEPT: Final = 2  # periods at hand: one and the one before
FRESH: Final = 10 * 60.0  # real seconds for which they are
LAMP: Final = "streetlight"
POINT: Final = "pm10"

Figures = dict[str, dict[Measure, Figure]]
Days = Sequence[tuple[int, int]]


class Facilities:
    """`of` gives the figures of a period. Readers are asked one question at a time: another stays free for everyone else."""

    def __init__(
        self,
        store: Store,
        queries: Queries,
        rulebook: Rulebook,
        families: Mapping[str, Family],
        clock: Clock,
        zone: ZoneInfo,
        settings: EvaluationSettings,
    ) -> None:
        self.settings = settings
        self.zone = zone
        self.clock = clock
        self._store = store
        self._queries = queries
        self._rulebook = rulebook
        self._families = families
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._kept: dict[tuple[int, int], tuple[float, EvaluationSettings, Facts]] = {}

    def change(self, settings: EvaluationSettings) -> None:
        """Other targets and definitions, from the next question on."""
        self.settings = settings

    async def of(self, period: Period, by: By, depth: int, areas: Areas, area: str = "") -> Figures:
        """By the names of what is compared; with By.ALL there is one, "". Raises TooMany."""
        facts = await self.facts(period)
        return await asyncio.to_thread(self._figures, facts, by, depth, areas, area)

    async def facts(self, period: Period) -> Facts:
        """As far as the period has come, in whole hours."""
        since = period.since
        until = max(min(period.until, since + (self.clock.now() - since) // HOUR * HOUR), since)
        if self._waiting >= WAITING:
            raise TooMany("too many evaluations wait already", retry_after=30)
        self._waiting += 1
        try:
            async with self._turn:
                return await self._facts(period, since, until)
        finally:
            self._waiting -= 1

    async def _facts(self, period: Period, since: int, until: int) -> Facts:
        now = self.clock.monotonic()
        kept = self._kept.get((since, until))
        if kept is not None and now - kept[0] < FRESH and kept[1] is self.settings:
            return kept[2]
        settings, days = self.settings, period.days(until)
        sums = {
            Measure.LIT: (await self._lit(days, since, until, settings),),
            Measure.INTEGRITY: tuple(
                [await self._integrity(name, days, until, settings) for name in settings.facilities]
            ),
            **await self._parking(days, until, settings),
            Measure.PURIFIER: (await self._purifier(days, until, settings),),
        }
        dust = await self._dust(days, until, settings)
        facts = Facts(since, until, sums if dust is None else {**sums, Measure.DUST: (dust,)})
        self._kept.pop((since, until), None)
        self._kept[since, until] = (now, settings, facts)
        for stale in list(self._kept)[:-KEPT]:
            del self._kept[stale]
        return facts

    async def _units(self, family: str, until: int) -> Units:
        return await self._store.read(lambda conn: load(conn, family, until))

    async def _lit(self, days: Days, since: int, until: int, settings: EvaluationSettings) -> Sums:
        units = await self._units(LAMP, until)
        dark = await asyncio.to_thread(darkness, units, since, until, settings, self.zone)
        sums = Sums(units, dark.hours(units).astype(float))
        watts = np.where(np.isnan(units.rated), settings.lit_watts, settings.lit_share * units.rated)
        lamps = {"device": units.index, "place": dark.place, "first": dark.first(units), "watts": watts}
        for start, end in days:
            some = ask.dark_of(dark.due, (start - since) // HOUR, (end - since) // HOUR)
            if len(some["hour"]) and len(units):
                work = partial(ask.lit, start=start, end=end, lamps=lamps, dark=some, origin=since)
                found = await self._queries.ask(self._families[LAMP], Scope(start, end), work)
                sums.add(found["device"], found["lit"], found["heard"], found["heard"])
        return sums

    async def _integrity(self, name: str, days: Days, until: int, settings: EvaluationSettings) -> Sums:
        """A device is inspected on each day on which it is heard; what stood at the day's end was found."""
        units = await self._units(name, until)
        ends = [end for _, end in days]
        broken = await self._store.read(lambda conn: faults.standing(conn, name, settings.faults, ends))
        sums = Sums(units, sum((units.created < end).astype(float) for end in ends) + np.zeros(len(units)))
        for (start, end), wrong in zip(days, broken, strict=True) if len(units) else ():
            found = await self._queries.ask(
                self._families[name], Scope(start, end), partial(ask.heard, start=start, end=end)
            )
            device, ones = found["device"], np.ones(len(found["device"]))
            good = ~np.isin(device, np.array(sorted(wrong), np.int64))
            sums.add(device, good.astype(float), ones, ones)
        return sums

    async def _parking(
        self, days: Days, until: int, settings: EvaluationSettings
    ) -> dict[Measure, tuple[Sums, ...]]:
        units = await self._units("parking", until)
        due, hold = _present(units, days), settings.parking_hold
        occupancy, turnover = Sums(units, due), Sums(units, due)
        for start, end in days if len(units) else ():
            work = partial(ask.parking, start=start, end=end, hold=hold)
            found = await self._queries.ask(self._families["parking"], Scope(start - hold, end), work)
            covered = found["covered"]
            occupancy.add(found["device"], found["occupied"], covered, covered)
            turnover.add(found["device"], found["parkings"], covered, covered)
        return {Measure.OCCUPANCY: (occupancy,), Measure.TURNOVER: (turnover,)}

    async def _purifier(self, days: Days, until: int, settings: EvaluationSettings) -> Sums:
        units, hold = await self._units("fume", until), settings.fume_hold
        sums = Sums(units, _present(units, days))
        for start, end in days if len(units) else ():
            work = partial(ask.purifier, start=start, end=end, hold=hold)
            found = await self._queries.ask(self._families["fume"], Scope(start - hold, end), work)
            sums.add(found["device"], found["both"], found["fan"], found["covered"])
        return sums

    async def _dust(self, days: Days, until: int, settings: EvaluationSettings) -> Sums | None:
        family = self._families["dust"]
        units = await self._units("dust", until)
        bound = await limits(self._rulebook, settings.dust_rule, family, POINT, units)
        if bound is None:
            return None
        sums = Sums(units, _present(units, days) / HOUR)
        given = {"device": units.index, "bound": bound}
        for start, end in days if len(units) else ():
            work = partial(ask.dust, start=start, end=end, limits=given, valid=settings.dust_valid)
            found = await self._queries.ask(family, Scope(start, end), work)
            sums.add(found["device"], found["over"], found["valid"], found["valid"])
        return sums

    def _figures(self, facts: Facts, by: By, depth: int, areas: Areas, area: str) -> Figures:
        found: Figures = {}
        for measure, several in facts.sums.items():
            groups = [(one, one.units.groups(by, depth, areas, area)) for one in several]
            for name in sorted({name for _, rows in groups for name in rows}):
                mine = [(one, rows[name]) for one, rows in groups if name in rows]
                found.setdefault(name, {})[measure] = figure(measure, mine, self._target(measure))
        return {name: found[name] for name in sorted(found)}

    def _target(self, measure: Measure) -> float | None:
        targets = {Measure.LIT: self.settings.lit_target, Measure.INTEGRITY: self.settings.integrity_target}
        return targets.get(measure)


def _present(units: Units, days: Days) -> Float64:
    """µs of these days since the registration of each."""
    spans: Iterator[Float64] = (
        np.clip(end - np.maximum(units.created, start), 0, None).astype(float) for start, end in days
    )
    return sum(spans, np.zeros(len(units)))
