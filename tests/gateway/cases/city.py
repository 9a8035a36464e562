"""A city of one desk: a week from Monday 2025-03-03 in Shanghai, told as a timeline."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from msgspec import convert
from sqlalchemy import Connection, Engine, StaticPool, Table, create_engine, func, make_url, select

from drivers.telemetry import MINUTE
from gateway.cases import query
from gateway.cases.desk import Desk
from gateway.cases.lifecycle import CaseEvent
from gateway.cases.record import Alarm, Case, Change, DeviceFacts, Message, Pulse
from gateway.cases.settings import DeskSettings
from gateway.cases.template import Templates, shipped
from gateway.store.schema import cases as schema
from gateway.store.schema import dispatch
from gateway.store.schema.metadata import metadata
from gateway.store.schema.registry import audit, device
from gateway.store.schema.windows import maintenance_window
from rules.correlate import Correlation
from rules.transition import Transition, transition_id

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2025, 3, 3, tzinfo=ZONE)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TABLES: tuple[Table, ...] = (
    *(schema.alarm, schema.alarm_event, schema.case, schema.case_event, audit, device, maintenance_window),
    *(dispatch.responsibility, dispatch.crew, dispatch.crew_member, dispatch.shift, dispatch.visit),
    *(dispatch.report, dispatch.report_contact, dispatch.photo),
)
FREE: list[Engine] = []  # empty databases whose statements are compiled already


@atexit.register
def _dispose() -> None:
    for engine in FREE:
        engine.dispose()


def _engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine, TABLES)
    return engine


def engine_of(url: str) -> Engine:
    """An empty database on a server, with the tables of a city; it is the caller's to dispose."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    metadata.create_all(engine, TABLES)
    return engine


RULES: Mapping[str, tuple[str, str]] = {  # rule: family, case template
    "tilt": ("manhole", "cover-danger"),
    "lamp": ("streetlight", "lamp-out"),
    "dust": ("dust", "site-dust"),
    "fume": ("fume", "kitchen-fume"),
    "battery": ("manhole", ""),
}
PARENTS = {"LP-1": "LOOP-A", "LP-2": "LOOP-A", "LP-3": ""}
DEVICES = ("MH-0042", "MH-0043", "LP-1", "LP-2", "LP-3", "DU-1", "FU-1")


def describe(_family: str, index: int) -> DeviceFacts:
    name = DEVICES[index]
    return DeviceFacts(name, f"name of {name}", "xuhui/tianping", 31.2, 121.4, PARENTS.get(name, ""))


def moment(text: str) -> int:
    """ "Tue 02:10:05" of the week, or "Tue+1 02:10" of the next one, as µs UTC."""
    day, _, clock = text.rpartition(" ")
    name, _, weeks = (day or "Mon").partition("+")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes, seconds = (*parts, 0, 0)[:3]
    days = DAYS.index(name) + 7 * int(weeks or 0)
    wall = MONDAY + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return (wall - EPOCH) // timedelta(microseconds=1)


def show(time: int | None) -> str:
    """The inverse of `moment`, within the first week."""
    if time is None:
        return "-"
    wall = (EPOCH + timedelta(microseconds=time)).astimezone(ZONE)
    return f"{DAYS[wall.weekday()]} {wall:%H:%M:%S}".removesuffix(":00")


class City:
    """Moves forward in time only; the desk ticks at every moment at which something is due."""

    def __init__(self, settings: DeskSettings | None = None, engine: Engine | None = None) -> None:
        self._lent = engine is not None
        self.engine = engine if engine is not None else FREE.pop() if FREE else _engine()
        self.now = moment("Mon 00:00")
        self.told: list[Message] = []
        self.spoke: dict[
            int, int
        ] = {}  # by index: when a device spoke last, where it does not speak all the time
        self.desk = Desk(
            shipped(), settings or DeskSettings(), describe=describe, listen=self.listen, post=self._post
        )
        self.bind()

    def bind(self) -> None:
        self.desk.bind([{"id": rule, "case": case} for rule, (_, case) in RULES.items()])

    def reset(self, settings: DeskSettings, templates: Templates | None = None) -> Self:
        """Other settings, as a reload of the configuration brings them."""
        self.desk.change(templates or shipped(), settings, Correlation())
        self.bind()
        return self

    def reckon(self) -> list[Change]:
        """What a reload and a start end with."""
        with self.transaction() as conn:
            return self.desk.reckon(conn, self.now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.engine.begin() as conn:
            for table in TABLES:
                conn.execute(table.delete())
        if not self._lent:
            FREE.append(self.engine)

    def listen(self, _family: str, index: int) -> Pulse:
        return Pulse(self.spoke.get(index, self.now), MINUTE)

    def _post(self, _conn: Connection, messages: Sequence[Message], _now: int) -> None:
        self.told += messages

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        told = list(self.told)
        try:
            with self.engine.begin() as conn:
                yield conn
        except BaseException:
            self.told = told
            raise

    def at(self, text: str) -> Self:
        target = moment(text)
        assert target >= self.now, "time goes forward"
        self.advance(target - self.now)
        return self

    def advance(self, span: int) -> None:
        target = self.now + span
        while (due := self._next_due()) is not None and due <= target:
            self.now = max(due, self.now)
            with self.transaction() as conn:
                changes = self.desk.tick(conn, self.now)
            assert changes or self._next_due() != due, "what is due changes something"
        self.now = target

    def _next_due(self) -> int | None:
        with self.engine.connect() as conn:
            columns = (schema.case.c.proof, schema.case.c.alert, schema.alarm.c.shelved_until)
            found = [conn.scalar(select(func.min(column))) for column in columns]
        return min((time for time in found if time is not None), default=None)

    def transition(self, rule: str, device: str, raised: bool, time: int, received: int) -> Transition:
        family, index = RULES[rule][0], DEVICES.index(device)
        key = transition_id(rule, family, index, time, raised)
        evidence = {"value": 31.0}
        return Transition(
            key, rule, 1, f"{rule}Alarm", "major", family, index, device, raised, time, received, evidence
        )

    def hear(self, *transitions: Transition) -> list[Change]:
        with self.transaction() as conn:
            return self.desk.apply(conn, transitions, self.now)

    def raises(self, rule: str, device: str) -> Self:
        self.hear(self.transition(rule, device, True, self.now, self.now))
        return self

    def clears(self, rule: str, device: str) -> Self:
        self.hear(self.transition(rule, device, False, self.now, self.now))
        return self

    def act(
        self, case: Case, event: str, note: str = "", *, actor: str = "token:li", **more: Any
    ) -> list[Change]:
        with self.transaction() as conn:
            return self.desk.act(conn, case.id, CaseEvent(event), actor, self.now, note, **more)

    def cases(self, template: str = "") -> list[Case]:
        with self.engine.connect() as conn:
            rows = query.cases(conn).items
        found = [case for case in convert(rows, list[Case]) if not template or case.template == template]
        return sorted(found, key=lambda case: case.id)

    def case(self, template: str) -> Case:
        (case,) = self.cases(template)
        return case

    def case_of(self, case: Case) -> Case:
        """The same case, as it is now."""
        with self.engine.connect() as conn:
            return query.case(conn, case.id).case

    def alarms(self, device: str = "") -> list[Alarm]:
        with self.engine.connect() as conn:
            rows = query.alarms(conn, query.Filter(device=device)).items
        return convert(rows[::-1], list[Alarm])

    def alarm(self, device: str) -> Alarm:
        return self.alarms(device)[-1]

    def timeline(self, case: Case) -> list[str]:
        with self.engine.connect() as conn:
            entries = query.case(conn, case.id).timeline
        return [f"{show(entry.time)} {entry.event} by {entry.actor}" for entry in entries]

    def events(self, kind: str) -> list[str]:
        """What was told outside of alarms or of cases."""
        return [message.event for message in self.told if message.event.startswith(kind + ".")]
