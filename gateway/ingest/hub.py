"""What all device connections share: who is there, what is counted, and whom presence is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from gateway.clock import SECOND, Clock
from gateway.ingest.admission import Admission
from gateway.ingest.buckets import Buckets, Pace
from gateway.ingest.certificates import Certificates
from gateway.ingest.counters import Counters
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.handshake import Directory
from gateway.ingest.inbox import Inbox, Lane
from gateway.ingest.logins import Logins
from gateway.ingest.lorawan import NetworkServers
from gateway.ingest.session import Key, Principal, Sessions

MINUTE: Final = 60 * SECOND
LONG: Final = SECOND  # µs for which sockets may go unread before timers stand still for it


class Why(StrEnum):
    """What ended a connection."""

    DISCONNECTED = "disconnected"  # the client said so
    LOST = "lost"
    KEEPALIVE = "keepalive"
    TAKEN_OVER = "taken_over"
    VIOLATION = "violation"
    NOT_READING = "not_reading"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"  # a packet that never ends
    REVOKED = "revoked"  # its certificate
    EXPELLED = "expelled"
    STOPPED = "stopped"  # the gateway itself


class Listener(Protocol):
    """Presence: told of a principal's first connection and of the end of its last. at: µs UTC, city time."""

    def connected(self, principal: Principal, at: int) -> None: ...

    def disconnected(self, principal: Principal, at: int, why: Why) -> None: ...

    def cloned(self, principal: Principal) -> None:
        """Two clients fight over this identity; the newcomer was refused."""


class Peer(Protocol):
    """A connection, as its hub sees it. last: µs UTC when bytes came last, or when it was over.

    begun: µs UTC since when a packet is under way, 0 = none is.
    """

    last: int
    begun: int
    keepalive: float  # seconds of silence after which it is gone; 0 = never

    @property
    def known(self) -> bool:
        """CONNECT was accepted."""

    @property
    def over(self) -> bool:
        """Closed by us, perhaps not yet by the other side."""

    @property
    def revoked(self) -> bool:
        """It came in with a certificate that is revoked now."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def data_received(self, data: bytes) -> None:
        """Also said of bytes that were put aside."""

    def close(self, why: Why) -> None: ...

    def abort(self) -> None: ...

    def publish_will(self) -> None: ...


@dataclass(slots=True)
class Present:
    """The connections of one principal, and what they have sent lately, all together."""

    pace: Pace
    peers: set[Peer] = field(default_factory=set)


@dataclass(slots=True)
class Hub:
    settings: EndpointSettings
    directory: Directory
    inbox: Inbox
    clock: Clock
    listener: Listener
    lanes: Callable[[str, str, str], Lane]  # product, family, channel
    sessions: Sessions
    logins: Logins
    certificates: Certificates | None = None
    stranger: Callable[[str, str], object] = lambda _name, _origin: None  # told whose CONNECT was refused
    delivered: Callable[[bytes], object] = lambda _payload: None  # told of commands that devices acknowledged
    servers: NetworkServers = field(default_factory=NetworkServers)  # among the sources
    counters: Counters = field(default_factory=Counters)
    peers: set[Peer] = field(default_factory=set)
    wills: dict[Key, tuple[int, Peer]] = field(default_factory=dict)  # delayed: when due (µs UTC), whose
    admission: Admission = field(init=False)
    _comings: Buckets = field(init=False)
    _present: dict[str, Present] = field(default_factory=dict)
    _owing: dict[str, Pace] = field(default_factory=dict)  # of who left before it was paid for
    _paused_at: int = 0
    _aside: dict[Peer, bytes] = field(default_factory=dict)
    _stopped: set[Peer] = field(default_factory=set)  # not read until the inbox has room
    _spare: int = 0  # bytes that may still be put aside
    _deaf: bool = False  # no socket at all is read

    def __post_init__(self) -> None:
        limits = self.settings.limits
        self.admission = Admission(limits, self.settings.connections, self.counters)
        self._comings = Buckets(limits.logins, MINUTE)
        self._spare = self.settings.aside

    def real(self) -> int:
        """Real µs, for what the city's time must not speed up."""
        return int(self.clock.monotonic() * SECOND)

    def topic_fault(self, topic: str) -> str:
        """Why a topic or filter is too long for us, or ""."""
        limits = self.settings.limits
        size, levels = len(topic.encode()), topic.count("/") + 1
        if size > limits.topic_bytes:
            return f"a topic of {size} bytes, the limit is {limits.topic_bytes}"
        if levels > limits.topic_levels:
            return f"a topic of {levels} levels, the limit is {limits.topic_levels}"
        return ""

    def crowded(self, principal: Principal) -> bool:
        """It has as many connections as it may."""
        there = self._present.get(principal.name)
        return there is not None and len(there.peers) >= self.settings.limits.clients

    def hurried(self, principal: Principal) -> bool:
        """It comes too often; if not, this time is counted."""
        now = self.real()
        if not self._comings.room(principal.name, now):
            return True
        self._comings.take(principal.name, now)
        return False

    def paces(self, principal: Principal) -> tuple[Pace, ...]:
        """What a new connection of this principal has to keep to."""
        limits = self.settings.limits
        own = Pace(limits.connection_messages, limits.connection_bytes, limits.burst, SECOND)
        if principal.kind == "source":
            return (own,)
        shared = self._present[principal.name].pace
        if (
            limits.device_messages <= limits.connection_messages
            and limits.device_bytes <= limits.connection_bytes
        ):
            return (shared,)
        return shared, own

    def enter(self, principal: Principal, peer: Peer) -> None:
        there = self._present.get(principal.name)
        if there is None:
            limits = self.settings.limits
            pace = self._owing.pop(principal.name, None) or Pace(
                limits.device_messages, limits.device_bytes, limits.burst, SECOND
            )
            there = self._present[principal.name] = Present(pace)
            self.listener.connected(principal, self.clock.now())
        there.peers.add(peer)

    def leave(self, principal: Principal, peer: Peer, why: Why) -> None:
        there = self._present[principal.name]
        there.peers.discard(peer)
        if not there.peers:
            del self._present[principal.name]
            if not there.pace.idle(self.clock.now()):
                self._owing[principal.name] = there.pace
            self.listener.disconnected(principal, self.clock.now(), why)

    def of(self, name: str) -> list[Peer]:
        """The connections of a principal."""
        there = self._present.get(name)
        return list(there.peers) if there else []

    def pause(self) -> None:
        """The inbox is full (law 5): what is read from now on waits here, see `put_aside`."""
        self._paused_at = self.clock.now()

    def put_aside(self, peer: Peer, data: bytes) -> None:
        """Each may be read once more while the inbox is full; who speaks again is stopped, and at the bound everyone."""
        before = self._aside.get(peer)
        self._aside[peer] = data if before is None else before + data
        if before is not None:
            self._stopped.add(peer)
            peer.pause()
        self._spare -= len(data)
        if self._spare <= 0 and not self._deaf:
            self._deaf = True
            for one in self.peers:
                one.pause()

    def let(self, peer: Peer) -> None:
        """Read this one again, unless it has to wait as all do."""
        if not self._deaf and peer not in self._stopped:
            peer.resume()

    def resume(self) -> None:
        """Least recently read first; nobody's keepalive ran while the gateway did not listen."""
        stood = self.clock.now() - self._paused_at
        aside, self._aside, self._spare = self._aside, {}, self.settings.aside
        stopped = self.peers if self._deaf else self._stopped
        self._stopped, deaf, self._deaf = set(), self._deaf, False
        if deaf or stood > LONG * self.clock.speed:
            for peer in self.peers:
                peer.last += stood
                peer.begun += stood if peer.begun else 0
        waiting = sorted(stopped, key=_last)
        for peer in sorted(aside, key=_last):
            if self.inbox.paused:
                self.put_aside(peer, aside[peer])
            else:
                peer.data_received(aside[peer])
        for peer in waiting:
            if self._deaf or peer in self._aside:
                self._stopped.add(peer)
            else:
                peer.resume()

    def sweep(self) -> None:
        """Ends what is silent for too long, publishes wills that are due."""
        now = self.clock.now()
        if not self.inbox.paused:
            for peer in list(self.peers):
                self._look(peer, now)
        for key, (due, peer) in list(self.wills.items()):
            if due <= now:
                del self.wills[key]
                peer.publish_will()
        for name in [name for name, pace in self._owing.items() if pace.idle(now)]:
            del self._owing[name]
        self.sessions.sweep(now)

    def revoke(self) -> None:
        """Ends the connections whose certificates are revoked by now."""
        for peer in [peer for peer in self.peers if peer.revoked]:
            peer.close(Why.REVOKED)

    def _look(self, peer: Peer, now: int) -> None:
        second = SECOND * self.clock.speed
        silent = (now - peer.last) / second  # real seconds
        timeout = self.settings.connect_timeout
        if peer.over:
            if silent > timeout:  # its last bytes cannot be delivered
                peer.abort()
        elif not peer.known:
            if silent > timeout:
                self.counters.timeouts += 1
                peer.abort()
        elif peer.keepalive and silent > peer.keepalive:
            self.counters.keepalives += 1
            peer.close(Why.KEEPALIVE)
        elif peer.begun and (now - peer.begun) / second > self.settings.limits.packet_timeout:
            self.counters.slow_packets += 1
            peer.close(Why.TOO_SLOW)


def _last(peer: Peer) -> int:
    return peer.last
