"""The HJ 212 station server: stations dial in, are recognised by MN, and are answered once their data are durable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from drivers.dialogue import Reply, decode_command
from drivers.hj212.commands import order
from drivers.hj212.tolerance import Tolerance
from drivers.products.product import Product
from drivers.refusal import Refused
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.ingest.hj212_connection import Connection
from gateway.ingest.hj212_hub import Directory, Figures, Hub
from gateway.ingest.hj212_settings import Hj212Settings
from gateway.ingest.hub import Listener
from gateway.ingest.inbox import Inbox, Lane
from gateway.tasks import Tasks

BACKLOG = 1024  # connections the kernel holds for us when every station comes back at once
DRAIN = 100  # looks, a hundredth of a second apart, at connections that are being closed


class Hj212Server:
    """Arguments as of Hub."""

    def __init__(
        self,
        settings: Hj212Settings,
        directory: Directory,
        products: Mapping[str, Product],
        inbox: Inbox,
        clock: Clock,
        listener: Listener,
        lanes: Callable[[str, str, str], Lane],
        zone: str,
        last: Callable[[str, int], int | None],
        tolerated: Counter[Tolerance] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.hub = Hub(settings, directory, products, inbox, clock, listener, lanes, zone, last, tolerated)
        self.figures = Figures(self.hub)
        self._server: asyncio.Server | None = None
        self._looking: asyncio.Task[None] | None = None
        self._ungate = inbox.gate(self.hub.pause, self.hub.resume)

    @property
    def port(self) -> int:
        """The port in use."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, tasks: Tasks) -> None:
        """Listen; raises ConfigError where the port cannot be used."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self.hub), self._settings.host, self._settings.port, backlog=BACKLOG
            )
        except OSError as error:
            raise ConfigError([f"hj212: {error}"]) from error
        self._looking = tasks.start("hj212-look", self._look())

    async def stop(self) -> None:
        """Take no more and close every connection."""
        self._ungate()
        if self._server is not None:
            self._server.close()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for peer in list(self.hub.peers):
            peer.stop()
        for _ in range(DRAIN):
            if not self.hub.peers:
                break
            await self._clock.sleep(0.01)
        if self._server is not None:
            await self._server.wait_closed()

    def deliver(self, device: str, payload: bytes, expires: int) -> bool:
        """Hand a command (drivers.dialogue) to a connected station before `expires` (µs UTC); True where it was taken.

        What HJ 212 cannot say, or not in this range, is answered as failed.
        """
        member = self.hub.newest(device)
        if member is None:
            return False
        asked = decode_command(payload)
        try:
            request = None
            if asked.name in member.profile.commands:
                request = order(asked.name, asked.args, member.profile.subject)
            if request is None:
                self.hub.reply(
                    member, Reply(asked.id, "failed", f"HJ 212 has no {asked.name} for this product")
                )
                return True
            task = member.station.ask(request)
        except Refused:
            return False
        except ValueError as error:
            self.hub.reply(member, Reply(asked.id, "failed", str(error)))
            return True
        task.expires = expires
        member.orders[task] = asked
        return True

    def look(self) -> None:
        """One look at time-outs and requests; runs by itself once started."""
        if not self.hub.inbox.paused:
            now = self._clock.now()
            for peer in list(self.hub.peers):
                peer.look(now)

    async def _look(self) -> None:
        while True:
            await self._clock.sleep(self._settings.look)
            self.look()
