"""Levels of the running gateway for /metrics: read when scraped; what only SQL knows is looked up every few seconds.

A scrape never waits for a store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from drivers.refusal import Reason
from gateway.app.core import Core
from gateway.app.doors import Doors
from gateway.cases import tally
from gateway.cases.performance import Recent, recent
from gateway.clock import SECOND
from gateway.errors import StoreError
from gateway.ingest.link_figures import LinkFigures
from gateway.metrics import Levels
from gateway.notify import outbox
from gateway.watchdog import silence

T = TypeVar("T")

LOOK: Final = 2.0  # real seconds between two looks into operations
MARKS: Final = 7_200  # of ticks and when they were committed


class Desk(NamedTuple):
    """What operations said when last asked. oldest: µs UTC, of pending messages by channel."""

    alarms: Levels
    cases: Levels
    overdue: Levels
    outbox: Levels
    oldest: Levels
    recent: Recent


class Figures:
    """`desk` is as old as LOOK at most, while operations can be read."""

    def __init__(self, core: Core, doors: Doors) -> None:
        self.core, self.doors = core, doors
        self.desk = Desk({}, {}, {}, {}, {}, Recent())
        self._looked = -LOOK
        self._marks: deque[tuple[int, float]] = deque()
        self._expose_flow()
        self._expose_doors()
        self._expose_desk()

    async def timed(self, work: Callable[[Connection], T]) -> T:
        """A write whose wait for the writer stands for all: twice a second is often enough to see a queue."""
        clock, metrics = self.core.clock, self.core.metrics
        asked, began = clock.monotonic(), 0.0

        def written(conn: Connection) -> T:
            nonlocal began
            began = clock.monotonic()
            return work(conn)

        result = await self.core.store.write(written)
        metrics.store_wait.observe(began - asked)
        metrics.store_write.observe(clock.monotonic() - began)
        return result

    async def refresh(self) -> None:
        """Called every round. Operations that cannot be read leave what was known."""
        now = self.core.clock.monotonic()
        self._mark(now)
        if now - self._looked < LOOK:
            return
        self._looked = now
        try:
            self.desk = await self.core.store.read(partial(_look, now=self._now()))
        except StoreError:
            return  # it is said where operations cannot be written

    def _mark(self, now: float) -> None:
        number = self.core.pipeline.number
        if not self._marks or self._marks[-1][0] < number:
            self._marks.append((number, now))
        if len(self._marks) > MARKS:
            self._marks = deque(list(self._marks)[::2])

    def _mirror_lag(self) -> float:
        """Real seconds since the oldest tick that the mirror lacks; ticks before this start count from the start."""
        mirror = self.core.care.mirror
        if mirror is None:
            return 0.0
        passed = mirror.passed()
        while self._marks and self._marks[0][0] <= passed:
            self._marks.popleft()
        return self.core.clock.monotonic() - self._marks[0][1] if self._marks else 0.0

    def _expose_flow(self) -> None:
        core, watch = self.core, self.core.metrics.watch
        inbox, pipeline = core.inbox, core.pipeline
        watch("pending_frames", "Frames that wait for a tick", lambda: len(inbox.frames))
        watch("pending_bound", "Waiting frames at which sockets are not read any more", lambda: inbox.bound)
        watch("pending_age_seconds", "Age of the oldest frame that waits, in city time", self._pending_age)
        watch("paused", "1 while sockets are not read because the bound is reached", lambda: inbox.paused)
        watch(
            "tick_age_seconds",
            "Since the last tick began or was tried again",
            lambda: silence(core.clock, lambda: pipeline.beat),
        )
        watch(
            "snapshot_age_seconds",
            "Work that a restart would replay; 0 while the newest tick is saved",
            lambda: pipeline.snapshot_age,
        )
        watch("mirror_lag_seconds", "Age of the oldest tick that the mirror lacks", self._mirror_lag)
        watch("quarantine_buffer", "Refused samples that wait to be written", lambda: core.quarantine.waiting)
        core.metrics.totals(
            "refused",
            "Payloads, readings or points refused",
            ["reason"],
            lambda: {(str(reason),): core.quarantine.counts[reason] for reason in Reason},
        )
        core.metrics.table(
            "devices",
            "Devices in service",
            ["family"],
            lambda: {(family,): n for family, n in core.directory.counts().items()},
        )

    def _pending_age(self) -> float:
        frames = self.core.inbox.frames
        return max(0, self.core.clock.now() - frames[0].received) / SECOND if frames else 0.0

    def _expose_doors(self) -> None:
        metrics, doors = self.core.metrics, self.doors
        metrics.watch("mqtt_connections", "Open MQTT connections", lambda: doors.endpoint.connections)
        metrics.watch(
            "mqtt_sessions", "MQTT sessions, those of absent clients too", lambda: doors.endpoint.sessions
        )
        metrics.totals(
            "mqtt_events",
            "What happened on connections of the MQTT endpoint",
            ["event"],
            lambda: {(name,): n for name, n in asdict(doors.endpoint.counters).items()},
        )
        metrics.watch(
            "mqtt_pending_connections",
            "Open connections whose CONNECT is not accepted yet",
            lambda: doors.endpoint.admission.pending,
        )
        logins, rotations = self.core.logins, self.core.directory.rotations
        metrics.totals(
            "logins",
            "Wrong secrets over MQTT and HTTP: all, and those that were answered late or with 429",
            ["event"],
            lambda: {("failed",): logins.failures, ("throttled",): logins.throttled},
        )
        metrics.watch(
            "secrets_not_renewed",
            "Devices and sources that were given a new secret and not seen with it yet",
            lambda: rotations.waiting,
        )
        metrics.table("transport_up", "1 while a transport can be used", ["transport"], self._transports)
        metrics.registry.register(LinkFigures(doors.links))

    def _transports(self) -> Levels:
        doors = self.doors
        return {
            **{(name,): float(up) for name, up in doors.listening.items()},
            **{(f"link:{link.name}",): float(link.up) for link in doors.links},
            **{(f"modbus:{bus.settings.name}",): float(bus.line is not None) for bus in doors.modbus.buses},
        }

    def _expose_desk(self) -> None:
        table = self.core.metrics.table
        table(
            "alarms",
            "Alarms that are not cleared",
            ["family", "severity", "state"],
            lambda: self.desk.alarms,
        )
        watch = self.core.metrics.watch
        watch(
            "alarms_recent",
            "Alarms that operators were told of in the last ten minutes (ISA-18.2)",
            lambda: self.desk.recent.alarms,
        )
        watch("alarm_flood", "1 while an alarm flood goes on (ISA-18.2)", lambda: self.desk.recent.flood)
        watch("alarms_stale", "Alarms that have stood for more than a day", lambda: self.desk.recent.stale)
        table("cases", "Cases that are open", ["family", "state"], lambda: self.desk.cases)
        table("cases_overdue", "Open cases behind their deadline", ["family"], lambda: self.desk.overdue)
        table(
            "outbox_messages",
            "Messages on their way out: pending, or dead (given up)",
            ["channel", "state"],
            self._outbox,
        )
        table(
            "outbox_oldest_seconds",
            "Age of the oldest pending message",
            ["channel"],
            lambda: {
                channel: (self._now() - oldest) / SECOND for channel, oldest in self.desk.oldest.items()
            },
        )

    def _outbox(self) -> Levels:
        states = ("pending", "dead")
        return {(name, state): 0.0 for name in self.core.flow.names for state in states} | dict(
            self.desk.outbox
        )

    def _now(self) -> int:
        return self.core.clock.now()


def _look(conn: Connection, now: int) -> Desk:
    open_ = tally.standing(conn)
    waiting = outbox.backlog(conn)
    return Desk(
        open_.alarms,
        open_.cases,
        open_.overdue,
        {(one.channel, one.state): one.n for one in waiting},
        {(one.channel,): one.oldest for one in waiting if one.state == outbox.OutboxState.PENDING},
        recent(conn, now),
    )
