"""How well the work was done in a span: stage 7 of GB/T 30428, by the indicators that cities publish (domain G.7).

A dispatch counts where its limit ends: in the span, or before it and still open then. Void and suspended cases count apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from gateway.cases.lifecycle import CaseState, Verdict
from gateway.cases.record import PEOPLE
from gateway.cases.works import Work, works
from gateway.registry.roles import Areas


class By(StrEnum):
    """What is compared. area: its first levels, as many as `depth` says."""

    ALL = "all"
    AREA = "area"
    CREW = "crew"
    DEPARTMENT = "department"
    FAMILY = "family"
    TEMPLATE = "template"
    GRID = "grid"


class Indicators(Struct):
    """Counts of cases in a span; from `due` on, of dispatches. The rates are None where nothing was due."""

    filed: int = 0
    void: int = 0  # of those filed
    reported: int = 0  # of those filed: by citizens and inspectors
    real: int = 0  # of those filed, by verdict
    false_alarms: int = 0
    duplicates: int = 0
    dispatched: int = 0  # of those filed
    misdirected: int = 0  # of those dispatched: handed back by whom they were sent to
    suspended: int = 0  # at its end; of those that would be due
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
    found = judged(works(conn, since, until, areas), since, until, _key(by, depth))
    return found or ({"": Indicators()} if by is By.ALL else {})


def judged(
    several: Iterable[Work], since: int, until: int, key: Callable[[Work], str]
) -> dict[str, Indicators]:
    """The same of what is at hand, as it stood at `until`."""
    found: defaultdict[str, Indicators] = defaultdict(Indicators)
    for work in several:
        _count(found[key(work)], work, since, until)
    return {name: one for name, one in sorted(found.items()) if one != Indicators()}


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
    if work.last and work.filed >= since:
        _count_filed(total, work)
    if work.state is CaseState.VOID:
        return
    if work.last and work.state is CaseState.SUSPENDED:
        total.suspended += 1
    elif _is_due(work, since, until):
        _count_due(total, work)


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
    """What was handed back undone in time was not theirs to do."""
    if work.dispatched is None or work.deadline is None or work.deadline >= until:
        return False
    if work.returned is not None and work.returned <= work.deadline:
        return False
    ended = work.handled or work.returned
    return work.deadline >= since or ended is None or ended >= since


def _count_due(total: Indicators, work: Work) -> None:
    assert work.dispatched is not None
    assert work.deadline is not None
    handled, closed = work.handled is not None, work.closed is not None
    in_time = work.handled is not None and work.handled <= work.deadline
    total.due += 1
    total.handled += handled
    total.handled_on_time += in_time
    total.closed += closed
    total.closed_on_time += closed and in_time
    total.overdue_open += work.last and not handled
    total.reworked += work.reworked > 0
    total.extended += work.extended > 0
    if work.handled is not None:
        total.handling += work.handled - work.dispatched
