"""What each event does to a case: its people, its clock, its proof. The lifecycle table says when it may happen."""

from __future__ import annotations

from typing import Final

from drivers.telemetry import HOUR
from gateway.cases.deadline import LENGTH, LimitUnit
from gateway.cases.effect import EFFECTS, extend, start
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import (
    CASE_TRANSITIONS,
    NEEDS_NOTE,
    OVER,
    RUNNING,
    CaseEvent,
    CaseState,
    Entry,
    follow,
)
from gateway.cases.record import Alarm, Case, rank
from gateway.cases.settings import DeskSettings, Step
from gateway.cases.template import Limit, Template, Templates
from gateway.cases.verify import proof_at
from gateway.errors import Conflict, Invalid

TELEMETRY: Final = "telemetry"
GATEWAY: Final = "gateway"

# A case outlives the template it was filed by: then the field's default limit holds (domain G.3).
ORPHAN: Final = Template(
    id="orphan",
    en="Case without a template",
    zh="无模板案件",
    limit=Limit(amount=4, unit=LimitUnit.WORK_HOUR),
    proving=HOUR,
    reopen_within=0,
)


class Casework:
    """Changes cases in a ledger by the templates and the city's working clock."""

    def __init__(self, templates: Templates, settings: DeskSettings) -> None:
        self.templates = templates
        self.clock = settings.clock()
        self.steps = settings.steps()
        self._dispatch_within = settings.dispatch_within
        self.longest_relapse = max((template.reopen_within for template in templates.values()), default=0)

    def template(self, case: Case) -> Template:
        return self.templates.get(case.template, ORPHAN)

    def join(self, ledger: Ledger, alarm: Alarm, template: Template) -> None:
        """The alarm becomes part of its cause's case: the open one, one that relapses, or a new one."""
        case = ledger.of_cause(template.cause(alarm.device, alarm.parent, alarm.area))
        begins = case is None or not self._takes(case, ledger.now, template)
        if case is None or begins:
            case = self._file(ledger, alarm, template)
        elif case.state is CaseState.CLOSED:
            begins = True
            self.step(ledger, case, CaseEvent.REOPEN, TELEMETRY, note="the alarm came back")
        self.relapse(ledger, case)
        self._attach(ledger, case, alarm)
        if begins and case.crew:
            self.step(ledger, case, CaseEvent.DISPATCH, GATEWAY)

    def relapse(self, ledger: Ledger, case: Case) -> None:
        """An alarm of this case was raised; where it was thought to be repaired, the proof has failed."""
        if case.state in {CaseState.REPAIRED, CaseState.VERIFIED}:
            self.step(ledger, case, CaseEvent.REWORK, TELEMETRY, note="the alarm came back: proof failed")

    def stand(self, ledger: Ledger, alarm: Alarm) -> None:
        """An alarm of a case stands again (while shelved); one of a case that is over starts anew."""
        if alarm.case is None:
            return
        case = ledger.cases[alarm.case]
        if case.state in OVER:
            alarm.case = None
            return
        case.standing += 1
        case.quiet_since = None
        self._note(ledger, case, Entry.RAISED, alarm)

    def leave(self, ledger: Ledger, alarm: Alarm) -> None:
        """An alarm of a case does not stand any more."""
        if alarm.case is None:
            return
        case = ledger.cases[alarm.case]
        case.standing -= 1
        if not case.standing and alarm.cleared is not None:
            case.quiet_since = min(alarm.cleared, ledger.now)
        self._note(ledger, case, Entry.CLEARED, alarm)

    def step(
        self,
        ledger: Ledger,
        case: Case,
        event: CaseEvent,
        actor: str,
        *,
        note: str = "",
        crew: str = "",
        extra: float = 0,
    ) -> None:
        """One event of the lifecycle with all that follows from it; raises Conflict or Invalid, changing nothing."""
        state = follow(CASE_TRANSITIONS, case.state, event)
        if event in NEEDS_NOTE and not note.strip():
            raise Invalid(f"'{event}' needs a reason", field="note")
        if event is CaseEvent.DISPATCH:
            case.crew = crew or case.crew
            if not case.crew:
                raise Invalid("'dispatch' needs a crew", field="crew")
        if event is CaseEvent.REOPEN:
            rival = ledger.of_cause(case.cause)
            if rival is not None and rival.state not in OVER:
                raise Conflict(f"case {rival.id} is open for the same cause", case=rival.id)
        limit = self.template(case).limit
        if event is CaseEvent.EXTEND:
            if not extra > 0:
                raise Invalid(f"'extend' needs by how many {limit.unit}s", field="extra")
            extend(case, round(extra * LENGTH[limit.unit]), limit.unit, self.clock)
        case.state = state
        EFFECTS[event](case, ledger.now, limit, self.clock)
        self._settle(case)
        ledger.note_case(case, event, actor, note=note)

    def remind(self, ledger: Ledger, case: Case) -> None:
        """What is due to be said of a case's limit: the newest of it, and once that it has run out."""
        if case.state is CaseState.FILED:
            case.level = 1
            self._say(ledger, case, Entry.UNDISPATCHED, "dispatcher")
            return
        limit = self.template(case).limit
        passed = [step for step in self.steps[case.level :] if self._told_at(case, step, limit) <= ledger.now]
        case.level += len(passed)
        last = passed[-1]
        if last.at >= 1 and case.overdue is None:
            case.overdue = ledger.now
            self._say(ledger, case, Entry.OVERDUE, next(step.to for step in passed if step.at >= 1))
        if last.at < 1:
            self._say(ledger, case, Entry.DUE_SOON, f"{last.at:.0%}")
        elif last.at > 1:
            self._say(ledger, case, Entry.ESCALATED, last.to)

    def reckon(self, ledger: Ledger, case: Case) -> None:
        """A provisional deadline, once the holidays on its way are published."""
        if case.clock_from is None or case.deadline is None:
            return
        before, unit = case.deadline, self.template(case).limit.unit
        if not self.clock.sure(unit, case.clock_from, before):
            return
        start(case, case.clock_from, unit, self.clock)
        if case.provisional:
            return
        self._say(ledger, case, Entry.RECKONED, "" if case.deadline == before else "the deadline has moved")

    def prove(self, ledger: Ledger, case: Case) -> None:
        """The proof is complete: telemetry verifies and closes."""
        repaired = case.state is CaseState.REPAIRED
        event = CaseEvent.VERIFY if repaired else CaseEvent.RECOVER
        self.step(ledger, case, event, TELEMETRY)
        self.step(ledger, case, CaseEvent.CLOSE, TELEMETRY)

    def _takes(self, case: Case, now: int, template: Template) -> bool:
        if case.state is CaseState.CLOSED:
            return case.closed is not None and now - case.closed <= template.reopen_within
        return case.state is not CaseState.VOID

    def _file(self, ledger: Ledger, alarm: Alarm, template: Template) -> Case:
        case = Case(
            id=ledger.next_case(),
            cause=template.cause(alarm.device, alarm.parent, alarm.area),
            template=template.id,
            en=template.en,
            zh=template.zh,
            code=template.code,
            severity=alarm.severity,
            family=alarm.family,
            device=alarm.device,
            device_name=alarm.device_name,
            area=alarm.area,
            parent=alarm.parent,
            lat=alarm.lat,
            lon=alarm.lon,
            crew=template.crew,
            filed=ledger.now,
            updated=ledger.now,
        )
        self.step(ledger, case, CaseEvent.FILE, TELEMETRY)
        ledger.add_case(case)
        return case

    def _attach(self, ledger: Ledger, case: Case, alarm: Alarm) -> None:
        alarm.case = case.id
        case.alarms += 1
        case.standing += 1
        case.quiet_since = None
        if rank(alarm.severity) > rank(case.severity):
            case.severity = alarm.severity
        self._note(ledger, case, Entry.JOINED, alarm)

    def _note(self, ledger: Ledger, case: Case, entry: Entry, alarm: Alarm) -> None:
        self._settle(case)
        ledger.note_case(case, entry, TELEMETRY, alarm=alarm.id, tell=False)

    def _say(self, ledger: Ledger, case: Case, entry: Entry, note: str) -> None:
        self._settle(case)
        ledger.note_case(case, entry, GATEWAY, note=note)

    def _settle(self, case: Case) -> None:
        """What follows from the state of a case: when its limit must be looked at next, and its proof."""
        case.alert = self._alert(case)
        case.proof = proof_at(case, self.template(case))

    def _alert(self, case: Case) -> int | None:
        if case.state is CaseState.FILED and case.waiting is not None:
            return case.waiting + self._dispatch_within if self._dispatch_within and not case.level else None
        if case.state not in RUNNING or case.level >= len(self.steps):
            return None
        return self._told_at(case, self.steps[case.level], self.template(case).limit)

    def _told_at(self, case: Case, step: Step, limit: Limit) -> int:
        """When this is due to be said."""
        assert case.deadline is not None
        over = round((step.at - 1) * case.allowed)
        if over >= 0:
            return self.clock.end(limit.unit, case.deadline, over)
        if case.clock_from is None or case.time_left is None:
            return case.deadline
        return self.clock.end(limit.unit, case.clock_from, case.time_left + over)
