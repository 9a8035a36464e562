"""What is explained by another alarm, or lies in a maintenance window, is suppressed: stored, shown, and told to nobody.

Folded, it is part of the case of what explains it, whichever arrived first; a case of its own goes on in that one. When
the explanation is over and it still stands, it is an alarm like any other. All of it is in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.cases import windows
from gateway.cases.casework import Casework
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import (
    ALARM_TRANSITIONS,
    OVER,
    AlarmEvent,
    AlarmState,
    CaseEvent,
    CaseState,
    follow,
)
from gateway.cases.near import SOURCE, Near, source_of
from gateway.cases.record import GATEWAY, Alarm, Case
from gateway.cases.windows import WINDOW, Window
from gateway.store.schema.cases import alarm as table
from rules.correlate import Correlation, Explanation, Link

UNBEGUN: Final = frozenset(
    {CaseState.FILED, CaseState.DISPATCHED, CaseState.ACCEPTED}
)  # nobody works on it yet
AT_ONCE: Final = 200  # alarms whose time is over that one tick looks at


class Hold(Struct, frozen=True):
    """Why an alarm is suppressed. by: what its suppressed_by says. source, link: of an alarm that explains it."""

    by: str
    name: str
    release: int | None = None
    source: Alarm | None = None
    link: Link | None = None


class Folding:
    def __init__(self, correlation: Correlation, casework: Casework) -> None:
        self.correlation = correlation
        self._casework = casework

    def near(self, ledger: Ledger, raised: Iterable[Alarm]) -> Near:
        """What there is around alarms that are about to be raised or let go."""
        near = Near(ledger, self.correlation)
        near.load(raised)
        return near

    def look(self, near: Near, alarm: Alarm) -> Hold | None:
        """Why nobody should hear of this alarm; None where somebody should."""
        window = self._window(near, alarm)
        if window is not None:
            return Hold(window.key, WINDOW, window.ends)
        found = near.explain(alarm)
        return None if found is None else self._by(near, found)

    def hold(self, near: Near, alarm: Alarm, hold: Hold) -> None:
        """Suppress it from now on, and make it part of the case of what explains it."""
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.SUPPRESS)
        self._point(near.ledger, alarm, hold)
        self._fold(near, alarm, hold)

    def gather(self, near: Near, source: Alarm) -> None:
        """An alarm stands: whatever it explains and came before it is folded now."""
        labels = near.labels(source)
        links = self.correlation.sources(labels)
        for target in near.targets(source) if links else ():
            found = next((link for link in links if self._claims(near, link, source, target)), None)
            if found is None:
                continue
            hold = Hold(f"{SOURCE}{source.id}", found.id, source=source, link=found)
            if target.state is AlarmState.SUPPRESSED:
                self._hand_over(near, target, hold)
            else:
                self.hold(near, target, hold)

    def cleared(self, near: Near, alarm: Alarm) -> None:
        """It does not stand any more: what it explains has so much time to come back as well."""
        linger = self.correlation.linger(near.labels(alarm))
        alarm.release = None if linger is None or alarm.cleared is None else alarm.cleared + linger

    def due(self, ledger: Ledger) -> list[Alarm]:
        """Alarms whose explanation or window is over and that still stand: nothing holds them back now."""
        over = ledger.find_alarms(table.c.release <= ledger.now, limit=AT_ONCE)
        held = [
            one for one in over if one.state is AlarmState.SUPPRESSED and one.standing and _in_window(one)
        ]
        near = Near(ledger, self.correlation)
        for source in over:
            if source not in held:
                held += near.load_held(source)
            source.release = None
            ledger.touch(source)
        return self._free(near, held)

    def ended(self, ledger: Ledger, window: Window) -> list[Alarm]:
        """Alarms that a window held, which has ended before its time."""
        held = ledger.find_alarms(table.c.suppressed_by == window.key, table.c.state == AlarmState.SUPPRESSED)
        return self._free(Near(ledger, self.correlation), held)

    def release(self, ledger: Ledger, alarm: Alarm) -> None:
        """Nothing holds it back from now on; it is told, and joins a case, by the caller."""
        self._leave(ledger, alarm)
        alarm.state = follow(ALARM_TRANSITIONS, alarm.state, AlarmEvent.UNSUPPRESS)
        alarm.suppressed_by, alarm.suppression, alarm.release = None, "", None

    def adopt(self, ledger: Ledger, source: Alarm) -> None:
        """The alarm has a case now: what it explains becomes part of that."""
        near = Near(ledger, self.correlation)
        for target in near.load_held(source):
            link = self.correlation.by_id.get(target.suppression)
            if link is not None and target.case is None:
                self._fold(near, target, Hold("", link.id, source=source, link=link))
                ledger.touch(target)

    def _free(self, near: Near, held: list[Alarm]) -> list[Alarm]:
        """Those that nothing else holds back; the others are held by that."""
        near.ledger.load_cases({one.case for one in held if one.case is not None})
        near.load(held)
        freed = []
        for alarm in held:
            hold = self.look(near, alarm)
            if hold is None:
                freed.append(alarm)
            else:
                self._hand_over(near, alarm, hold)
        return freed

    def _hand_over(self, near: Near, alarm: Alarm, hold: Hold) -> None:
        """Something else holds it back from now on."""
        self._leave(near.ledger, alarm)
        self._point(near.ledger, alarm, hold)
        self._fold(near, alarm, hold)

    def _window(self, near: Near, alarm: Alarm) -> Window | None:
        ledger = near.ledger
        if WINDOW not in ledger.memo:
            ledger.memo[WINDOW] = windows.to_come(ledger.conn, ledger.now)
        found: list[Window] = ledger.memo[WINDOW]
        return next((one for one in found if one.covers(alarm, near.chain(alarm))), None)

    def _by(self, near: Near, found: Explanation) -> Hold:
        source = near.ledger.known_alarm(found.source.id)
        return Hold(f"{SOURCE}{source.id}", found.link.id, source=source, link=found.link)

    def _claims(self, near: Near, link: Link, source: Alarm, target: Alarm) -> bool:
        """What another alarm explained that has cleared since is explained by this one, however long it stands."""
        mine, its = near.labels(source), near.labels(target)
        if target.state in {AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED}:
            return link.explains(mine, its) and not _explained_by(near.ledger, source, target)
        by = source_of(target)
        if target.state is not AlarmState.SUPPRESSED or by is None or by == source.id:
            return False
        return link.joins(mine, its) and not near.ledger.known_alarm(by).standing

    def _point(self, ledger: Ledger, alarm: Alarm, hold: Hold) -> None:
        alarm.suppressed_by, alarm.suppression = hold.by, hold.name
        alarm.release = hold.release
        ledger.note_alarm(
            alarm,
            AlarmEvent.SUPPRESS,
            ledger.now,
            GATEWAY,
            note=f"{hold.name}: {hold.by}",
            tell=True,
            hushed=True,
        )

    def _fold(self, near: Near, alarm: Alarm, hold: Hold) -> None:
        """Into the case of what explains it. One of its own that nobody works on yet goes on there."""
        ledger, into = near.ledger, _case_of(near.ledger, hold)
        own = None if alarm.case is None else ledger.case(alarm.case)
        if into is None or own is into or (own is not None and own.state not in UNBEGUN):
            return
        self._move(ledger, alarm, into)
        if own is None:
            return
        if own.standing and any(link.kind == "fold" for link in self.correlation.sources(near.labels(alarm))):
            for other in [one for one in ledger.alarms if one.standing and source_of(one) == alarm.id]:
                self._move(ledger, other, into)
                ledger.touch(other)
        if not own.standing and _explained(own, hold):
            self._casework.step(ledger, own, CaseEvent.FOLD, GATEWAY, f"goes on in case {into.id}")

    def _move(self, ledger: Ledger, alarm: Alarm, into: Case) -> None:
        self._casework.unfold(ledger, alarm)
        self._casework.fold(ledger, into, alarm)

    def _leave(self, ledger: Ledger, alarm: Alarm) -> None:
        """It is no part any more of the case of what explained it."""
        by = source_of(alarm)
        link = self.correlation.by_id.get(alarm.suppression)
        if by is None or alarm.case is None or (link is not None and link.kind != "fold"):
            return
        if ledger.alarm(by).case == alarm.case:
            self._casework.unfold(ledger, alarm)


def _in_window(alarm: Alarm) -> bool:
    return (alarm.suppressed_by or "").startswith(WINDOW)


def _explained(own: Case, hold: Hold) -> bool:
    """Nothing in the case is older than what the explanation covers."""
    return (
        hold.source is not None
        and hold.link is not None
        and own.filed >= hold.source.raised - hold.link.before
    )


def _explained_by(ledger: Ledger, source: Alarm, target: Alarm) -> bool:
    """Whether the target is, directly or not, why the source is suppressed: two never explain each other."""
    seen: set[str] = set()
    by = source_of(source)
    while by is not None and by not in seen:
        if by == target.id:
            return True
        seen.add(by)
        by = source_of(ledger.alarm(by))
    return False


def _case_of(ledger: Ledger, hold: Hold) -> Case | None:
    """The open case that folds it; None where it is only inhibited, or there is none."""
    if hold.source is None or hold.link is None or hold.link.kind != "fold" or hold.source.case is None:
        return None
    found = ledger.case(hold.source.case)
    return None if found.state in OVER else found
