"""How well the work was done in a span: stage 7 of GB/T 30428, by the indicators that cities publish (domain G.7).

A case counts where its limit ends: in the span, or before it and still open then. Void and suspended cases count apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct, convert
from sqlalchemy import Connection, or_, select

from gateway.cases.lifecycle import CaseState, Verdict
from gateway.cases.record import GATEWAY, PEOPLE, plain
from gateway.registry.roles import Areas
from gateway.registry.rows import within
from gateway.store.schema.cases import case


class By(StrEnum):
    """What is compared. area: its first levels, as many as `depth` says."""

    ALL = "all"
    AREA = "area"
    CREW = "crew"
    DEPARTMENT = "department"
    FAMILY = "family"
    TEMPLATE = "template"
    GRID = "grid"


class Work(Struct, frozen=True):
    """What the indicators need of a case; times µs UTC."""

    area: str
    crew: str
    department: str
    family: str
    template: str
    grid: str
    state: CaseState
    filed: int
    dispatched: int | None
    deadline: int | None
    overdue: int | None
    repaired: int | None
    verified: int | None
    closed: int | None
    reworked: int
    extended: int
    returns: int
    verdict: Verdict
    origin: str

    @property
    def handled(self) -> int | None:
        """When the crew handed it back, or the cause went away."""
        return self.repaired or self.verified or self.closed


class Indicators(Struct):
    """Counts of cases in a span. The rates are None where nothing was due."""

    filed: int = 0
    void: int = 0  # of those filed
    reported: int = 0  # of those filed: by citizens and inspectors
    real: int = 0  # of those filed, by verdict
    false_alarms: int = 0
    duplicates: int = 0
    dispatched: int = 0  # of those filed
    misdirected: int = 0  # of those dispatched: handed back by whom they were sent to
    suspended: int = 0  # now; of those that would be due
    due: int = 0  # 应处置
    handled: int = 0
    handled_on_time: int = 0
    closed: int = 0
    closed_on_time: int = 0
    overdue_open: int = 0
    reworked: int = 0
    extended: int = 0
    handling: int = 0  # µs from dispatch to hand-back, all that were handled together

    def _of_due(self, count: int) -> float | None:
        return count / self.due if self.due else None

    @property
    def handled_rate(self) -> float | None:
        """处置率"""
        return self._of_due(self.handled)

    @property
    def handled_on_time_rate(self) -> float | None:
        """按期处置率"""
        return self._of_due(self.handled_on_time)

    @property
    def closed_rate(self) -> float | None:
        """结案率"""
        return self._of_due(self.closed)

    @property
    def closed_on_time_rate(self) -> float | None:
        """按期结案率: handed back in time, and the proof held. The time of the proof is not the crew's."""
        return self._of_due(self.closed_on_time)

    @property
    def rework_rate(self) -> float | None:
        """返工率"""
        return self._of_due(self.reworked)

    @property
    def overdue_open_rate(self) -> float | None:
        """超期待处置率"""
        return self._of_due(self.overdue_open)

    @property
    def extended_rate(self) -> float | None:
        """延期率"""
        return self._of_due(self.extended)

    @property
    def dispatched_right_rate(self) -> float | None:
        """准确派遣率"""
        return 1 - self.misdirected / self.dispatched if self.dispatched else None

    @property
    def false_alarm_rate(self) -> float | None:
        """Of the cases that somebody judged."""
        judged = self.real + self.false_alarms
        return self.false_alarms / judged if judged else None

    @property
    def mean_handling(self) -> float | None:
        """平均处置时长, µs."""
        return self.handling / self.handled if self.handled else None


# Rates of Indicators: whether more is better.
RATES: Final[Mapping[str, bool]] = {
    "handled_rate": True,
    "handled_on_time_rate": True,
    "closed_rate": True,
    "closed_on_time_rate": True,
    "rework_rate": False,
    "overdue_open_rate": False,
    "extended_rate": False,
    "dispatched_right_rate": True,
    "false_alarm_rate": False,
}


def evaluate(
    conn: Connection, since: int, until: int, by: By = By.ALL, depth: int = 1, areas: Areas = ()
) -> dict[str, Indicators]:
    """Indicators of since ≤ time < until (µs UTC) by what `by` says, as of `until`; names in order.

    areas: that the caller is limited to.
    """
    c = case.c
    query = select(*(c[name] for name in Work.__struct_fields__)).where(
        c.filed < until, or_(c.closed.is_(None), c.closed >= since, c.deadline >= since, c.filed >= since)
    )
    query = query.where(within(c.area, areas), c.origin != GATEWAY)  # a storm's cases count, not the storm
    works = convert(plain(conn.execute(query)), list[Work])
    return judged(works, since, until, _key(by, depth))


def judged(
    works: Iterable[Work], since: int, until: int, key: Callable[[Work], str]
) -> dict[str, Indicators]:
    """The same of cases that are at hand."""
    found: defaultdict[str, Indicators] = defaultdict(Indicators)
    for work in works:
        _count(found[key(work)], work, since, until)
    return {name: found[name] for name in sorted(found)}


def _key(by: By, depth: int) -> Callable[[Work], str]:
    keys: Mapping[By, Callable[[Work], str]] = {
        By.ALL: lambda _: "",
        By.AREA: lambda work: "/".join(work.area.split("/")[:depth]),
        By.CREW: lambda work: work.crew,
        By.DEPARTMENT: lambda work: work.department,
        By.FAMILY: lambda work: work.family,
        By.TEMPLATE: lambda work: work.template,
        By.GRID: lambda work: work.grid,
    }
    return keys[by]


def _count(total: Indicators, work: Work, since: int, until: int) -> None:
    if work.filed >= since:
        _count_filed(total, work)
    if work.state is CaseState.VOID:
        return
    if work.state is CaseState.SUSPENDED:
        total.suspended += 1
        return
    if _is_due(work, since, until):
        _count_due(total, work, until)


def _count_filed(total: Indicators, work: Work) -> None:
    total.filed += 1
    total.void += work.state is CaseState.VOID
    total.reported += work.origin in PEOPLE
    total.real += work.verdict is Verdict.REAL
    total.false_alarms += work.verdict is Verdict.FALSE_ALARM
    total.duplicates += work.verdict is Verdict.DUPLICATE
    total.dispatched += work.dispatched is not None
    total.misdirected += work.returns > 0


def _is_due(work: Work, since: int, until: int) -> bool:
    if work.dispatched is None or work.deadline is None or work.deadline >= until:
        return False
    carried = work.handled is None or work.handled >= since
    return work.deadline >= since or carried


def _count_due(total: Indicators, work: Work, until: int) -> None:
    handled = work.handled is not None and work.handled < until
    in_time = handled and work.overdue is None
    closed = work.closed is not None and work.closed < until
    total.due += 1
    total.handled += handled
    total.handled_on_time += in_time
    total.closed += closed
    total.closed_on_time += closed and in_time
    total.overdue_open += not handled
    total.reworked += work.reworked > 0
    total.extended += work.extended > 0
    if handled and work.handled is not None and work.dispatched is not None:
        total.handling += work.handled - work.dispatched
