"""Too many causes at once: one case for the storm, told once, with the list of those in it.

They stay cases with crews and limits; people hear of the storm instead, until it has passed. It passes when no new cause
has come for its template's proving time. State is in SQL: a storm goes on after a restart.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec.structs import replace
from sqlalchemy import select

from drivers.telemetry import MINUTE
from gateway.cases.casework import Casework
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import OVER, AlarmEvent, CaseEvent, Entry
from gateway.cases.record import GATEWAY, TELEMETRY, Alarm, Case, Message, message, rank
from gateway.cases.settings import DeskSettings
from gateway.store.schema import cases as schema

STORM: Final = "storm"  # the template's id
SPAN: Final = MINUTE  # in which causes are counted
HUSHED: Final = frozenset(  # of what machines say, what the storm speaks for
    {f"alarm.{event}" for event in (AlarmEvent.RAISE, AlarmEvent.CLEAR, AlarmEvent.UNSUPPRESS)}
    | {
        f"case.{event}"
        for event in (
            CaseEvent.FILE,
            CaseEvent.DISPATCH,
            CaseEvent.RECOVER,
            CaseEvent.VERIFY,
            CaseEvent.CLOSE,
        )
    }
    | {f"case.{event}" for event in (CaseEvent.REOPEN, CaseEvent.REWORK, CaseEvent.FOLD)}
)


class Storms:
    """Looks at what a transaction has done, before it is written."""

    def __init__(self, settings: DeskSettings, casework: Casework) -> None:
        self._most = settings.storm_causes
        self._levels = settings.storm_levels
        self._casework = casework

    def look(self, ledger: Ledger) -> None:
        """New causes go into their area's storm, or make one; what it speaks for is hushed."""
        if not self._most:
            return
        fresh: dict[str, list[Case]] = {}
        for case in ledger.began():
            if case.template != STORM:
                fresh.setdefault(self._top(case.area), []).append(case)
        if fresh:
            self._gather(ledger, fresh)
        ledger.messages[:] = [self._heard(ledger, each) for each in ledger.messages]

    def _gather(self, ledger: Ledger, fresh: dict[str, list[Case]]) -> None:
        ledger.load_causes([_cause(area) for area in fresh], ledger.now)
        for area, cases in fresh.items():
            storm = ledger.of_cause(_cause(area))
            if storm is None or storm.state in OVER:
                cases = self._lately(ledger, area, cases)  # noqa: PLW2901 - all of them make the storm
                if len(cases) <= self._most:
                    continue
                storm = self._begin(ledger, area, cases)
            for case in cases:
                self._add(ledger, storm, case)
            storm.quiet_since = ledger.now
            self._casework.settle(storm)

    def _lately(self, ledger: Ledger, area: str, cases: list[Case]) -> list[Case]:
        """The causes of the last minute in this area that are not over, those of this transaction among them."""
        c = schema.case.c
        query = select(c.id, c.area, c.storm).where(c.filed > ledger.now - SPAN, schema.OPEN)
        query = query.where(c.template != STORM, c.origin == TELEMETRY)
        rows = ledger.conn.execute(query).all()
        ids = {row.id for row in rows if row.storm is None and self._top(row.area) == area}
        ledger.load_cases(ids)
        known = {key: ledger.cases[key] for key in ids} | {case.id: case for case in cases}
        return [known[key] for key in sorted(known) if known[key].state not in OVER]

    def _begin(self, ledger: Ledger, area: str, cases: list[Case]) -> Case:
        worst = max(cases, key=lambda case: rank(case.severity))
        family = Counter(case.family for case in cases).most_common(1)[0][0]
        template = self._casework.templates[STORM]
        storm = Case(
            id=ledger.next_case(),
            cause=_cause(area),
            template=STORM,
            en=template.en,
            zh=template.zh,
            code=template.code,
            severity=worst.severity,
            family=family,
            device="",
            device_name="",
            area=area,
            parent="",
            lat=worst.lat,
            lon=worst.lon,
            crew="",
            filed=ledger.now,
            updated=ledger.now,
            origin=GATEWAY,
        )
        note = f"{len(cases)} causes within a minute"
        self._casework.step(ledger, storm, CaseEvent.FILE, GATEWAY, note)
        ledger.add_case(storm)
        return storm

    def _add(self, ledger: Ledger, storm: Case, case: Case) -> None:
        """What was said of it so far need not go out any more, where it has not yet."""
        case.storm = storm.id
        storm.alarms += 1
        ledger.note_case(storm, Entry.GATHERED, GATEWAY, note=f"case {case.id}", tell=False)
        ledger.note_case(case, Entry.GATHERED, GATEWAY, note=f"by storm {storm.id}", tell=False)
        ledger.messages.append(replace(_again(case, ledger.now), hushed=True))
        told = ledger.find_alarms(schema.alarm.c.case == case.id, schema.alarm.c.state != "suppressed")
        ledger.messages += [replace(_again(alarm, ledger.now), hushed=True) for alarm in told]

    def _heard(self, ledger: Ledger, each: Message) -> Message:
        """The message, hushed where the storm speaks for it."""
        if each.hushed or each.event not in HUSHED or each.payload["actor"] not in {TELEMETRY, GATEWAY}:
            return each
        case = self._case_of(ledger, each)
        if case is None or case.storm is None:
            return each
        ledger.load_cases([case.storm])
        return replace(each, hushed=ledger.cases[case.storm].state not in OVER)

    def _case_of(self, ledger: Ledger, each: Message) -> Case | None:
        kind, _, key = each.subject.partition(":")
        number = int(key) if kind == "case" else ledger.known_alarm(key).case
        return None if number is None else ledger.case(number)

    def _top(self, area: str) -> str:
        return "/".join(area.split("/")[: self._levels])


def _cause(area: str) -> str:
    return f"{STORM}/area:{area}"


def _again(record: Alarm | Case, now: int) -> Message:
    return message(record, "stands", now, GATEWAY, "")
