"""From a client's PUBLISH to a frame, and from the settled frame back to its acknowledgement (laws 1 and 4).

Known topics at QoS 1 are the hot path. QoS 2 is exactly once by packet identifier while the session lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from drivers.lorawan import topics as network
from drivers.mqtt.codes import ProtocolError, ReasonCode, violation
from drivers.mqtt.packets import V5, Packet, Publish
from drivers.mqtt.reader import Reader, Shortcut
from drivers.mqtt.writer import pubacks, pubrec
from drivers.refusal import Reason, Refusal, Refused
from gateway.ingest.hub import Hub
from gateway.ingest.inbox import Frame, Lane
from gateway.ingest.lorawan import ENDPOINT
from gateway.ingest.session import Link, Principal, Session

MOST: Final = 256  # packets other than known telemetry that are taken in one go
QUARANTINED: Final = 4_096  # bytes of a refused payload that are kept
ROUTES: Final = 65_536  # topics whose way is remembered
QOS_2: Final = 0x10000  # added to the packet identifier in a token

# 5.0 §3.4.2.1: what PUBACK and PUBREC may say of a refusal; "payload format invalid" of those not listed.
CODES: Final = {
    Reason.UNKNOWN_DEVICE: ReasonCode.NOT_AUTHORIZED,
    Reason.FOREIGN_TOPIC: ReasonCode.NOT_AUTHORIZED,
    Reason.UNKNOWN_TOPIC: ReasonCode.TOPIC_NAME_INVALID,
    Reason.TOPIC_TOO_LONG: ReasonCode.TOPIC_NAME_INVALID,
    Reason.OVERSIZE: ReasonCode.QUOTA_EXCEEDED,
    Reason.TOO_MANY: ReasonCode.QUOTA_EXCEEDED,
    Reason.CONFLICT: ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
    Reason.NO_REPLY_EXPECTED: ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
}


class Line(Link, Protocol):
    """The connection under an uplink. What is written after its end goes nowhere."""

    @property
    def address(self) -> str: ...

    @property
    def over(self) -> bool: ...

    def handle(self, packet: Packet) -> None:
        """A packet that is not PUBLISH; raises ProtocolError."""


class Uplink:
    """The Origin of a connection's frames. Tokens are packet identifiers, those of QoS 2 marked."""

    __slots__ = (
        "_aliases",
        "_five",
        "_generation",
        "_hub",
        "_line",
        "_principal",
        "_received",
        "_session",
        "_short",
        "_unsettled",
    )

    def __init__(self, hub: Hub, principal: Principal, session: Session, version: int, line: Line) -> None:
        self._hub = hub
        self._principal = principal
        self._session = session
        self._five = version == V5
        self._line = line
        limit = min(hub.settings.packet_limit - 4, hub.settings.payload_limit)
        self._short = Shortcut(Frame, self, self.other, limit, MOST)
        self._generation = -1
        self._aliases: dict[int, str] = {}
        self._received = 0
        self._unsettled = 0  # at QoS 1

    @property
    def address(self) -> str:
        return self._line.address

    def read(self, reader: Reader, data: bytes, received: int) -> int:
        """All packets of one read, in order, until the line is over; how many. ProtocolError where one breaks MQTT."""
        hub, short = self._hub, self._short
        if hub.directory.generation != self._generation:
            self._generation = hub.directory.generation
            short.routes.clear()
        self._received = received
        before = short.made
        count = reader.feed_frames(data, short, hub.inbox.frames.append, received)
        self._unsettled += short.made - before
        if self._five:
            self._check_window()
        return count

    def other(self, packet: Packet) -> bool:
        """A packet that is no known telemetry; whether the line is over now."""
        if type(packet) is Publish:
            self._publish(packet, self._received)
        else:
            self._line.handle(packet)
        return self._line.over

    def _check_window(self) -> None:
        under_way = self._unsettled + len(self._session.received)
        if under_way > self._hub.settings.receive_maximum:
            raise ProtocolError(ReasonCode.RECEIVE_MAXIMUM_EXCEEDED, f"{under_way} publishes under way")

    def _publish(self, packet: Publish, received: int) -> None:
        topic = packet.topic
        token = packet.packet_id
        if packet.properties.topic_alias is not None:
            topic = self._aliased(packet.properties.topic_alias, topic)
        if packet.qos == 1:
            self._unsettled += 1
        if packet.qos == 2:
            if self._known(packet.packet_id):
                return
            token += QOS_2
        self.frame(topic, packet.payload, received, token)

    def _aliased(self, alias: int, topic: str) -> str:
        if alias > self._hub.settings.topic_aliases:
            raise ProtocolError(ReasonCode.TOPIC_ALIAS_INVALID, f"topic alias {alias}")
        if topic:
            self._aliases[alias] = topic
        elif alias not in self._aliases:
            raise violation(f"topic alias {alias} stands for nothing yet")
        return self._aliases[alias]

    def _known(self, packet_id: int) -> bool:
        """Whether this QoS 2 publish came before; a committed one is answered again."""
        received = self._session.received
        committed = received.get(packet_id)
        if committed is None:
            received[packet_id] = False
            return False
        if committed:
            self._line.write(pubrec(packet_id))
        return True

    def frame(self, topic: str, payload: bytes, received: int, token: int) -> None:
        """One payload for the inbox, with a verdict where the transport itself refuses it."""
        frames = self._hub.inbox.frames
        try:
            self._check_size(payload)
            if self._fate(topic, payload):
                if token:
                    self._line.write(self._settled(token, 0))
                return
            lane, index = self._route(topic)
        except Refused as refused:
            kept = payload[:QUARANTINED]
            why = refused.reason, refused.detail, refused.who
            frames.append(Frame(None, -1, kept, received, self, token, topic, *why))
        else:
            frames.append(Frame(lane, index, payload, received, self, token, topic))

    def _fate(self, topic: str, payload: bytes) -> bool:
        """Whether it tells what became of a downlink: who may speak for the device may say so. Raises Refused."""
        address = network.fate(topic)
        if address is None:
            return False
        self._hub.directory.resolve(self._principal, address.up)
        self._hub.servers.tell(topic, payload)
        return True

    def _check_size(self, payload: bytes) -> None:
        limit = self._hub.settings.payload_limit
        if len(payload) > limit:
            raise Refused(Reason.OVERSIZE, f"a payload of {len(payload)} bytes, the limit is {limit}")

    def _route(self, topic: str) -> tuple[Lane, int]:
        """Where a topic leads; raises Refused."""
        name = topic.encode()
        routes, key = self._short.routes, len(name).to_bytes(2, "big") + name
        route = routes.get(key)
        if route is None:
            if fault := self._hub.topic_fault(topic):
                raise Refused(Reason.TOPIC_TOO_LONG, fault)
            product, family, index, channel = self._hub.directory.resolve(self._principal, topic)
            if network.foreign(topic):  # looked at each time, since the last uplink's way is the way down
                self._hub.servers.heard(family, index, topic, ENDPOINT)
                return self._hub.lanes(product, family, channel), index
            if len(routes) >= ROUTES:
                routes.clear()
            route = routes[key] = self._hub.lanes(product, family, channel), index, topic
        return route[0], route[1]

    def release(self, packet_id: int) -> bool:
        """PUBREL: the exchange is over; False where there was none."""
        return self._session.received.pop(packet_id, None) is not None

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """Acknowledge, all in one write, in order."""
        if not refused and max(tokens) < QOS_2:
            self._unsettled -= len(tokens)
            self._line.write(pubacks(tokens))
        else:
            self._line.write(
                b"".join([self._settled(token, self._code(refused.get(token))) for token in tokens])
            )

    def _code(self, refusal: Refusal | None) -> int:
        if refusal is None or not refusal.whole or not self._five:
            return 0
        return CODES.get(refusal.reason, ReasonCode.PAYLOAD_FORMAT_INVALID)

    def _settled(self, token: int, code: int) -> bytes:
        if token < QOS_2:
            self._unsettled -= 1
            return pubacks((token,), {token: code})
        packet_id, session = token - QOS_2, self._session
        if packet_id not in session.received:
            return b""
        if code:
            del session.received[packet_id]  # a refusing PUBREC ends the exchange (5.0 §4.3.3)
            return pubrec(packet_id, code)
        session.received[packet_id] = True
        if session.link is not None and session.link is not self._line:  # the client came back meanwhile
            session.link.write(pubrec(packet_id))
        return pubrec(packet_id)
