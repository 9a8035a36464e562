"""Bytes in, packets out: in any split, nothing but packets, a ProtocolError or "need more".

Never holds more than the packet limit and what was fed last. Many small QoS 1 PUBLISH in one read are the hot path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from drivers.mqtt.codes import ProtocolError, ReasonCode, malformed, violation
from drivers.mqtt.packets import V5, Packet, Puback, Publish
from drivers.mqtt.parse import check_first, parse, protocol_level
from drivers.mqtt.wire import Body

_CONNECT: Final = 1
_PUBLISH_QOS_1: Final = 0x32  # first sending, not retained
_PUBACK: Final = 0x40
_NO_BYTE: Final = -1
_LONGEST_KEPT: Final = 256  # characters of a topic name that is worth remembering


class Shortcut:
    """How a server takes frequent PUBLISH without making packets of them (QoS 1, first sending, no properties).

    One under a topic of `routes` becomes make(first, second, payload, received, origin, packet id, topic) at once; all
    other packets go to `other`, in order, until that says that the connection is over. limit: remaining length from
    which on a packet takes the long way. most: other packets in one call; what comes behind them waits for the next. routes: (first, second, topic) by the topic's length and bytes, as on the wire.
    """

    __slots__ = ("limit", "made", "make", "most", "origin", "other", "routes")

    def __init__(
        self,
        make: Callable[..., Any],
        origin: object,
        other: Callable[[Packet], bool],
        limit: int,
        most: int,
    ) -> None:
        self.make = make
        self.origin = origin
        self.other = other
        self.limit = limit
        self.most = most
        self.routes: dict[bytes, tuple[Any, int, str]] = {}
        self.made = 0  # frames since the start


class Reader:
    """One direction of one connection.

    version 0: we are the server and learn it from CONNECT, which comes first, once; 4 or 5: we are the client and asked
    for it. limit: bytes of the largest packet taken, may be changed between feeds. topics: how many topic names to
    remember, so that each is decoded and checked once. first: CONNECT comes alone, what is behind it waits for the next
    feed. more: about how many packets wait for it, 0 = none that came.
    """

    def __init__(self, limit: int, version: int = 0, topics: int = 256, *, first: bool = False) -> None:
        self.limit = limit
        self.more = 0
        self._first = first
        self.version = version
        self.topics = topics
        self._server = version == 0
        self._names: dict[bytes, str] = {}
        self.tail = bytearray()  # of a packet that is not yet complete
        self._need = 0  # bytes of the tail without which no step is possible
        self._error: ProtocolError | None = None

    @property
    def buffered(self) -> int:
        """Bytes held of a packet that is not yet complete."""
        return len(self.tail)

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that `data` completes. ProtocolError (with those `before` it), then again at every feed."""
        if self.tail or self._error:
            data = self._joined(data)
        packets: list[Packet] = []
        try:
            used = self._scan(data, packets)
        except ProtocolError as error:
            self._error = error
            error.before = packets
            raise
        if used < len(data):
            self.tail += data[used:]
        return packets

    def feed_frames(  # noqa: C901 - one tight loop: a call costs as much as a message
        self, data: bytes, short: Shortcut, append: Callable[[Any], None], received: int
    ) -> int:
        """As `feed`, with a shortcut: frames go to `append`, other packets to `short.other`; how many there were in all.

        Only once the version is known. ProtocolError comes after what stands before the fault was handed over, and
        nothing may be fed after it.
        """
        if self.tail or self._error:
            data = self._joined(data)
        make, origin, known, limit = short.make, short.origin, short.routes.get, short.limit
        five = self.version == V5
        self.more = pos = others = made = 0
        size, name = len(data), 2
        while pos + 2 < size:
            length, body = data[pos + 1], pos + 2
            if length > 0x7F:
                if 0 < data[body] < 0x80:
                    length += (data[body] << 7) - 0x80
                    body += 1
                else:
                    length, body = self._length(data, pos)
            end = body + length
            if end > size or not body:
                break
            if data[pos] == _PUBLISH_QOS_1 and 4 < length < limit:
                at = body + name  # most topics are as long as the last one
                route = known(data[body:at])
                if route is None:
                    at = body + 2 + (data[body] << 8 | data[body + 1])
                    route = known(data[body:at])
                    name = at - body
                start = at + 2 + five  # no properties: one more byte, of 0
                if (
                    route is not None
                    and start <= end
                    and not (five and data[at + 2])
                    and (packet_id := data[at] << 8 | data[at + 1])
                ):
                    first, second, topic = route
                    append(make(first, second, data[start:end], received, origin, packet_id, topic))
                    made += 1
                    pos = end
                    continue
            others += 1
            if short.other(self._other(data, pos, body, end)):
                pos = size
                break
            pos = end
            if others == short.most:
                pos = self._keep(data, pos, others + made)
        short.made += made
        return made + others if pos == size else made + others + self._last(data, pos, short)

    def _joined(self, data: bytes) -> bytes:
        """With what is held already; nothing as long as no step is possible."""
        if self._error is not None:
            raise ProtocolError(self._error.code, self._error.text)
        self.tail += data
        if len(self.tail) < self._need:
            return b""
        data = bytes(self.tail)
        self.tail.clear()
        return data

    def _keep(self, data: bytes, pos: int, taken: int) -> int:
        """What is behind pos waits for the next feed, which may bring no bytes. taken: packets before it."""
        rest = len(data) - pos
        self.more = 1 + rest * taken // pos if rest else 0
        self.tail += data[pos:]
        self._need = 0
        return len(data)

    def _last(self, data: bytes, pos: int, short: Shortcut) -> int:
        """The remainder; what stands before a fault is handed over first. How many packets that were."""
        packets: list[Packet] = []
        fault: ProtocolError | None = None
        used = len(data)
        try:
            used = self._remainder(data, pos, packets)
        except ProtocolError as error:
            fault = error
        for packet in packets:
            if short.other(packet):
                return len(packets)
        if fault is not None:
            raise fault
        self.tail += data[used:]
        return len(packets)

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
            if self._first:
                self._first = False
                return self._keep(data, end, 1)
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
