"""One device connection: a socket, what is read from it and how fast, and how it ends.

A violation of MQTT ends it; a bad payload never does. Nothing is awaited here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from msgspec import structs

from drivers.mqtt.codes import ProtocolError, ReasonCode, return_code
from drivers.mqtt.packets import V5, V311, Connack, Connect, Disconnect, Packet, Properties, Will
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode
from gateway.clock import SECOND
from gateway.ingest.admission import Socket, Verdict
from gateway.ingest.buckets import Pace
from gateway.ingest.certificates import Proof
from gateway.ingest.dialogue import Dialogue
from gateway.ingest.entry import judge, too_much
from gateway.ingest.handshake import Agreement
from gateway.ingest.hub import Hub, Why
from gateway.ingest.sender import Sender
from gateway.ingest.session import Session
from gateway.ingest.uplink import Uplink

FIRST_LIMIT: Final = 65_536  # bytes of a CONNECT; larger packets are for who is known

CLOSING: Final = {
    Why.KEEPALIVE: ReasonCode.KEEP_ALIVE_TIMEOUT,
    Why.TAKEN_OVER: ReasonCode.SESSION_TAKEN_OVER,
    Why.EXPELLED: ReasonCode.ADMINISTRATIVE_ACTION,
    Why.STOPPED: ReasonCode.SERVER_SHUTTING_DOWN,
    Why.TOO_FAST: ReasonCode.MESSAGE_RATE_TOO_HIGH,
    Why.TOO_SLOW: ReasonCode.UNSPECIFIED_ERROR,
    Why.REVOKED: ReasonCode.NOT_AUTHORIZED,
}


class Connection(asyncio.Protocol):
    """A Peer of its hub and the Link of its session.

    door: who was admitted for it, where that was another (TLS). `begun` and `last`: see Peer.
    """

    __slots__ = (
        "_address",
        "_client",
        "_door",
        "_held",
        "_hub",
        "_paces",
        "_port",
        "_proof",
        "_reader",
        "_timer",
        "_transport",
        "_will",
        "_will_delay",
        "begun",
        "keepalive",
        "last",
        "over",
    )

    def __init__(self, hub: Hub, door: Socket | None = None) -> None:
        self._hub = hub
        self._door = door
        self._reader = Reader(min(FIRST_LIMIT, hub.settings.packet_limit), topics=1, first=True)
        self._transport: asyncio.Transport | None = None
        self._client: Dialogue | None = None
        self._will: Will | None = None
        self._will_delay = 0
        self._address = ""
        self._port = 0
        self._proof: Proof | None = None
        self._paces: tuple[Pace, ...] = ()
        self._held = False  # not read, because it sent too much or guessed wrong
        self._timer: asyncio.TimerHandle | None = None
        self.begun = 0
        self.last = 0
        self.keepalive = 0.0
        self.over = False

    @property
    def address(self) -> str:
        name = self._client.agreed.principal.name if self._client else ""
        return f"mqtt:{name}@{self._address}:{self._port}"

    @property
    def known(self) -> bool:
        return self._client is not None

    @property
    def revoked(self) -> bool:
        certificates = self._hub.certificates
        return self._proof is not None and certificates is not None and certificates.revoked(self._proof)

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hub = self._hub
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are not, by type
        self.last = hub.clock.now()
        self._address, self._port, *_ = transport.get_extra_info("peername") or ("?", 0)
        verdict = Verdict.ENTER if self._door else hub.admission.admit(self._address, self, hub.real())
        if verdict is Verdict.LEAVE:
            self.over = True
            transport.abort()
            return
        hub.peers.add(self)
        if verdict is Verdict.WAIT:
            self.over = True
            self._hold(hub.settings.limits.penalty, transport.abort)
            return
        hub.counters.accepted += 1
        transport.set_write_buffer_limits(high=hub.settings.write_limit)
        if hub.certificates is not None:
            certificate = transport.get_extra_info("ssl_object")
            der = certificate.getpeercert(binary_form=True) if certificate is not None else None
            self._proof = hub.certificates.proof(der) if der else None

    def data_received(self, data: bytes) -> None:
        """Also called by the hub, for what it had put aside."""
        hub, client = self._hub, self._client
        if self.over:
            self.pause()  # what `connection_made` stopped, the loop begins again
            return
        if hub.inbox.paused:
            hub.put_aside(self, data)
            return
        received = hub.clock.now()
        fault: ProtocolError | None = None
        count = 0
        try:
            count = (
                client.uplink.read(self._reader, data, received) if client else self._first(data, received)
            )
        except ProtocolError as error:
            fault = error
        self.last = received if client else self.last  # until it is known the time for CONNECT runs
        hub.counters.packets += count
        if hub.inbox.frames:
            hub.inbox.arrived()
        self.begun = (self.begun if self.begun and not count else received) if self._reader.tail else 0
        if fault is not None and not self.over:
            self._violated(fault)
        self._pay(count, len(data), received)

    def _first(self, data: bytes, received: int) -> int:
        """CONNECT, which comes alone."""
        packets = self._reader.feed(data)
        if not packets:
            return 0
        first = packets[0]
        assert isinstance(first, Connect)  # the reader saw to it
        self._connect(first)
        if self._client is not None:
            self.last = received
        return 1

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end(Why.LOST)
        if self._timer is not None:
            self._timer.cancel()
        self._hub.peers.discard(self)
        self._hub.admission.gone(self._door or self)

    def pause_writing(self) -> None:
        """Over the bound: the client does not read what it asked for."""
        if not self.over:
            self._hub.counters.not_reading += 1
            self._end(Why.NOT_READING)
            self.abort()

    # how fast it is read

    def _pay(self, packets: int, size: int, now: int) -> None:
        for pace in self._paces:
            if over := pace.spend(packets, size, now):
                self._slow_down(over, now, pace)
        if self._reader.more and not self._held:
            self._hold(0.0, self._release)

    def _slow_down(self, over: int, now: int, pace: Pace) -> None:
        """Not read until what it sent is paid for; ended where that is far too much."""
        limits, counters = self._hub.settings.limits, self._hub.counters
        if self.over:
            return
        if over + pace.price(self._reader.more) > limits.hard * limits.burst * SECOND:
            counters.too_fast += 1
            self.close(Why.TOO_FAST)
        elif not self._held:
            counters.slowed += 1
            self.last = now + over
            self._hold(over / SECOND / self._hub.clock.speed, self._release)

    def _hold(self, seconds: float, then: Callable[[], None]) -> None:
        self._held = True
        self.pause()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _release(self) -> None:
        self._held = False
        self.begun = self._hub.clock.now() if self.begun else 0
        if self._reader.more:
            self.data_received(b"")
        if not self._held:
            self._hub.let(self)

    # what the hub and the session call

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._held and not self._transport.is_closing():
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

    def send(self, packet: Packet) -> None:
        self.write(encode(packet, self._reader.version))

    def handle(self, packet: Packet) -> None:
        """A packet of a known client that is not PUBLISH; raises ProtocolError."""
        assert self._client is not None
        self._client.handle(packet)

    def publish_will(self) -> None:
        """The last will, once, as a frame that nobody waits for."""
        will, self._will = self._will, None
        if will is not None and self._client is not None:
            self._hub.counters.wills += 1
            self._client.uplink.frame(will.topic, will.payload, self._hub.clock.now(), 0)
            self._hub.inbox.arrived()

    # the end

    def disconnected(self, code: int) -> None:
        self._end(Why.DISCONNECTED if code == 0 else Why.LOST)
        if self._transport is not None:
            self._transport.close()

    def _violated(self, fault: ProtocolError) -> None:
        self._hub.counters.violations += 1
        if self._client is None and self._reader.version == V5:
            self.send(Connack(fault.code))
        elif fault.code is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
            self.write(encode(Connack(return_code(fault.code)), V311))
        penalty = self._hub.settings.limits.penalty
        if self._client is None and penalty:  # who would come again at once has to wait for that
            self._end(Why.VIOLATION)
            self._hold(penalty, self.abort)
        else:
            self._leave(Why.VIOLATION, fault.code, fault.text)

    def _leave(self, why: Why, code: int, text: str) -> None:
        """Say why, as far as the version can, and close once that is written."""
        client = self._client
        if client is not None and self._reader.version == V5:
            spare = (
                not client.agreed.packet_limit
            )  # else the text might be what is too much (5.0 §3.14.2.2.3)
            self.send(Disconnect(code, Properties(reason_string=text if text and spare else None)))
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

    # CONNECT

    def _connect(self, packet: Connect) -> None:
        hub = self._hub
        agreed = judge(hub, packet, self._proof)
        if isinstance(agreed, ReasonCode):
            hub.stranger(packet.username or packet.client_id, f"mqtt:{self._address}:{self._port}")
            self._refuse_in_time(agreed, packet)
            return
        rival = hub.sessions.find(agreed.principal.name, agreed.client_id)
        refused = too_much(hub, agreed, rival)
        if refused is not None:
            self._refuse(refused)
            return
        if rival is not None and rival.link is not None:
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
        hub, version = self._hub, packet.version
        uplink = Uplink(hub, agreed.principal, session, version, self)
        sender = Sender(hub, session, agreed, version, self.write)
        self._client = Dialogue(hub, self, agreed, session, uplink, sender, version)
        hub.admission.proved(self._door or self)
        self.keepalive = agreed.keepalive
        self._will = packet.will
        if packet.will is not None:
            self._will_delay = packet.will.properties.will_delay or 0
        session.link = self
        self._reader.limit = hub.settings.packet_limit
        answer = agreed.answer
        if not session.expiry and agreed.expiry:
            answer = structs.replace(answer, session_expiry=0)
        hub.enter(agreed.principal, self)
        self._paces = hub.paces(agreed.principal)
        self.send(Connack(0, present, answer) if version == V5 else Connack(0, present))
        sender.send_again()
        sender.send()

    def _refuse_in_time(self, code: ReasonCode, packet: Connect) -> None:
        """A wrong password is answered late once there were too many."""
        hub, wait = self._hub, 0.0
        if code is ReasonCode.BAD_USER_NAME_OR_PASSWORD:
            wait = min(hub.logins.failed(packet.username or "", self._address), hub.logins.settings.delay)
        if not wait:
            self._refuse(code)
            return
        hub.counters.late_refusals += 1
        self._hold(wait, partial(self._refuse, code))

    def _refuse(self, code: ReasonCode) -> None:
        if self.over:
            return
        self._hub.counters.refused += 1
        self.send(Connack(code if self._reader.version == V5 else return_code(code)))
        self._leave(Why.VIOLATION, code, "")
