"""Commands on their way to the broker: within its window, never after their time, again with DUP after a break (5.0 §4.4)."""

from __future__ import annotations

from collections.abc import Callable

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import NONE, V5, Properties, Puback, Publish
from drivers.mqtt.writer import encode
from gateway.clock import SECOND
from gateway.ingest.link_broker import FAILURE
from gateway.ingest.link_session import Downlink, LinkSession


class Downlinks:
    """granted: the properties of CONNACK."""

    def __init__(self, session: LinkSession, granted: Properties, write: Callable[[bytes], None]) -> None:
        self._session = session
        self._window = min(granted.receive_maximum or 0xFFFF, session.settings.downlinks)
        self._largest = granted.maximum_packet_size or 0
        self._certain = granted.maximum_qos is not False
        self._retains = granted.retain_available is not False
        self._write = write

    def send(self, downlink: Downlink) -> bool:
        """Whether it is on its way; it stays in the session until the broker has acknowledged it."""
        session = self._session
        if len(session.inflight) >= self._window:
            return False
        packet_id = session.next_id() if self._certain else 0
        data = self._encode(downlink, packet_id, dup=False)
        if not data:
            downlink.settled(ReasonCode.PACKET_TOO_LARGE)
            return False
        if packet_id:
            session.inflight[packet_id] = downlink
        self._write(data)
        if not packet_id:
            downlink.settled(0)
        return True

    def send_again(self, *, dup: bool) -> None:
        """What the last connection left unacknowledged. A command whose time is over is dangerous and stays here."""
        inflight = self._session.inflight
        for packet_id, downlink in list(inflight.items()):
            data = self._encode(downlink, packet_id, dup=dup)
            if not data:
                del inflight[packet_id]
                downlink.settled(ReasonCode.PACKET_TOO_LARGE)
            self._write(data)

    def acknowledged(self, packet: Puback) -> None:
        counters = self._session.counters
        downlink = self._session.inflight.pop(packet.packet_id, None)
        if downlink is None:
            return
        downlink.settled(packet.code)
        if not downlink.retain:
            counters.downlinks_acked += 1
            counters.downlinks_unheard += packet.code == ReasonCode.NO_MATCHING_SUBSCRIBERS
            counters.downlinks_refused += packet.code >= FAILURE

    def _encode(self, downlink: Downlink, packet_id: int, *, dup: bool) -> bytes:
        """b"" where it has expired or is larger than the broker takes."""
        session = self._session
        found = NONE
        if downlink.expires:
            left = (downlink.expires - session.clock.now()) / (SECOND * session.clock.speed)
            if left <= 0:
                return b""
            if session.version == V5:
                found = Properties(message_expiry=min(int(left) + 1, 0xFFFF_FFFF))
        packet = Publish(
            downlink.topic,
            downlink.payload,
            int(packet_id > 0),
            packet_id,
            dup=dup,
            retain=downlink.retain and self._retains,
            properties=found,
        )
        data = encode(packet, session.version, server=False)
        if 0 < self._largest < len(data):
            session.counters.downlinks_refused += 1
            return b""
        session.counters.downlinks_sent += not downlink.retain
        return data
