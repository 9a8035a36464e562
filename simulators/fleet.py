"""All devices of a city on one event loop, over real MQTT: who is connected, whose turn it is, what has changed.

One clock drives them all; no device has a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.dialogue import decode_command, encode_reply
from drivers.families.every import NORMAL
from drivers.mqtt import topics
from drivers.mqtt.packets import V5, V311, Will
from drivers.refusal import Refused
from drivers.telemetry import SECOND
from simulators.device import Book, Device, Outbox
from simulators.dial import Dialer
from simulators.faults import Faults
from simulators.latency import Histogram
from simulators.ledger import Ledger
from simulators.link import Identity
from simulators.orders import Orders
from simulators.poison import SPOIL, Expect
from simulators.scene import Scene
from simulators.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.telemetry import Int32, Int64
    from simulators.faults import Turn
    from simulators.link import Link
    from simulators.pace import Pace
    from simulators.world.city import City

log = logging.getLogger(__name__)

BEAT: Final = 0.05  # real seconds between two looks at who is due
GLANCE: Final = 5  # beats between two looks at what has changed
OFFLINE: Final = b'{"state":"offline"}'


@dataclass(frozen=True, slots=True)
class Settings:
    """ramp: connections a second. five: share that speaks MQTT 5. keepalive: s. drain: s to wait for the last acks."""

    ramp: float = 1_000.0
    five: float = 0.5
    keepalive: int = 60
    drain: float = 10.0
    ledger: int = 8_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device of the fleet stands in the city."""

    family: str
    index: int
    device: str


class Fleet:
    """`secrets`: by device id; a device without one connects without a password."""

    def __init__(
        self,
        city: City,
        host: str,
        port: int,
        *,
        secrets: Mapping[str, str],
        pace: Pace,
        faults: Faults | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.faults = faults or Faults(city)
        self.orders = Orders(city)
        self._scene = Scene(city, self.faults, self.orders)
        self.pace = pace
        self.places = [Place(f, i, d) for f, cohort in city.cohorts.items() for i, d in enumerate(cohort.ids)]
        self._first = dict(
            zip(city.cohorts, np.cumsum([0, *map(len, city.cohorts.values())]).tolist(), strict=False)
        )
        self.ledger = Ledger([place.device for place in self.places], self.settings.ledger)
        self.latency = Histogram()
        self.counts: Counter[str] = Counter()
        self.book = Book(self.ledger, self.latency, pace.nanoseconds)
        self._identities = [self._identity(number, secrets) for number in range(len(self.places))]
        self._outboxes = [Outbox() for _ in self.places]
        self.links: list[Device | None] = [None] * len(self.places)
        self._schedules = {family: Schedule(cohort) for family, cohort in city.cohorts.items()}
        self._state = {family: np.full(len(cohort), -1, np.int64) for family, cohort in city.cohorts.items()}
        self._dialer = Dialer(pace, (host, port), self.settings.ramp, city.seed, self._make)
        self._fresh: dict[str, set[int]] = {family: set() for family in city.cohorts}
        self._stop = asyncio.Event()
        self.codes: Counter[int] = Counter()

    def _identity(self, number: int, secrets: Mapping[str, str]) -> Identity:
        place = self.places[number]
        version = V5 if (number * 0.6180339887) % 1 < self.settings.five else V311
        will = Will(topics.status_topic(place.family, place.device), OFFLINE, qos=1)
        secret, keepalive = secrets.get(place.device), self.settings.keepalive
        return Identity(number, place.device, secret, version=version, keepalive=keepalive, will=will)

    def _make(self, number: int) -> Device:
        place = self.places[number]
        link = Device(self._identities[number], place.family, place.device, self._outboxes[number], self)
        self.links[number] = link
        return link

    @property
    def connected(self) -> int:
        return sum(link is not None and link.up for link in self.links)

    def stop(self) -> None:
        """End `run` before its time."""
        self._stop.set()

    async def run(self, until: int | None = None) -> None:
        """Until this city time, or until told to stop; then waits for the last acknowledgements and leaves."""
        self._dialer.want(range(len(self.places)))
        async with asyncio.TaskGroup() as group:
            dialing = group.create_task(self._dialer.run(), name="dialer")
            beat = 0
            while not self._stop.is_set() and (until is None or self.pace.now() < until):
                self._beat(beat)
                beat += 1
                await self.pace.sleep(BEAT)
            await self._drain()
            dialing.cancel()
        await self._leave()

    def _beat(self, beat: int) -> None:
        """Turns first, then what is new now: so no device ever reports backwards."""
        now = self.pace.now()
        for family, schedule in self._schedules.items():
            device, time = schedule.due(now)
            if len(device):
                self._report(family, device, time)
        self._welcome(now)
        for turn in self.faults.turns(now):
            self._turn(turn, now)
        if beat % GLANCE == 0:
            self._glance(now)
        every = max(1, round(self.settings.keepalive / 2 / BEAT))
        for link in self.links[beat % every :: every]:
            if link is not None:
                link.keep_alive()

    def _welcome(self, now: int) -> None:
        """Devices that are here for the first time say what they see."""
        for family, fresh in self._fresh.items():
            if fresh:
                device = np.array(sorted(fresh), np.int32)
                fresh.clear()
                schedule = self._schedules[family]
                schedule.begin(device, now)
                self._report(family, device, schedule.stamp(device, np.full(len(device), now)))

    def _report(
        self, family: str, device: Int32, time: Int64, channel: str = "telemetry", event: str | None = None
    ) -> None:
        """One reading of each of these devices at its time, if it is connected and its faults let it speak."""
        links, first = self.links, self._first[family]
        here = np.array([(link := links[first + i]) is not None and link.up for i in device.tolist()], bool)
        here &= ~self.faults.mute(family, device, time)
        self.counts["missed"] += len(device) - int(here.sum())
        device, time = device[here], time[here]
        if not len(device):
            return
        payloads = self._scene.payloads(family, device, time, channel, event)
        for index, when, payload in zip(device.tolist(), time.tolist(), payloads, strict=True):
            link = links[first + index]
            assert link is not None
            self._say(link, link.topic + channel, payload, when)
            for fault in self.faults.active(family, index, when):
                spoil = SPOIL.get(fault.kind.name)
                if spoil is not None:
                    bad = spoil(link.topic + channel, payload)
                    self._say(link, bad.topic, bad.payload, when, bad.expect)

    def _say(
        self, link: Device, topic: str, payload: bytes, time: int, expect: Expect = Expect.STORED
    ) -> None:
        if not link.publish(topic, payload, time, expect):
            self.counts["skipped"] += 1

    def _turn(self, turn: Turn, now: int) -> None:
        """A fault begins or ends: links break or come back, and devices that notice say so."""
        fault = turn.fault
        number = self._first[fault.family] + fault.index
        if fault.kind.layer == "link":
            if turn.begins:
                self._dialer.hold(number)
                link = self.links[number]
                if link is not None:
                    link.abort()
            else:
                self._dialer.release(number)
        elif fault.kind.at_once:
            event = fault.kind.event and (fault.kind.event if turn.begins else NORMAL.name)
            channel = "event" if event else "telemetry"
            self._now(fault.family, np.array([fault.index], np.int32), now, channel, event)

    def _glance(self, now: int) -> None:
        """Devices that watch something report as soon as it has changed."""
        for family, known in self._state.items():
            everyone = np.arange(len(known), dtype=np.int32)
            state = self._scene.state(family, everyone, np.full(len(known), now))
            changed = everyone[(state != known) & (known >= 0)]
            self._state[family] = state
            if len(changed):
                self._now(family, changed, now)

    def _now(
        self, family: str, device: Int32, now: int, channel: str = "telemetry", event: str | None = None
    ) -> None:
        time = np.full(len(device), now)
        self._state[family][device] = self._scene.state(family, device, time)
        self._report(family, device, self._schedules[family].stamp(device, time), channel, event)

    def opened(self, link: Device) -> None:
        """A device is connected: it says so, and on its first day what it sees."""
        number = link.identity.number
        place, now = self.places[number], self.pace.now()
        self._dialer.arrived(number)
        self.orders.rejoined(place.family, place.index, now)
        self.counts["connected"] += 1
        schedule, device = self._schedules[place.family], np.array([place.index], np.int32)
        time = schedule.stamp(device, np.array([now]))
        state = b'{"ts":%d,"state":"online"}' % (int(time[0]) // 1_000)
        self._say(link, link.topic + "status", state, int(time[0]))
        if not schedule.begun(place.index):
            self._fresh[place.family].add(place.index)

    def closed(self, link: Link) -> None:
        number = link.identity.number
        if self.links[number] is link:
            self.links[number] = None
            place = self.places[number]
            self.orders.cut_off(place.family, place.index, self.pace.now())
        if link.code:
            self.codes[link.code] += 1
        self.counts["closed"] += 1
        self._dialer.lost(number)

    def told(self, link: Device, payload: bytes) -> None:
        """A command came: do it, answer, and show what it changed."""
        place, now = self.places[link.identity.number], self.pace.now()
        self.counts["commands"] += 1
        try:
            order = decode_command(payload)
        except Refused:
            self.counts["bad_commands"] += 1
            return
        reply = self.orders.obey(place.family, place.index, order, now)
        if reply.result == "applied" and order.name == "reportInterval":
            self._schedules[place.family].every(place.index, int(order.args["interval"] * SECOND))
        self._say(link, link.topic + "reply", encode_reply(reply), now, Expect.REFUSED)
        self._now(place.family, np.array([place.index], np.int32), now)

    async def _drain(self) -> None:
        """Nothing new is said; what waits may still be acknowledged, also by way of a new connection."""
        deadline = self.pace.monotonic() + self.settings.drain
        while self.pace.monotonic() < deadline and any(
            outbox.waiting and not self._dialer.holds(number) for number, outbox in enumerate(self._outboxes)
        ):
            await self.pace.sleep(BEAT)

    async def _leave(self) -> None:
        """DISCONNECT everyone and wait until the sockets are gone."""
        for place in range(len(self.places)):
            self._dialer.hold(place)
        for link in self.links:
            if link is not None:
                link.leave()
        deadline = self.pace.monotonic() + self.settings.drain
        while self.pace.monotonic() < deadline and any(link is not None and link.open for link in self.links):
            await self.pace.sleep(BEAT)
        for link in self.links:
            if link is not None:
                link.abort()

    def report(self) -> dict[str, Any]:
        """What was sent and what became of it, and what should have been noticed."""
        ledger = self.ledger
        return {
            "devices": len(self.places),
            "sent": ledger.sent,
            "acked": ledger.acked,
            "refused": {f"0x{code:02x}": n for code, n in sorted(ledger.refused.items())},
            "unacked": ledger.waiting,
            "resent": ledger.resent,
            "unrecorded": ledger.unrecorded,
            "skipped": self.counts["skipped"],
            "missed": self.counts["missed"],
            "connected": self.counts["connected"],
            "closed": self.counts["closed"],
            "refused_connections": {f"0x{code:02x}": n for code, n in sorted(self.codes.items())},
            "unreachable": self._dialer.failed,
            "commands": self.counts["commands"],
            "latency_ms": self.latency.summary(),
            "truth": self.faults.truth(),
        }
