"""A real HJ 212 server with real decoding, and a pipeline in one line that settles when the test says so."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from drivers.hj212.frame import Frame as StationFrame
from drivers.hj212.frame import Framer
from drivers.hj212.segment import Segment, decode
from drivers.products import catalog
from drivers.refusal import Refusal
from drivers.telemetry import Batch
from gateway.clock import CityClock
from gateway.decoding import Decoding
from gateway.ingest.hj212_server import Hj212Server
from gateway.ingest.hj212_settings import Hj212Settings
from gateway.ingest.inbox import Frame, Inbox, Origin
from gateway.registry.directory import Directory, Entry
from gateway.tasks import Tasks
from tests.gateway.ingest.mqtt_city import Presence

PATIENCE = 30.0  # real seconds until a test gives up
ZONE = "Asia/Shanghai"


class Town:
    """Stations "M0000" … of one product, a server, and what came of their frames."""

    def __init__(self, stations: int, product: str, settings: dict[str, Any]) -> None:
        self.clock = CityClock()
        self.inbox = Inbox(settings.pop("bound", 1_000))
        self.directory = Directory()
        self.products = catalog()
        self.decoding = Decoding(self.products, ZONE)
        self.presence = Presence()
        family = self.products[product].family
        self.directory.put(
            Entry(f"M{index:04}", family, index, product, "", False, b"") for index in range(stations)
        )
        settings["stations"] = settings.pop("mns", {})
        settings = {"host": "127.0.0.1", "port": 0, "greet": False, "look": 0.01, **settings}
        self.last: dict[int, int] = {}
        self.server = Hj212Server(
            Hj212Settings(enabled=True, **settings),
            self.directory,
            self.products,
            self.inbox,
            self.clock,
            self.presence,
            self.decoding.lane,
            ZONE,
            lambda _family, index: self.last.get(index),
            self.decoding.tolerated,
        )
        self.frames: list[Frame] = []
        self.refusals: list[Refusal] = []
        self.batches: list[Batch] = []
        self.replies: list[Any] = []
        self.settling = True

    @property
    def rows(self) -> int:
        return sum(map(len, self.batches))

    def times(self, index: int, flags: int | None = None) -> set[int]:
        """Event times of a device's rows, or of those with exactly these flags."""
        return {
            int(time)
            for batch in self.batches
            for device, time, flag in zip(batch.device, batch.time, batch.flags, strict=True)
            if device == index and (flags is None or flag == flags)
        }

    async def run(self) -> None:
        """The pipeline: decode all that came; settle it as if it were durable."""
        while True:
            await self.clock.sleep(0.002)
            if not self.settling:
                continue
            frames = self.inbox.take(500)
            decoded = self.decoding.decode(frames)
            self.frames += frames
            self.refusals += decoded.refusals
            self.replies += [reply for _, reply in decoded.replies]
            self.batches += [readings.batch for readings in decoded.readings]
            tokens: dict[Origin, list[int]] = defaultdict(list)
            for frame in frames:
                if frame.token:
                    tokens[frame.origin].append(frame.token)
            for origin, mine in tokens.items():
                origin.settle(mine, {})

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():
                await self.clock.sleep(0.005)


@asynccontextmanager
async def town(stations: int = 1, product: str = "hj212-dust", **settings: Any) -> AsyncIterator[Town]:
    one = Town(stations, product, settings)
    async with Tasks() as tasks:
        await one.server.start(tasks)
        tasks.start("pipeline", one.run())
        try:
            yield one
        finally:
            await one.server.stop()


class Wire:
    """A raw connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.framer = Framer()
        self._segments: list[Segment] = []

    async def hears(self) -> Segment:
        """The next message of the platform."""
        async with asyncio.timeout(PATIENCE):
            while not self._segments:
                data = await self.reader.read(4096)
                assert data, "the server closed the connection"
                for found in self.framer.feed(data):
                    assert isinstance(found, StationFrame)
                    self._segments.append(decode(found.data).segment)
        return self._segments.pop(0)

    async def closed(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while await self.reader.read(4096):
                    pass
        return True


@asynccontextmanager
async def wired(one: Town) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", one.server.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
