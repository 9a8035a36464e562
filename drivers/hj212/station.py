"""The platform's side of the dialogue with one station: sans-IO, its states a table.

A station does one command at a time, by its QN; what is not answered is sent again, three times after the first (Table 1).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.hj212.commands import (
    EXE_RTN,
    KINDS,
    PULLED,
    QN_RTN,
    READY,
    SUCCESS,
    Cn,
    Request,
    set_clock,
)
from drivers.hj212.frame import encode_frame
from drivers.hj212.moment import moment, number
from drivers.hj212.packets import Packets
from drivers.hj212.segment import ANSWER, Segment, encode
from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Reason, Refused
from drivers.telemetry import HOUR, SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from drivers.hj212.crc import Crc

EXCHANGE: Final = "91"  # ST of answers (Table 5)
WAITING: Final = 64  # requests that wait for one station
SHOWN: Final = 40  # characters of a foreign code in an error


class State(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    READY = "ready"  # 9011 came: the station is at it
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNANSWERED = "unanswered"  # communication unavailable (Table 1)


class Event(StrEnum):
    SEND = "send"
    READY = "ready"
    REFUSE = "refuse"
    DONE = "done"
    FAIL = "fail"
    GIVE_UP = "give_up"


_ENDS: Final = {Event.DONE: State.DONE, Event.FAIL: State.FAILED, Event.GIVE_UP: State.UNANSWERED}
TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.WAITING: {Event.SEND: State.SENT, Event.GIVE_UP: State.UNANSWERED},
    State.SENT: {Event.SEND: State.SENT, Event.READY: State.READY, Event.REFUSE: State.REFUSED, **_ENDS},
    State.READY: {Event.READY: State.READY, **_ENDS},
    State.DONE: {},
    State.REFUSED: {},
    State.FAILED: {},
    State.UNANSWERED: {},
}


@dataclass(slots=True, eq=False)
class Task:
    """A request and what became of it. sent: how often; due: when the station's time is up (µs UTC)."""

    request: Request
    state: State = State.WAITING
    qn: str = ""
    sent: int = 0
    due: int = 0
    expires: int = 0  # not to be sent from then on (µs UTC); 0 = never
    error: str = ""
    records: int = 0  # data packets that came of it
    data: Segment | None = None  # what the station said in answer, where that is no reading

    def late(self, now: int) -> bool:
        return bool(self.expires) and now >= self.expires

    def take(self, event: Event) -> bool:
        """Go on by the table; False where it has no such way."""
        state = TRANSITIONS[self.state].get(event)
        if state is None:
            return False
        self.state = state
        return True

    @property
    def open(self) -> bool:
        return bool(TRANSITIONS[self.state])


@dataclass(frozen=True, slots=True)
class Timing:
    """µs. timeout and retries: Table 1; execution: from 9011, or the last record, to 9012; drift: of a clock left alone."""

    timeout: int = 10 * SECOND
    retries: int = 3
    execution: int = 600 * SECOND
    drift: int = 30 * SECOND
    patience: int = HOUR  # between two settings of a clock


class Said(StrEnum):
    UPLOAD = "upload"  # readings, for history
    ANSWER = "answer"  # to a task of ours
    NOTICE = "notice"  # answered at once
    STRAY = "stray"  # an answer to nothing we asked


class Heard(NamedTuple):
    """What a message was. reply: to be sent now; historical: a record of the pull that runs."""

    said: Said
    segment: Segment
    reply: bytes = b""
    historical: bool = False
    ended: Task | None = None


class Station:
    """One station (MN) on one connection."""

    def __init__(self, mn: str, zone: tzinfo, timing: Timing, crc: Crc) -> None:
        self.mn = mn
        self.counts: Counter[Tolerance] = Counter()
        self.packets = Packets()
        self._zone = zone
        self._timing = timing
        self._crc = crc
        self._st = self._pw = ""
        self._version = 1
        self._waiting: deque[Task] = deque()
        self._task: Task | None = None
        self._numbered = 0  # ms of the last QN of ours
        self._clock_set = -timing.patience
        self._drifting = False

    @property
    def task(self) -> Task | None:
        """The one that runs."""
        return self._task

    def ask(self, request: Request) -> Task:
        """Queue a request; raises Refused (TOO_MANY) at the bound."""
        if len(self._waiting) >= WAITING:
            raise Refused(Reason.TOO_MANY, f"{WAITING} requests wait for {self.mn} already")
        task = Task(request)
        self._waiting.append(task)
        return task

    def hear(self, segment: Segment, now: int) -> Heard:
        """A message of this station, received at `now` (µs UTC)."""
        self._learn(segment)
        if segment.cn in {Cn.READY, Cn.RESULT, Cn.NOTICE}:
            return self._answered(segment, now)
        if segment.cn == Cn.CLOCK_WANTED:
            self._set_clock(now)
            return Heard(Said.NOTICE, segment, self._reply(segment, Cn.NOTICE))
        if segment.cn == Cn.HEARTBEAT:
            return Heard(Said.NOTICE, segment, self.acknowledge(segment) if segment.wants_answer else b"")
        return self._uploaded(self.packets.take(segment, now), now)

    def acknowledge(self, segment: Segment) -> bytes:
        """The 9014 of an upload, once it is durable."""
        return self._reply(segment, Cn.DATA)

    def due(self, now: int) -> tuple[bytes, list[Task]]:
        """What is to be sent now, and the tasks that ended by time."""
        ended: list[Task] = []
        task = self._task
        if task is not None and now >= task.due:
            if task.state is State.SENT and task.sent <= self._timing.retries and not task.late(now):
                return self._send(task, now), ended
            times = f"no 9011 after {task.sent} requests"
            self._end(task, Event.GIVE_UP, times if task.state is State.SENT else "no 9012 after 9011")
            ended.append(task)
        while self._task is None and self._waiting:
            task = self._waiting.popleft()
            if not task.late(now):
                self._task = task
                return self._send(task, now), ended
            self._end(task, Event.GIVE_UP, "expired before its turn")
            ended.append(task)
        return b"", ended

    def close(self) -> list[Task]:
        """The connection is gone: what was under way and what waits."""
        left = [*([self._task] if self._task else []), *self._waiting]
        self._task = None
        self._waiting.clear()
        return left

    def _learn(self, segment: Segment) -> None:
        if segment.st not in {"", EXCHANGE}:
            self._st = segment.st
        self._pw = segment.pw or self._pw
        if segment.version <= 2:  # beyond: no version of the standard
            self._version = segment.version

    def _uploaded(self, segment: Segment, now: int) -> Heard:
        task = self._task
        historical = False
        if task is not None and task.open and segment.cn == task.request.cn:
            if segment.cn in PULLED:
                time = moment(segment.get("DataTime") or "", self._zone)
                historical = time is not None and task.request.begin <= time <= task.request.end
                task.records += historical
                task.due = max(task.due, now + self._timing.execution) if historical else task.due
            elif segment.cn not in KINDS:
                task.data = segment
                task.take(Event.READY)
                return Heard(Said.ANSWER, segment)
        if not historical:
            self._mind_clock(segment, now)
        return Heard(Said.UPLOAD, segment, historical=historical)

    def _answered(self, segment: Segment, now: int) -> Heard:
        qn = segment.qn
        if not qn and (inner := segment.get("QN")):
            self.counts[Tolerance.QN_IN_CP] += 1
            qn = inner
        task = self._task
        if task is None or qn != task.qn:
            return Heard(Said.STRAY, segment)
        if segment.cn == Cn.READY:
            self._ready(task, segment.get("QnRtn") or "", now)
        elif segment.cn == Cn.NOTICE:
            self._end(task, Event.DONE)
        else:
            self._result(task, segment.get("ExeRtn") or "")
        return Heard(Said.ANSWER, segment, ended=None if task.open else task)

    def _ready(self, task: Task, code: str, now: int) -> None:
        if code != READY:
            self._end(task, Event.REFUSE, f"QnRtn={code:.{SHOWN}} {QN_RTN.get(code, '')}".rstrip())
        elif task.take(Event.READY):
            task.due = now + self._timing.execution

    def _result(self, task: Task, code: str) -> None:
        if task.state is State.SENT:
            self.counts[Tolerance.NO_READY] += 1
        if code == SUCCESS:
            self._end(task, Event.DONE)
        else:
            self._end(task, Event.FAIL, f"ExeRtn={code:.{SHOWN}} {EXE_RTN.get(code, '')}".rstrip())

    def _end(self, task: Task, event: Event, error: str = "") -> None:
        if task.take(event):
            task.error = error
            self._task = None

    def _send(self, task: Task, now: int) -> bytes:
        if not task.qn:
            self._numbered = max(now // 1000, self._numbered + 1)
            task.qn = number(self._numbered * 1000, self._zone)
        if task.request.cn == Cn.SET_CLOCK:  # the time of this sending
            task.request = set_clock(now, self._zone)
        task.take(Event.SEND)
        task.sent += 1
        task.due = now + self._timing.timeout
        return self._frame(Segment(cn=task.request.cn, qn=task.qn, st=self._st, cp=task.request.cp), ANSWER)

    def _reply(self, segment: Segment, cn: str) -> bytes:
        return self._frame(Segment(cn=cn, qn=segment.qn, st=EXCHANGE), 0)

    def _frame(self, segment: Segment, bits: int) -> bytes:
        whole = replace(segment, pw=self._pw, mn=self.mn, flag=(self._version << 2) | bits)
        return encode_frame(encode(whole), self._crc)

    def _mind_clock(self, segment: Segment, now: int) -> None:
        """Set the clock of a station whose QN, its own time of sending, is off twice in a row."""
        said = moment(segment.qn, self._zone)
        off = said is not None and abs(said - now) > self._timing.drift
        if off and self._drifting and now - self._clock_set >= self._timing.patience:
            self._set_clock(now)
        self._drifting = off

    def _set_clock(self, now: int) -> None:
        """Next of all, and once: a station that asks again and again keeps nothing else waiting."""
        self._clock_set = now
        asked = [task.request.cn for task in (*self._waiting, *([self._task] if self._task else []))]
        if Cn.SET_CLOCK not in asked and len(asked) < WAITING:
            self._waiting.appendleft(Task(set_clock(now, self._zone)))
