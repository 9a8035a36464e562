"""Where devices and people come in: one transport each, all over the same core. Opened in order, closed in reverse."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack

from fastapi import FastAPI

from drivers.mqtt.topics import command_topic
from gateway.app.core import SOCKET, Core
from gateway.ingest.endpoint import Endpoint
from gateway.ingest.hj212_server import Hj212Server
from gateway.ingest.link import Links
from gateway.ingest.modbus_bus import City
from gateway.ingest.modbus_buses import Buses
from gateway.ingest.session_rows import SessionRows
from gateway.notify.bureau import Bureau
from gateway.server import LocalDoor, Server, listen_local, listen_tcp
from gateway.tasks import Tasks


class Doors:
    """Endpoint, links, HJ 212 stations, Modbus buses, the API and its local socket."""

    def __init__(self, core: Core) -> None:
        self.core = core
        config, clock = core.config, core.clock
        self.endpoint = Endpoint(
            config.mqtt.endpoint,
            core.directory,
            core.inbox,
            clock,
            core.presence,
            core.decoding.lane,
            SessionRows(core.store),
        )
        core.directory.watch(self.endpoint.expel)
        self.links = Links(
            config.links(),
            core.products,
            core.directory,
            core.inbox,
            clock,
            core.decoding.lane,
            core.pipeline.announce,
            random.SystemRandom(),
        )
        self.stations = Hj212Server(
            config.hj212,
            core.directory,
            core.products,
            core.inbox,
            clock,
            core.presence,
            core.decoding.lane,
            config.zone,
            core.newest,
            core.decoding.tolerated,
        )
        city = City(core.inbox, core.directory, core.decoding.lane, core.products, clock)
        self.modbus = Buses(config.modbus, city, random.SystemRandom())
        core.metrics.registry.register(self.modbus)

    def serve(self, application: FastAPI) -> None:
        """The local door serves commands of this process even where nothing listens."""
        self.application = application
        self.local = LocalDoor(application, self.core.tokens.local())

    def deliver(self, family: str, device: str, payload: bytes, expires: int) -> bool:
        """Hand a command to the transport that the device speaks; False where none reaches it now."""
        if self.modbus.deliver(device, payload, expires):
            return True
        topic = command_topic(family, device)
        entry = self.core.directory.device(device)
        return (
            (entry is not None and self.links.deliver(entry.link, topic, payload, expires))
            or self.endpoint.deliver(device, topic, payload, expires=expires)
            or self.stations.deliver(device, payload, expires)
        )

    async def open(self, tasks: Tasks, closing: AsyncExitStack) -> None:
        config = self.core.config
        self._open_api(tasks, closing)
        if config.mqtt.endpoint.enabled:
            await self.endpoint.start(tasks)
            closing.push_async_callback(self.endpoint.stop)
        closing.push_async_callback(self.modbus.stop)
        await self.modbus.start(tasks)
        if config.hj212.enabled:
            self.core.metrics.registry.register(self.stations.figures)
            await self.stations.start(tasks)
            closing.push_async_callback(self.stations.stop)
        self._forward(tasks)
        self.links.start(tasks)
        closing.push_async_callback(self.links.stop)

    def _open_api(self, tasks: Tasks, closing: AsyncExitStack) -> None:
        config = self.core.config
        self.http = Server(self.application, listen_tcp(config.http.host, config.http.port))
        local = Server(self.local, listen_local(config.data / SOCKET))
        for name, server in (("http", self.http), ("local", local)):
            server.start(name, tasks)
            closing.push_async_callback(server.stop, self.core.clock)
        closing.callback(self.core.hub.close)

    def _forward(self, tasks: Tasks) -> None:
        core = self.core
        for forward in core.config.hj212.forward:
            bureau = Bureau(
                forward,
                core.history,
                core.directory,
                core.products,
                core.clock,
                core.config.zone,
                core.config.data,
            )
            tasks.start(f"forward-{forward.name}", bureau.run())

    def count(self) -> None:
        """Put what the doors count into the metrics."""
        metrics = self.core.metrics
        metrics.connections.set(self.endpoint.connections)
        metrics.sessions.set(self.endpoint.sessions)
        for link in self.links:
            metrics.link(link.settings.name, up=link.up, counts=link.counts())
