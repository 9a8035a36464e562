"""Sessions: a subscription, the commands that wait for it, and which QoS 2 publishes are half done (design 3).

One owner, in memory; what must outlive the process is written behind it, many sessions in one go.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final, Protocol

from msgspec import Struct, field

from drivers.mqtt.topics import COMMAND, ROOT
from gateway.clock import SECOND, Clock
from gateway.errors import StoreError
from gateway.ingest.endpoint_settings import EndpointSettings

log = logging.getLogger(__name__)

RETRY: Final = 1.0  # seconds until sessions that could not be saved are tried again
MINUTE: Final = 60.0

Key = tuple[str, str]  # principal's name, client id


class Principal(Protocol):
    """Who proved to be whom. kind: device | source."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...


class Command(Struct, frozen=True, gc=False):
    """A message for a device. expires: µs UTC, city time."""

    topic: str
    payload: bytes
    qos: int
    expires: int


class SessionState(Struct, frozen=True):
    """What of a session outlives the process. until: µs UTC when it ends; None: its client was connected.

    subscriptions: granted QoS by topic filter. commands: not yet acknowledged, in order.
    """

    kind: str
    name: str
    client_id: str
    expiry: int  # seconds it outlives its connection
    until: int | None
    subscriptions: dict[str, int] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)


class SessionStore(Protocol):
    """Where sessions stand durably. Both raise StoreError where the store cannot be reached."""

    async def load(self) -> Sequence[SessionState]:
        """All that are kept; called once, at start."""

    async def save(self, states: Mapping[Key, SessionState | None]) -> None:
        """In one transaction: the new state of each named session, None = it is no more."""


class Link(Protocol):
    """The connection a session speaks through."""

    def taken_over(self) -> None: ...

    def send_commands(self) -> None:
        """As many of the waiting commands as the client's window admits."""

    def write(self, data: bytes) -> None: ...


class Speaker(Struct, frozen=True):
    """The principal of a session that was loaded."""

    kind: str
    name: str


class Session:
    """One client's state. `link` is None while it is away."""

    __slots__ = (
        "client_id",
        "expiry",
        "inflight",
        "last_id",
        "link",
        "principal",
        "received",
        "subscriptions",
        "takeovers",
        "until",
        "waiting",
    )

    def __init__(self, principal: Principal, client_id: str, expiry: int) -> None:
        self.principal = principal
        self.client_id = client_id
        self.expiry = expiry
        self.until: int | None = None
        self.link: Link | None = None
        self.subscriptions: dict[str, int] = {}
        self.waiting: deque[Command] = deque()
        self.inflight: dict[int, Command] = {}  # sent at QoS 1, by packet identifier
        self.last_id = 0
        self.received: dict[int, bool] = {}  # QoS 2 in, by packet identifier: False = taken, True = committed
        self.takeovers: list[float] = []  # when, in real seconds; at most those of a minute

    @property
    def key(self) -> Key:
        return self.principal.name, self.client_id

    def next_id(self) -> int:
        """A packet identifier that no command in flight has."""
        while True:
            self.last_id = self.last_id % 0xFFFF + 1
            if self.last_id not in self.inflight:
                return self.last_id

    def state(self) -> SessionState:
        return SessionState(
            self.principal.kind,
            self.principal.name,
            self.client_id,
            self.expiry,
            self.until,
            dict(self.subscriptions),
            [*self.inflight.values(), *self.waiting],
        )


class Sessions:
    """All sessions there are; their only owner."""

    def __init__(self, settings: EndpointSettings, clock: Clock, store: SessionStore) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._sessions: dict[Key, Session] = {}
        self._subscribers: dict[str, dict[Session, int]] = {}  # by topic filter; the value is the granted QoS
        self._dirty: set[Key] = set()
        self._changed = asyncio.Event()
        self._swept = 0
        self.halted = False

    def change(self, settings: EndpointSettings) -> None:
        """Other limits; sessions that stand keep what they have."""
        self._settings = settings

    def __len__(self) -> int:
        return len(self._sessions)

    async def load(self) -> None:
        """What the store kept and is not over; raises StoreError."""
        now = self._clock.now()
        for state in await self._store.load():
            session = Session(Speaker(state.kind, state.name), state.client_id, state.expiry)
            session.until = self._end(session, now) if state.until is None else state.until
            self._sessions[session.key] = session
            if self.halted and state.commands:
                self.changed(session)
            else:
                session.waiting.extend(state.commands)
            for pattern, qos in state.subscriptions.items():
                self.subscribe(session, pattern, qos)
        self.sweep(now)

    def find(self, name: str, client_id: str) -> Session | None:
        return self._sessions.get((name, client_id))

    def open(self, principal: Principal, client_id: str, expiry: int, clean: bool) -> tuple[Session, bool]:
        """The session of this client, and whether it was there before. Beyond the bound it will not outlive the client."""
        known = self._sessions.get((principal.name, client_id))
        if known is not None and known.until is not None and known.until <= self._clock.now():
            clean = True
        if known is not None and not clean:
            known.principal, known.expiry, known.until = principal, expiry, None
            self.changed(known)
            return known, True
        if known is None and len(self._sessions) >= self._settings.sessions:
            expiry = 0
        session = Session(principal, client_id, expiry)
        if known is not None:
            session.takeovers = known.takeovers
            self.drop(known)
        self._sessions[session.key] = session
        self.changed(session)
        return session, False

    def leave(self, session: Session) -> None:
        """Its client is gone; it stays for its expiry."""
        session.link = None
        if session.expiry:
            session.until = self._end(session, self._clock.now())
            self.changed(session)
        else:
            self.drop(session)

    def drop(self, session: Session) -> None:
        for pattern in list(session.subscriptions):
            self.unsubscribe(session, pattern)
        if self._sessions.get(session.key) is session:
            del self._sessions[session.key]
        self.changed(session, ended=True)

    def takes_over(self, session: Session) -> bool:
        """Counts a takeover; False where there were too many in the last minute: a cloned identity."""
        now = self._clock.monotonic()
        session.takeovers = [at for at in session.takeovers if at > now - MINUTE]
        if len(session.takeovers) >= self._settings.takeovers:
            return False
        session.takeovers.append(now)
        return True

    def subscribe(self, session: Session, pattern: str, qos: int) -> None:
        session.subscriptions[pattern] = qos
        self._subscribers.setdefault(pattern, {})[session] = qos
        self.changed(session)

    def unsubscribe(self, session: Session, pattern: str) -> bool:
        """Whether there was such a subscription."""
        if session.subscriptions.pop(pattern, None) is None:
            return False
        subscribers = self._subscribers[pattern]
        del subscribers[session]
        if not subscribers:
            del self._subscribers[pattern]
        self.changed(session)
        return True

    def subscribers(self, family: str, device: str) -> dict[Session, int]:
        """Who asked for the commands of a device, exactly or by wildcard, and at which QoS."""
        found: dict[Session, int] = {}
        for middle in (f"{family}/{device}", f"{family}/+", f"+/{device}", "+/+"):
            for session, qos in self._subscribers.get(f"{ROOT}/{middle}/{COMMAND}", {}).items():
                found[session] = max(qos, found.get(session, 0))
        return found

    def listeners(self, topic: str) -> dict[Session, int]:
        """Who asked for this very topic, each level by its name or by wildcard, and at which QoS."""
        found: dict[Session, int] = {}
        for levels in product(*((level, "+") for level in topic.split("/"))):
            for session, qos in self._subscribers.get("/".join(levels), {}).items():
                found[session] = max(qos, found.get(session, 0))
        return found

    def halt(self) -> None:
        """Every command that waits, or was sent and not acknowledged, is given up; also those that `load` will find."""
        self.halted = True
        for session in self._sessions.values():
            if session.waiting or session.inflight:
                session.waiting.clear()
                session.inflight.clear()
                self.changed(session)

    def sweep(self, now: int) -> None:
        """Once a minute: ends sessions that are over, and drops commands that nobody needs any more."""
        if now < self._swept + int(MINUTE * SECOND * self._clock.speed):
            return
        self._swept = now
        for session in list(self._sessions.values()):
            if session.until is not None and session.until <= now:
                self.drop(session)
            elif session.waiting and self._expire(session, now):
                self.changed(session)

    def changed(self, session: Session, *, ended: bool = False) -> None:
        """To be saved, if it outlives its client or did so before."""
        if session.expiry or ended:
            self._dirty.add(session.key)
            self._changed.set()

    async def save(self) -> None:
        """Write what changed since the last time; raises StoreError and keeps it for the next."""
        keys, self._dirty = self._dirty, set()
        self._changed.clear()
        if not keys:
            return
        saved = False
        try:
            await self._store.save({key: self._state(key) for key in keys})
            saved = True
        finally:
            if not saved:
                self._dirty |= keys

    async def run(self) -> None:
        """Save behind the changes until cancelled; a store that is away costs delay, never a session in memory."""
        while True:
            await self._changed.wait()
            try:
                await self.save()
            except StoreError as error:
                log.warning("sessions cannot be saved, trying again: %s", error)
                await self._clock.sleep(RETRY)
                self._changed.set()

    def _state(self, key: Key) -> SessionState | None:
        session = self._sessions.get(key)
        return session.state() if session is not None and session.expiry else None

    def _end(self, session: Session, now: int) -> int:
        return now + int(session.expiry * SECOND * self._clock.speed)

    @staticmethod
    def _expire(session: Session, now: int) -> bool:
        alive = [command for command in session.waiting if command.expires > now]
        gone = len(alive) < len(session.waiting)
        if gone:
            session.waiting = deque(alive)
        return gone
