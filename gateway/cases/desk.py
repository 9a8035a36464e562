"""The only writer of alarms and cases: what rules say and what people do, each in the caller's transaction.

A transition that was applied is never applied again, whatever is replayed (design 2, restart).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import to_builtins
from sqlalchemy import Connection

from gateway.cases.casework import GATEWAY, TELEMETRY, Casework
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import ALARM_TRANSITIONS, BY_PEOPLE, AlarmEvent, AlarmState, CaseEvent, follow
from gateway.cases.record import Alarm, Case, Change, Describe, DeviceFacts, Post
from gateway.cases.settings import DeskSettings
from gateway.cases.template import Template, Templates
from gateway.errors import Conflict, Invalid
from gateway.store.schema.cases import case as case_table
from rules.transition import Transition

AT_ONCE: Final = 1000  # things that one tick looks at; the rest waits for the next


class Desk:
    """Times are µs UTC. Every call returns what changed, in order; an error leaves nothing to commit."""

    def __init__(
        self,
        templates: Templates,
        settings: DeskSettings,
        *,
        describe: Describe,
        post: Post,
    ) -> None:
        self.settings = settings
        self.casework = Casework(templates, settings)
        self._describe = describe
        self._post = post
        self._templates: Mapping[str, Template] = {}

    def change(self, templates: Templates, settings: DeskSettings) -> None:
        """From the next transaction on; `bind` comes after it."""
        self.settings = settings
        self.casework = Casework(templates, settings)

    def bind(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """The rule documents in force: which rule's alarms become cases, and by which template.

        A case that is no template files nothing; `template.faults` names such rules beforehand.
        """
        known = self.casework.templates
        self._templates = {
            rule["id"]: known[rule["case"]] for rule in rules if rule.get("case") and rule["case"] in known
        }

    def apply(self, conn: Connection, transitions: Sequence[Transition], now: int) -> list[Change]:
        """What the engine said, in its order. Idempotent by transition id."""
        if not transitions:
            return []
        ledger = Ledger(conn, now)
        applied = ledger.applied([transition.id for transition in transitions])
        unheard = passing(transitions, self.settings.stale)
        fresh: dict[str, Transition] = {t.id: t for t in transitions if t.id not in applied}
        ledger.load_uncleared((t.rule, t.family, t.index) for t in fresh.values())
        raised = {t.id: self._alarm(t) for t in fresh.values() if t.raised}
        self._load_causes(ledger, raised.values())
        silent: set[str] = set()  # alarms that came and went before we knew: nobody hears of them
        for t in fresh.values():
            if t.raised:
                self._raise(ledger, t, raised[t.id], tell=t.id not in unheard, silent=silent)
            else:
                self._clear(ledger, t, silent=silent)
        return self._write(ledger)

    def act(
        self,
        conn: Connection,
        case_id: int,
        event: CaseEvent,
        actor: str,
        now: int,
        note: str = "",
        *,
        crew: str = "",
        extra: float = 0,
        revision: int | None = None,
    ) -> list[Change]:
        """A person's event on a case. `revision`: what the person saw; another one now is a Conflict.

        extra: how much longer the limit is to be, in its own unit.
        """
        if event not in BY_PEOPLE:
            raise Invalid(f"'{event}' is not for people", field="event")
        ledger = Ledger(conn, now)
        case = ledger.case(case_id)
        _seen(case, revision)
        if event is CaseEvent.REOPEN:
            ledger.load_causes([case.cause], now)
        self.casework.step(ledger, case, event, actor, note=note, crew=crew, extra=extra)
        return self._write(ledger)

    def acknowledge(
        self,
        conn: Connection,
        alarm_id: str,
        actor: str,
        now: int,
        note: str = "",
        *,
        revision: int | None = None,
    ) -> list[Change]:
        ledger, alarm = self._take(conn, alarm_id, now, revision)
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.ACKNOWLEDGE)
        alarm.acknowledged = now
        return self._by_person(ledger, alarm, AlarmEvent.ACKNOWLEDGE, actor, note)

    def shelve(
        self,
        conn: Connection,
        alarm_id: str,
        actor: str,
        now: int,
        until: int,
        note: str,
        *,
        revision: int | None = None,
    ) -> list[Change]:
        """Nobody hears of this rule on this device until `until`, whatever it does; needs a reason."""
        if not now < until <= now + self.settings.longest_shelf:
            raise Invalid("an alarm is shelved until a time ahead, within the longest shelf", field="until")
        if not note.strip():
            raise Invalid("'shelve' needs a reason", field="note")
        ledger, alarm = self._take(conn, alarm_id, now, revision)
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.SHELVE)
        alarm.shelved_until = until
        return self._by_person(ledger, alarm, AlarmEvent.SHELVE, actor, note)

    def unshelve(
        self,
        conn: Connection,
        alarm_id: str,
        actor: str,
        now: int,
        note: str = "",
        *,
        revision: int | None = None,
    ) -> list[Change]:
        ledger, alarm = self._take(conn, alarm_id, now, revision)
        self._load_causes(ledger, [alarm])
        self._unshelve(ledger, alarm, actor, note)
        ledger.audit(actor, "alarm.unshelve", f"alarm:{alarm.id}", {"note": note})
        return self._write(ledger)

    def tick(self, conn: Connection, now: int) -> list[Change]:
        """What time alone does: shelves end, proofs complete, limits run out."""
        ledger = Ledger(conn, now)
        shelved = ledger.load_shelved(now, AT_ONCE)
        self._load_causes(ledger, shelved)
        for alarm in shelved:
            self._unshelve(ledger, alarm, GATEWAY, "")
        for case in ledger.load_due(case_table.c.proof, AT_ONCE):
            if case.proof is not None and case.proof <= now:  # not stopped by what came off a shelf just now
                self.casework.prove(ledger, case)
        for case in ledger.load_due(case_table.c.alert, AT_ONCE):
            if case.alert is not None and case.alert <= now:
                self.casework.remind(ledger, case)
        return self._write(ledger)

    def reckon(self, conn: Connection, now: int) -> list[Change]:
        """Deadlines that were provisional, with the holidays that are known by now. Once a start is enough."""
        ledger = Ledger(conn, now)
        for case in ledger.load_provisional():
            self.casework.reckon(ledger, case)
        return self._write(ledger)

    def _write(self, ledger: Ledger) -> list[Change]:
        ledger.flush()
        if ledger.messages:
            self._post(ledger.conn, ledger.messages, ledger.now)
        return ledger.changes

    def _load_causes(self, ledger: Ledger, alarms: Iterable[Alarm]) -> None:
        causes = {
            template.cause(alarm.device, alarm.parent, alarm.area)
            for alarm in alarms
            if (template := self._templates.get(alarm.rule)) is not None
        }
        ledger.load_causes(causes, ledger.now - self.casework.longest_relapse)

    def _alarm(self, t: Transition) -> Alarm:
        facts = self._describe(t.family, t.index) or DeviceFacts(t.device)
        return Alarm(
            id=t.id,
            rule=t.rule,
            version=t.version,
            name=t.alarm,
            severity=t.severity,
            family=t.family,
            idx=t.index,
            device=facts.id,
            device_name=facts.name,
            area=facts.area,
            parent=facts.parent,
            lat=_degrees(facts.lat),
            lon=_degrees(facts.lon),
            raised=t.time,
            received=t.received,
            evidence=to_builtins(t.evidence, enc_hook=_plain),
        )

    def _raise(self, ledger: Ledger, t: Transition, new: Alarm, *, tell: bool, silent: set[str]) -> None:
        alarm = ledger.uncleared((t.rule, t.family, t.index)) or new
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.RAISE)
        if not alarm.standing:  # shelved, and back
            alarm.standing, alarm.raised, alarm.cleared = True, t.time, None
            self.casework.stand(ledger, alarm)
        alarm.version, alarm.severity, alarm.received = t.version, t.severity, t.received
        alarm.evidence = new.evidence
        shelved = alarm.state is AlarmState.SHELVED
        if tell and not shelved:
            self._join(ledger, alarm)
        elif not tell and alarm is new:
            silent.add(alarm.id)
        ledger.note_alarm(
            alarm, AlarmEvent.RAISE, t.time, TELEMETRY, transition=t.id, tell=tell and not shelved
        )

    def _clear(self, ledger: Ledger, t: Transition, *, silent: set[str]) -> None:
        alarm = ledger.uncleared((t.rule, t.family, t.index))
        if alarm is None or not alarm.standing:
            ledger.note_nothing(t.id, t.time, TELEMETRY)
            return
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.CLEAR)
        alarm.standing, alarm.cleared = False, max(t.time, alarm.raised)
        self.casework.leave(ledger, alarm)
        heard = alarm.state is not AlarmState.SHELVED and alarm.id not in silent
        ledger.note_alarm(alarm, AlarmEvent.CLEAR, t.time, TELEMETRY, transition=t.id, tell=heard)

    def _join(self, ledger: Ledger, alarm: Alarm) -> None:
        template = self._templates.get(alarm.rule)
        if alarm.case is None and template is not None:
            self.casework.join(ledger, alarm, template)

    def _unshelve(self, ledger: Ledger, alarm: Alarm, actor: str, note: str) -> None:
        """Off the shelf: an alarm that stands is as good as new; one that does not is over."""
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.UNSHELVE)
        alarm.shelved_until = None
        if not alarm.standing:
            alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.CLEAR)
        elif alarm.case is None:
            self._join(ledger, alarm)
        else:
            case = ledger.cases[alarm.case]
            if case.repaired is not None and alarm.raised > case.repaired:
                self.casework.relapse(ledger, case)
        ledger.note_alarm(alarm, AlarmEvent.UNSHELVE, ledger.now, actor, note=note)

    def _take(self, conn: Connection, alarm_id: str, now: int, revision: int | None) -> tuple[Ledger, Alarm]:
        ledger = Ledger(conn, now)
        alarm = ledger.alarm(alarm_id)
        _seen(alarm, revision)
        return ledger, alarm

    def _by_person(
        self, ledger: Ledger, alarm: Alarm, event: AlarmEvent, actor: str, note: str
    ) -> list[Change]:
        ledger.note_alarm(alarm, event, ledger.now, actor, note=note)
        ledger.audit(actor, f"alarm.{event}", f"alarm:{alarm.id}", {"note": note})
        return self._write(ledger)


def passing(transitions: Sequence[Transition], stale: int) -> set[str]:
    """Ids of the raises that came over `stale` µs late and do not stand at the end of the list (law 3)."""
    over: set[tuple[str, str, int]] = set()  # cleared later in the list
    found = set()
    for t in reversed(transitions):
        key = (t.rule, t.family, t.index)
        if not t.raised:
            over.add(key)
        elif t.received - t.time > stale and key in over:
            found.add(t.id)
    return found


def _seen(record: Alarm | Case, revision: int | None) -> None:
    if revision is not None and revision != record.revision:
        raise Conflict(
            f"it was changed by someone else meanwhile (you saw revision {revision}, it is {record.revision})",
            revision=record.revision,
        )


def _plain(scalar: Any) -> Any:
    """numpy's scalars, as evidence may hold them."""
    return scalar.item()


def _degrees(value: float | None) -> float | None:
    return None if value is None or value != value else value  # noqa: PLR0124 - NaN is not itself
