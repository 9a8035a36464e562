"""A small city around a real endpoint: real directory, a pipeline in one line, and a client that speaks our own codec."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from drivers.mqtt.packets import V5, V311, Connack, Connect, Packet, Publish
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode
from drivers.refusal import Reason, Refusal
from gateway.clock import SECOND, CityClock
from gateway.ingest.endpoint import Endpoint
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.hub import Why
from gateway.ingest.inbox import Frame, Inbox, Lane, Origin
from gateway.ingest.logins import Logins, LoginSettings
from gateway.ingest.session import Key, Principal, SessionState
from gateway.registry import secret as secrets
from gateway.registry.directory import Directory, Entry, Voice
from gateway.tasks import Tasks

SECRET = "open sesame"
PATIENCE = 30.0  # real seconds until a test gives up

_P = TypeVar("_P")


class HandClock(CityClock):
    """Runs by itself; a test may set it ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def now(self) -> int:
        return super().now() + int(self.ahead * SECOND)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Memory:
    """A session store that survives its endpoint."""

    def __init__(self) -> None:
        self.states: dict[Key, SessionState] = {}

    async def load(self) -> Sequence[SessionState]:
        return list(self.states.values())

    async def save(self, states: Mapping[Key, SessionState | None]) -> None:
        for key, state in states.items():
            if state is None:
                self.states.pop(key, None)
            else:
                self.states[key] = state


class Presence:
    """Notes what the endpoint says of its clients."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def connected(self, principal: Principal, at: int) -> None:
        assert at > 0
        self.heard.append(f"+{principal.name}")

    def disconnected(self, principal: Principal, at: int, why: Why) -> None:
        assert at > 0
        self.heard.append(f"-{principal.name} {why}")

    def cloned(self, principal: Principal) -> None:
        self.heard.append(f"cloned {principal.name}")


class Client:
    """Sends packets or bytes; hands out what comes back, one packet at a time."""

    def __init__(self, version: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.version = version
        self._reader = reader
        self._writer = writer
        self._codec = Reader(1 << 20, version)
        self._packets: list[Packet] = []

    def send(self, *packets: Packet) -> None:
        self.raw(b"".join(encode(packet, self.version, server=False) for packet in packets))

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    def unsent(self) -> int:
        """Bytes that neither the endpoint nor the kernel has taken."""
        return self._writer.transport.get_write_buffer_size()

    async def chunk(self) -> bytes:
        """What one read brings; b"" where the endpoint closed."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self._reader.read(1 << 16)
            except ConnectionError:
                return b""

    async def next(self) -> Packet | None:
        """None: the endpoint closed."""
        while not self._packets:
            data = await self.chunk()
            if not data:
                return None
            self._packets = self._codec.feed(data)
        return self._packets.pop(0)

    async def expect(self, kind: type[_P]) -> _P:
        packet = await self.next()
        assert isinstance(packet, kind), packet
        return packet

    async def closed(self) -> bool:
        return await self.next() is None

    async def drop(self) -> None:
        """End without a word."""
        self._writer.transport.abort()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class City:
    def __init__(
        self, settings: EndpointSettings, store: Memory, bound: int, logins: LoginSettings | None = None
    ) -> None:
        self.clock = HandClock()
        self.directory = Directory(self.clock)
        self.inbox = Inbox(bound)
        self.presence = Presence()
        self.lanes: dict[tuple[str, str, str], Lane] = {}
        self.store = store
        self.logins = Logins(logins or LoginSettings(), self.clock)
        self.endpoint = Endpoint(
            settings, self.directory, self.inbox, self.clock, self.presence, self._lane, store, self.logins
        )
        self.hub = self.endpoint._hub
        self.taken: list[Frame] = []
        self._clients: list[Client] = []
        self.device("DU-1", "dust", 0)
        self.device("DU-2", "dust", 1)
        self.device("LP-1", "streetlight", 0)

    def _lane(self, product: str, family: str, channel: str) -> Lane:
        return self.lanes.setdefault((product, family, channel), Lane(product, family, channel))

    def device(self, name: str, family: str, index: int, *, retired: bool = False) -> None:
        digest = secrets.digest(SECRET.encode())
        self.directory.put([Entry(name, family, index, f"generic-{family}", "", retired, digest)])

    def source(self, name: str, *devices: str) -> None:
        voice = Voice(name, ("city/#",), frozenset(devices), None, secrets.digest(SECRET.encode()))
        self.directory.put_voices([voice])

    async def open(self, version: int = V5, *, port: int = 0) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.endpoint.port)
        client = Client(version, reader, writer)
        self._clients.append(client)
        return client

    async def connect(self, name: str = "DU-1", version: int = V5, **more: Any) -> Client:
        """A client that was let in."""
        client, connack = await self.ask(name, version, **more)
        assert connack.code == 0, connack
        return client

    async def ask(self, name: str = "DU-1", version: int = V5, **more: Any) -> tuple[Client, Connack]:
        client = await self.open(version)
        fields: dict[str, Any] = {"client_id": "c", "username": name, "password": SECRET.encode()} | more
        client.send(Connect(version=version, **fields))
        return client, await client.expect(Connack)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                await self.clock.sleep(0.002)

    async def frames(self, count: int) -> list[Frame]:
        """The next frames, once so many have come."""
        await self.until(lambda: len(self.inbox.frames) >= count)
        taken = self.inbox.take(1 << 20)
        self.taken += taken
        return taken

    @staticmethod
    def settle(frames: Sequence[Frame], refused: Mapping[int, Reason] | None = None) -> None:
        """As the pipeline does after a commit. refused: by position."""
        tokens: dict[Origin, list[int]] = defaultdict(list)
        verdicts: dict[Origin, dict[int, Refusal]] = defaultdict(dict)
        for position, frame in enumerate(frames):
            if frame.token:
                tokens[frame.origin].append(frame.token)
            reason = frame.verdict or (refused or {}).get(position)
            if reason is not None:
                verdicts[frame.origin][frame.token] = Refusal(position, reason, "", whole=True)
        for origin, mine in tokens.items():
            origin.settle(mine, verdicts[origin])

    async def pipeline(self) -> None:
        """Settles all that comes, at once."""
        while True:
            await self.inbox.wait()
            taken = self.inbox.take(1 << 20)
            self.taken += taken
            self.settle(taken)

    async def leave(self) -> None:
        for client in self._clients:
            await client.drop()


def telemetry(number: int = 0, name: str = "DU-1", family: str = "dust", **more: Any) -> Publish:
    """The n-th publish of a device; packet identifier n where it is not 0."""
    payload = b'{"v":{"pm10":%d}}' % number
    fields: dict[str, Any] = {
        "topic": f"city/{family}/{name}/telemetry",
        "payload": payload,
        "qos": int(number > 0),
        "packet_id": number,
    }
    return Publish(**(fields | more))


@asynccontextmanager
async def city(
    store: Memory | None = None, bound: int = 10_000, logins: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[City]:
    """An endpoint on a free port; its sweep runs only when a test says so."""
    settings["limits"] = {"penalty": 0.0} | settings.get("limits", {})
    chosen = EndpointSettings(**{"host": "127.0.0.1", "port": 0, "sweep": 3600.0} | settings)
    it = City(chosen, store or Memory(), bound, LoginSettings(**logins or {}))
    async with Tasks() as tasks:
        await it.endpoint.start(tasks)
        try:
            yield it
        finally:
            await it.leave()
            await it.endpoint.stop()


__all__ = ["SECRET", "V5", "V311", "City", "Client", "Memory", "city", "telemetry"]
