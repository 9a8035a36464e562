"""A town behind a broker: a real mosquitto that a test stops and starts, links into a small pipeline, and a publisher
that knows what the broker has acknowledged to it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar

from drivers.mqtt.packets import V5, Connack, Connect, Packet, Puback
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import Publisher, encode
from drivers.products import catalog
from drivers.refusal import Reason
from gateway.clock import CityClock
from gateway.ingest.inbox import Frame, Inbox, Lane
from gateway.ingest.link import Link, Links
from gateway.ingest.link_filters import Remembered
from gateway.ingest.link_settings import LinkSettings
from gateway.registry.directory import Directory, Entry
from gateway.tasks import Tasks
from rules.control import Control
from tests.gateway.ingest.mqtt_city import PATIENCE, City

_P = TypeVar("_P")

LASTING = "persistence true\nmax_queued_messages 0\nsys_interval 1\n"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Broker:
    """A real mosquitto with a folder of its own."""

    def __init__(
        self, folder: Path, options: str = LASTING, listener: str = "allow_anonymous true\n"
    ) -> None:
        self.port = free_port()
        self._conf = folder / "mosquitto.conf"
        self._conf.write_text(
            f"user root\nlog_type error\nlog_type warning\npersistence_location {folder}/\n{options}"
            f"listener {self.port} 127.0.0.1\n{listener}"
        )
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec("mosquitto", "-c", str(self._conf))
        clock = CityClock()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self._process.returncode is None
                    await clock.sleep(0.01)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()


class Feeder(asyncio.Protocol):
    """Publishes numbered payloads at QoS 1, `window` under way; comes back when cut off, and sends again what is open.

    `acked`: what the broker has taken responsibility for.
    """

    def __init__(
        self, port: int, topics: Sequence[str], payload: Callable[[int], bytes], window: int = 200
    ) -> None:
        self.acked: set[int] = set()
        self.sent = 0
        self.limit: int | None = None  # of numbers
        self._port = port
        self._window = window
        self._topics = [Publisher(topic, V5) for topic in topics]
        self._payload = payload
        self._open: dict[int, int] = {}  # number by packet identifier
        self._free: deque[int] = deque(range(1, window + 1))
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(1 << 20, V5)
        self._lost = asyncio.Event()
        self._up = False

    async def run(self) -> None:
        loop, clock = asyncio.get_running_loop(), CityClock()
        while True:
            self._lost.clear()
            self._reader = Reader(1 << 20, V5)
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", self._port)
            except OSError:
                await clock.sleep(0.02)
                continue
            await self._lost.wait()

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(encode(Connect("feeder", V5, keepalive=60), V5, server=False))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._up = False
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        for packet in self._reader.feed(data):
            if isinstance(packet, Connack):
                assert packet.code == 0, packet
                self._up = True
                for packet_id, number in self._open.items():
                    self._write(number, packet_id)
            elif isinstance(packet, Puback):
                self.acked.add(self._open.pop(packet.packet_id))
                self._free.append(packet.packet_id)
        self.pump()

    def pump(self) -> None:
        while self._up and self._free and (self.limit is None or self.sent < self.limit):
            packet_id, number = self._free.popleft(), self.sent
            self.sent += 1
            self._open[packet_id] = number
            self._write(number, packet_id)

    def _write(self, number: int, packet_id: int) -> None:
        assert self._transport is not None
        publisher = self._topics[number % len(self._topics)]
        self._transport.write(publisher.encode(self._payload(number), packet_id))


class Notebook:
    """What links remember of their filters, where no store is."""

    def __init__(self) -> None:
        self.known: dict[str, Remembered] = {}

    async def load(self, link: str) -> Remembered | None:
        return self.known.get(link)

    async def save(self, link: str, remembered: Remembered) -> None:
        self.known[link] = remembered


class Town:
    """Three dust monitors and a parking sensor behind a broker. `taken`: every frame that came out of the inbox."""

    def __init__(self, bound: int = 10_000, memory: Notebook | None = None) -> None:
        self.clock = CityClock()
        self.directory = Directory()
        self.inbox = Inbox(bound)
        self.lanes: dict[tuple[str, str, str], Lane] = {}
        self.taken: list[Frame] = []
        self.payloads: set[bytes] = set()  # what the pipeline has settled
        self.controls: list[Control] = []
        self.refused: list[tuple[Reason, str]] = []
        for index in range(3):
            self.device(f"DU-{index + 1}", "dust", index)
        self.device("PK-1", "parking", 0, product="chinatelecom-geomagnetic")
        self.memory = memory or Notebook()
        self.links: Links
        self.link: Link

    def lane(self, product: str, family: str, channel: str) -> Lane:
        return self.lanes.setdefault((product, family, channel), Lane(product, family, channel))

    def device(self, name: str, family: str, index: int, *, product: str = "", retired: bool = False) -> None:
        entry = Entry(name, family, index, product or f"generic-{family}", "", retired, b"", "broker")
        self.directory.put([entry])

    async def announce(self, controls: Sequence[Control]) -> None:
        self.controls += controls

    def join(self, *settings: LinkSettings) -> None:
        self.links = Links(
            settings,
            catalog(),
            self.directory,
            self.inbox,
            self.clock,
            self.lane,
            self.announce,
            Random(7),
            self.memory,
        )
        self.link = next(iter(self.links))

    async def until(self, true: Callable[[], object], patience: float = PATIENCE) -> None:
        async with asyncio.timeout(patience):
            while not true():
                await self.clock.sleep(0.005)

    async def frames(self, count: int) -> list[Frame]:
        """The next frames, once so many have come."""
        await self.until(lambda: len(self.inbox.frames) >= count)
        taken = self.inbox.take(1 << 20)
        self.taken += taken
        return taken

    def settle(self, frames: Sequence[Frame]) -> None:
        self.refused += [(frame.verdict, frame.detail) for frame in frames if frame.verdict]
        City.settle(frames)

    async def settled(self, count: int) -> list[Frame]:
        """The next frames, settled."""
        frames = await self.frames(count)
        self.settle(frames)
        return frames

    async def pipeline(self) -> None:
        """Settles all that comes, a tick of 20 ms at a time."""
        while True:
            await self.inbox.wait()
            taken = self.inbox.take(10_000)
            self.taken += taken
            self.settle(taken)
            self.payloads.update(frame.payload for frame in taken)
            await self.clock.sleep(0.02)


def linked(port: int, **more: Any) -> LinkSettings:
    return LinkSettings(**{"name": "broker", "host": "127.0.0.1", "port": port, "reconnect_cap": 2.0} | more)


@asynccontextmanager
async def town(
    *settings: LinkSettings, bound: int = 10_000, known: bool = False, memory: Notebook | None = None
) -> AsyncIterator[Town]:
    """Links that have started; a test runs the pipeline by itself or as a task."""
    it = Town(bound, memory)
    it.join(*settings)
    async with Tasks() as tasks:
        assert len(it.links.controls(it.clock.now(), {"broker": None} if known else {})) == len(settings)
        it.links.start(tasks)
        try:
            yield it
        finally:
            await it.links.stop()


@asynccontextmanager
async def running(work: Any) -> AsyncIterator[None]:
    """A task beside the test."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Scripted:
    """A broker that says what a test tells it to say; one connection at a time."""

    def __init__(self, version: int = V5) -> None:
        self.version = version
        self.port = 0
        self._server: asyncio.Server | None = None
        self._waiting: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self._taken = 0  # how many of them
        self._stream: asyncio.StreamReader | None = None
        self._reader = Reader(1 << 20)
        self._packets: deque[Packet] = deque()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for writer in self._writers:
            with suppress(ConnectionError):
                await writer.wait_closed()
        await self._server.wait_closed()

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._waiting.put_nowait(reader)

    async def accept(self, *answers: Packet) -> Connect:
        """The next connection's CONNECT, answered."""
        async with asyncio.timeout(PATIENCE):
            self._stream = await self._waiting.get()
        self._taken += 1
        self._reader = Reader(1 << 20)
        self._packets.clear()
        connect = await self.expect(Connect)
        self.say(*answers)
        return connect

    async def next(self) -> Packet | None:
        """None: the link closed."""
        assert self._stream is not None
        while not self._packets:
            async with asyncio.timeout(PATIENCE):
                try:
                    data = await self._stream.read(1 << 16)
                except ConnectionError:
                    data = b""
            if not data:
                return None
            self._packets.extend(self._reader.feed(data))
        return self._packets.popleft()

    async def expect(self, kind: type[_P]) -> _P:
        packet = await self.next()
        assert isinstance(packet, kind), packet
        return packet

    def say(self, *packets: Packet) -> None:
        self.raw(b"".join(encode(packet, self.version) for packet in packets))

    def raw(self, data: bytes) -> None:
        self._writers[self._taken - 1].write(data)

    async def hang_up(self) -> None:
        writer = self._writers[self._taken - 1]
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()
