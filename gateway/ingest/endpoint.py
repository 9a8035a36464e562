"""The device endpoint (design 3): terminates device MQTT 3.1.1 and 5.0 in the gateway. Not a general broker."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

from drivers.mqtt import topics
from drivers.refusal import Refused
from gateway.clock import Clock
from gateway.errors import ConfigError, StoreError
from gateway.ingest.connection import Connection
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.handshake import Directory
from gateway.ingest.hub import Counters, Hub, Listener, Why
from gateway.ingest.inbox import Inbox, Lane
from gateway.ingest.session import Command, Session, Sessions, SessionStore
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

BACKLOG: Final = 4096  # connections the kernel holds for us when a whole city comes back at once


class Endpoint:
    """lanes: the Lane of a product, family and channel, the same object for the same three."""

    def __init__(
        self,
        settings: EndpointSettings,
        directory: Directory,
        inbox: Inbox,
        clock: Clock,
        listener: Listener,
        lanes: Callable[[str, str, str], Lane],
        store: SessionStore,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sessions = Sessions(settings, clock, store)
        self._hub = Hub(settings, directory, inbox, clock, listener, lanes, self._sessions)
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        inbox.gate(self._hub.pause, self._hub.resume)

    @property
    def counters(self) -> Counters:
        return self._hub.counters

    @property
    def connections(self) -> int:
        return len(self._hub.peers)

    @property
    def sessions(self) -> int:
        return len(self._sessions)

    @property
    def port(self) -> int:
        """The port in use without TLS."""
        return self._port(0)

    @property
    def tls_port(self) -> int:
        return self._port(1)

    def _port(self, server: int) -> int:
        port: int = self._servers[server].sockets[0].getsockname()[1]
        return port

    async def start(self, tasks: Tasks) -> None:
        """Load sessions and listen. ConfigError: a port or certificate cannot be used; StoreError: no sessions."""
        await self._sessions.load()
        try:
            await self._listen(self._settings.port, None)
            if self._settings.tls_cert is not None:
                await self._listen(self._settings.tls_port, self._context())
        except OSError as error:
            await self._stop_listening()
            raise ConfigError([f"mqtt.endpoint: {error}"]) from error
        self._tasks = [
            tasks.start("mqtt-sessions", self._sessions.run()),
            tasks.start("mqtt-sweep", self._sweep()),
        ]

    async def stop(self) -> None:
        """Take no more, tell every client why, save the sessions. Wills stay unpublished: the gateway is what goes."""
        await self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in list(self._hub.peers):
            peer.close(Why.STOPPED)
        for _ in range(100):
            if not self._hub.peers:
                break
            await self._clock.sleep(0.01)
        for peer in list(self._hub.peers):
            peer.abort()
        try:
            await self._sessions.save()
        except StoreError as error:
            log.warning("sessions are not saved as they are: %s", error)

    def deliver(self, device: str, topic: str, payload: bytes, qos: int = 1, *, expires: int) -> bool:
        """Send a command to whoever asked for this device's, now or when they come back before `expires` (µs UTC).

        True where someone will get it. topic: the device's command topic; Refused where it is none of ours.
        """
        family = topics.parse(topic).family
        taken = [
            self._give(session, Command(topic, payload, min(qos, granted), expires))
            for session, granted in self._sessions.subscribers(family, device).items()
            if self._may_hear(session, device)
        ]
        return any(taken)

    def expel(self, name: str) -> int:
        """Close the connections of a principal whose credentials are void; how many there were."""
        peers = self._hub.of(name)
        for peer in peers:
            peer.close(Why.EXPELLED)
        return len(peers)

    def sweep(self) -> None:
        """One look at keepalives, time-outs, delayed wills and the ends of sessions; runs by itself once started."""
        self._hub.sweep()

    def _may_hear(self, session: Session, device: str) -> bool:
        try:
            self._hub.directory.spoken_for(session.principal, device)
        except Refused:
            return False
        return True

    def _give(self, session: Session, command: Command) -> bool:
        if session.link is None and command.qos == 0:
            return False
        if len(session.waiting) + len(session.inflight) >= self._settings.session_commands:
            self._hub.counters.commands_full += 1
            return False
        session.waiting.append(command)
        self._sessions.changed(session)
        if session.link is not None:
            session.link.send_commands()
        return True

    async def _listen(self, port: int, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        self._servers.append(
            await loop.create_server(
                lambda: Connection(self._hub),
                self._settings.host,
                port,
                ssl=context,
                ssl_handshake_timeout=None if context is None else self._settings.connect_timeout,
                backlog=BACKLOG,
            )
        )

    def _context(self) -> ssl.SSLContext:
        assert self._settings.tls_cert is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._settings.tls_cert, self._settings.tls_key)
        return context

    async def _stop_listening(self) -> None:
        for server in self._servers:
            server.close()
            await server.wait_closed()

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(self._settings.sweep)
            self._hub.sweep()
