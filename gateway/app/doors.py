"""Where devices and people come in: one transport each, all over the same core. Opened in order, closed in reverse."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack

from fastapi import FastAPI

from drivers.dialogue import decode_command
from drivers.lorawan.codec import Frames
from drivers.lorawan.downlinks import Fate
from drivers.mqtt.topics import command_topic
from gateway.app.core import Core
from gateway.config import SOCKET
from gateway.ingest.endpoint import Endpoint
from gateway.ingest.hj212_server import Hj212Server
from gateway.ingest.hj212_settings import Hj212Settings
from gateway.ingest.link import Links
from gateway.ingest.link_filters import FilterRows
from gateway.ingest.lorawan import NetworkServers
from gateway.ingest.lorawan_ways import WayRows
from gateway.ingest.modbus_bus import City
from gateway.ingest.modbus_buses import Buses
from gateway.ingest.modbus_settings import ModbusSettings
from gateway.ingest.session_rows import SessionRows
from gateway.notify.bureau import Bureau
from gateway.notify.channels.link import LinkChannel
from gateway.notify.channels.open311 import Follow, Forward, Home, Open311Channel
from gateway.notify.flow import Flow
from gateway.registry.directory import Entry
from gateway.server import LocalDoor, Server, listen_local, listen_tcp
from gateway.tasks import Tasks


class Doors:
    """Endpoint, links, HJ 212 stations, Modbus buses, the API and its local socket."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.opened = False
        self.listening: dict[str, bool] = {}
        config, clock = core.config, core.clock
        self.network = NetworkServers(self._fate, WayRows(core.store))
        core.metrics.registry.register(self.network)
        self.endpoint = Endpoint(
            config.mqtt.endpoint,
            core.directory,
            core.inbox,
            clock,
            core.presence,
            core.decoding.lane,
            SessionRows(core.store),
            core.logins,
            self.network,
        )
        core.directory.watch(self.endpoint.expel)
        core.joining.watch(self.endpoint.expel)
        self.endpoint.watch(core.joining.turned_away)
        self.links = Links(
            config.links(),
            core.products,
            core.directory,
            core.inbox,
            clock,
            core.decoding.lane,
            core.pipeline.announce,
            random.SystemRandom(),
            FilterRows(core.store),
            self.network,
        )
        home = Home(core.store, core.desk, clock, lambda changes: core.publish(changes, []))
        self.forwards = [Forward(each, home) for each in config.open311.forward]
        self.join(core.flow)
        self.stations = self._stations(config.hj212)
        self.modbus = self._buses(config.modbus)
        self.endpoint.confirm(self._delivered)
        core.commands.bind(self)

    def _stations(self, settings: Hj212Settings) -> Hj212Server:
        core = self.core
        return Hj212Server(
            settings,
            core.directory,
            core.products,
            core.inbox,
            core.clock,
            core.presence,
            core.decoding.lane,
            core.config.zone,
            core.newest,
            core.decoding.tolerated,
        )

    def _buses(self, settings: Sequence[ModbusSettings]) -> Buses:
        core = self.core
        city = City(core.inbox, core.directory, core.decoding.lane, core.products, core.clock)
        buses = Buses(settings, city, random.SystemRandom())
        core.metrics.registry.register(buses)
        return buses

    def join(self, flow: Flow) -> None:
        """What links publish goes out with all other messages."""
        for link, channel in self.core.publishing.channels.items():
            flow.join(channel.name, LinkChannel(self.links.named(link)))
        for forward in self.forwards:
            flow.join(forward.settings.name, Open311Channel(forward), at_once=1)

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
        codec = self.core.products[entry.product].codec if entry is not None else None
        if entry is not None and isinstance(codec, Frames):
            return self._queue(entry, codec, payload, expires)
        return (
            (entry is not None and self.links.deliver(entry.link, topic, payload, expires))
            or self.endpoint.deliver(device, topic, payload, expires=expires)
            or self.stations.deliver(device, payload, expires)
        )

    def _queue(self, entry: Entry, codec: Frames, payload: bytes, expires: int) -> bool:
        """Through the network server that heard the device last."""
        heard = self.network.last(entry.family, entry.index)
        if heard is None:
            return False
        topic, downlink = codec.queued(heard.topic, decode_command(payload), expires)
        taken = (
            self.links.deliver(heard.link, topic, downlink, expires)
            if heard.link
            else self.endpoint.queue(entry.id, topic, downlink, expires=expires)
        )
        if taken:
            self.network.queued()
        return taken

    def _fate(self, fate: Fate) -> None:
        if fate.delivered:
            self.core.commands.delivered(fate.id)
        elif fate.delivered is False:
            self.core.commands.undelivered(fate.id, fate.note)

    def halt(self) -> None:
        """The kill switch: nothing that waits on any transport leaves any more."""
        for transport in (self.endpoint, self.links, self.modbus, self.stations.hub):
            transport.halt()

    def resume(self) -> None:
        self.endpoint.resume()

    def _delivered(self, payload: bytes) -> None:
        self.core.commands.delivered(decode_command(payload).id)

    async def open(self, tasks: Tasks, closing: AsyncExitStack) -> None:
        config = self.core.config
        self._open_api(tasks, closing)
        await self.network.load()
        closing.push_async_callback(self.network.save)
        tasks.start("lorawan", self.network.keep(self.core.clock))
        if config.mqtt.endpoint.enabled:
            await self.endpoint.start(tasks)
            self._listens(closing, "mqtt")
            closing.push_async_callback(self.endpoint.stop)
        closing.push_async_callback(self._close_modbus)
        await self.modbus.start(tasks)
        closing.push_async_callback(self._close_stations)
        await self._open_stations(config.hj212, tasks)
        self._forward(tasks)
        self.links.start(tasks)
        closing.push_async_callback(self.links.stop)
        self.opened = True

    async def change_modbus(self, settings: Sequence[ModbusSettings], tasks: Tasks) -> None:
        """Every bus begins anew. Raises ConfigError where a port cannot be had."""
        await self._close_modbus()
        self.core.metrics.registry.unregister(self.modbus)
        self.modbus = self._buses(settings)
        await self.modbus.start(tasks)

    async def change_stations(self, settings: Hj212Settings, tasks: Tasks) -> None:
        """Stations dial in again. Raises ConfigError where the port cannot be had."""
        await self._close_stations()
        self.stations = self._stations(settings)
        await self._open_stations(settings, tasks)

    async def _open_stations(self, settings: Hj212Settings, tasks: Tasks) -> None:
        if settings.enabled:
            await self.stations.start(tasks)
            self.core.metrics.registry.register(self.stations.figures)
            self.listening["hj212"] = True

    async def _close_stations(self) -> None:
        if self.listening.pop("hj212", False):
            self.core.metrics.registry.unregister(self.stations.figures)
        await self.stations.stop()

    async def _close_modbus(self) -> None:
        await self.modbus.stop()

    def _listens(self, closing: AsyncExitStack, transport: str) -> None:
        self.listening[transport] = True
        closing.callback(self.listening.pop, transport)

    def _open_api(self, tasks: Tasks, closing: AsyncExitStack) -> None:
        config = self.core.config
        self.http = Server(self.application, listen_tcp(config.http.host, config.http.port))
        local = Server(self.local, listen_local(config.data / SOCKET))
        for name, server in (("http", self.http), ("local", local)):
            server.start(name, tasks)
            closing.push_async_callback(server.stop, self.core.clock)
        closing.callback(self.core.hub.close)
        self._listens(closing, "http")

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
        for platform in self.forwards:
            tasks.start(f"open311-{platform.settings.name}", Follow(platform, core.clock).run())
