"""A server that says yes: accepts every connection and acknowledges every publish. Run as a program, it is a bench peer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import cast

from drivers.mqtt.packets import Connack, Connect, Disconnect, Pingreq, Pingresp, Publish, Suback, Subscribe
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode, pubacks
from simulators.pace import Pace


class Acker(asyncio.Protocol):
    """One connection of the server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.reader = Reader(1 << 20)
        self.user: str | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server.links.append(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.server.links.remove(self)

    def data_received(self, data: bytes) -> None:
        acks: list[int] = []
        out: list[bytes] = []
        refused: dict[int, int] = {}
        for packet in self.reader.feed(data):
            if type(packet) is Publish:
                self.server.note(packet)
                if self.server.mute > 0:
                    self.server.mute -= 1
                elif packet.qos:
                    acks.append(packet.packet_id)
                    code = self.server.refuse.get(packet.topic.rpartition("/")[2], 0)
                    if code and self.reader.version == 5:
                        refused[packet.packet_id] = code
            else:
                out += self.answer(packet)
        if acks:
            out.append(pubacks(acks, refused))
        if out and self.transport is not None:
            self.transport.write(b"".join(out))

    def answer(self, packet: object) -> list[bytes]:
        version = self.reader.version
        if isinstance(packet, Connect):
            self.user = packet.username
            self.server.connects.append(packet)
            return [encode(Connack(), version)]
        if isinstance(packet, Subscribe):
            return [encode(Suback(packet.packet_id, (1,) * len(packet.subscriptions)), version)]
        self.server.left += isinstance(packet, Disconnect)
        return [encode(Pingresp(), version)] if isinstance(packet, Pingreq) else []

    def tell(self, topic: str, payload: bytes) -> None:
        assert self.transport is not None
        self.transport.write(encode(Publish(topic, payload, 1, 7), self.reader.version))


class Server:
    """refuse: reason codes by channel (MQTT 5). mute: how many publishes to leave unanswered from now on."""

    def __init__(self, keep: bool = True) -> None:
        self.keep = keep
        self.links: list[Acker] = []
        self.connects: list[Connect] = []
        self.heard: list[Publish] = []
        self.refuse: dict[str, int] = {}
        self.mute = 0
        self.left = 0  # how many said goodbye
        self.port = 0
        self._server: asyncio.Server | None = None

    def note(self, packet: Publish) -> None:
        if self.keep:
            self.heard.append(packet)

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Acker(self), "127.0.0.1", port, backlog=4096)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def drop(self) -> None:
        """Cut every connection."""
        for link in list(self.links):
            if link.transport is not None:
                link.transport.abort()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        await until(lambda: not self.links)
        await self._server.wait_closed()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition that other tasks bring about; TimeoutError if they don't."""
    pace = Pace.real()
    async with asyncio.timeout(seconds):
        while not condition():
            await pace.sleep(0.005)


async def serve(port: int) -> None:
    server = Server(keep=False)
    await server.start(port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
