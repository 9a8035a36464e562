"""Telemetry proves a repair: every alarm of the case has stayed cleared for the template's proving time.

The proof starts with the last clear or with the repair, whichever is later; an alarm that stands stops it, and a device
that has said nothing meanwhile proves nothing. Where telemetry cannot know, a person verifies, and the case says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from drivers.telemetry import MINUTE
from gateway.cases.deadline import WorkClock
from gateway.cases.lifecycle import CaseState, Doubt
from gateway.cases.night import nights_after
from gateway.cases.record import GATEWAY, PERSON, Case, Listen
from gateway.cases.template import Template
from gateway.store.schema.cases import OPEN, alarm
from gateway.store.schema.cases import case as case_table
from gateway.store.schema.registry import device

LAPSES: Final = 2.5  # reports that may be missing before a device counts as silent (domain B.6)
PATIENCE: Final = 10  # looks an interval at a device that keeps a proof waiting
RECOVERABLE: Final = frozenset(
    {CaseState.FILED, CaseState.DISPATCHED, CaseState.ACCEPTED, CaseState.SUSPENDED}
)
WHY: Final[Mapping[Doubt, str]] = {
    Doubt.NO_ALARM: "no alarm belongs to it: no device measures this; a person must look 没有告警，无设备可证，须人工核查",
    Doubt.SILENT: "a device of it is silent; a person must look, or telemetry once it speaks 设备离线，须人工核查",
    Doubt.RULE_GONE: "the rule that raised it is not in force any more; a person must look 规则已停用，须人工核查",
    Doubt.RETIRED: "a device of it is out of service; a person must look 设备已停用，须人工核查",
}


def proof_at(case: Case, template: Template, clock: WorkClock) -> int | None:
    """When the case will be proved (µs UTC) if nothing changes; None while no proof runs."""
    if case.standing or case.quiet_since is None or case.verification == PERSON:
        return None
    if case.state is CaseState.REPAIRED and case.repaired is not None:
        return _complete(case, max(case.quiet_since, case.repaired), template, clock)
    if template.self_closing and case.state in RECOVERABLE:
        return _complete(case, case.quiet_since, template, clock)
    return None


def _complete(case: Case, start: int, template: Template, clock: WorkClock) -> int:
    proved = start + template.proving
    if not template.nights:
        return proved
    return max(proved, nights_after(start, template.nights, case.lat, case.lon, clock.zone))


def unheard(conn: Connection, case: Case, listen: Listen, now: int) -> int | None:
    """When to look again (µs UTC), where a device of the case has not spoken as it should; None where all have.

    Each must have been heard since its alarms were over, and lately: within LAPSES of its own intervals. A cover that
    speaks once a day, and whenever it is moved, need not speak again. Seen as at the proof's own time, however late we look.
    """
    start, proof = case.quiet_since or 0, now if case.proof is None else case.proof
    c = alarm.c
    members = select(c.family, c.idx).where(c.case == case.id).distinct()
    for family, index in conn.execute(members):
        pulse = listen(family, index)
        if pulse.heard is None or pulse.heard < max(start, proof - round(LAPSES * pulse.interval)):
            return now + max(MINUTE, pulse.interval // PATIENCE)
    return None


def doubt_of(
    conn: Connection, case: Case, in_force: Collection[str], silences: Collection[str]
) -> Doubt | None:
    """Why telemetry cannot verify this case now; None where it can."""
    members = alarm.alias("members")
    seen = conn.execute(
        select(members.c.rule, members.c.family, members.c.device).where(members.c.case == case.id).distinct()
    ).all()
    if not seen:
        return None if case.origin == GATEWAY else Doubt.NO_ALARM  # a storm has none of its own
    if any(one.rule not in in_force for one in seen):
        return Doubt.RULE_GONE
    devices = sorted({one.device for one in seen})
    retired = select(device.c.id).where(device.c.id.in_(devices), device.c.retired.is_(True))
    if conn.execute(retired.limit(1)).first():
        return Doubt.RETIRED
    silent = select(alarm.c.id).where(
        alarm.c.device.in_(devices),
        alarm.c.family.in_({one.family for one in seen}),
        alarm.c.standing.is_(True),
        alarm.c.state != "cleared",
        alarm.c.rule.in_(sorted(silences)),
    )
    return Doubt.SILENT if conn.execute(silent.limit(1)).first() else None


def witnesses(conn: Connection) -> dict[tuple[str, str], list[int]]:
    """The open cases whose proof runs, or waits for a silent device, by (family, device) of their alarms."""
    c = case_table.c
    proving = select(c.id).where(OPEN, or_(c.proof.is_not(None), c.doubt == Doubt.SILENT))
    pairs = select(alarm.c.family, alarm.c.device, alarm.c.case).where(alarm.c.case.in_(proving)).distinct()
    found: dict[tuple[str, str], list[int]] = {}
    for family, name, case in conn.execute(pairs):
        found.setdefault((family, name), []).append(case)
    return found


def silences_of(rules: Collection[Mapping[str, Any]]) -> frozenset[str]:
    """The rules that say that a device is not heard."""
    return frozenset(rule["id"] for rule in rules if str(rule.get("when", "")).lstrip().startswith("silent("))
