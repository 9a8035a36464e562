"""A device that behaves: publishes at QoS 1, sends again what was not acknowledged, and obeys its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from drivers.mqtt import topics
from drivers.mqtt.packets import MAX_PACKET_ID, Puback, Publish, Subscribe, Subscription
from drivers.mqtt.writer import Publisher, encode
from simulators.link import Link
from simulators.poison import Expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.latency import Histogram
    from simulators.ledger import Ledger
    from simulators.link import Identity

WINDOW: Final = 32  # messages that wait for their acknowledgement; a device has no room for more
DUP: Final = 0x08


class Waiting(NamedTuple):
    row: int  # of the ledger
    sent: int  # real ns
    frame: bytes
    expect: int


class Outbox:
    """What one device has sent and not had acknowledged: survives its connections."""

    __slots__ = ("_last", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[int, Waiting] = {}
        self._last = 0

    def next_id(self) -> int:
        """A packet id that is not in use."""
        self._last = self._last % MAX_PACKET_ID + 1
        while self._last in self.waiting:
            self._last = self._last % MAX_PACKET_ID + 1
        return self._last


class Book(NamedTuple):
    """What all devices of a fleet write to."""

    ledger: Ledger
    latency: Histogram
    nanoseconds: Callable[[], int]


class Owner(Protocol):
    """Who is told what happens to a device."""

    book: Book

    def opened(self, device: Device) -> None:
        """It is connected."""

    def told(self, device: Device, payload: bytes) -> None:
        """A command reached it."""

    def closed(self, link: Link) -> None:
        """Its connection has ended."""


class Device(Link):
    __slots__ = ("_book", "_command", "_outbox", "_owner", "_publishers", "topic")

    def __init__(self, identity: Identity, family: str, device: str, outbox: Outbox, owner: Owner) -> None:
        super().__init__(identity, owner.closed)
        self._outbox, self._owner, self._book = outbox, owner, owner.book
        self._command = topics.command_topic(family, device)
        self.topic = topics.telemetry_topic(family, device).removesuffix("telemetry")
        self._publishers: dict[str, Publisher] = {}

    def opened(self) -> None:
        """Subscribe to the commands, then send again what the last connection left unacknowledged."""
        wanted = Subscribe(self._outbox.next_id(), (Subscription(self._command, 1),))
        self.write(encode(wanted, self.identity.version, server=False))
        self._again()
        self._owner.opened(self)

    def _again(self) -> None:
        """With DUP and the same packet id. A message that is bad on purpose is not tried twice."""
        waiting = self._outbox.waiting
        for packet_id, one in list(waiting.items()):
            if one.expect == Expect.REFUSED or len(one.frame) > self.largest:
                del waiting[packet_id]
        if waiting:
            self._book.ledger.resent += len(waiting)
            frames = [bytes((one.frame[0] | DUP,)) + one.frame[1:] for one in waiting.values()]
            now = self._book.nanoseconds()
            for packet_id, one in waiting.items():
                waiting[packet_id] = one._replace(sent=now)  # latency is of the connection, not of the outage
            self.write(b"".join(frames))

    def publish(self, topic: str, payload: bytes, time: int, expect: Expect = Expect.STORED) -> bool:
        """At QoS 1; time: of the reading, µs UTC. False where the device has no room or the server takes none so large."""
        outbox, book = self._outbox, self._book
        if not self.up or len(outbox.waiting) >= min(WINDOW, self.quota):
            return False
        publisher = self._publishers.get(topic)
        if publisher is None:
            publisher = self._publishers[topic] = Publisher(topic, self.identity.version)
        packet_id = outbox.next_id()
        frame = publisher.encode(payload, packet_id)
        if len(frame) > self.largest:
            return False
        row = book.ledger.publish(self.identity.number, time, len(frame), packet_id, expect)
        outbox.waiting[packet_id] = Waiting(row, book.nanoseconds(), frame, expect)
        self.write(frame)
        return True

    def acknowledged(self, packet_id: int, code: int) -> None:
        one = self._outbox.waiting.pop(packet_id, None)
        if one is not None:
            self._book.latency.add(self._book.nanoseconds() - one.sent)
            self._book.ledger.settle(one.row, code)

    def told(self, packet: Publish) -> None:
        if packet.qos:
            self.write(encode(Puback(packet.packet_id), self.identity.version, server=False))
        if packet.topic == self._command:
            self._owner.told(self, packet.payload)
