"""What a backtest found, as data: alarms and cases by day and area, what changed, what it costs, what the verdicts say."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from gateway.backtest.occurrences import OPEN, Occurrence, Pair, pairs
from gateway.backtest.work import Handling, Judged, Members, Work, cases_of, day_of, deadlines
from gateway.cases.deadline import WorkClock
from gateway.cases.template import Template

MOST_CHANGES = 5_000
UNJUDGED = ""


class Row(Struct, frozen=True):
    """Counts of a day in an area (its first level), as the old and as the new version have it."""

    day: str
    area: str
    old_alarms: int
    new_alarms: int
    old_cases: int
    new_cases: int


class Change(Struct, frozen=True):
    """An alarm that one version has and the other has not, or at another time. Times µs UTC."""

    change: str
    device: str
    area: str
    old_raised: int | None
    old_cleared: int | None
    new_raised: int | None
    new_cleared: int | None
    verdict: str


class Verdicts(Struct, frozen=True):
    """Of alarms somebody judged. precision: real of real and false; None where there is none of both. unjudged: the rest."""

    real: int
    false_alarm: int
    duplicate: int
    unjudged: int

    @property
    def precision(self) -> float | None:
        told = self.real + self.false_alarm
        return self.real / told if told else None


class Line(Struct, frozen=True):
    """One version. hours: of crews, `handling` a case. busiest: most limits that end on one day."""

    alarms: int
    standing: int
    cases: int
    reopened: int
    hours: float
    deadlines: dict[str, int]
    busiest: int
    verdicts: Verdicts
    precision: float | None


class Report(Struct, frozen=True):
    """since, until: µs UTC. changes: the first of them where there are more than it holds; the counts are of all."""

    rule: str
    since: int
    until: int
    area: str
    rows: int
    handling: Handling
    old: Line
    new: Line
    same: int
    added: int
    removed: int
    shifted: int
    lost_real: int  # judged real, and not raised any more
    spared_false: int  # judged false, and not raised any more
    by_day: list[Row]
    changes: list[Change]


class Told(Struct, frozen=True):
    """What a report is made of: the alarms of both versions, and what the city knows besides."""

    old: list[Occurrence]
    new: list[Occurrence]
    judged: list[Judged]
    template: Template | None
    handling: Handling
    members: Members
    clock: WorkClock


def report(rule: str, span: tuple[int, int], area: str, rows: int, told: Told) -> Report:
    both = pairs(told.old, told.new)
    known = _Known(told.judged)
    work = [cases_of(each, told.template, told.members, told.clock) for each in (told.old, told.new)]
    changes = Counter(pair.change for pair in both)
    gone = Counter(known.verdict(pair.old) for pair in both if pair.old and pair.new is None)
    shown = [pair for pair in both if pair.change != "same"][:MOST_CHANGES]
    return Report(
        rule=rule,
        since=span[0],
        until=span[1],
        area=area,
        rows=rows,
        handling=told.handling,
        old=_line(told.old, work[0], known, told),
        new=_line(told.new, work[1], known, told),
        same=changes["same"],
        added=changes["added"],
        removed=changes["removed"],
        shifted=changes["shifted"],
        lost_real=gone["real"],
        spared_false=gone["false_alarm"],
        by_day=_by_day(told, work),
        changes=[_change(pair, known, told.members) for pair in shown],
    )


class _Known:
    """Verdicts by device: an alarm has that of its own id, or of a judged alarm that it overlaps."""

    def __init__(self, judged: Iterable[Judged]) -> None:
        self._of: dict[tuple[str, int], list[Judged]] = {}
        self._ids: dict[str, str] = {}
        for one in judged:
            self._of.setdefault((one.family, one.index), []).append(one)
            self._ids[one.id] = one.verdict

    def verdict(self, one: Occurrence) -> str:
        if one.id in self._ids:
            return self._ids[one.id]
        for each in self._of.get((one.family, one.index), ()):
            end = OPEN if each.cleared is None else each.cleared
            if each.raised <= one.end and one.raised <= end:
                return each.verdict
        return UNJUDGED


def verdicts(alarms: Iterable[Occurrence], judged: Iterable[Judged]) -> Verdicts:
    return _verdicts(alarms, _Known(judged))


def _verdicts(alarms: Iterable[Occurrence], known: _Known) -> Verdicts:
    found = Counter(known.verdict(one) for one in alarms)
    return Verdicts(found["real"], found["false_alarm"], found["duplicate"], found[UNJUDGED])


def _line(alarms: Sequence[Occurrence], work: Sequence[Work], known: _Known, told: Told) -> Line:
    due = deadlines(work, told.clock)
    said = _verdicts(alarms, known)
    return Line(
        alarms=len(alarms),
        standing=sum(one.cleared is None for one in alarms),
        cases=len(work),
        reopened=sum(one.reopened for one in work),
        hours=round(len(work) * told.handling.hours, 2),
        deadlines=dict(sorted(due.items())),
        busiest=max(due.values(), default=0),
        verdicts=said,
        precision=said.precision,
    )


def _by_day(told: Told, work: Sequence[Sequence[Work]]) -> list[Row]:
    counts = [
        Counter((day_of(one.raised, told.clock), _area(one, told.members)) for one in alarms)
        for alarms in (told.old, told.new)
    ]
    counts += [Counter((day_of(one.filed, told.clock), _top(one.area)) for one in cases) for cases in work]
    keys = sorted({key for each in counts for key in each})
    return [Row(*key, *(each[key] for each in counts)) for key in keys]


def _area(one: Occurrence, members: Members) -> str:
    row = members.get((one.family, one.index))
    return _top(row.area) if row else ""


def _top(area: str) -> str:
    return area.partition("/")[0]


def _change(pair: Pair, known: _Known, members: Members) -> Change:
    one, old, new = pair.either, pair.old, pair.new
    row = members.get((one.family, one.index))
    return Change(
        pair.change,
        one.device,
        row.area if row else "",
        old.raised if old else None,
        old.cleared if old else None,
        new.raised if new else None,
        new.cleared if new else None,
        known.verdict(one),
    )


def as_csv(rows: Sequence[Row] | Sequence[Change], kind: type[Row | Change]) -> str:
    """With a header line; texts that a spreadsheet would take for a formula are quoted away."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(kind.__struct_fields__)
    for row in rows:
        values = (getattr(row, name) for name in kind.__struct_fields__)
        writer.writerow(["" if value is None else _plain(value) for value in values])
    return file.getvalue()


def _plain(value: str | int) -> str | int:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
