"""What all device connections share: who is there, what is counted, and whom presence is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.clock import SECOND, Clock
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.handshake import Directory
from gateway.ingest.inbox import Inbox, Lane
from gateway.ingest.session import Key, Principal, Sessions


class Why(StrEnum):
    """What ended a connection."""

    DISCONNECTED = "disconnected"  # the client said so
    LOST = "lost"
    KEEPALIVE = "keepalive"
    TAKEN_OVER = "taken_over"
    VIOLATION = "violation"
    NOT_READING = "not_reading"
    EXPELLED = "expelled"
    STOPPED = "stopped"  # the gateway itself


class Listener(Protocol):
    """Presence: told of a principal's first connection and of the end of its last. at: µs UTC, city time."""

    def connected(self, principal: Principal, at: int) -> None: ...

    def disconnected(self, principal: Principal, at: int, why: Why) -> None: ...

    def cloned(self, principal: Principal) -> None:
        """Two clients fight over this identity; the newcomer was refused."""


@dataclass(slots=True)
class Counters:
    """Since the start; read by metrics."""

    accepted: int = 0  # connections
    turned_away: int = 0  # connections beyond the bound
    refused: int = 0  # CONNECT
    packets: int = 0
    violations: int = 0
    keepalives: int = 0  # expired
    timeouts: int = 0  # no CONNECT in time
    takeovers: int = 0
    clones: int = 0
    not_reading: int = 0  # clients dropped because they left their acknowledgements unread
    wills: int = 0
    commands_sent: int = 0
    commands_acked: int = 0
    commands_expired: int = 0
    commands_too_large: int = 0
    commands_full: int = 0  # not taken: too many wait already


class Peer(Protocol):
    """A connection, as its hub sees it. last: µs UTC when bytes came last, or when it was over."""

    last: int
    keepalive: float  # seconds of silence after which it is gone; 0 = never

    @property
    def known(self) -> bool:
        """CONNECT was accepted."""

    @property
    def over(self) -> bool:
        """Closed by us, perhaps not yet by the other side."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, why: Why) -> None: ...

    def abort(self) -> None: ...

    def publish_will(self) -> None: ...


@dataclass(slots=True)
class Hub:
    settings: EndpointSettings
    directory: Directory
    inbox: Inbox
    clock: Clock
    listener: Listener
    lanes: Callable[[str, str, str], Lane]  # product, family, channel
    sessions: Sessions
    counters: Counters = field(default_factory=Counters)
    peers: set[Peer] = field(default_factory=set)
    wills: dict[Key, tuple[int, Peer]] = field(default_factory=dict)  # delayed: when due (µs UTC), whose
    _present: dict[str, set[Peer]] = field(default_factory=dict)
    _paused_at: int = 0

    def enter(self, principal: Principal, peer: Peer) -> None:
        there = self._present.setdefault(principal.name, set())
        if not there:
            self.listener.connected(principal, self.clock.now())
        there.add(peer)

    def leave(self, principal: Principal, peer: Peer, why: Why) -> None:
        there = self._present[principal.name]
        there.discard(peer)
        if not there:
            del self._present[principal.name]
            self.listener.disconnected(principal, self.clock.now(), why)

    def of(self, name: str) -> list[Peer]:
        """The connections of a principal."""
        return list(self._present.get(name, ()))

    def pause(self) -> None:
        """The inbox is full: read no socket (law 5)."""
        self._paused_at = self.clock.now()
        for peer in self.peers:
            peer.pause()

    def resume(self) -> None:
        """Least recently read first; nobody's keepalive ran while the gateway did not listen."""
        stood = self.clock.now() - self._paused_at
        for peer in sorted(self.peers, key=lambda peer: peer.last):
            peer.last += stood
            peer.resume()

    def sweep(self) -> None:
        """Ends what is silent for too long, publishes wills that are due."""
        now = self.clock.now()
        second = SECOND * self.clock.speed
        if not self.inbox.paused:
            for peer in list(self.peers):
                self._look(peer, (now - peer.last) / second)
        for key, (due, peer) in list(self.wills.items()):
            if due <= now:
                del self.wills[key]
                peer.publish_will()
        self.sessions.sweep(now)

    def _look(self, peer: Peer, silent: float) -> None:
        """silent: real seconds since bytes came."""
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
