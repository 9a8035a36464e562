"""One device connection: the dialogue of MQTT's server side over one socket.

A violation of MQTT ends it; a bad payload never does. Nothing is awaited here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from msgspec import structs

from drivers.mqtt.codes import ProtocolError, ReasonCode, return_code, violation
from drivers.mqtt.packets import (
    V5,
    V311,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
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
    Will,
)
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import PINGRESP, encode
from gateway.clock import SECOND
from gateway.ingest.handshake import Agreement, agree, grant
from gateway.ingest.hub import Hub, Why
from gateway.ingest.sender import Sender
from gateway.ingest.session import Session
from gateway.ingest.uplink import ROUTES, Uplink

FIRST_LIMIT: Final = 65_536  # bytes of a CONNECT; larger packets are for who is known
FAILURE: Final = 0x80

CLOSING: Final = {
    Why.KEEPALIVE: ReasonCode.KEEP_ALIVE_TIMEOUT,
    Why.TAKEN_OVER: ReasonCode.SESSION_TAKEN_OVER,
    Why.EXPELLED: ReasonCode.ADMINISTRATIVE_ACTION,
    Why.STOPPED: ReasonCode.SERVER_SHUTTING_DOWN,
}


class Client(NamedTuple):
    """Who is at the other end, once CONNECT was accepted."""

    agreed: Agreement
    session: Session
    uplink: Uplink
    sender: Sender


class Connection(asyncio.Protocol):
    """A Peer of its hub and the Link of its session."""

    __slots__ = (
        "_client",
        "_hub",
        "_peer",
        "_reader",
        "_transport",
        "_will",
        "_will_delay",
        "keepalive",
        "last",
        "over",
    )

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._reader = Reader(min(FIRST_LIMIT, hub.settings.packet_limit))
        self._transport: asyncio.Transport | None = None
        self._client: Client | None = None
        self._will: Will | None = None
        self._will_delay = 0
        self._peer = ""
        self.last = 0
        self.keepalive = 0.0
        self.over = False

    @property
    def address(self) -> str:
        return f"mqtt:{self._client.agreed.principal.name if self._client else ''}@{self._peer}"

    @property
    def known(self) -> bool:
        return self._client is not None

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hub = self._hub
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are not, by type
        self.last = hub.clock.now()
        host, port, *_ = transport.get_extra_info("peername") or ("?", 0)
        self._peer = f"{host}:{port}"
        if len(hub.peers) >= hub.settings.connections:
            hub.counters.turned_away += 1
            self.over = True
            transport.abort()
            return
        hub.counters.accepted += 1
        hub.peers.add(self)
        transport.set_write_buffer_limits(high=hub.settings.write_limit)
        if hub.inbox.paused:
            self.pause()

    def data_received(self, data: bytes) -> None:
        if self.over:
            return
        hub = self._hub
        received = hub.clock.now()
        fault: ProtocolError | None = None
        try:
            packets = self._reader.feed(data)
        except ProtocolError as error:
            packets, fault = error.before, error
        if packets:
            hub.counters.packets += len(packets)
            try:
                self._take(packets, received)
            except ProtocolError as error:
                fault = error
            if hub.inbox.frames:
                hub.inbox.arrived()
        if self._client is not None:  # until then the time for CONNECT runs
            self.last = received
        if fault is not None and not self.over:
            self._violated(fault)

    def _take(self, packets: list[Packet], received: int) -> None:
        if self._client is None:
            first = packets.pop(0)
            assert isinstance(first, Connect)  # the reader saw to it
            self._connect(first)
        if self._client is not None and not self.over:
            self._client.uplink.take(packets, received)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end(Why.LOST)
        self._hub.peers.discard(self)

    def pause_writing(self) -> None:
        """Over the bound: the client does not read what it asked for."""
        if not self.over:
            self._hub.counters.not_reading += 1
            self._end(Why.NOT_READING)
            self.abort()

    # what the hub and the session call

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self, why: Why) -> None:
        self._leave(why, CLOSING[why], "")

    def taken_over(self) -> None:
        self._hub.counters.takeovers += 1
        self.close(Why.TAKEN_OVER)

    def send_commands(self) -> None:
        if self._client is not None:
            self._client.sender.send()

    def write(self, data: bytes) -> None:
        if self._transport is not None and data and not self.over:
            self._transport.write(data)

    def publish_will(self) -> None:
        """The last will, once, as a frame that nobody waits for."""
        will, self._will = self._will, None
        if will is not None and self._client is not None:
            self._hub.counters.wills += 1
            self._client.uplink.frame(will.topic, will.payload, self._hub.clock.now(), 0)
            self._hub.inbox.arrived()

    # the end

    def _violated(self, fault: ProtocolError) -> None:
        self._hub.counters.violations += 1
        if self._client is None and self._reader.version == V5:
            self._send(Connack(fault.code))
        elif fault.code is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
            self.write(encode(Connack(return_code(fault.code)), V311))
        self._leave(Why.VIOLATION, fault.code, fault.text)

    def _leave(self, why: Why, code: int, text: str) -> None:
        """Say why, as far as the version can, and close once that is written."""
        client = self._client
        if client is not None and self._reader.version == V5:
            spare = (
                not client.agreed.packet_limit
            )  # else the text might be what is too much (5.0 §3.14.2.2.3)
            self._send(Disconnect(code, Properties(reason_string=text if text and spare else None)))
        self._end(why)
        if self._transport is not None:
            self._transport.close()

    def _end(self, why: Why) -> None:
        """Once: from here on it neither speaks nor is spoken to."""
        if self.over:
            return
        self.over = True
        self.last = self._hub.clock.now()
        client = self._client
        if client is None:
            return
        if why in {Why.DISCONNECTED, Why.STOPPED}:
            self._will = None
        self._settle_will(client.session)
        if client.session.link is self:
            self._hub.sessions.leave(client.session)
        self._hub.leave(client.agreed.principal, self, why)

    def _settle_will(self, session: Session) -> None:
        """Now, or when its delay is over and the client has not come back (5.0 §3.1.3.2.2)."""
        delay = min(self._will_delay, session.expiry)
        if self._will is not None and delay:
            due = self._hub.clock.now() + int(delay * SECOND * self._hub.clock.speed)
            self._hub.wills[session.key] = due, self
        else:
            self.publish_will()

    def _send(self, packet: Packet) -> None:
        self.write(encode(packet, self._reader.version))

    # the dialogue

    def _connect(self, packet: Connect) -> None:
        hub = self._hub
        agreed = agree(packet, hub.settings, hub.directory)
        if isinstance(agreed, ReasonCode):
            self._refuse(agreed)
            return
        rival = hub.sessions.find(agreed.principal.name, agreed.client_id)
        if rival is not None and rival.link is not None:
            if not hub.sessions.takes_over(rival):
                hub.counters.clones += 1
                hub.listener.cloned(agreed.principal)
                self._refuse(ReasonCode.CONNECTION_RATE_EXCEEDED)
                return
            rival.link.taken_over()
        session, present = hub.sessions.open(
            agreed.principal, agreed.client_id, agreed.expiry, packet.clean_start
        )
        if rival is not None:
            session.takeovers = rival.takeovers
        self._will_of_before(session, present)
        self._welcome(packet, agreed, session, present)

    def _will_of_before(self, session: Session, present: bool) -> None:
        """A delayed will is void when its client comes back to its session, due when the session is gone."""
        delayed = self._hub.wills.pop(session.key, None)
        if delayed is not None and not present:
            delayed[1].publish_will()

    def _welcome(self, packet: Connect, agreed: Agreement, session: Session, present: bool) -> None:
        version = packet.version
        uplink = Uplink(self._hub, agreed.principal, session, version, self)
        sender = Sender(self._hub, session, agreed, version, self.write)
        self._client = Client(agreed, session, uplink, sender)
        self.keepalive = agreed.keepalive
        self._will = packet.will
        if packet.will is not None:
            self._will_delay = packet.will.properties.will_delay or 0
        session.link = self
        self._reader.limit = self._hub.settings.packet_limit
        if agreed.principal.kind == "source":
            self._reader.topics = ROUTES
        answer = agreed.answer
        if not session.expiry and agreed.expiry:
            answer = structs.replace(answer, session_expiry=0)
        self._hub.enter(agreed.principal, self)
        self._send(Connack(0, present, answer) if version == V5 else Connack(0, present))
        sender.send_again()
        sender.send()

    def _refuse(self, code: ReasonCode) -> None:
        self._hub.counters.refused += 1
        self._send(Connack(code if self._reader.version == V5 else return_code(code)))
        self._leave(Why.VIOLATION, code, "")

    def handle(self, packet: Packet) -> None:
        """A packet of a known client that is not PUBLISH; raises ProtocolError."""
        assert self._client is not None
        _HANDLE[type(packet)](self, self._client, packet)

    def _ping(self, _client: Client, _packet: Pingreq) -> None:
        self.write(PINGRESP)

    def _acknowledged(self, client: Client, packet: Puback) -> None:
        client.sender.acknowledged(packet.packet_id)

    def _received(self, _client: Client, packet: Pubrec) -> None:
        """Of a publish at QoS 2, which we never send."""
        code = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if self._reader.version == V5 else 0
        self._send(Pubrel(packet.packet_id, code))

    def _released(self, client: Client, packet: Pubrel) -> None:
        found = client.uplink.release(packet.packet_id)
        code = 0 if found or self._reader.version != V5 else ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
        self._send(Pubcomp(packet.packet_id, code))

    def _completed(self, _client: Client, _packet: Pubcomp) -> None:
        """Ends an exchange that we did not begin."""

    def _subscribe(self, client: Client, packet: Subscribe) -> None:
        if packet.properties.subscription_ids:
            raise ProtocolError(
                ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "a subscription identifier"
            )
        codes = tuple(self._granted(client, wanted) for wanted in packet.subscriptions)
        if self._reader.version != V5:
            codes = tuple(min(code, FAILURE) for code in codes)
        self._send(Suback(packet.packet_id, codes))

    def _granted(self, client: Client, wanted: Subscription) -> int:
        code = grant(wanted, client.agreed.principal, self._hub.directory)
        if code >= FAILURE:
            return code
        known = client.session.subscriptions
        if wanted.filter not in known and len(known) >= self._hub.settings.subscriptions:
            return ReasonCode.QUOTA_EXCEEDED
        self._hub.sessions.subscribe(client.session, wanted.filter, code)
        return code

    def _unsubscribe(self, client: Client, packet: Unsubscribe) -> None:
        codes = tuple(
            0
            if self._hub.sessions.unsubscribe(client.session, pattern)
            else ReasonCode.NO_SUBSCRIPTION_EXISTED
            for pattern in packet.filters
        )
        self._send(Unsuback(packet.packet_id, codes if self._reader.version == V5 else ()))

    def _disconnect(self, client: Client, packet: Disconnect) -> None:
        expiry = packet.properties.session_expiry
        if expiry is not None:
            if expiry and not client.session.expiry:
                raise violation("a session expiry that CONNECT did not ask for")
            client.session.expiry = min(expiry, self._hub.settings.session_expiry)
        self._end(Why.DISCONNECTED if packet.code == 0 else Why.LOST)
        if self._transport is not None:
            self._transport.close()

    def _authenticate(self, _client: Client, _packet: Auth) -> None:
        raise violation("AUTH, and no method was agreed")


_HANDLE: Final[dict[type, Callable[[Connection, Client, Any], None]]] = {
    Pingreq: Connection._ping,  # noqa: SLF001 - the class's own table
    Puback: Connection._acknowledged,  # noqa: SLF001
    Pubrec: Connection._received,  # noqa: SLF001
    Pubrel: Connection._released,  # noqa: SLF001
    Pubcomp: Connection._completed,  # noqa: SLF001
    Subscribe: Connection._subscribe,  # noqa: SLF001
    Unsubscribe: Connection._unsubscribe,  # noqa: SLF001
    Disconnect: Connection._disconnect,  # noqa: SLF001
    Auth: Connection._authenticate,  # noqa: SLF001
}
