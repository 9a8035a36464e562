"""Devices of the kill test: each publishes its next reading at QoS 1 once the last one is acknowledged, over and over.

What is not acknowledged when the gateway dies is published again, byte for byte, at the next connection. A device may
publish to the gateway or to a broker; one that remembers has readings of yesterday to tell besides.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from random import Random

from drivers.mqtt.packets import V5, V311, Connack, Connect, Puback, Publish
from drivers.mqtt.reader import Reader
from drivers.mqtt.topics import telemetry_topic
from drivers.mqtt.writer import encode
from drivers.telemetry import DAY
from simulators.pace import Pace

PAUSE = 0.4  # real seconds between two readings of a device
LOST = (OSError, asyncio.IncompleteReadError, EOFError)


@dataclass
class Device:
    id: str
    secret: str
    random: Random
    time: int = 0  # ms; strictly increasing
    high: bool = False
    remembers: bool = False
    behind: bool = False  # a broker
    yesterday: int = 0  # readings of it that were told
    said: int = 0  # the time of what is pending, ms
    pending: bytes | None = None
    acked: list[int] = field(default_factory=list)

    @property
    def family(self) -> str:
        return "dust" if self.id.startswith("DU") else "manhole"

    def next(self, now: int) -> bytes:
        """The next reading, taken at city time `now` (µs)."""
        if self.remembers and self.random.random() < 0.2:
            return self._remembered(now)
        self.said = self.time = max(self.time + 1, now // 1000)
        if self.random.random() < 0.15:
            self.high = not self.high
        if self.family == "dust":
            values = {"pm10": 400 if self.high else 40, "noise": self.random.randint(40, 80)}
        else:
            values = {"tilt": 40 if self.high else 2, "battery": self.random.randint(5, 100)}
        return json.dumps({"ts": self.time, "v": values}).encode()

    def _remembered(self, now: int) -> bytes:
        self.yesterday += 1
        self.said = (now // DAY - 1) * (DAY // 1000) + self.yesterday
        point = "pm10" if self.family == "dust" else "tilt"
        return json.dumps({"ts": self.said, "v": {point: 30}, "hist": True}).encode()

    async def live(self, port: int, pace: Pace, stop: asyncio.Event) -> None:
        """Publish until the connection is lost or `stop` is set."""
        version = V5 if self.id.endswith(("0", "2", "4", "6", "8")) else V311
        try:
            reading, writing = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        reader = Reader(65_536, version)
        writing.write(
            encode(
                Connect(self.id, version, keepalive=60, username=self.id, password=self.secret.encode()),
                version,
            )
        )
        try:
            packet = await self._packet(reading, reader)
            assert isinstance(packet, Connack), packet
            assert packet.code == 0, packet
            number = 0
            while not stop.is_set() or self.pending is not None:
                dup = self.pending is not None
                self.pending = self.pending or self.next(pace.now())
                number = number % 65_535 + 1
                topic = telemetry_topic(self.family, self.id)
                writing.write(encode(Publish(topic, self.pending, 1, number, dup=dup), version))
                ack = await self._packet(reading, reader)
                assert isinstance(ack, Puback), ack
                assert (ack.packet_id, ack.code) == (number, 0), ack
                self.acked.append(self.said)
                self.pending = None
                await pace.sleep(PAUSE * (0.5 + self.random.random()))
        except LOST:
            return
        finally:
            writing.close()

    @staticmethod
    async def _packet(reading: asyncio.StreamReader, reader: Reader) -> object:
        while True:
            data = await reading.read(4096)
            if not data:
                raise EOFError
            if packets := reader.feed(data):
                return packets[0]
