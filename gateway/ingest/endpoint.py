"""The device endpoint (design 3): terminates device MQTT 3.1.1 and 5.0 in the gateway. Not a general broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from drivers.mqtt import topics
from drivers.refusal import Refused
from gateway.clock import Clock
from gateway.errors import ConfigError, StoreError
from gateway.ingest.admission import Admission
from gateway.ingest.certificates import Certificates
from gateway.ingest.connection import Connection
from gateway.ingest.counters import Counters
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.handshake import Directory
from gateway.ingest.hub import Hub, Listener, Why
from gateway.ingest.inbox import Inbox, Lane
from gateway.ingest.logins import Logins
from gateway.ingest.lorawan import NetworkServers
from gateway.ingest.session import Command, Session, Sessions, SessionStore
from gateway.ingest.tls_door import TlsDoor
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

PLAIN: Final = "plain"
TLS: Final = "tls"
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
        logins: Logins,
        servers: NetworkServers | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sessions = Sessions(settings, clock, store)
        self._hub = Hub(settings, directory, inbox, clock, listener, lanes, self._sessions, logins)
        self._hub.servers = servers or self._hub.servers
        self._servers: dict[str, asyncio.Server] = {}
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
    def admission(self) -> Admission:
        return self._hub.admission

    @property
    def certificates(self) -> Certificates | None:
        return self._hub.certificates

    @property
    def port(self) -> int:
        """The port in use without TLS; 0 where only TLS is spoken."""
        return self._port(PLAIN)

    @property
    def tls_port(self) -> int:
        return self._port(TLS)

    def _port(self, name: str) -> int:
        server = self._servers.get(name)
        port: int = server.sockets[0].getsockname()[1] if server is not None else 0
        return port

    async def start(self, tasks: Tasks) -> None:
        """Load sessions and listen. ConfigError: a port or certificate cannot be used; StoreError: no sessions."""
        await self._sessions.load()
        try:
            if not self._settings.tls.only:
                await self._listen(PLAIN, self._settings.port, lambda: Connection(self._hub))
            if self._settings.tls.cert is not None:
                self._hub.certificates = Certificates(self._settings.tls)
                await self._listen(TLS, self._settings.tls.port, lambda: TlsDoor(self._hub, tasks))
        except (OSError, ValueError) as error:
            await self._stop_listening()
            raise ConfigError([f"mqtt.endpoint: {error}"]) from error
        self._tasks = [
            tasks.start("mqtt-sessions", self._sessions.run()),
            tasks.start("mqtt-sweep", self._sweep()),
        ]

    def change(self, settings: EndpointSettings) -> None:
        """Other limits; what sockets and connections that stand were told at their start stays as it was."""
        self._settings = self._hub.settings = settings
        self._sessions.change(settings)

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

    def queue(self, device: str, topic: str, payload: bytes, *, expires: int) -> bool:
        """The same to the network servers that asked for this topic of theirs and may speak for the device."""
        taken = [
            self._give(session, Command(topic, payload, min(1, granted), expires))
            for session, granted in self._sessions.listeners(topic).items()
            if self._may_hear(session, device)
        ]
        return any(taken)

    def watch(self, stranger: Callable[[str, str], object]) -> None:
        """`stranger` is told the name and origin of whoever was refused at CONNECT."""
        self._hub.stranger = stranger

    def confirm(self, delivered: Callable[[bytes], object]) -> None:
        """`delivered` is told the payload of each command that a device has acknowledged."""
        self._hub.delivered = delivered

    def halt(self) -> None:
        """Give up every command that has not been acknowledged."""
        self._sessions.halt()

    def resume(self) -> None:
        self._sessions.halted = False

    def expel(self, name: str) -> int:
        """Close the connections of a principal whose credentials are void; how many there were."""
        peers = self._hub.of(name)
        for peer in peers:
            peer.close(Why.EXPELLED)
        return len(peers)

    def sweep(self) -> None:
        """One look at keepalives, time-outs, wills, ends of sessions and TLS files; runs by itself once started."""
        self._hub.sweep()
        certificates = self._hub.certificates
        if certificates is not None and certificates.refresh():
            self._hub.revoke()

    def _may_hear(self, session: Session, device: str) -> bool:
        try:
            self._hub.directory.spoken_for(session.principal, device)
        except Refused:
            return False
        return True

    def _give(self, session: Session, command: Command) -> bool:
        if session.link is None and command.qos == 0:
            return False
        if any(one.payload == command.payload for one in (*session.inflight.values(), *session.waiting)):
            return True  # given before a kill that came before its record
        if len(session.waiting) + len(session.inflight) >= self._settings.session_commands:
            self._hub.counters.commands_full += 1
            return False
        session.waiting.append(command)
        self._sessions.changed(session)
        if session.link is not None:
            session.link.send_commands()
        return True

    async def _listen(self, name: str, port: int, protocol: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        self._servers[name] = await loop.create_server(protocol, self._settings.host, port, backlog=BACKLOG)

    async def _stop_listening(self) -> None:
        for server in self._servers.values():
            server.close()
            await server.wait_closed()

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(self._settings.sweep)
            self.sweep()
