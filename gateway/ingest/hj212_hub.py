"""What all HJ 212 connections share: which station is which device, what is counted, and commands on their way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.dialogue import Order, Reply, encode_reply
from drivers.hj212.commands import Request, greeting, missing
from drivers.hj212.frame import Frame as StationFrame
from drivers.hj212.profile import StationMap
from drivers.hj212.segment import Segment
from drivers.hj212.station import State, Station, Task, Timing
from drivers.hj212.tolerance import Tolerance
from drivers.products.product import Product
from drivers.refusal import Reason, Refused
from gateway.clock import SECOND, Clock
from gateway.ingest.hj212_settings import Hj212Settings, StationSettings
from gateway.ingest.hub import Listener, Why
from gateway.ingest.inbox import Frame, Inbox, Lane
from gateway.ingest.presence import DEVICE, Itself, Placed, Roll

DAY: Final = 86_400
PAST: Final = 1  # µs UTC
_ORDINARY: Final = StationSettings()


class Speaker(NamedTuple):
    """A station, as presence knows it."""

    kind: str
    name: str


class Directory(Roll, Protocol):
    generation: int


class Peer(Protocol):
    """A connection, as its hub sees it. last: µs UTC when bytes came last."""

    last: int

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def look(self, now: int) -> None: ...

    def stop(self) -> None: ...


@dataclass(slots=True)
class Counters:
    """Since the start."""

    accepted: int = 0  # connections
    turned_away: int = 0  # connections beyond the bound
    timeouts: int = 0  # nothing of a known station in time, or silent for too long
    not_reading: int = 0  # stations dropped because they left their answers unread
    frames: int = 0
    damages: int = 0
    uploads: int = 0
    answers: int = 0  # to requests of ours
    strays: int = 0  # answers to nothing asked
    acknowledged: int = 0  # 9014 sent
    pulls: int = 0
    packets_again: int = 0
    packets_torn: int = 0


@dataclass(slots=True, eq=False)
class Member:
    """A station on a connection, and the device it is."""

    id: str
    entry: Placed
    profile: StationMap
    station: Station
    generation: int  # of the directory that said so
    heard: int  # when last, µs UTC
    orders: dict[Task, Order] = field(default_factory=dict)


class Hub:
    """last: newest reading known of (family, index), µs UTC; it tells how long a station was away.

    tolerated: counts on.
    """

    def __init__(
        self,
        settings: Hj212Settings,
        directory: Directory,
        products: Mapping[str, Product],
        inbox: Inbox,
        clock: Clock,
        listener: Listener,
        lanes: Callable[[str, str, str], Lane],
        zone: str,
        last: Callable[[str, int], int | None],
        tolerated: Counter[Tolerance] | None = None,
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.inbox = inbox
        self.clock = clock
        self.lanes = lanes
        self.counters = Counters()
        self.tolerated: Counter[Tolerance] = Counter() if tolerated is None else tolerated
        self.peers: set[Peer] = set()
        self.second = int(SECOND * clock.speed)  # of real time, in µs of city time
        self._products = products
        self._listener = listener
        self._zone = ZoneInfo(zone)
        self._last = last
        self._present: dict[str, list[Member]] = {}
        self._greeted: set[str] = set()
        self._itself = Itself()
        self._paused_at = 0
        self._timing = Timing(
            int(settings.answer_timeout * self.second),
            settings.retries,
            int(settings.execution * self.second),
            int(settings.drift * self.second),
        )

    def recognise(self, segment: Segment, frame: StationFrame) -> Member:
        """The station that speaks. Raises Refused: UNKNOWN_DEVICE, BAD_CRC, WRONG_PASSWORD."""
        own = self.settings.stations.get(segment.mn, _ORDINARY)
        id_ = own.device or segment.mn
        entry, profile = self._known(id_, segment.mn)
        self._admit(id_, own, profile, segment, frame)
        station = Station(segment.mn, self._zone, self._timing, frame.crc)
        return Member(id_, entry, profile, station, self.directory.generation, self.clock.now())

    def admit(self, member: Member, segment: Segment, frame: StationFrame) -> None:
        """A further message of a known station; raises Refused: UNKNOWN_DEVICE, BAD_CRC, WRONG_PASSWORD."""
        if member.generation != self.directory.generation:
            self._renew(member)
        own = self.settings.stations.get(segment.mn, _ORDINARY)
        self._admit(member.id, own, member.profile, segment, frame)

    def _admit(
        self, id_: str, own: StationSettings, profile: StationMap, segment: Segment, frame: StationFrame
    ) -> None:
        mode = own.crc or profile.crc
        if not frame.passes(mode):
            raise Refused(Reason.BAD_CRC, f"CRC is right by {frame.crc}; {id_:.64} must send {mode}")
        password = own.password or self.settings.password
        if password and segment.pw != password:
            raise Refused(Reason.WRONG_PASSWORD, f"PW of {id_:.64} is another")

    def _renew(self, member: Member) -> None:
        """Look again whose station this is, after the directory changed; raises Refused (UNKNOWN_DEVICE)."""
        member.entry, member.profile = self._known(member.id, member.station.mn)
        member.generation = self.directory.generation

    def _known(self, id_: str, mn: str) -> tuple[Placed, StationMap]:
        entry = self.directory.device(id_)
        if entry is None or entry.retired:
            raise Refused(
                Reason.UNKNOWN_DEVICE,
                f"no device {id_!r:.80} for MN {mn!r:.80}; register it or name it in [hj212]",
                id_,
            )
        profile = self._products[entry.product].hj212
        if profile is None:
            raise Refused(
                Reason.UNKNOWN_DEVICE, f"{id_:.64} is a {entry.product}, which does not speak HJ 212"
            )
        return entry, profile

    def enter(self, member: Member, now: int) -> None:
        """A station has spoken on a new connection: greet it once, and ask for what it kept while it was away."""
        there = self._present.setdefault(member.id, [])
        if not there:
            self._listener.connected(Speaker(DEVICE, member.id), now)
        there.append(member)
        for request in self._first(member, now):
            member.station.ask(request)

    def _first(self, member: Member, now: int) -> Iterator[Request]:
        settings = self.settings
        if settings.greet and member.id not in self._greeted:
            self._greeted.add(member.id)
            interval = self._products[member.entry.product].interval // SECOND
            yield from greeting(
                now,
                self._zone,
                seconds=round(settings.answer_timeout),
                retries=settings.retries,
                interval=interval,
                minutes=member.profile.minutes,
            )
        last = self._last(member.entry.family, member.entry.index)
        if last is not None:
            yield from self._missing(last, now)

    def heard(self, member: Member, now: int) -> None:
        """A known station speaks; what it kept while the line was dead is asked for."""
        for request in self._missing(member.heard, now):
            member.station.ask(request)
        member.heard = now

    def _missing(self, since: int, now: int) -> Iterator[Request]:
        """The pulls that fill the gap since then, if it is one."""
        settings = self.settings
        if not settings.pull_days or now - since <= settings.gap * SECOND:
            return
        begin = max(since, now - int(settings.pull_days * DAY * SECOND))
        for stored in settings.pull:
            request = missing(stored.cn, begin, now, self._zone)
            if request is not None:
                self.counters.pulls += 1
                yield request

    def leave(self, member: Member, why: Why) -> None:
        there = self._present[member.id]
        there.remove(member)
        self.counters.packets_again += member.station.packets.again
        self.counters.packets_torn += member.station.packets.torn
        self.tolerated += member.station.counts
        for task in member.station.close():
            self.ended(member, task, "the connection is lost")
        if not there:
            del self._present[member.id]
            self._listener.disconnected(Speaker(DEVICE, member.id), self.clock.now(), why)

    def newest(self, device: str) -> Member | None:
        """The station's member on the connection it opened last."""
        there = self._present.get(device)
        return there[-1] if there else None

    def ended(self, member: Member, task: Task, error: str = "") -> None:
        """Tell commands what became of one; requests of our own are nobody's."""
        order = member.orders.pop(task, None)
        if order is None:
            return
        done = task.state is State.DONE
        reply = Reply(
            order.id, "applied" if done else "failed", None if done else task.error or error or task.state
        )
        self.reply(member, reply)

    def ready(self, member: Member, task: Task) -> None:
        """9011 came: the station is at it."""
        order = member.orders.get(task)
        if order is not None:
            self.reply(member, Reply(order.id, "accepted"))

    def halt(self) -> None:
        """No command that waits is sent any more, and none is sent again."""
        for there in self._present.values():
            for task in (task for member in there for task in member.orders):
                task.expires = PAST

    def reply(self, member: Member, reply: Reply) -> None:
        lane = self.lanes(member.entry.product, member.entry.family, "reply")
        now = self.clock.now()
        self.inbox.frames.append(
            Frame(lane, member.entry.index, encode_reply(reply), now, self._itself, 0, "hj212")
        )
        self.inbox.arrived()

    def pause(self) -> None:
        """The inbox is full: read no socket (law 5)."""
        self._paused_at = self.clock.now()
        for peer in self.peers:
            peer.pause()

    def resume(self) -> None:
        """Least recently read first; nobody's silence counted while the gateway did not listen."""
        stood = self.clock.now() - self._paused_at
        for peer in sorted(self.peers, key=lambda peer: peer.last):
            peer.last += stood
            peer.resume()

    @property
    def present(self) -> int:
        """Stations that are connected."""
        return len(self._present)


class Figures(Collector):
    """The hub's counters for /metrics."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        hub = self._hub
        yield GaugeMetricFamily("citygate_hj212_stations", "HJ 212 stations that are connected", hub.present)
        events = CounterMetricFamily(
            "citygate_hj212_events", "What happened on HJ 212 links", labels=["event"]
        )
        for name in Counters.__slots__:
            events.add_metric([name], getattr(hub.counters, name))
        yield events
        tolerated = CounterMetricFamily(
            "citygate_hj212_tolerated", "Departures from HJ 212 that were accepted", labels=["departure"]
        )
        for tolerance in Tolerance:
            tolerated.add_metric([tolerance], hub.tolerated[tolerance])
        yield tolerated
