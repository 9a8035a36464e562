"""How well the work was done in a span: stage 7 of GB/T 30428, by the indicators that cities publish (domain G.7).

A case counts where its limit ends: in the span, or before it and still open then. Void and suspended cases count apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct, convert
from sqlalchemy import Connection, or_, select

from gateway.cases.lifecycle import CaseState
from gateway.cases.record import plain
from gateway.store.schema.cases import case


class By(StrEnum):
    """What is compared. area: its first levels, as many as `depth` says."""

    ALL = "all"
    AREA = "area"
    CREW = "crew"
    FAMILY = "family"
    TEMPLATE = "template"


class Work(Struct, frozen=True):
    """What the indicators need of a case; times µs UTC."""

    area: str
    crew: str
    family: str
    template: str
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

    @property
    def handled(self) -> int | None:
        """When the crew handed it back, or the cause went away."""
        return self.repaired or self.verified or self.closed


class Indicators(Struct):
    """Counts of cases in a span. The rates are None where nothing was due."""

    filed: int = 0
    void: int = 0  # of those filed
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
    def mean_handling(self) -> float | None:
        """平均处置时长, µs."""
        return self.handling / self.handled if self.handled else None


def evaluate(
    conn: Connection, since: int, until: int, by: By = By.ALL, depth: int = 1
) -> dict[str, Indicators]:
    """Indicators of since ≤ time < until (µs UTC) by what `by` says, as of `until`; names in order."""
    c = case.c
    query = select(*(c[name] for name in Work.__struct_fields__)).where(
        c.filed < until, or_(c.closed.is_(None), c.closed >= since, c.deadline >= since, c.filed >= since)
    )
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
        By.FAMILY: lambda work: work.family,
        By.TEMPLATE: lambda work: work.template,
    }
    return keys[by]


def _count(total: Indicators, work: Work, since: int, until: int) -> None:
    if work.filed >= since:
        total.filed += 1
        total.void += work.state is CaseState.VOID
    if work.state is CaseState.VOID:
        return
    if work.state is CaseState.SUSPENDED:
        total.suspended += 1
        return
    if _is_due(work, since, until):
        _count_due(total, work, until)


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
