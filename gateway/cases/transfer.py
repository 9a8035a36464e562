"""Alarms go from one case to another: two cases are one, or one is two. No alarm is in both, and none is lost.

A merged case is over; what is heard of its cause later belongs to the case it points to.
"""

from __future__ import annotations

from typing import Final

from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import OVER, CaseState, Entry
from gateway.cases.record import Alarm, Case, rank
from gateway.errors import Conflict, Invalid

CHAIN: Final = 64  # merged into a case that was merged, and so on
CAUSE: Final = 512  # characters


def survivor(ledger: Ledger, case: Case) -> Case:
    """The case in whose place it went on, or itself."""
    for _ in range(CHAIN):
        if case.merged_into is None:
            break
        case = ledger.case(case.merged_into)
    return case


def heir(ledger: Ledger, case: Case, into: int) -> Case:
    """The open case that `into` names or points to; raises NotFound, Conflict, Invalid."""
    found = survivor(ledger, ledger.case(into))
    if found is case:
        raise Invalid(f"case {case.id} cannot go on in itself", field="into")
    if found.state in OVER:
        raise Conflict(f"case {found.id} is {found.state}; only an open case can go on", case=found.id)
    return found


def move_all(ledger: Ledger, case: Case, into: Case, actor: str) -> None:
    """Every alarm of `case` becomes one of `into`, which goes on in its place."""
    for alarm in ledger.alarms_of(case.id):
        _move(ledger, alarm, case, into, actor)
    case.merged_into = into.id
    if rank(case.severity) > rank(into.severity):
        into.severity = case.severity


def chosen(ledger: Ledger, case: Case, ids: tuple[str, ...]) -> list[Alarm]:
    """The alarms that are to leave; raises Invalid where they are not its own, or all it has."""
    mine = {alarm.id: alarm for alarm in ledger.alarms_of(case.id)}
    if strange := [one for one in ids if one not in mine]:
        raise Invalid(f"{strange[0]} is no alarm of case {case.id}", field="alarms")
    if len(set(ids)) == len(mine):
        raise Invalid("all its alarms cannot leave a case; at least one stays", field="alarms")
    return [mine[one] for one in dict.fromkeys(ids)]


def part_off(ledger: Ledger, case: Case, alarms: list[Alarm], actor: str) -> Case:
    """A new case, not filed yet, with these alarms of `case`."""
    first, number = alarms[0], ledger.next_case()
    part = Case(
        id=number,
        cause=f"{case.cause[: CAUSE - 20]}/split:{number}",
        **{name: getattr(case, name) for name in ("template", "en", "zh", "code", "origin", "part")},
        **{name: getattr(first, name) for name in ("severity", "family", "device", "device_name", "area")},
        **{name: getattr(first, name) for name in ("parent", "lat", "lon")},
        grid=case.grid,
        crew="",
        filed=ledger.now,
        updated=ledger.now,
        state=CaseState.NEW,
    )
    for alarm in alarms:
        _move(ledger, alarm, case, part, actor)
    return part


def _move(ledger: Ledger, alarm: Alarm, case: Case, into: Case, actor: str) -> None:
    alarm.case = into.id
    case.alarms, into.alarms = case.alarms - 1, into.alarms + 1
    if alarm.standing:
        case.standing, into.standing = case.standing - 1, into.standing + 1
    ledger.note_alarm(
        alarm, Entry.MOVED, ledger.now, actor, note=f"from case {case.id} to case {into.id}", tell=False
    )
    _hush(case, alarm)
    _hush(into, alarm)


def _hush(case: Case, alarm: Alarm) -> None:
    """Since when none of its alarms stands."""
    if case.standing:
        case.quiet_since = None
    elif alarm.cleared is not None:
        case.quiet_since = max(case.quiet_since or 0, alarm.cleared)
