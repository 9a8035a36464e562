"""Load, not behaviour: every device sends its own reading over and over, at a rate or as fast as it is acknowledged.

Only packet id and time change in a message, so one costs well under a microsecond; a burst is one write.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.mqtt import topics
from drivers.mqtt.packets import MAX_PACKET_ID, V5, V311, Will
from drivers.mqtt.writer import Publisher, pubacks
from simulators.dial import TOGETHER, Dialer
from simulators.faults import Faults
from simulators.latency import Histogram
from simulators.ledger import Ledger
from simulators.link import Identity, Link
from simulators.orders import Orders
from simulators.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.pace import Pace
    from simulators.world.city import City

BEAT: Final = 0.005  # real seconds
MARK_ID: Final = 0x4D4D  # stands for the packet id and the time while a template is cut up
MARK_MS: Final = 1_111_111_111_111
PIDS: Final = [number.to_bytes(2, "big") for number in range(MAX_PACKET_ID + 1)]
ACKS: Final = pubacks(range(1, MAX_PACKET_ID + 1))
ACK: Final = 4  # bytes of a PUBACK that says nothing but yes


@dataclass(frozen=True, slots=True)
class Load:
    """rate: messages a second of all devices, 0 = closed loop. burst: messages in one write. window: unacknowledged
    messages a device. ramp: connections a second. together: connections that are being made at one time. five: share of MQTT 5. record: whether the ledger is kept.
    """

    rate: float = 0.0
    burst: int = 1
    window: int = 64
    ramp: float = 1_000.0
    five: float = 0.5
    record: bool = True
    drain: float = 10.0
    together: int = TOGETHER


class Sent:
    """One burst on its way."""

    __slots__ = ("at", "n", "row")

    def __init__(self, row: int, n: int, at: int) -> None:
        self.row, self.n, self.at = row, n, at


class Hose(Link):
    """One device's connection. Acknowledgements come in order (3.1.1 §4.6), so what is on its way is a queue."""

    __slots__ = ("_flood", "_head", "_middle", "_next", "_rest", "_tail", "_way", "last", "waiting")

    def __init__(self, identity: Identity, flood: Flood, template: tuple[bytes, bytes, bytes]) -> None:
        super().__init__(identity, flood.closed)
        self._flood = flood
        self._head, self._middle, self._tail = template
        self._next = 1  # packet id
        self._way: deque[Sent] = deque()
        self._rest = b""
        self.waiting = 0
        self.last = 0  # ms of the newest reading

    def send(self, n: int, now: int, at: int) -> int:
        """n messages at most, in one write; now: city ms, at: real ns. How many the window let pass."""
        n = min(
            n,
            self._flood.load.window - self.waiting,
            self.quota - self.waiting,
            MAX_PACKET_ID + 1 - self._next,
        )
        if n <= 0:
            return 0
        first, packet_id = max(now, self.last + 1), self._next
        head, middle, tail = self._head, self._middle, self._tail
        if n == 1:
            data = b"".join((head, PIDS[packet_id], middle, b"%d" % first, tail))
        else:
            data = b"".join(
                [
                    part
                    for step in range(n)
                    for part in (head, PIDS[packet_id + step], middle, b"%d" % (first + step), tail)
                ]
            )
        times = range(first * 1_000, (first + n) * 1_000, 1_000)
        self._way.append(
            Sent(self._flood.book(self.identity.number, times, len(data) // n, packet_id), n, at)
        )
        self.last = first + n - 1
        self._next = packet_id + n if packet_id + n <= MAX_PACKET_ID else 1
        self.waiting += n
        self.write(data)
        return n

    def data_received(self, data: bytes) -> None:
        """Plain acknowledgements in the expected order are compared as one string; all else goes to the codec."""
        if self.waiting:
            whole = self._rest + data if self._rest else data
            n = min(len(whole) // ACK, self.waiting)
            first = (self._next - self.waiting - 1) % MAX_PACKET_ID
            if n and first + n <= MAX_PACKET_ID and whole[: n * ACK] == ACKS[first * ACK : (first + n) * ACK]:
                self._rest = b""
                self._settle(n, 0)
                data = whole[n * ACK :]
                if data and self.waiting and len(data) < ACK and data[0] == ACKS[0]:
                    self._rest, data = data, b""
            elif self._rest:
                data, self._rest = whole, b""
        if data:
            super().data_received(data)

    def acknowledged(self, packet_id: int, code: int) -> None:
        expected = (self._next - self.waiting - 1) % MAX_PACKET_ID + 1
        if self.waiting and packet_id == expected:
            self._settle(1, code)
        else:
            self._flood.counts["disorder"] += 1

    def _settle(self, n: int, code: int) -> None:
        """The oldest n messages on their way are acknowledged."""
        flood, way = self._flood, self._way
        self.waiting -= n
        now = flood.pace.nanoseconds()
        while n:
            burst = way[0]
            took = min(n, burst.n)
            flood.latency.add(now - burst.at, took)
            flood.ledger.settle(burst.row, code, took)
            n -= took
            if took == burst.n:
                way.popleft()
            else:
                burst.n -= took
                burst.row += took if burst.row >= 0 else 0
        flood.settled(self, now)

    def opened(self) -> None:
        self._flood.opened(self)


class Flood:
    """`secrets`: by device id. Stops, drains and reports as a Fleet does."""

    def __init__(
        self,
        city: City,
        host: str,
        port: int,
        *,
        secrets: Mapping[str, str],
        pace: Pace,
        load: Load,
        addresses: Sequence[str] = (),
    ) -> None:
        """addresses: to come from, in turn; none: from any."""
        self.load, self.pace = load, pace
        self._ids = [(f, device) for f, cohort in city.cohorts.items() for device in cohort.ids]
        self.ledger = Ledger([device for _, device in self._ids], bound=20_000_000 if load.record else 0)
        self.latency = Histogram()
        self.counts: Counter[str] = Counter()
        self._identities = [self._identity(n, f, d, secrets) for n, (f, d) in enumerate(self._ids)]
        self._templates = list(self._cut(city))
        self.links: list[Hose | None] = [None] * len(self._ids)
        self._dialer = Dialer(
            pace, (host, port), load.ramp, city.seed, self._make, addresses=addresses, together=load.together
        )
        self._stop = asyncio.Event()
        self._running = False
        self._started = 0
        self._seconds = 0.0

    def _identity(self, number: int, family: str, device: str, secrets: Mapping[str, str]) -> Identity:
        version = V5 if (number * 0.6180339887) % 1 < self.load.five else V311
        will = Will(topics.status_topic(family, device), b'{"state":"offline"}', qos=1)
        return Identity(number, device, secrets.get(device), version=version, keepalive=300, will=will)

    def _cut(self, city: City) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Each device's message, cut at its packet id and at its time."""
        scene, versions = Scene(city, Faults(city), Orders(city)), iter(self._identities)
        for family, cohort in city.cohorts.items():
            time = np.full(len(cohort), MARK_MS * 1_000)
            now = np.full(len(cohort), city.start)
            for device, payload in zip(
                cohort.ids, scene.payloads(family, cohort.everyone(), now), strict=True
            ):
                stamped = payload.replace(
                    b'"ts":%d' % (city.start // 1_000), b'"ts":%d' % (int(time[0]) // 1_000), 1
                )
                publisher = Publisher(topics.telemetry_topic(family, device), next(versions).version)
                head, _, rest = publisher.encode(stamped, MARK_ID).partition(PIDS[MARK_ID])
                middle, _, tail = rest.partition(b"%d" % MARK_MS)
                yield head, middle, tail

    def _make(self, number: int) -> Hose:
        link = self.links[number] = Hose(self._identities[number], self, self._templates[number])
        return link

    @property
    def connected(self) -> int:
        return sum(link is not None and link.up for link in self.links)

    def book(self, device: int, times: range, size: int, packet_id: int) -> int:
        return self.ledger.burst(device, times, size, packet_id)

    def opened(self, link: Link) -> None:
        self._dialer.arrived(link.identity.number)

    def closed(self, link: Link) -> None:
        self.counts["closed"] += 1
        if link.code:
            self.counts[f"refused_0x{link.code:02x}"] += 1
        if self.links[link.identity.number] is link:
            self.links[link.identity.number] = None
        self._dialer.lost(link.identity.number)

    def settled(self, link: Hose, at: int) -> None:
        """In a closed loop every acknowledgement makes room for more."""
        if self._running and not self.load.rate and self.load.window - link.waiting >= self.load.burst:
            link.send(self.load.burst, self.pace.now() // 1_000, at)

    def stop(self) -> None:
        self._stop.set()

    async def run(self, until: int | None = None) -> None:
        """Connects everyone, then sends until this city time or until told to stop."""
        self._dialer.want(range(len(self._ids)))
        async with asyncio.TaskGroup() as group:
            dialing = group.create_task(self._dialer.run(), name="dialer")
            while not self._over(until) and self.connected < len(self._ids):
                await self.pace.sleep(0.02)
            self._running, self._started = True, self.pace.nanoseconds()
            await (self._steady(until) if self.load.rate else self._flat_out(until))
            self._running = False
            self._seconds = (self.pace.nanoseconds() - self._started) / 1e9
            await self._drain()
            dialing.cancel()
        await self._leave()

    def _over(self, until: int | None) -> bool:
        return self._stop.is_set() or (until is not None and self.pace.now() >= until)

    async def _flat_out(self, until: int | None) -> None:
        """Fill every window once; from then on acknowledgements drive it. Also restarts who was reconnected."""
        while not self._over(until):
            for link in self.links:
                if link is not None and link.up and not link.waiting:
                    link.send(self.load.window, self.pace.now() // 1_000, self.pace.nanoseconds())
            await self.pace.sleep(0.02)

    async def _steady(self, until: int | None) -> None:
        """The devices in turn, a burst each, as many as the rate asks for; what a full window held back is not caught up."""
        turn, burst, done = 0, self.load.burst, 0
        while not self._over(until):
            at = self.pace.nanoseconds()
            now = self.pace.now() // 1_000
            wanted = int((at - self._started) / 1e9 * self.load.rate)
            while done + burst <= wanted:
                link = self.links[turn]
                turn = (turn + 1) % len(self.links)
                done += burst
                if link is None or not link.up or not link.send(burst, now, self.pace.nanoseconds()):
                    self.counts["held_back"] += burst
            await self.pace.sleep(BEAT)

    async def _drain(self) -> None:
        deadline = self.pace.monotonic() + self.load.drain
        while self.pace.monotonic() < deadline and any(
            link is not None and link.waiting for link in self.links
        ):
            await self.pace.sleep(0.02)

    async def _leave(self) -> None:
        for number, link in enumerate(self.links):
            self._dialer.hold(number)
            if link is not None:
                link.leave()
        deadline = self.pace.monotonic() + self.load.drain
        while self.pace.monotonic() < deadline and any(link is not None and link.open for link in self.links):
            await self.pace.sleep(0.02)

    def report(self) -> dict[str, Any]:
        ledger, seconds = self.ledger, max(self._seconds, 1e-9)
        return {
            "devices": len(self._ids),
            "seconds": self._seconds,
            "sent": ledger.sent,
            "acked": ledger.acked,
            "refused": {f"0x{code:02x}": n for code, n in sorted(ledger.refused.items())},
            "unacked": ledger.waiting,
            "rate": ledger.sent / seconds,
            "latency_ms": self.latency.summary(),
            **self.counts,
        }
