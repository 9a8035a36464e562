"""What one transaction has read of alarms and cases, and all that it will write: in bulk, however much there is.

A row that someone else changed meanwhile makes the whole transaction a Conflict (no lost update).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from msgspec import convert, to_builtins
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    TextClause,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from gateway.cases.lifecycle import OVER, AlarmEvent, CaseEvent
from gateway.cases.record import TELEMETRY, Alarm, AlarmKey, Case, Change, Message, change, message, plain
from gateway.errors import Conflict, NotFound
from gateway.store import audit
from gateway.store.schema import cases as schema

CHUNK: Final = 500  # values in one IN list; SQLite's least limit of variables is 999

FIXED_OF_ALARM: Final = frozenset(
    {"id", "rule", "name", "family", "idx", "device", "device_name", "area", "parent", "lat", "lon"}
)
FIXED_OF_CASE: Final = frozenset({"id", "template", "en", "zh", "code", "area", "origin", "grid", "part"})

TELLING: Final = frozenset(
    f"alarm.{event}" for event in (AlarmEvent.RAISE, AlarmEvent.UNSHELVE, AlarmEvent.UNSUPPRESS)
)
CLEARED: Final = f"alarm.{AlarmEvent.CLEAR}"

T = TypeVar("T")
Where = ColumnElement[bool] | TextClause


class Ledger:
    """The desk's working set for one call at `now` (µs UTC). Every change is told by `note_alarm` or `note_case`."""

    def __init__(self, conn: Connection, now: int) -> None:
        self.conn = conn
        self.now = now
        self.cases: dict[int, Case] = {}
        self.messages: list[Message] = []
        self.changes: list[Change] = []
        self.memo: dict[Any, Any] = {}  # what was asked of other tables in this transaction
        self._alarms: dict[str, Alarm] = {}
        self._uncleared: dict[AlarmKey, Alarm] = {}
        self._causes: dict[str, Case] = {}
        self._read: dict[tuple[str, str | int], int] = {}  # revision as it was read; new rows have none
        self._dirty: dict[tuple[str, str | int], Alarm | Case] = {}
        self._alarm_events: list[dict[str, Any]] = []
        self._case_events: list[dict[str, Any]] = []
        self._audit: list[dict[str, Any]] = []
        self._last_case: int | None = None

    # What there is

    def applied(self, ids: Collection[str]) -> set[str]:
        """Which of these transitions were applied before."""
        column = schema.alarm_event.c.transition
        found: set[str] = set()
        for chunk in _chunks(ids):
            found.update(self.conn.scalars(select(column).where(column.in_(chunk))))
        return found

    def load_uncleared(self, keys: Iterable[AlarmKey]) -> None:
        """The alarms that are not cleared of these devices, and the cases they are in."""
        devices: dict[str, set[int]] = {}
        for _, family, index in keys:
            devices.setdefault(family, set()).add(index)
        table = schema.alarm
        for family, indices in devices.items():
            for chunk in _chunks(indices):
                self._load_alarms(table.c.family == family, table.c.idx.in_(chunk), schema.UNCLEARED)
        self.load_cases({alarm.case for alarm in self._uncleared.values() if alarm.case is not None})

    @property
    def alarms(self) -> Collection[Alarm]:
        """All that was read or raised in this transaction."""
        return self._alarms.values()

    def find_alarms(self, *where: Where, limit: int | None = None) -> list[Alarm]:
        """These alarms, as they are in this transaction, with their cases."""
        found = self._load_alarms(*where, limit=limit)
        self.load_cases({alarm.case for alarm in found if alarm.case is not None})
        return found

    def find_alarms_in(self, column: ColumnElement[str], values: Collection[str], *where: Where) -> None:
        """Read the alarms that have one of these values."""
        for chunk in _chunks(sorted(values)):
            self.find_alarms(column.in_(chunk), *where)

    def known_alarm(self, key: str) -> Alarm:
        """One that was read or raised in this transaction."""
        return self._alarms[key]

    def load_shelved(self, until: int, limit: int) -> list[Alarm]:
        """Shelved alarms whose time is over by `until`, with their cases."""
        table = schema.alarm
        over = self._load_alarms(table.c.state == "shelved", table.c.shelved_until <= until, limit=limit)
        self.load_cases({alarm.case for alarm in over if alarm.case is not None})
        return over

    def load_cases(self, ids: Collection[int]) -> None:
        for chunk in _chunks([key for key in ids if key not in self.cases]):
            self._load_cases(schema.case.c.id.in_(chunk))

    def load_causes(self, causes: Collection[str], since: int) -> None:
        """The cases of these causes that are open or were closed after `since`."""
        table = schema.case
        for chunk in _chunks(causes):
            lately = or_(table.c.closed.is_(None), table.c.closed >= since, table.c.merged_into.is_not(None))
            self._load_cases(table.c.cause.in_(chunk), lately)

    def load_due(self, column: ColumnElement[int], limit: int) -> list[Case]:
        """Cases whose `column` is a time that has come."""
        return self._load_cases(column <= self.now, limit=limit, order=column)

    def load_open(self) -> list[Case]:
        """All cases that are not over."""
        return self._load_cases(schema.OPEN)

    def alarm(self, key: str) -> Alarm:
        if key not in self._alarms and not self._load_alarms(schema.alarm.c.id == key):
            raise NotFound(f"there is no alarm {key}")
        alarm = self._alarms[key]
        self.load_cases([] if alarm.case is None else [alarm.case])
        return alarm

    def alarms_of(self, key: int) -> list[Alarm]:
        """All alarms of a case, as they are in this transaction."""
        self._load_alarms(schema.alarm.c.case == key)
        return [alarm for alarm in self._alarms.values() if alarm.case == key]

    def case(self, key: int) -> Case:
        self.load_cases([key])
        if key not in self.cases:
            raise NotFound(f"there is no case {key}")
        return self.cases[key]

    def uncleared(self, key: AlarmKey) -> Alarm | None:
        return self._uncleared.get(key)

    def of_cause(self, cause: str) -> Case | None:
        """The open case of a cause; else the newest that was loaded."""
        return self._causes.get(cause)

    def began(self) -> list[Case]:
        """Cases that rules have filed or reopened in this transaction and that are not over."""
        began = {
            entry["case"]
            for entry in self._case_events
            if entry["event"] in {CaseEvent.FILE, CaseEvent.REOPEN} and entry["actor"] == TELEMETRY
        }
        return [self.cases[key] for key in sorted(began) if self.cases[key].state not in OVER]

    def next_case(self) -> int:
        if self._last_case is None:
            self._last_case = self.conn.scalar(select(func.max(schema.case.c.id))) or 0
        self._last_case += 1
        return self._last_case

    # What changes

    def add_case(self, case: Case) -> None:
        self.cases[case.id] = self._causes[case.cause] = case

    def note_alarm(
        self,
        alarm: Alarm,
        event: str,
        time: int,
        actor: str,
        *,
        transition: str | None = None,
        note: str = "",
        tell: bool = True,
        hushed: bool = False,
    ) -> None:
        """The alarm has changed at `time`: written, told to who looks on and, with `tell`, outside."""
        alarm.revision += 1
        self._alarms[alarm.id] = alarm
        if alarm.state == "cleared":
            self._uncleared.pop(alarm.key, None)
        else:
            self._uncleared[alarm.key] = alarm
        self._dirty["alarm", alarm.id] = alarm
        self._alarm_events.append(
            _entry(alarm, event, time, actor, note) | {"alarm": alarm.id, "transition": transition}
        )
        self.changes.append(change(alarm, event, time))
        if tell:
            self.messages.append(replace(message(alarm, event, time, actor, note), hushed=hushed))

    def touch(self, record: Alarm | Case) -> None:
        """Write this one, of which nothing changed that anyone is told of."""
        if isinstance(record, Alarm):
            self._alarms[record.id] = record
            self._dirty["alarm", record.id] = record
        else:
            self._dirty["case", record.id] = record

    def note_nothing(self, transition: str, time: int, actor: str) -> None:
        """A clear that found nothing to clear: remembered, so that a replay cannot clear what came after it."""
        self._alarm_events.append(
            {"alarm": None, "transition": transition, "revision": 0, "time": time}
            | {"event": "clear", "state": "", "actor": actor, "note": ""}
        )

    def note_case(
        self,
        case: Case,
        event: str,
        actor: str,
        *,
        note: str = "",
        alarm: str | None = None,
        detail: dict[str, Any] | None = None,
        to: str = "",
        tell: bool = True,
    ) -> None:
        """The case has changed now. Without `tell` it stands in its timeline only: no audit, no message.

        to: whose attention it needs.
        """
        case.revision += 1
        case.updated = self.now
        self._dirty["case", case.id] = case
        entry = _entry(case, event, self.now, actor, note) | {
            "case": case.id,
            "alarm": alarm,
            "detail": detail,
        }
        self._case_events.append(entry)
        self.changes.append(change(case, event, self.now))
        if tell:
            self.messages.append(message(case, event, self.now, actor, note, to))
            self.audit(actor, f"case.{event}", f"case:{case.id}", {"state": str(case.state), "note": note})

    def audit(self, actor: str, action: str, what: str, detail: dict[str, Any]) -> None:
        line = {"time": self.now, "actor": actor, "action": action, "object": what, "detail": detail}
        self._audit.append(line)

    # What is written

    def flush(self) -> None:
        """Write everything, once the storms have looked; rows first that free a unique key, then those that may take it."""
        self._mark_told()
        records = list(self._dirty.values())
        self._write(schema.alarm, [r for r in records if isinstance(r, Alarm)], FIXED_OF_ALARM)
        self._write(schema.case, [r for r in records if isinstance(r, Case)], FIXED_OF_CASE)
        for table, rows in ((schema.alarm_event, self._alarm_events), (schema.case_event, self._case_events)):
            if rows:
                self.conn.execute(insert(table), rows)
        audit.record_all(self.conn, self._audit)

    def _mark_told(self) -> None:
        """When each alarm was first told by itself, which it is for good."""
        spoken_for = {each.subject for each in self.messages if each.hushed and each.event != CLEARED}
        for each in self.messages:
            if each.event in TELLING and each.subject not in spoken_for:
                alarm = self.known_alarm(each.subject.partition(":")[2])
                if alarm.told is None and each.payload["alarm"]["standing"]:
                    alarm.told = self.now

    def _write(self, table: Table, records: Sequence[Alarm | Case], fixed: Collection[str]) -> None:
        known = [record for record in records if (table.name, record.id) in self._read]
        if known:
            self._update(table, known, fixed)
        added = [to_builtins(record) for record in records if (table.name, record.id) not in self._read]
        if added:
            self.conn.execute(insert(table), added)

    def _update(self, table: Table, records: Sequence[Alarm | Case], fixed: Collection[str]) -> None:
        names = [column.name for column in table.columns if column.name not in fixed]
        rows = []
        for record in records:
            values = to_builtins(record)
            row = {f"new_{name}": values[name] for name in names}
            rows.append(row | {"key": record.id, "read": self._read[table.name, record.id]})
        statement = (
            update(table)
            .where(table.c.id == bindparam("key"), table.c.revision == bindparam("read"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        result = self.conn.execute(statement, rows)
        if self.conn.dialect.supports_sane_multi_rowcount and result.rowcount != len(rows):
            raise Conflict(f"a {table.name} was changed by someone else meanwhile; look again")

    def _load_alarms(self, *where: Where, limit: int | None = None) -> list[Alarm]:
        rows = plain(self.conn.execute(select(schema.alarm).where(*where).limit(limit)))
        found = []
        for fresh in convert(rows, list[Alarm]):
            alarm = self._alarms.setdefault(fresh.id, fresh)
            if alarm is fresh:
                self._read["alarm", alarm.id] = alarm.revision
                if alarm.state != "cleared":
                    self._uncleared[alarm.key] = alarm
            found.append(alarm)
        return found

    def _load_cases(
        self, *where: Where, limit: int | None = None, order: ColumnElement[Any] | None = None
    ) -> list[Case]:
        query = select(schema.case).where(*where).order_by(schema.case.c.id if order is None else order)
        found = []
        for fresh in convert(plain(self.conn.execute(query.limit(limit))), list[Case]):
            case = self.cases.setdefault(fresh.id, fresh)
            if case is fresh:
                self._read["case", case.id] = case.revision
            rival = self._causes.get(case.cause)
            if rival is None or (rival.state in OVER and (case.state not in OVER or case.id > rival.id)):
                self._causes[case.cause] = case
            found.append(case)
        return found


def _entry(record: Alarm | Case, event: str, time: int, actor: str, note: str) -> dict[str, Any]:
    return {
        "revision": record.revision,
        "time": time,
        "event": event,
        "state": str(record.state),
        "actor": actor,
        "note": note,
    }


def _chunks(values: Collection[T]) -> Iterator[list[T]]:
    source = iter(values)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
