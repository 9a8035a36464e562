"""What each event does to a case: its people, its clock, its proof. The lifecycle table says when it may happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from drivers.telemetry import HOUR
from gateway.cases import filing, intake, said, transfer
from gateway.cases.deadline import LENGTH, LimitUnit
from gateway.cases.dispatching import Dispatching
from gateway.cases.effect import EFFECTS, extend, reckon
from gateway.cases.intake import NewReport
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import (
    CASE_TRANSITIONS,
    OVER,
    CaseEvent,
    CaseState,
    Doubt,
    Entry,
    follow,
)
from gateway.cases.record import GATEWAY, PEOPLE, PERSON, TELEMETRY, Alarm, Case, Listen, rank
from gateway.cases.reminders import Reminders, entry_of
from gateway.cases.said import Said, Words
from gateway.cases.settings import DeskSettings
from gateway.cases.template import Limit, Template, Templates
from gateway.cases.verify import WHY, doubt_of, proof_at, silences_of, unheard, witnesses
from gateway.errors import Conflict, Invalid

# A case outlives the template it was filed by: then the field's default limit holds (domain G.3).
ORPHAN: Final = Template(
    id="orphan",
    en="Case without a template",
    zh="无模板案件",
    limit=Limit(amount=4, unit=LimitUnit.WORK_HOUR),
    proving=HOUR,
    reopen_within=0,
)


CLOCKED: Final = frozenset(
    {CaseEvent.DISPATCH, CaseEvent.RESUME, CaseEvent.EXTEND, CaseEvent.REWORK}
)  # the deadline that came of it stands in the timeline: what is evaluated is read from there


class Casework:
    """Changes cases in a ledger by the templates and the city's working clock."""

    def __init__(self, templates: Templates, settings: DeskSettings, listen: Listen) -> None:
        self.templates = templates
        self._listen = listen
        self.clock = settings.clock()
        self.dispatching = Dispatching(self.clock)
        self.reminders = Reminders.of(settings)
        self.silences: frozenset[str] = frozenset()
        self._in_force: frozenset[str] = frozenset()
        self._families: dict[str, str] = {}
        self._report_near = settings.report_near
        self.longest_relapse = max((template.reopen_within for template in templates.values()), default=0)

    def template(self, case: Case) -> Template:
        return self.templates.get(case.template, ORPHAN)

    def unit(self, case: Case) -> LimitUnit:
        """Of its limit: what was said when it was dispatched holds, whatever its template says now."""
        return case.unit or self.template(case).limit.unit

    def bind(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """The rule documents in force: what they hear, and of which family their cases are."""
        self._in_force = frozenset(rule["id"] for rule in rules)
        self.silences = silences_of(rules)
        families: dict[str, set[str]] = {}
        for rule in rules:
            families.setdefault(rule.get("case") or "", set()).add(rule.get("family") or "")
        self._families = {name: some.pop() for name, some in families.items() if len(some) == 1}

    def family(self, template: str) -> str:
        """The one family whose rules make such cases; "" where there are several or none."""
        return self._families.get(template, "")

    def join(self, ledger: Ledger, alarm: Alarm, template: Template) -> None:
        """The alarm becomes part of its cause's case: the open one, one that relapses, or a new one."""
        case = self._known(ledger, alarm, template)
        begins = case is None or not self._takes(case, ledger.now, template)
        if case is None or begins:
            case = self._file(ledger, alarm, template)
        elif case.state is CaseState.CLOSED:
            begins = True
            self.step(ledger, case, CaseEvent.REOPEN, TELEMETRY, note="the alarm came back")
        elif case.origin in PEOPLE and not case.alarms and not case.returns:
            begins = (
                case.state is CaseState.FILED
            )  # the sensor confirms what somebody saw: no dispatcher needs to look
        self.relapse(ledger, case)
        self._attach(ledger, case, alarm)
        if begins and case.crew:
            self.step(ledger, case, CaseEvent.DISPATCH, GATEWAY)

    def _known(self, ledger: Ledger, alarm: Alarm, template: Template) -> Case | None:
        """The case of the alarm's cause, or the one that goes on in its place."""
        case = ledger.of_cause(template.cause(alarm.device, alarm.parent, alarm.area))
        if case is None or (case.state in OVER and case.merged_into is None):
            return filing.seen_before(ledger, alarm, template, self._report_near) or case
        if case.merged_into is None:
            return case
        case = transfer.survivor(ledger, case)
        ledger.load_causes([case.cause], ledger.now - self.longest_relapse)
        return ledger.of_cause(case.cause)

    def open_reported(self, ledger: Ledger, new: NewReport, template: Template) -> Case:
        """A case that people have seen; a dispatcher looks at it before it goes to the crew that is proposed."""
        case = filing.of_report(ledger, new, template, self.family(template.id))
        self.dispatching.assign(ledger, case, template)
        self.step(ledger, case, CaseEvent.FILE, new.origin)
        ledger.add_case(case)
        return case

    def witness(self, ledger: Ledger, alarm: Alarm) -> None:
        """A silence began or ended: what the device was to prove waits for it, or begins anew."""
        if alarm.rule not in self.silences:
            return
        if "witnesses" not in ledger.memo:
            ledger.memo["witnesses"] = witnesses(ledger.conn)
        ids = ledger.memo["witnesses"].get((alarm.family, alarm.device), [])
        ledger.load_cases(ids)
        for case in (ledger.cases[key] for key in ids):
            if alarm.standing and case.proof is not None and not case.doubt:
                self._doubt(ledger, case, Doubt.SILENT)
            elif not alarm.standing and case.doubt == Doubt.SILENT:
                case.verification, case.doubt = TELEMETRY, Doubt.NONE
                if case.quiet_since is not None:
                    case.quiet_since = max(case.quiet_since, ledger.now)
                self.settle(case)
                ledger.note_case(case, Entry.PROVABLE, TELEMETRY, tell=False)

    def fold(self, ledger: Ledger, case: Case, alarm: Alarm) -> None:
        """The alarm is explained by one of this case: it becomes part of it, and nothing else follows."""
        alarm.case = case.id
        case.alarms += 1
        case.standing += 1
        case.quiet_since, case.verification, case.doubt = None, TELEMETRY, Doubt.NONE  # it does speak
        self._note(ledger, case, Entry.FOLDED, alarm)

    def unfold(self, ledger: Ledger, alarm: Alarm) -> None:
        """An alarm that stands is no part of its case any more."""
        if alarm.case is None:
            return
        case = ledger.case(alarm.case)
        alarm.case = None
        case.alarms -= 1
        case.standing -= 1
        if not case.standing:
            case.quiet_since = ledger.now
        self._note(ledger, case, Entry.UNFOLDED, alarm)

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
        case.quiet_since, case.verification, case.doubt = None, TELEMETRY, Doubt.NONE  # it does speak
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
        note: str = "",
        **words: Unpack[Words],
    ) -> None:
        """One event of the lifecycle with all that follows from it.

        Raises Conflict, Invalid, Forbidden, and nothing has changed.
        """
        spoken = Said(note, **words)
        state = follow(CASE_TRANSITIONS, case.state, event)
        said.check(case, event, actor, spoken)
        self._prepare(ledger, case, event, actor, spoken)
        limit = self.template(case).limit
        case.state = state
        if event is not CaseEvent.DISPATCH:  # its own from then on
            limit = limit.model_copy(update={"unit": self.unit(case)})
        EFFECTS[event](case, ledger.now, limit, self.clock)
        said.judge(case, event, spoken)
        if event is CaseEvent.REPAIRED:
            case.repaired_by = actor
        told = said.detail(case, event, spoken)
        if event in CLOCKED:
            told = {**(told or {}), "deadline": case.deadline}
        self.settle(case)
        ledger.note_case(case, event, actor, note=spoken.note, detail=told)
        self._follow_up(ledger, case, event, actor, spoken)

    def merge(self, ledger: Ledger, case: Case, into: int, actor: str, note: str = "") -> None:
        """`into`, or the case that goes on in its place, goes on in place of `case`, with all its alarms."""
        self.step(ledger, case, CaseEvent.MERGE, actor, note, into=into)

    def survivor(self, ledger: Ledger, case: Case) -> Case:
        """The case that goes on in the place of a merged one, or itself."""
        return transfer.survivor(ledger, case)

    def remind(self, ledger: Ledger, case: Case) -> None:
        """What is due to be said of a case's limit, or of its wait for a crew; nothing, if that is due later by now."""
        passed = self.reminders.passed(case, ledger.now, self.unit(case), self.clock)
        if not passed:
            self.settle(case)
            ledger.touch(case)
            return
        case.reminded = passed[-1].at
        if case.reminded >= 1 and case.state is not CaseState.FILED:
            case.overdue = case.overdue or case.deadline
        for step in passed:
            note = step.to if step.at >= 1 else f"{step.at:.0%}"
            told = {"to": step.to} if step.to else None
            self._say(ledger, case, entry_of(case, step), note, told, step.to)

    def reckon(self, ledger: Ledger, case: Case) -> None:
        """All that was reckoned ahead, by the holidays and settings of now."""
        deadline, provisional, ahead = case.deadline, case.provisional, (case.alert, case.proof)
        reckon(case, self.unit(case), self.clock)
        moved = case.deadline != deadline
        if moved:
            self.reminders.forget(case, ledger.now, self.unit(case), self.clock)
        self.settle(case)
        if moved or case.provisional != provisional:
            told = {"deadline": case.deadline}
            self._say(ledger, case, Entry.RECKONED, "the deadline has moved" if moved else "", told)
        elif (case.alert, case.proof) != ahead:
            ledger.touch(case)

    def prove(self, ledger: Ledger, case: Case) -> None:
        """The proof is complete: telemetry verifies and closes, unless it cannot know, or has yet to speak."""
        if doubt := self._doubted(ledger, case):
            self._doubt(ledger, case, doubt)
            return
        if (again := unheard(ledger.conn, case, self._listen, ledger.now)) is not None:
            case.proof = again
            ledger.touch(case)
            return
        repaired = case.state is CaseState.REPAIRED
        event = CaseEvent.VERIFY if repaired else CaseEvent.RECOVER
        self.step(ledger, case, event, TELEMETRY)
        self.step(ledger, case, CaseEvent.CLOSE, TELEMETRY)

    def _takes(self, case: Case, now: int, template: Template) -> bool:
        if case.state is CaseState.CLOSED:
            return case.closed is not None and now - case.closed <= template.reopen_within
        return case.state is not CaseState.VOID

    def _prepare(self, ledger: Ledger, case: Case, event: CaseEvent, actor: str, spoken: Said) -> None:
        """What must be found out before an event changes the case; raises where it cannot be."""
        if event is CaseEvent.DISPATCH:
            self.dispatching.target(ledger, case, spoken)
        elif event is CaseEvent.EXTEND:
            unit = self.unit(case)
            if not spoken.extra > 0:
                raise Invalid(f"'extend' needs by how many {unit}s", field="extra")
            extend(case, round(spoken.extra * LENGTH[unit]), ledger.now, unit, self.clock)
            self.reminders.forget(case, ledger.now, unit, self.clock)
        elif event is CaseEvent.REPAIRED:
            filing.check_shown(ledger, case, self.template(case))
        else:
            self._prepare_others(ledger, case, event, actor, spoken)

    @staticmethod
    def _prepare_others(ledger: Ledger, case: Case, event: CaseEvent, actor: str, spoken: Said) -> None:
        """Where other cases play a part."""
        if event is CaseEvent.REOPEN:
            rival = ledger.of_cause(case.cause)
            if rival is not None and rival.state not in OVER:
                raise Conflict(f"case {rival.id} is open for the same cause", case=rival.id)
        elif event is CaseEvent.MERGE:
            into = transfer.heir(ledger, case, spoken.into or 0)
            transfer.move_all(ledger, case, into, actor)
            intake.follow(ledger.conn, case.id, into.id)
        elif event is CaseEvent.SPLIT:
            transfer.chosen(ledger, case, spoken.alarms)

    def _follow_up(self, ledger: Ledger, case: Case, event: CaseEvent, actor: str, spoken: Said) -> None:
        """What else has changed by it."""
        if event is CaseEvent.MERGE and case.merged_into is not None:
            into = ledger.case(case.merged_into)
            if into.standing:
                self.relapse(ledger, into)
            self.settle(into)
            ledger.note_case(into, Entry.MERGED, actor, detail={"case": case.id})
        elif event is CaseEvent.SPLIT:
            part = transfer.part_off(ledger, case, transfer.chosen(ledger, case, spoken.alarms), actor)
            ledger.add_case(part)
            self.step(ledger, part, CaseEvent.FILE, actor, note=f"split from case {case.id}")
            self.settle(case)
        elif event is CaseEvent.REPAIRED and (doubt := self._doubted(ledger, case)):
            self._doubt(ledger, case, doubt)

    def _doubted(self, ledger: Ledger, case: Case) -> Doubt | None:
        return doubt_of(ledger.conn, case, self._in_force, self.silences)

    def _doubt(self, ledger: Ledger, case: Case, doubt: Doubt) -> None:
        """A person must verify, and is told why."""
        case.verification, case.doubt = PERSON, doubt
        self.settle(case)
        ledger.note_case(case, Entry.PERSON_NEEDED, GATEWAY, note=WHY[doubt], detail={"doubt": doubt})

    def _file(self, ledger: Ledger, alarm: Alarm, template: Template) -> Case:
        case = filing.of_alarm(ledger, alarm, template)
        self.dispatching.assign(ledger, case, template)
        self.step(ledger, case, CaseEvent.FILE, TELEMETRY)
        ledger.add_case(case)
        return case

    def _attach(self, ledger: Ledger, case: Case, alarm: Alarm) -> None:
        alarm.case = case.id
        case.alarms += 1
        case.standing += 1
        case.quiet_since, case.verification, case.doubt = None, TELEMETRY, Doubt.NONE  # it does speak
        if rank(alarm.severity) > rank(case.severity):
            case.severity = alarm.severity
        self._note(ledger, case, Entry.JOINED, alarm)

    def _note(self, ledger: Ledger, case: Case, entry: Entry, alarm: Alarm) -> None:
        self.settle(case)
        ledger.note_case(case, entry, TELEMETRY, alarm=alarm.id, tell=False)

    def _say(
        self,
        ledger: Ledger,
        case: Case,
        entry: Entry,
        note: str,
        told: dict[str, Any] | None = None,
        to: str = "",
    ) -> None:
        self.settle(case)
        ledger.note_case(case, entry, GATEWAY, note=note, detail=told, to=to)

    def settle(self, case: Case) -> None:
        """What follows from the state of a case: when its limit must be looked at next, and its proof."""
        case.alert = self.reminders.next(case, self.unit(case), self.clock)
        case.proof = proof_at(case, self.template(case), self.clock)
