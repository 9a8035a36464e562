"""Alarms and cases as the desk holds them in one transaction, and what it says of their changes.

Fields are the columns of gateway/store/schema/cases.py; times are µs UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct, field, to_builtins
from sqlalchemy import Connection, Result

from gateway.cases.deadline import LimitUnit
from gateway.cases.lifecycle import AlarmState, CaseState, Doubt, Verdict

SEVERITIES: Final = (
    "info",
    "warning",
    "minor",
    "major",
    "critical",
)  # ITU-T X.733's words, and one below them

TELEMETRY: Final = "telemetry"  # as an actor, as where a case comes from, and as what verifies it
GATEWAY: Final = "gateway"
PERSON: Final = "person"
PEOPLE: Final = frozenset({"citizen", "inspector"})  # where a case may come from besides telemetry

AlarmKey = tuple[str, str, int]  # rule, family, index


class DeviceFacts(Struct, frozen=True):
    """What an alarm keeps of its device, as it was when the alarm was raised. lat, lon: WGS-84 degrees."""

    id: str
    name: str = ""
    area: str = ""
    lat: float | None = None
    lon: float | None = None
    parent: str = ""


class Pulse(NamedTuple):
    """heard: time of a device's newest value that may be judged; None: it never spoke. interval: of its reports. µs."""

    heard: int | None
    interval: int


Describe = Callable[[str, int], DeviceFacts | None]  # by family and index, as the next one
Listen = Callable[[str, int], Pulse]


class Alarm(Struct):
    id: str
    rule: str
    version: int
    name: str
    severity: str
    family: str
    idx: int
    device: str
    device_name: str
    area: str
    parent: str
    lat: float | None
    lon: float | None
    raised: int
    received: int
    state: AlarmState = AlarmState.NEW
    standing: bool = True
    cleared: int | None = None
    acknowledged: int | None = None
    told: int | None = None
    shelved_until: int | None = None
    suppressed_by: str | None = None
    suppression: str = ""
    release: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    case: int | None = None
    revision: int = 0

    @property
    def key(self) -> AlarmKey:
        return self.rule, self.family, self.idx


class Case(Struct):
    id: int
    cause: str
    template: str
    en: str
    zh: str
    code: str
    severity: str
    family: str
    device: str
    device_name: str
    area: str
    parent: str
    lat: float | None
    lon: float | None
    crew: str
    filed: int
    updated: int
    state: CaseState = CaseState.NEW
    department: str = ""
    returned: str = ""
    returns: int = 0
    grid: str = ""
    part: str = ""
    origin: str = TELEMETRY
    verdict: Verdict = Verdict.NONE
    merged_into: int | None = None
    visit: int | None = None
    repaired_by: str = ""
    verification: Literal["telemetry", "person"] = TELEMETRY
    doubt: Doubt = Doubt.NONE
    alarms: int = 0
    standing: int = 0
    quiet_since: int | None = None
    waiting: int | None = None
    dispatched: int | None = None
    deadline: int | None = None
    provisional: bool = False
    allowed: int = 0
    clock_from: int | None = None
    time_left: int | None = None
    unit: LimitUnit | None = None
    reminded: float = 0.0
    extended: int = 0
    suspended: int | None = None
    alert: int | None = None
    overdue: int | None = None
    repaired: int | None = None
    proof: int | None = None
    verified: int | None = None
    closed: int | None = None
    reworked: int = 0
    reopened: int = 0
    storm: int | None = None
    revision: int = 0


class Change(Struct, frozen=True):
    """One change of one alarm or case, for whoever looks on. name: the alarm's name or the case's template."""

    kind: Literal["alarm", "case"]
    id: str
    event: str
    state: str
    name: str
    severity: str
    family: str
    device: str
    area: str
    time: int
    revision: int


class Message(Struct, frozen=True):
    """What the outside should hear of a change. key: the same for the same change, whoever writes it again."""

    key: str
    subject: str  # "alarm:<id>" or "case:<id>"
    event: str  # "alarm.raise", "case.dispatch" …
    severity: str
    family: str
    area: str
    payload: dict[str, Any]
    hushed: bool = False  # a storm or another alarm speaks for it: people need not hear of it by itself
    to: str = ""  # whose attention it asks for: that of a step of `escalation`


# Where the desk leaves its messages, in its own transaction, at a time.
Post = Callable[[Connection, Sequence[Message], int], None]


def plain(result: Result[Any]) -> list[dict[str, Any]]:
    """Rows by column name. The names are plain text, which SQLAlchemy's own need not be."""
    names = [str(key) for key in result.keys()]  # noqa: SIM118 - a result is no dict
    return [dict(zip(names, row, strict=True)) for row in result]


def rank(severity: str) -> int:
    """Higher is worse; a word that is not known is the least."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def change(record: Alarm | Case, event: str, time: int) -> Change:
    alarm = isinstance(record, Alarm)
    return Change(
        kind="alarm" if alarm else "case",
        id=str(record.id),
        event=event,
        state=str(record.state),
        name=record.name if isinstance(record, Alarm) else record.template,
        severity=record.severity,
        family=record.family,
        device=record.device,
        area=record.area,
        time=time,
        revision=record.revision,
    )


def message(record: Alarm | Case, event: str, time: int, actor: str, note: str, to: str = "") -> Message:
    kind = "alarm" if isinstance(record, Alarm) else "case"
    subject = f"{kind}:{record.id}"
    return Message(
        key=f"{subject}:{record.revision}",
        subject=subject,
        event=f"{kind}.{event}",
        severity=record.severity,
        family=record.family,
        area=record.area,
        payload={
            "event": f"{kind}.{event}",
            "time": time,
            "actor": actor,
            "note": note,
            **({"to": to} if to else {}),
            kind: to_builtins(record),
        },
        to=to,
    )
