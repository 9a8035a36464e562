"""From a broker's PUBLISH to a frame, and from the settled frame back to its acknowledgement (laws 1 and 4).

Acknowledgements of one connection never leave by another: there the broker sends again what it still waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from drivers.lorawan import topics as network
from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import NONE, V5, Packet, Publish
from drivers.mqtt.writer import pubacks, pubrec
from drivers.refusal import Reason, Refusal, Refused
from gateway.ingest.inbox import Frame
from gateway.ingest.link_broker import SYSTEM
from gateway.ingest.link_session import LinkSession
from gateway.ingest.uplink import CODES, QOS_2, QUARANTINED


class Line(Protocol):
    """The connection under an uplink."""

    @property
    def over(self) -> bool: ...

    def write(self, data: bytes) -> None:
        """Goes nowhere once the connection is over."""

    def handle(self, packet: Packet) -> None:
        """A packet that is not PUBLISH; raises ProtocolError."""


class LinkUplink:
    """The Origin of a connection's frames. Tokens are packet identifiers, those of QoS 2 marked."""

    def __init__(self, session: LinkSession, line: Line) -> None:
        settings = session.settings
        self.address = f"link:{settings.name}@{settings.host}:{settings.port}"
        self.unsettled = 0
        self._session = session
        self._limit = settings.payload_limit
        self._five = session.version == V5
        self._line = line

    def take(self, packets: Sequence[Packet], received: int) -> None:
        """All packets of one read, in order. ProtocolError where one breaks MQTT. Known topics at QoS 1 are the hot path."""
        session = self._session
        session.routes.refresh()
        frames, limit = session.inbox.frames, self._limit
        append, route_of, before = frames.append, session.routes.known.get, len(frames)
        for packet in packets:
            if type(packet) is Publish:
                if packet.qos == 1 and packet.properties is NONE and not packet.retain:
                    route = route_of(packet.topic)
                    if route is not None and len(packet.payload) <= limit:
                        lane, index = route
                        append(
                            Frame(lane, index, packet.payload, received, self, packet.packet_id, packet.topic)
                        )
                        self.unsettled += 1
                        session.counters.repeated += packet.dup
                        continue
                self._publish(packet, received)
            else:
                self._line.handle(packet)
                if self._line.over:
                    break
        session.counters.received += len(frames) - before

    def _publish(self, packet: Publish, received: int) -> None:
        session = self._session
        if packet.retain or packet.topic.startswith(SYSTEM):
            self._aside(packet)
            return
        session.counters.repeated += packet.dup
        if packet.qos == 2:
            if packet.dup and packet.packet_id in session.committed:
                self._line.write(pubrec(packet.packet_id))
                return
            session.committed.discard(packet.packet_id)  # the broker has begun anew
        self._frame(packet, received)

    def _aside(self, packet: Publish) -> None:
        """What is no reading: the broker's word on itself, or a stored copy of a message that was live once."""
        if packet.topic.startswith(SYSTEM):
            self._session.broker.heard(packet.topic, packet.payload)
        else:
            self._session.counters.retained += 1
        if packet.qos:
            self._line.write(self._settled(_token(packet), 0))

    def _frame(self, packet: Publish, received: int) -> None:
        """One payload for the inbox, with a verdict where it has no way."""
        token, topic, payload = _token(packet), packet.topic, packet.payload
        self.unsettled += token > 0
        try:
            self._check_size(payload)
            if network.fate(topic) is not None:
                self._session.routes.servers.tell(topic, payload)
                self._done(token)
                return
            lane, index = self._session.routes.find(topic, payload)
        except Refused as refused:
            kept = payload[:QUARANTINED]
            why = refused.reason, refused.detail, refused.who
            frame = Frame(None, -1, kept, received, self, token, topic, *why)
        else:
            frame = Frame(lane, index, payload, received, self, token, topic)
        self._session.inbox.frames.append(frame)

    def _done(self, token: int) -> None:
        """What history need not hold is settled at once."""
        if token:
            self.settle((token,), {})

    def _check_size(self, payload: bytes) -> None:
        if len(payload) > self._limit:
            raise Refused(Reason.OVERSIZE, f"a payload of {len(payload)} bytes, the limit is {self._limit}")

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """Acknowledge, all in one write, in order; nothing where the connection is over."""
        self.unsettled -= len(tokens)
        if self._line.over:
            return
        self._session.counters.acked += len(tokens)
        if not refused and max(tokens) < QOS_2:
            self._line.write(pubacks(tokens))
        else:
            self._line.write(
                b"".join([self._settled(token, self._code(refused.get(token))) for token in tokens])
            )

    def _code(self, refusal: Refusal | None) -> int:
        if refusal is None or not self._five:
            return 0
        return CODES.get(refusal.reason, ReasonCode.PAYLOAD_FORMAT_INVALID)

    def _settled(self, token: int, code: int) -> bytes:
        if token < QOS_2:
            return pubacks((token,), {token: code})
        packet_id = token - QOS_2
        if not code:  # a refusing PUBREC ends the exchange (5.0 §4.3.3)
            self._session.committed.add(packet_id)
        return pubrec(packet_id, code)


def _token(packet: Publish) -> int:
    return packet.packet_id + QOS_2 * (packet.qos == 2)
