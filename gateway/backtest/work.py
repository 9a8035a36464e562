"""What alarms would cost: the cases that the desk would have filed of them, their limits, and the crew's hours.

An estimate: it files by the template's cause, proof and relapse, and believes that a crew repairs when the alarm clears.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, func, select

from drivers.telemetry import HOUR, SECOND
from gateway.backtest.occurrences import Occurrence
from gateway.cases.deadline import LENGTH, WorkClock
from gateway.cases.template import Template
from gateway.store.schema.cases import alarm, case
from rules.control import DeviceRow

Members = Mapping[tuple[str, int], DeviceRow]


class Work(Struct, frozen=True):
    """A case that would be filed: where, when, when its limit ends (µs UTC), and how often it comes back."""

    area: str
    device: str
    filed: int
    deadline: int
    alarms: int
    reopened: int


class Handling(Struct, frozen=True):
    """Hours that a crew spends on a case. cases: how many such cases it was measured on; 0: it is the limit itself."""

    hours: float
    cases: int


class Judged(Struct, frozen=True):
    """An alarm of operations on whose case somebody gave a verdict: real, false_alarm or duplicate."""

    id: str
    family: str
    index: int
    raised: int
    cleared: int | None
    verdict: str


def cases_of(
    alarms: Iterable[Occurrence], template: Template | None, members: Members, clock: WorkClock
) -> list[Work]:
    """The cases of alarms that come by time; none without a template."""
    if template is None:
        return []
    causes: dict[str, list[Occurrence]] = defaultdict(list)
    for one in alarms:
        row = members.get((one.family, one.index))
        causes[template.cause(one.device, row.parent if row else "", row.area if row else "")].append(one)
    found = [work for of in causes.values() for work in _of_cause(of, template, members, clock)]
    return sorted(found, key=lambda work: (work.filed, work.device))


def _of_cause(
    alarms: Sequence[Occurrence], template: Template, members: Members, clock: WorkClock
) -> Iterable[Work]:
    first, joined, reopened = alarms[0], 0, 0
    until = first.raised  # the case is open until then
    for one in alarms:
        if one.raised > until + (template.reopen_within if joined else 0):
            yield _work(first, joined, reopened, template, members, clock)
            first, joined, reopened = one, 0, 0
        elif one.raised > until:
            reopened += 1
        joined += 1
        until = max(until, one.end + template.proving)
    yield _work(first, joined, reopened, template, members, clock)


def _work(
    first: Occurrence, joined: int, reopened: int, template: Template, members: Members, clock: WorkClock
) -> Work:
    row = members.get((first.family, first.index))
    unit = template.limit.unit
    deadline = clock.end(unit, first.raised, round(template.limit.amount * LENGTH[unit]))
    return Work(row.area if row else "", first.device, first.raised, deadline, joined, reopened)


def deadlines(cases: Iterable[Work], clock: WorkClock) -> Counter[str]:
    """Limits that end on each day of the city."""
    return Counter(day_of(one.deadline, clock) for one in cases)


def day_of(time: int, clock: WorkClock) -> str:
    """The day in the city's zone, as 2026-10-01."""
    return datetime.fromtimestamp(time / SECOND, clock.zone).date().isoformat()


def handling(conn: Connection, template: Template | None) -> Handling:
    """From dispatch to hand-back, the mean of the template's cases so far."""
    if template is None:
        return Handling(0.0, 0)
    c = case.c
    handed = func.coalesce(c.repaired, c.verified)
    query = select(func.count(), func.avg(handed - c.dispatched)).where(
        c.template == template.id, c.dispatched.is_not(None), handed > c.dispatched
    )
    cases, mean = conn.execute(query).one()
    if not cases:
        return Handling(template.limit.amount * LENGTH[template.limit.unit] / HOUR, 0)
    return Handling(float(mean) / HOUR, int(cases))


def judged(conn: Connection, rule: str, t0: int, t1: int) -> list[Judged]:
    """Alarms of a rule with a verdict, raised at t0 ≤ time < t1, by time."""
    a, c = alarm.c, case.c
    query = (
        select(a.id, a.family, a.idx, a.raised, a.cleared, c.verdict)
        .join(case, c.id == a.case)
        .where(a.rule == rule, a.raised >= t0, a.raised < t1, c.verdict != "")
        .order_by(a.raised, a.id)
    )
    return [
        Judged(row.id, row.family, row.idx, row.raised, row.cleared, str(row.verdict))
        for row in conn.execute(query)
    ]
