"""One Modbus bus: drives the master over whatever line it has, and hands what was read to the inbox as the device's payload.

Polls wait for nobody's acknowledgement; while the inbox is full they pause (law 5). A command is answered by its read-back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

import msgspec

from drivers.dialogue import Reply, decode_command, encode_reply
from drivers.families import FAMILIES
from drivers.modbus.command import task
from drivers.modbus.master import Limits, Master
from drivers.modbus.poll import Carried, Counters, Polled, Target, Unheard
from drivers.modbus.station import Station
from drivers.modbus.wire import Desync, Framing, RtuFraming, TcpFraming
from drivers.products.product import Product
from drivers.refusal import Reason, Refusal, Refused
from gateway.clock import SECOND, Clock
from gateway.ingest.inbox import Frame, Inbox, Lane
from gateway.ingest.modbus_settings import ModbusSettings, SlaveSettings
from gateway.ingest.presence import OFFLINE, ONLINE

log = logging.getLogger(__name__)

LOST_AFTER: Final = 2  # rounds in a row without any answer after which a device counts as offline
IDLE: Final = 1.0  # seconds between looks at the registry while nobody is to be asked
DEAF: Final = 3  # requests without an answer, at least, before a silent line counts as broken
_json: Final = msgspec.json.Encoder().encode


class Placed(Protocol):
    """Where a device's frames go."""

    @property
    def family(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def retired(self) -> bool: ...


class Roll(Protocol):
    """gateway.registry.directory, as far as a bus needs it."""

    @property
    def generation(self) -> int: ...
    def device(self, id: str, /) -> Placed | None: ...  # noqa: A002 - the field's word


@dataclass(frozen=True)
class City:
    """What every bus works with. lanes: the Lane of product, family and channel, the same object for the same three."""

    inbox: Inbox
    directory: Roll
    lanes: Callable[[str, str, str], Lane]
    catalog: Mapping[str, Product]
    clock: Clock


@dataclass(slots=True)
class Member:
    """A target with the device behind it."""

    device: str
    placed: Placed
    product: Product
    units: dict[str, int]
    target: Target
    unheard: int = 0
    online: bool | None = None


@dataclass(slots=True)
class BusCounters:
    """Of one bus since the start, over all its masters."""

    opened: int = 0
    desynced: int = 0
    before: Counters = field(default_factory=Counters)  # of masters that are gone


class Bus:
    """Origin of its frames. `opened`, `received` and `closed` are called by its line."""

    def __init__(self, settings: ModbusSettings, city: City, random: Random) -> None:
        self.settings = settings
        self.address = settings.address
        self.counters = BusCounters()
        self.members: list[Member] = []
        self.unusable: dict[str, str] = {}  # devices that cannot be polled, and why
        self.line: asyncio.WriteTransport | None = None
        self._city = city
        self._phase = random.random()
        self._generation = -1
        self._heard = 0.0
        self._unanswered = 0  # time-outs when last somebody answered
        self._framing: Framing = (
            TcpFraming()
            if settings.kind == "tcp"
            else RtuFraming((settings.registration, *settings.heartbeats))
        )
        self._master = self._new_master()
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0.0
        self._paused = False
        self._gone: asyncio.Future[str] | None = None
        self._ungate = city.inbox.gate(self._pause, self._resume)

    @property
    def master(self) -> Master:
        return self._master

    @property
    def strays(self) -> int:
        """Answers that came when nobody awaited them: late, or foreign."""
        return self._framing.strays

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """Nobody waits: what history could not take is read again."""

    def opened(self, line: asyncio.WriteTransport) -> None:
        """A line stands; one that stood before is dropped."""
        if self.line is not None:
            self.line.abort()
            self._master.lost()
        self.line = line
        self.counters.opened += 1
        now = self._heard = self._city.clock.monotonic()
        self._unanswered = self._master.counters.timeouts
        self._gone = asyncio.get_running_loop().create_future()
        self._master.connected(now)
        self.pump()

    async def gone(self) -> str:
        """Wait until the line that stands is lost; why."""
        return "" if self._gone is None else await self._gone

    def received(self, line: asyncio.WriteTransport, data: bytes) -> None:
        if line is not self.line:
            return
        now = self._city.clock.monotonic()
        answers = self._master.counters.answers
        try:
            self._master.receive(data, now)
        except Desync as desync:
            self.counters.desynced += 1
            log.warning("%s: %s; connecting anew", self.address, desync)
            line.abort()
            return
        if self._master.counters.answers != answers:
            self._heard, self._unanswered = now, self._master.counters.timeouts
        self.pump()

    def closed(self, line: asyncio.WriteTransport, why: str) -> None:
        if line is not self.line:
            return
        self.line = None
        self._master.lost()
        self._disarm()
        for member in self.members:
            self._presence(member, online=False)
        self._city.inbox.arrived()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(why)

    def deliver(self, device: str, payload: bytes, expires: int) -> bool:
        """Take a command (drivers.dialogue); expires: µs UTC of city time. False: this device is not on this bus now."""
        member = next((one for one in self.members if one.device == device), None)
        if member is None or self.line is None:
            return False
        order = decode_command(payload)
        clock = self._city.clock
        left = (expires - clock.now()) / SECOND / clock.speed
        place = self.members.index(member)
        registers = member.product.modbus
        assert registers is not None
        try:
            self._master.command(
                task(
                    order,
                    registers,
                    FAMILIES[member.product.family],
                    member.units,
                    place,
                    clock.monotonic() + left,
                )
            )
        except Refused as refused:
            self._reply(Carried(order.id, place, "failed", refused.detail))
            self._city.inbox.arrived()
            return True
        self.pump()
        return True

    def pump(self) -> None:
        """Do all that is due now, and come back when something else is."""
        line = self.line
        if line is None:
            return
        master, now = self._master, self._city.clock.monotonic()
        master.expire(now)
        if not master.busy and self._generation != self._city.directory.generation:
            self.refresh()
            master = self._master
        unanswered = master.counters.timeouts - self._unanswered
        if unanswered >= DEAF and now - self._heard > self.settings.silence:
            log.info(
                "%s: nobody answers for %g s, opening the line anew", self.address, self.settings.silence
            )
            line.abort()
            return
        if not self._paused:
            data = master.send(now)
            if data is not None:
                line.write(data)
        if master.events:
            self._tell()
        self._arm(master.wake(), now)

    def refresh(self) -> None:
        """Poll those of our slaves that the registry knows, each by its product. What stays as it was is not disturbed."""
        directory = self._city.directory
        self._generation = directory.generation
        before = {member.device: member for member in self.members}
        members: list[Member] = []
        self.unusable = {}
        for slave in self.settings.slaves:
            placed = directory.device(slave.device)
            known = before.get(slave.device)
            if known is not None and placed is known.placed and not placed.retired:
                members.append(known)
                continue
            try:
                members.append(self._member(slave, placed))
            except ValueError as error:
                self.unusable[slave.device] = str(error)
                log.warning("%s: %s is not polled: %s", self.address, slave.device, error)
        if members != self.members:
            self._replace(members)

    def stop(self) -> None:
        """Drop the line; nothing more is asked."""
        self._ungate()
        self._disarm()
        line, self.line = self.line, None
        if line is not None:
            line.abort()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result("the gateway stops")

    def _member(self, slave: SlaveSettings, placed: Placed | None) -> Member:
        if placed is None or placed.retired:
            raise ValueError("the registry has no such device in service")
        product = self._city.catalog[placed.product]
        if product.modbus is None:
            raise ValueError(f"its product {product.id} declares no registers")
        units = slave.units_of(product.modbus)
        family = FAMILIES[product.family]
        stations = tuple(
            Station(units[module.name], module, family)
            for module in product.modbus.modules
            if module.name in units
        )
        period = slave.period / self._city.clock.speed
        return Member(slave.device, placed, product, units, Target(slave.device, stations, period))

    def _replace(self, members: list[Member]) -> None:
        """Another master for the same line, at a moment when nothing is outstanding."""
        _add(self.counters.before, self._master.counters)
        self.members = members
        self._master = self._new_master()
        self._unanswered = 0

    def _new_master(self) -> Master:
        limits = Limits(self.settings.timeout, max(self.settings.pause, self.settings.silent_interval))
        targets = [member.target for member in self.members]
        return Master(self._framing, targets, limits, self._city.clock.monotonic(), self._phase)

    def _tell(self) -> None:
        events, self._master.events = self._master.events, []
        for event in events:
            if isinstance(event, Carried):
                self._reply(event)
                continue
            member = self.members[event.place]
            if isinstance(event, Unheard):
                member.unheard += 1
                if member.unheard >= LOST_AFTER:
                    self._presence(member, online=False)
            else:
                member.unheard = 0
                self._presence(member, online=True)
                self._reading(member, event)
        self._city.inbox.arrived()

    def _reading(self, member: Member, event: Polled) -> None:
        if event.values or event.stale:
            document: dict[str, object] = {"v": event.stale | event.values}
            if event.stale:
                document["q"] = dict.fromkeys(event.stale, "no_comms")
            self._frame(member, "telemetry", _json(document))
        for fault in event.faults:
            topic = f"{self.address}/{member.device}"
            now = self._city.clock.now()
            self._city.inbox.frames.append(
                Frame(None, -1, _json(event.values), now, self, 0, topic, Reason.OUT_OF_RANGE, fault)
            )

    def _presence(self, member: Member, *, online: bool) -> None:
        if member.online is not online:
            member.online = online
            self._frame(member, "status", ONLINE if online else OFFLINE)

    def _reply(self, event: Carried) -> None:
        reply = Reply(event.id, event.result, event.error or None, dict(event.values))
        self._frame(self.members[event.place], "reply", encode_reply(reply))

    def _frame(self, member: Member, channel: str, payload: bytes) -> None:
        placed = member.placed
        lane = self._city.lanes(placed.product, placed.family, channel)
        topic = f"{self.address}/{member.device}"
        self._city.inbox.frames.append(
            Frame(lane, placed.index, payload, self._city.clock.now(), self, 0, topic)
        )

    def _arm(self, wake: float | None, now: float) -> None:
        """A timer that fires too early is cheaper than one that is set anew for each request."""
        if wake is None:
            wake = now + IDLE
        elif self._paused and not self._master.busy:
            wake = now + self.settings.silence
        if self._timer is not None:
            if self._armed <= wake:
                return
            self._timer.cancel()
        self._armed = wake
        self._timer = asyncio.get_running_loop().call_later(max(0.0, wake - now), self._rung)

    def _rung(self) -> None:
        self._timer = None
        self.pump()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pause(self) -> None:
        self._paused = True

    def _resume(self) -> None:
        self._paused = False
        self.pump()


def _add(total: Counters, more: Counters) -> None:
    total.requests += more.requests
    total.answers += more.answers
    total.exceptions += more.exceptions
    total.timeouts += more.timeouts
    total.overshoot = max(total.overshoot, more.overshoot)
