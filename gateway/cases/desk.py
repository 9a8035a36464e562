"""The only writer of alarms and cases: what rules say and what people do, each in the caller's transaction.

A transition that was applied is never applied again, whatever is replayed (design 2, restart).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, Unpack

from msgspec import to_builtins
from sqlalchemy import Connection

from gateway.cases import windows
from gateway.cases.casework import Casework
from gateway.cases.fold import Folding
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import ALARM_TRANSITIONS, BY_PEOPLE, AlarmEvent, AlarmState, CaseEvent, follow
from gateway.cases.near import Near
from gateway.cases.record import (
    GATEWAY,
    TELEMETRY,
    Alarm,
    Case,
    Change,
    Describe,
    DeviceFacts,
    Listen,
    Post,
    rank,
)
from gateway.cases.said import Words
from gateway.cases.sequence import causes_first, passing
from gateway.cases.settings import DeskSettings
from gateway.cases.storm import Storms
from gateway.cases.template import Template, Templates
from gateway.cases.windows import Window
from gateway.errors import Conflict, Invalid
from gateway.store.schema.cases import case as case_table
from rules.correlate import Correlation
from rules.transition import Transition

UNHEARD: Final = frozenset({AlarmState.SHELVED, AlarmState.SUPPRESSED})
T = TypeVar("T")
AT_ONCE: Final = 1000  # things that one tick looks at; the rest waits for the next


class Desk:
    """Times are µs UTC. Every call returns what changed, in order; an error leaves nothing to commit."""

    def __init__(
        self,
        templates: Templates,
        settings: DeskSettings,
        *,
        describe: Describe,
        listen: Listen,
        post: Post,
        correlation: Correlation | None = None,
    ) -> None:
        self._describe = describe
        self._listen = listen
        self._post = post
        self._templates: Mapping[str, Template] = {}
        self.change(templates, settings, correlation or Correlation())

    def change(self, templates: Templates, settings: DeskSettings, correlation: Correlation) -> None:
        """From the next transaction on; `bind` comes after it."""
        self.settings = settings
        self.casework = Casework(templates, settings, self._listen)
        self.folding = Folding(correlation, self.casework)
        self.storms = Storms(settings, self.casework)

    def bind(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """The rule documents in force: which rule's alarms become cases, and by which template.

        A case that is no template files nothing; `template.faults` names such rules beforehand.
        """
        known = self.casework.templates
        rules = list(rules)
        self.casework.bind(rules)
        self._templates = {
            rule["id"]: known[rule["case"]] for rule in rules if rule.get("case") and rule["case"] in known
        }

    def apply(self, conn: Connection, transitions: Sequence[Transition], now: int) -> list[Change]:
        """What the engine said, in its order, causes first. Idempotent by transition id."""
        if not transitions:
            return []
        ledger = Ledger(conn, now)
        applied = ledger.applied([transition.id for transition in transitions])
        unheard = passing(transitions, self.settings.stale)
        fresh: dict[str, Transition] = {t.id: t for t in transitions if t.id not in applied}
        ledger.load_uncleared((t.rule, t.family, t.index) for t in fresh.values())
        raised = {t.id: self._alarm(t) for t in fresh.values() if t.raised}
        self._load_causes(ledger, raised.values())
        near = self.folding.near(ledger, raised.values())
        silent: set[str] = set()  # alarms that came and went before we knew: nobody hears of them
        for t in causes_first(fresh.values(), self.folding.correlation):
            if t.raised:
                self._raise(near, t, raised[t.id], tell=t.id not in unheard, silent=silent)
            else:
                self._clear(near, t, silent=silent)
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
        revision: int | None = None,
        **words: Unpack[Words],
    ) -> list[Change]:
        """A person's event on a case. `revision`: what the person saw; another one now is a Conflict."""
        if event not in BY_PEOPLE:
            raise Invalid(f"'{event}' is not for people", field="event")
        ledger = Ledger(conn, now)
        case = ledger.case(case_id)
        _seen(case, revision)
        if event is CaseEvent.REOPEN:
            ledger.load_causes([case.cause], now)
        self.casework.step(ledger, case, event, actor, note, **words)
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

    def unsuppress(
        self,
        conn: Connection,
        alarm_id: str,
        actor: str,
        now: int,
        note: str = "",
        *,
        revision: int | None = None,
    ) -> list[Change]:
        """A person says that nothing explains it: an alarm like any other from now on."""
        ledger, alarm = self._take(conn, alarm_id, now, revision)
        follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.UNSUPPRESS)
        self._free(ledger, [alarm], actor, note)
        ledger.audit(actor, "alarm.unsuppress", f"alarm:{alarm.id}", {"note": note})
        return self._write(ledger)

    def end_window(self, conn: Connection, number: int, actor: str, now: int) -> tuple[Window, list[Change]]:
        """A maintenance window ends before its time: what stands in it is told now."""
        ledger = Ledger(conn, now)
        window = windows.end(conn, number, actor, now)
        self._free(ledger, self.folding.ended(ledger, window), GATEWAY, "")
        return window, self._write(ledger)

    def tick(self, conn: Connection, now: int) -> list[Change]:
        """What time alone does: shelves and windows end, proofs complete, limits run out."""
        ledger = Ledger(conn, now)
        self._free(ledger, self.folding.due(ledger), GATEWAY, "")
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

    def work(self, conn: Connection, now: int, do: Callable[[Ledger], T]) -> tuple[T, list[Change]]:
        """What people do besides a case's own events: `do` in a ledger of its own, then what it changed."""
        ledger = Ledger(conn, now)
        return do(ledger), self._write(ledger)

    def reckon(self, conn: Connection, now: int) -> list[Change]:
        """Limits and proofs of what is open, by the holidays and settings of now: at a start, and after a change."""
        ledger = Ledger(conn, now)
        for case in ledger.load_open():
            self.casework.reckon(ledger, case)
        return self._write(ledger)

    def _write(self, ledger: Ledger) -> list[Change]:
        self.storms.look(ledger)
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

    def _raise(self, near: Near, t: Transition, new: Alarm, *, tell: bool, silent: set[str]) -> None:
        ledger = near.ledger
        alarm = ledger.uncleared((t.rule, t.family, t.index)) or new
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.RAISE)
        if not alarm.standing:  # shelved, and back
            alarm.standing, alarm.raised, alarm.cleared = True, t.time, None
            alarm.release = None
            self.casework.stand(ledger, alarm)
        alarm.version, alarm.severity, alarm.received = t.version, t.severity, t.received
        alarm.evidence = new.evidence
        self.casework.witness(ledger, alarm)
        heard = tell and alarm.state not in UNHEARD
        hold = self.folding.look(near, alarm) if heard and alarm is new else None
        heard = heard and hold is None
        spoken_for = heard and self._join(ledger, alarm)
        if not tell and alarm is new:
            silent.add(alarm.id)
        ledger.note_alarm(
            alarm, AlarmEvent.RAISE, t.time, TELEMETRY, transition=t.id, tell=heard, hushed=spoken_for
        )
        if hold is not None:
            self.folding.hold(near, alarm, hold)
        near.add(alarm)
        if tell:
            self.folding.gather(near, alarm)

    def _clear(self, near: Near, t: Transition, *, silent: set[str]) -> None:
        ledger = near.ledger
        alarm = ledger.uncleared((t.rule, t.family, t.index))
        if alarm is None or not alarm.standing:
            ledger.note_nothing(t.id, t.time, TELEMETRY)
            return
        heard = alarm.state is not AlarmState.SHELVED and alarm.id not in silent
        spoken_for = alarm.state is AlarmState.SUPPRESSED
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.CLEAR)
        alarm.standing, alarm.cleared = False, max(t.time, alarm.raised)
        self.casework.leave(ledger, alarm)
        self.casework.witness(ledger, alarm)
        self.folding.cleared(near, alarm)
        spoken_for |= alarm.case is not None and ledger.cases[alarm.case].standing > 0
        ledger.note_alarm(
            alarm, AlarmEvent.CLEAR, t.time, TELEMETRY, transition=t.id, tell=heard, hushed=spoken_for
        )

    def _free(self, ledger: Ledger, held: Sequence[Alarm], actor: str, note: str) -> None:
        """Nothing holds these back any more: they join their own cases, and are told."""
        self._load_causes(ledger, held)
        for alarm in held:
            self.folding.release(ledger, alarm)
            if alarm.case is None:
                self._join(ledger, alarm)
            ledger.note_alarm(alarm, AlarmEvent.UNSUPPRESS, ledger.now, actor, note=note)
            self.folding.adopt(ledger, alarm)

    def _join(self, ledger: Ledger, alarm: Alarm) -> bool:
        """Into its cause's case. True: others stand there that are as bad, and have told people of it."""
        template = self._templates.get(alarm.rule)
        if alarm.case is not None or template is None:
            return False
        known = ledger.of_cause(template.cause(alarm.device, alarm.parent, alarm.area))
        worst = rank(known.severity) if known is not None else -1
        self.casework.join(ledger, alarm, template)
        joined = _case_of(ledger, alarm)
        return joined is not None and joined.standing > 1 and rank(alarm.severity) <= worst

    def _unshelve(self, ledger: Ledger, alarm: Alarm, actor: str, note: str) -> None:
        """Off the shelf: an alarm that stands is as good as new; one that does not is over."""
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.UNSHELVE)
        alarm.shelved_until = None
        if not alarm.standing:
            alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.CLEAR)
        elif alarm.case is None:
            self._join(ledger, alarm)
            self.folding.adopt(ledger, alarm)
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


def _case_of(ledger: Ledger, alarm: Alarm) -> Case | None:
    return None if alarm.case is None else ledger.case(alarm.case)


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
