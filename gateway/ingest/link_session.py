"""What of a link outlives its connections: the state MQTT wants kept on our side, what is known of the broker, the counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from gateway.clock import Clock
from gateway.ingest.inbox import Inbox
from gateway.ingest.link_broker import Broker
from gateway.ingest.link_filters import LinkFilters
from gateway.ingest.link_routes import Routes
from gateway.ingest.link_settings import LinkSettings


class Downlink(Struct, frozen=True):
    """A publish of ours that the broker has not acknowledged. expires: µs UTC, city time; 0 = never.

    heard: is told the broker's verdict, once; a reason code of MQTT 5.
    """

    topic: str
    payload: bytes
    expires: int
    retain: bool = False
    heard: Callable[[int], None] | None = None

    def settled(self, code: int) -> None:
        if self.heard is not None:
            self.heard(code)


@dataclass(slots=True)
class LinkCounters:
    """Since the start; read by metrics."""

    received: int = 0  # messages
    acked: int = 0  # settled and acknowledged on the connection they came by
    repeated: int = 0  # sent again by the broker (DUP)
    retained: int = 0  # stored copies of old messages: acknowledged, not used
    connections: int = 0  # that got as far as subscribed
    failures: int = 0  # attempts that did not
    sessions_lost: int = 0
    downlinks_sent: int = 0
    downlinks_acked: int = 0
    downlinks_unheard: int = 0  # acknowledged, and nobody had subscribed to them
    downlinks_refused: int = 0  # by the broker, or larger than it takes
    published: int = 0  # alarms, cases and devices that the broker has taken

    @property
    def reconnects(self) -> int:
        return max(0, self.connections - 1)


@dataclass(slots=True)
class LinkSession:
    """`established`: the broker had a session of ours that is to be there again."""

    settings: LinkSettings
    routes: Routes
    inbox: Inbox
    clock: Clock
    broker: Broker
    filters: LinkFilters
    version: int
    counters: LinkCounters = field(default_factory=LinkCounters)
    established: bool = False
    subscribed: bool = False  # by this process, as the settings are now
    committed: set[int] = field(
        default_factory=set
    )  # packet identifiers of QoS 2, answered and not yet released
    inflight: dict[int, Downlink] = field(default_factory=dict)
    last_id: int = 0

    def next_id(self) -> int:
        """A packet identifier that nothing of ours under way has."""
        while True:
            self.last_id = self.last_id % 0xFFFF + 1
            if self.last_id not in self.inflight:
                return self.last_id

    def halt(self) -> None:
        """Commands are given up; what is published for other platforms is not."""
        for packet_id, downlink in list(self.inflight.items()):
            if not downlink.retain:
                del self.inflight[packet_id]

    def opened(self, *, present: bool) -> None:
        """The broker took us in, with our session or with a new one."""
        if present:
            self.established = True
            return
        self.committed.clear()
        self.subscribed = False
        if self.established:
            self.counters.sessions_lost += 1
            self.broker.session_lost()
        else:
            self.broker.session_new()
        self.established = True
