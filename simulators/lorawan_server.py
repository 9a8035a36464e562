"""A LoRaWAN network server and its devices, on a real broker or as a source at the gateway's endpoint.

Class A: a device hears one downlink after an uplink, and acknowledges it with the next one. Same codecs as the gateway.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from drivers.lorawan import downlinks, envelopes
from drivers.lorawan.envelopes import Gateway, Uplink
from drivers.lorawan.topics import DOWNLINKS, queues
from drivers.mqtt.packets import (
    V311,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode, pubacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from drivers.lorawan.codec import Frames
    from drivers.lorawan.downlinks import Queued

CHIRPSTACK: Final = "chirpstack"
LIMIT: Final = 262_144  # bytes of the largest packet that it takes
COPY: Final = 1_000_000  # µs by which a frame's copy comes later
COUNTERS: Final = 0x1_0000  # frame counters, then they begin anew
ZEROS: Final = {"fCnt": 0, "fPort": 0, "confirmed": False}


@dataclass(slots=True)
class Faults:
    """Shares. duplicates: uplinks handed on twice. lost_downlinks: sent, and no device heard them. zeros: spelled out."""

    duplicates: float = 0.0
    lost_downlinks: float = 0.0
    zeros: float = 0.0  # the others leave out fields that are zero or false, as protobuf's JSON does


@dataclass(slots=True)
class Node:
    """A device. say: its points now. obey: what it is told, by command and arguments."""

    eui: str
    name: str
    codec: Frames
    say: Callable[[], Mapping[str, float]]
    obey: Callable[[str, Mapping[str, float]], None]
    counter: int = -1
    waiting: deque[Queued] = field(default_factory=deque)
    unacknowledged: tuple[Queued, bool] | None = None  # sent after the last uplink; whether it was heard


class NetworkServer(asyncio.Protocol):
    """kind: chirpstack or thethingsstack. `handed`: uplinks by EUI and time, those that were acknowledged in `acked`."""

    def __init__(
        self,
        nodes: list[Node],
        random: Random,
        kind: envelopes.Server = CHIRPSTACK,
        application: str = "430",
        *,
        login: tuple[str, str] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.nodes = {node.eui: node for node in nodes}
        self.faults = faults or Faults()
        self.handed: set[tuple[str, int]] = set()
        self.acked: set[tuple[str, int]] = set()
        self.ready = asyncio.get_running_loop().create_future()
        self.gone = asyncio.get_running_loop().create_future()
        self._random = random
        self._kind = kind
        self._application = application
        self._login = login
        self._reader = Reader(LIMIT, V311)
        self._transport: asyncio.Transport | None = None
        self._last_id = 0
        self._open: dict[int, tuple[str, int] | None] = {}  # by packet identifier

    @property
    def settled(self) -> bool:
        """All that was published has been acknowledged."""
        return not self._open

    def topic(self, node: Node) -> str:
        """Of its uplinks."""
        if self._kind == CHIRPSTACK:
            return f"application/{self._application}/device/{node.eui}/event/up"
        return f"v3/{self._application}/devices/{node.name}/up"

    # what a device does

    def uplink(self, eui: str, now: int) -> None:
        """A frame of its points; with it the acknowledgement of the last downlink, after it the next one. now: µs UTC."""
        node = self.nodes[eui]
        node.counter = (node.counter + 1) % COUNTERS
        self._acknowledge(node)
        port, frame = node.codec.frame(node.say())
        heard = (Gateway("gw-1", -90.0, 7.5),)
        one = Uplink(self._kind, eui, node.name, port, node.counter, frame, now, heard, self._application)
        self._hand_on(node, one, (eui, now))
        if self._random.random() < self.faults.duplicates:
            late = Uplink(
                self._kind, eui, node.name, port, node.counter, frame, now + COPY, heard, self._application
            )
            self._hand_on(node, late, (eui, now))
        if node.waiting:
            self._send_down(node, node.waiting.popleft())

    def _hand_on(self, node: Node, one: Uplink, entry: tuple[str, int]) -> None:
        payload = envelopes.write(one)
        if self._kind == CHIRPSTACK and self._random.random() < self.faults.zeros:
            payload = json.dumps({**ZEROS, **json.loads(payload)}).encode()
        self.handed.add(entry)
        self._publish(self.topic(node), payload, entry)

    def _send_down(self, node: Node, one: Queued) -> None:
        """Into the device's receive window: the server only knows that its gateway sent it."""
        heard = self._random.random() >= self.faults.lost_downlinks
        self._publish(*downlinks.tell(self.topic(node), "txack", one))
        if heard:
            node.obey(*node.codec.told(one.port, one.payload))
        node.unacknowledged = (one, heard) if one.confirmed else None

    def _acknowledge(self, node: Node) -> None:
        if node.unacknowledged is not None:
            (one, heard), node.unacknowledged = node.unacknowledged, None
            self._publish(*downlinks.tell(self.topic(node), "ack", one, acknowledged=heard))

    # MQTT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        user, secret = self._login or (None, None)
        password = secret.encode() if secret is not None else None
        self._send(
            Connect(
                f"lns-{self._kind}", V311, clean_start=True, keepalive=0, username=user, password=password
            )
        )

    def data_received(self, data: bytes) -> None:
        for packet in self._reader.feed(data):
            if isinstance(packet, Publish):
                self._told(packet)
            elif isinstance(packet, Puback):
                entry = self._open.pop(packet.packet_id)
                if entry is not None:
                    self.acked.add(entry)
            elif isinstance(packet, Connack):
                self._welcomed(packet)
            elif isinstance(packet, Suback):
                self.ready.set_result(packet.codes)

    def _welcomed(self, packet: Connack) -> None:
        if packet.code:
            self.ready.set_exception(ConnectionRefusedError(f"return code {packet.code}"))
            return
        own = {CHIRPSTACK: "application"}.get(self._kind, "v3")
        wanted = [Subscription(one, 1) for one in DOWNLINKS if one.startswith(own) and not one.endswith("+")]
        assert all(queues(one.filter) for one in wanted)
        self._send(Subscribe(self._next(), tuple(wanted)))

    def _told(self, packet: Publish) -> None:
        """A downlink to queue. What is for a device that it does not have goes nowhere, as at real servers."""
        if packet.qos:
            self._write(pubacks((packet.packet_id,)))
        device = packet.topic.split("/")[3]
        for node in self.nodes.values():
            if device in {node.eui, node.name}:
                node.waiting.extend(downlinks.pushed(packet.topic, packet.payload))

    def _publish(self, topic: str, payload: bytes, entry: tuple[str, int] | None = None) -> None:
        packet_id = self._next()
        self._open[packet_id] = entry
        self._send(Publish(topic, payload, 1, packet_id))

    def _next(self) -> int:
        while True:
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self._open:
                return self._last_id

    def leave(self) -> None:
        self._send(Disconnect())
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.gone.done():
            self.gone.set_result(None)

    def _send(self, packet: Any) -> None:
        self._write(encode(packet, V311, server=False))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
