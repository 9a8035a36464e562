"""One connection of a broker link: MQTT's client side over one socket, from CONNECT to its end. Decides, then writes.

A short read is followed by a rest: a broker that finds its subscriber idle sends every message by itself, at ten times
the cost. A full inbox stops the reading (law 5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from drivers.mqtt.codes import ProtocolError, ReasonCode, violation
from drivers.mqtt.packets import (
    NONE,
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Properties,
    Puback,
    Pubcomp,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import PINGREQ, encode
from gateway.errors import LinkError
from gateway.ingest.link_broker import FAILURE, WATCHED
from gateway.ingest.link_downlinks import Downlinks
from gateway.ingest.link_routes import REMEMBERED
from gateway.ingest.link_session import Downlink, LinkSession
from gateway.ingest.link_settings import LinkSettings
from gateway.ingest.link_uplink import LinkUplink

SHORT: Final = 65_536  # bytes of a read that is worth the next one at once
BEATS: Final = 3  # looks at the line in one keepalive
OLD_REFUSAL: Final = b"\x20\x02\x00\x01"  # CONNACK of a broker that has no MQTT 5 (3.1.1 §3.2.2.3)
LEAVING: Final = 100  # looks, 10 ms apart, at whether all is settled
LINGER: Final = 2.0  # seconds for the last bytes


class LinkConnection(asyncio.Protocol):
    """`up` resolves once subscribed, or with LinkError; `ended` with why, once it is over."""

    def __init__(self, session: LinkSession) -> None:
        self._session = session
        self._five = session.version == V5
        self._reader = Reader(session.settings.packet_limit, session.version, topics=REMEMBERED)
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.up: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.over = False
        self.code = 0  # the broker's reason for the end
        self.uplink = LinkUplink(session, self)
        self._downlinks: Downlinks | None = None  # once CONNACK accepted us
        self._why = "the connection was lost"
        self._asked: dict[int, tuple[str, ...]] = {}  # filters of a SUBSCRIBE, by packet identifier
        self._granted = False
        self._dropping = 0  # packet identifier of an UNSUBSCRIBE under way
        self._held = False
        self._resting = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._beat_every = session.settings.keepalive / BEATS
        self._silent = 0  # beats since bytes came
        self._spoke = False

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not, by type
        if self.over:
            transport.close()
            return
        self._send(_connect(self._session.settings, self._session.version))
        self._later("beat", self._beat_every, self._beat)

    def data_received(self, data: bytes) -> None:
        if self.over:
            return
        self._silent = 0
        if self._downlinks is None and self._five and data.startswith(OLD_REFUSAL):
            self._no_mqtt_5()
            return
        fault: ProtocolError | None = None
        try:
            packets = self._reader.feed(data)
        except ProtocolError as error:
            packets, fault = error.before, error
        if packets:
            try:
                self._take(packets)
            except ProtocolError as error:
                fault = error
        if fault is not None and not self.over:
            self._leave(f"the broker broke MQTT: {fault.text}", fault.code)
        elif len(data) < SHORT:
            self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"{self._why}: {exc}" if exc is not None else self._why)
        for timer in self._timers.values():
            timer.cancel()

    def _take(self, packets: list[Packet]) -> None:
        if self._downlinks is None and type(packets[0]) is not Connack:
            raise violation("the first packet is not CONNACK")
        self.uplink.take(packets, self._session.clock.now())
        self._session.inbox.arrived()

    # reading and not reading

    def pause(self) -> None:
        """The inbox is full."""
        self._held = True
        self._read_on()

    def resume(self) -> None:
        self._held = False
        self._silent = 0
        self._read_on()

    def _rest(self) -> None:
        seconds = self._session.settings.coalesce_ms / 1000
        if seconds and self.up.done() and not self.over:
            self._resting = True
            self._read_on()
            self._later("rest", seconds, self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._read_on()

    def _read_on(self) -> None:
        """Nothing stops the reading before it is up: the handshake has its time-out."""
        transport = self._transport
        if transport is None or transport.is_closing() or not self.up.done():
            return
        if self._held or self._resting:
            transport.pause_reading()
        else:
            transport.resume_reading()

    # the dialogue

    def handle(self, packet: Packet) -> None:
        """Anything but PUBLISH; raises ProtocolError."""
        handle = _HANDLE.get(type(packet))
        if handle is not None:
            handle(self, packet)

    def _welcomed(self, packet: Connack) -> None:
        if self._downlinks is not None:
            raise violation("CONNACK twice")
        if packet.code:
            self._refused(packet)
            return
        session = self._session
        self._downlinks = Downlinks(session, packet.properties, self.write)
        if packet.properties.server_keepalive:
            self._timers["beat"].cancel()
            self._beat_every = packet.properties.server_keepalive / BEATS
            self._later("beat", self._beat_every, self._beat)
        session.broker.welcomed(packet, version=session.version)
        session.opened(present=packet.session_present)
        self._downlinks.send_again(dup=packet.session_present)
        if session.subscribed:
            self._ready()
        else:
            self._subscribe(packet.session_present)

    def _refused(self, packet: Connack) -> None:
        self.code = packet.code
        if not self._five:
            self._leave(f"the broker refuses us: return code {packet.code}")
        elif packet.code == ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
            self._no_mqtt_5()
        else:
            self._leave(f"the broker refuses us: {_said(packet.code, packet.properties)}")

    def _no_mqtt_5(self) -> None:
        self._session.version = V311
        self._leave("the broker has no MQTT 5")

    def _subscribe(self, present: bool) -> None:
        settings, filters = self._session.settings, self._session.filters
        filters.ended = not present  # a new session has none of them
        if present and filters.gone:
            self._dropping = self._session.next_id()
            self._send(Unsubscribe(self._dropping, filters.gone))
        self._ask(settings.subscriptions, settings.qos)
        if settings.watch:
            self._ask(WATCHED, 0)

    def _ask(self, filters: tuple[str, ...], qos: int) -> None:
        """MQTT 5: not what we publish ourselves, and of stored messages only what the broker says of itself."""
        packet_id = self._session.next_id()
        self._asked[packet_id] = filters
        plain = not self._five or filters is WATCHED
        wanted = [
            Subscription(pattern, qos)
            if plain
            else Subscription(pattern, qos, no_local=not pattern.startswith("$share/"), retain_handling=2)
            for pattern in filters
        ]
        self._send(Subscribe(packet_id, tuple(wanted)))

    def _subscribed(self, packet: Suback) -> None:
        filters = self._asked.pop(packet.packet_id, WATCHED)
        if filters is WATCHED:  # of use where it is granted
            return
        refused = self._session.broker.subscribed(filters, packet)
        if len(refused) == len(filters):
            self._leave("the broker refuses every subscription")
            return
        self._session.subscribed = not refused  # else asked for again with the next connection
        self._granted = True
        if not self._dropping:
            self._ready()

    def _unsubscribed(self, packet: Unsuback) -> None:
        """3.1.1 has no codes: it can only be so."""
        if packet.packet_id != self._dropping:
            return
        self._dropping = 0
        self._session.filters.ended = all(code < FAILURE for code in packet.codes)
        if self._granted:
            self._ready()

    def _ready(self) -> None:
        self._session.counters.connections += 1
        self.up.set_result(None)
        self._held = self._session.inbox.paused
        self._read_on()

    def _acknowledged(self, packet: Puback) -> None:
        if self._downlinks is not None:
            self._downlinks.acknowledged(packet)

    def _not_ours(self, packet: Pubrec) -> None:
        """Of a publish at QoS 2, which we never send."""
        self._send(Pubrel(packet.packet_id, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if self._five else 0))

    def _released(self, packet: Pubrel) -> None:
        committed = self._session.committed
        code = 0
        if packet.packet_id in committed:
            committed.remove(packet.packet_id)
        elif self._five:
            code = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
        self._send(Pubcomp(packet.packet_id, code))

    def _dismissed(self, packet: Disconnect) -> None:
        self.code = packet.code
        self._leave(f"the broker ended it: {_said(packet.code, packet.properties)}", say=False)

    # speaking

    def send(self, downlink: Downlink) -> bool:
        """Whether the command is on its way to the broker."""
        up = self._downlinks is not None and self.up.done() and not self.over
        return up and cast("Downlinks", self._downlinks).send(downlink)

    def write(self, data: bytes) -> None:
        if data and not self.over and self._transport is not None:
            self._spoke = True
            self._transport.write(data)

    def _send(self, packet: Packet) -> None:
        self.write(encode(packet, self._session.version, server=False))

    def _beat(self) -> None:
        """Speak up where either side is silent; give up on a broker that does not answer. Unread bytes prove nothing."""
        self._silent = 0 if self._held else self._silent + 1
        if self._silent > BEATS:
            self._why = f"the broker was silent for {self._beat_every * BEATS:.0f} s"
            self.abort()
            return
        if self.up.done():
            self._session.broker.advise()
            if self._silent > 1 or not self._spoke:
                self.write(PINGREQ)
        self._spoke = False
        self._later("beat", self._beat_every, self._beat)

    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_later(seconds, call)

    # the end

    def abort(self) -> None:
        """Cut it."""
        self._end(self._why)
        if self._transport is not None:
            self._transport.abort()

    async def leave(self) -> None:
        """Read no more, acknowledge what is being committed (within a second), say good-bye. The session stays."""
        self.pause()
        for _ in range(LEAVING):
            if self.over or not self.uplink.unsettled:
                break
            await self._session.clock.sleep(0.01)
        if not self.over:
            self._leave("we left")

    def _leave(self, why: str, code: int = 0, *, say: bool = True) -> None:
        if say and self._downlinks is not None:
            self._send(Disconnect(code if self._five else 0))
        self._end(why)
        if self._transport is not None:
            self._transport.close()
            self._later("linger", LINGER, self._transport.abort)

    def _end(self, why: str) -> None:
        """Once: from here on it neither speaks nor is spoken to."""
        if self.over:
            return
        self.over = True
        for timer in self._timers.values():
            timer.cancel()
        if not self.up.done():
            self.up.set_exception(LinkError(why))
            self.up.exception()  # it is raised where it is awaited; nobody has to
        self.ended.set_result(why)


def _connect(settings: LinkSettings, version: int) -> Connect:
    found = NONE
    if version == V5:
        found = Properties(
            session_expiry=settings.session_expiry,
            receive_maximum=settings.receive_maximum,
            maximum_packet_size=settings.packet_limit,
        )
    return Connect(
        settings.client,
        version,
        clean_start=False,
        keepalive=settings.keepalive,
        username=settings.username,
        password=None if settings.password is None else settings.password.get_secret_value().encode(),
        properties=found,
    )


def _said(code: int, found: Properties) -> str:
    more = "".join(f" ({each})" for each in (found.reason_string, found.server_reference) if each)
    return f"0x{code:02x} {ReasonCode(code).name.lower().replace('_', ' ')}{more}"


_HANDLE: Final[dict[type, Callable[[LinkConnection, Any], None]]] = {
    Connack: LinkConnection._welcomed,  # noqa: SLF001 - its own table, here and below
    Suback: LinkConnection._subscribed,  # noqa: SLF001
    Unsuback: LinkConnection._unsubscribed,  # noqa: SLF001
    Puback: LinkConnection._acknowledged,  # noqa: SLF001
    Pubrec: LinkConnection._not_ours,  # noqa: SLF001
    Pubrel: LinkConnection._released,  # noqa: SLF001
    Disconnect: LinkConnection._dismissed,  # noqa: SLF001
}
