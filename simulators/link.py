"""One device's MQTT connection, client side: what it does between the socket and the codec, and nothing of the city."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from drivers.mqtt import packets
from drivers.mqtt.codes import ProtocolError
from drivers.mqtt.packets import V5, Connack, Connect, Disconnect, Properties, Puback, Publish, Will
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import PINGREQ, encode

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT: Final = 262_144  # bytes of the largest packet that a device takes
SESSION: Final = 3_600  # seconds that a broken session is kept


class Identity:
    """What a device says of itself when it connects."""

    __slots__ = ("connect", "number", "version")

    def __init__(
        self, number: int, device: str, secret: str | None, *, version: int, keepalive: int, will: Will
    ) -> None:
        self.number = number  # position in the fleet
        self.version = version
        properties = Properties(session_expiry=SESSION) if version == V5 else packets.NONE
        self.connect = Connect(
            client_id=device,
            version=version,
            clean_start=False,
            keepalive=keepalive,
            username=device,
            password=None if secret is None else secret.encode(),
            will=will,
            properties=properties,
        )


class Link(asyncio.Protocol):
    """A connection from CONNECT to close. `closed(link)` is called once, whoever ended it; `up` once it was accepted."""

    __slots__ = (
        "_closed", "_reader", "_transport", "code", "identity", "largest", "pinged", "quota", "session", "spoke", "up",
    )  # fmt: skip

    def __init__(self, identity: Identity, closed: Callable[[Link], None]) -> None:
        self.identity = identity
        self._closed = closed
        self._reader = Reader(LIMIT, identity.version, topics=1)
        self._transport: asyncio.Transport | None = None
        self.up = False
        self.code = 0  # why the server refused or ended it
        self.session = False  # the server still has this device's session
        self.quota = packets.MAX_PACKET_ID  # how many publishes may wait for their acknowledgement
        self.largest = packets.MAX_REMAINING  # bytes of the largest packet that the server takes
        self.spoke = False  # something was sent since the last look
        self.pinged = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._transport.write(encode(self.identity.connect, self.identity.version, server=False))

    def data_received(self, data: bytes) -> None:
        try:
            found = self._reader.feed(data)
        except ProtocolError:
            self.abort()
            return
        for packet in found:
            if type(packet) is Puback:
                self.acknowledged(packet.packet_id, packet.code)
            elif type(packet) is Publish:
                self.told(packet)
            else:
                self._control(packet)

    def _control(self, packet: packets.Packet) -> None:
        self.pinged = False
        if isinstance(packet, Connack):
            self._accepted(packet)
        elif isinstance(packet, Disconnect):
            self.code = packet.code
            self.abort()

    def _accepted(self, packet: Connack) -> None:
        if packet.code:
            self.code = packet.code
            self.abort()
            return
        self.session = packet.session_present
        self.quota = packet.properties.receive_maximum or self.quota
        self.largest = packet.properties.maximum_packet_size or self.largest
        self.up = True
        self.opened()

    @property
    def open(self) -> bool:
        """There is a socket, accepted or not."""
        return self._transport is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.up = False
        self._transport = None
        self._closed(self)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self.spoke = True
            self._transport.write(data)

    def keep_alive(self) -> None:
        """Called every half of the keepalive time: speak up if silent, give up if the server is."""
        if self.pinged:
            self.abort()
        elif not self.up:
            self.pinged = True
        elif not self.spoke:
            self.pinged = True
            self.write(PINGREQ)
        self.spoke = False

    def abort(self) -> None:
        """Cut the connection, as a device does that loses power or signal: its will is published."""
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """DISCONNECT, then close: no will is published."""
        if self._transport is not None:
            self._transport.write(encode(Disconnect(), self.identity.version, server=False))
            self._transport.close()

    def opened(self) -> None:
        """The server accepted the connection."""

    def acknowledged(self, packet_id: int, code: int) -> None:
        """A PUBACK came."""

    def told(self, packet: Publish) -> None:
        """The server published something to this device."""
