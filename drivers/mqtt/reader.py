"""Bytes in, packets out: in any split, nothing but packets, a ProtocolError or "need more".

Never holds more than the packet limit and what was fed last. Many small QoS 1 PUBLISH in one read are the hot path.
"""

from __future__ import annotations

from typing import Final

from drivers.mqtt.codes import ProtocolError, ReasonCode, malformed, violation
from drivers.mqtt.packets import V5, Packet, Puback, Publish
from drivers.mqtt.parse import check_first, parse, protocol_level
from drivers.mqtt.wire import Body

_CONNECT: Final = 1
_PUBLISH_QOS_1: Final = 0x32  # first sending, not retained
_PUBACK: Final = 0x40
_NO_BYTE: Final = -1
_LONGEST_KEPT: Final = 256  # characters of a topic name that is worth remembering


class Reader:
    """One direction of one connection.

    version 0: we are the server and learn it from CONNECT, which comes first, once; 4 or 5: we are the client and asked
    for it. limit: bytes of the largest packet taken, may be changed between feeds. topics: how many topic names to
    remember, so that each is decoded and checked once.
    """

    def __init__(self, limit: int, version: int = 0, topics: int = 256) -> None:
        self.limit = limit
        self.version = version
        self.topics = topics
        self._server = version == 0
        self._names: dict[bytes, str] = {}
        self._tail = bytearray()
        self._need = 0  # bytes of the tail without which no step is possible
        self._error: ProtocolError | None = None

    @property
    def buffered(self) -> int:
        """Bytes held of a packet that is not yet complete."""
        return len(self._tail)

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that `data` completes. ProtocolError (with those `before` it), then again at every feed."""
        if self._error is not None:
            raise ProtocolError(self._error.code, self._error.text)
        tail = self._tail
        if tail:
            tail += data
            if len(tail) < self._need:
                return []
            data = bytes(tail)
            tail.clear()
        packets: list[Packet] = []
        try:
            used = self._scan(data, packets)
        except ProtocolError as error:
            self._error = error
            error.before = packets
            raise
        if used < len(data):
            tail += data[used:]
        return packets

    def _scan(self, data: bytes, packets: list[Packet]) -> int:  # noqa: C901 - one tight loop: a call costs as much as a packet
        """Takes whole packets off the front of data; how many bytes they were."""
        append, known, limit = packets.append, self._names.get, self.limit
        five = self.version == V5
        frequent = _PUBLISH_QOS_1 if self.version else _NO_BYTE
        pos, size = 0, len(data)
        while pos + 2 < size:
            first, length, body = data[pos], data[pos + 1], pos + 2
            if length > 0x7F:
                if 0 < data[body] < 0x80:
                    length += (data[body] << 7) - 0x80
                    body += 1
                else:
                    length, body = self._length(data, pos)
            end = body + length
            if end > size or not body:
                break
            if first == frequent and 4 < length < limit - 4:
                at = body + 2 + (data[body] << 8 | data[body + 1])
                start = at + 2 + five  # no properties: one more byte, of 0
                if start <= end and not (five and data[at + 2]):
                    topic = known(data[body + 2 : at])
                    packet_id = data[at] << 8 | data[at + 1]
                    if topic is not None and packet_id:
                        append(Publish(topic, data[start:end], 1, packet_id))
                        pos = end
                        continue
            elif first == _PUBACK and length == 2 and frequent > 0 and data[body] | data[body + 1]:
                append(Puback(data[body] << 8 | data[body + 1]))
                pos = end
                continue
            append(self._other(data, pos, body, end))
            five = self.version == V5
            frequent = _PUBLISH_QOS_1
            pos = end
        return pos if pos == size else self._remainder(data, pos, packets)

    def _remainder(self, data: bytes, pos: int, packets: list[Packet]) -> int:
        """What is left: a packet of two bytes, or the start of one, refused now if it can never be taken."""
        size = len(data)
        while pos + 2 <= size:
            self._check_type(data[pos])
            length, body = self._length(data, pos)
            end = body + length
            if end > size or not body:
                self._need = end - pos
                return pos
            packets.append(self._other(data, pos, body, end))
            pos = end
        self._need = 2
        return pos

    def _check_type(self, first: int) -> None:
        kind = check_first(first, self._server)
        if self._server and (kind == _CONNECT) == bool(self.version):
            raise violation("CONNECT twice" if self.version else "the first packet is not CONNECT")

    def _length(self, data: bytes, pos: int) -> tuple[int, int]:
        """Remaining length (§2.1.4) of the packet at pos and where its body starts; (0, 0) = need more."""
        self._check_type(data[pos])
        value = 0
        for count, byte in enumerate(data[pos + 1 : pos + 5]):
            value |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                if count and not byte and self.version == V5:
                    raise malformed("the remaining length is longer than need be")
                if value + count + 2 > self.limit:
                    raise ProtocolError(
                        ReasonCode.PACKET_TOO_LARGE, f"a packet of {value} bytes, the limit is {self.limit}"
                    )
                return value, pos + count + 2
        if len(data) >= pos + 5:
            raise malformed("the remaining length has more than four bytes")
        return 0, 0

    def _other(self, data: bytes, pos: int, body: int, end: int) -> Packet:
        """The packet at pos, fully checked; remembers its topic if it is a PUBLISH."""
        self._length(data, pos)
        part = Body(data, body, end, first=data[pos], version=self.version, server=self._server)
        if not self.version:
            part.version = self.version = protocol_level(part)
            self._length_is_short(data, pos, body)
        packet = parse(part)
        if type(packet) is Publish and packet.topic and len(packet.topic) <= _LONGEST_KEPT:
            if len(self._names) >= self.topics:
                self._names.clear()
            self._names[packet.topic.encode()] = packet.topic
        return packet

    def _length_is_short(self, data: bytes, pos: int, body: int) -> None:
        """The rule of _length again for CONNECT, now that the version is known."""
        if self.version == V5 and body > pos + 2 and not data[body - 1]:
            raise malformed("the remaining length is longer than need be")
