"""The running gateway: builds the parts, starts them in order, stops them in reverse.

History first: it is replayed before a socket opens; the last tick is done before a store closes.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection, delete, insert

from drivers.families import FAMILIES
from drivers.mqtt.topics import command_topic
from drivers.refusal import Reason
from drivers.telemetry import DAY, SECOND, Batch
from gateway.api.http import build
from gateway.api.services import Services
from gateway.api.stream import Hub
from gateway.cases.desk import Desk
from gateway.cases.facts import Facts
from gateway.cases.record import Change
from gateway.clock import CityClock
from gateway.config import Config
from gateway.decoding import Decoding
from gateway.derived import Derived
from gateway.errors import ConfigError, StoreError
from gateway.history.care import Care
from gateway.history.duck import History
from gateway.history.query import Queries
from gateway.history.sink import Refused
from gateway.history.space import Level
from gateway.ingest.endpoint import Endpoint
from gateway.ingest.hj212_server import Hj212Server
from gateway.ingest.inbox import Inbox
from gateway.ingest.link import Links
from gateway.ingest.modbus_bus import City
from gateway.ingest.modbus_buses import Buses
from gateway.ingest.presence import Presence
from gateway.ingest.quarantine import Quarantine, clear
from gateway.ingest.session_rows import SessionRows
from gateway.metrics import Metrics
from gateway.notify.bureau import Bureau
from gateway.notify.flow import Flow, channels
from gateway.notify.outbox import Outbox
from gateway.pipeline import Parts, Pipeline, Replies
from gateway.registry import commands
from gateway.registry.commands import Commands
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory
from gateway.registry.rulebook import Rulebook
from gateway.registry.sources import Sources
from gateway.registry.tokens import Tokens
from gateway.server import LocalDoor, Server, listen_local, listen_tcp
from gateway.store import horizon
from gateway.store.schema.registry import meta
from gateway.store.store import Store
from gateway.tasks import Tasks
from rules import packs
from rules.control import Control, GatewayUp
from rules.document import read_rules
from rules.order import Order

log = logging.getLogger(__name__)

ROUND: Final = 0.5  # real seconds between two looks at deadlines, proofs, shelves and waiting commands
SOCKET: Final = "citygate.sock"
PROBE: Final = "probe"


class App:
    """One gateway on one data directory. As a context it runs: replayed, listening, and watched.

    `listening` False opens no socket: `door` then serves commands of this process only.
    """

    def __init__(self, config: Config, clock: CityClock | None = None, *, listening: bool = True) -> None:
        self.config = config
        self.clock = clock or CityClock()
        self.listening = listening
        self.admin_token: str | None = None  # the very first one, to be shown this once
        self.replayed = 0  # ticks
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open_stores()
            self._build()
            await self._rebuild()
            await self._run()
            await self._open_doors()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def failed(self) -> BaseException:
        """Wait until a part fails; the owner then leaves the context."""
        assert self.tasks.failed is not None
        return await self.tasks.failed

    async def _open_stores(self) -> None:
        data = self.config.data
        data.mkdir(parents=True, exist_ok=True)
        url = self.config.operations.url or f"sqlite:///{(data / 'operations.sqlite').absolute()}"
        self.store = await self._exit.enter_async_context(Store(url))
        await self.store.migrate()
        try:
            self.history = History(data / "history", FAMILIES, self.config.history, self.clock)
        except StoreError as error:
            raise ConfigError([f"data: {error}; does another citygate run on this directory?"]) from error
        self._exit.callback(self.history.close)
        self.queries = Queries(self.history, self.config.history.readers)
        self._exit.callback(self.queries.close)
        self.clock.not_before(1 + max(self.history.last_received(), await self.store.read(horizon.reached)))

    def _build(self) -> None:
        config, clock = self.config, self.clock
        products, templates = config.products(), config.templates()
        settings = config.desk
        if "zone" not in settings.model_fields_set:
            settings = settings.model_copy(update={"zone": config.zone})
        self.metrics, self.hub, self.directory, self.quarantine = Metrics(), Hub(), Directory(), Quarantine()
        self.inbox, self.facts = Inbox(config.pipeline.max_pending), Facts()
        self.care = Care(
            self.history,
            config.data,
            config.history,
            config.mirror,
            clock,
            self._spare_samples,
            self._unmirrored,
        )
        self._exit.callback(self.care.close)
        self.metrics.registry.register(self.care)
        self.decoding = Decoding(products, config.zone)
        self.desk = Desk(templates, settings, describe=self.facts, post=Outbox(config.notify.channels).post)
        self.flow = Flow(
            self.store, channels(config.notify, clock), config.notify, clock, random.SystemRandom()
        )
        order = Order(FAMILIES, config.clocks.ahead_s * SECOND, config.clocks.behind_days * DAY)
        self.derived = Derived(FAMILIES, order, config.zone)
        self.pipeline = Pipeline(self._parts(), config.pipeline)
        self.devices = Devices(self.store, clock, products, self.directory, self.pipeline.announce)
        self.rulebook = Rulebook(
            self.store, clock, self.devices.announcer, lambda document: read_rules([document], FAMILIES)
        )
        self.sources = Sources(self.store, clock, self.directory)
        self.tokens = Tokens(self.store, clock)
        self.presence = Presence(self.inbox, self.directory, self.decoding.lane, clock)
        sessions = SessionRows(self.store)
        self.endpoint = Endpoint(
            config.mqtt.endpoint,
            self.directory,
            self.inbox,
            clock,
            self.presence,
            self.decoding.lane,
            sessions,
        )
        self.directory.watch(self.endpoint.expel)
        self.links = Links(
            config.links(),
            products,
            self.directory,
            self.inbox,
            clock,
            self.decoding.lane,
            self.pipeline.announce,
            random.SystemRandom(),
        )
        self.stations = Hj212Server(
            config.hj212,
            self.directory,
            products,
            self.inbox,
            clock,
            self.presence,
            self.decoding.lane,
            config.zone,
            self._newest,
            self.decoding.tolerated,
        )
        city = City(self.inbox, self.directory, self.decoding.lane, products, clock)
        self.modbus = Buses(config.modbus, city, random.SystemRandom())
        self.metrics.registry.register(self.modbus)
        self.commands = Commands(self.store, clock, self.directory, self._deliver)
        self.application = build(self._services())
        self.door = LocalDoor(self.application, self.tokens.local())

    def _parts(self) -> Parts:
        return Parts(
            inbox=self.inbox,
            decoding=self.decoding,
            derived=self.derived,
            history=self.history,
            store=self.store,
            desk=self.desk,
            facts=self.facts,
            quarantine=self.quarantine,
            directory=self.directory,
            clock=self.clock,
            metrics=self.metrics,
            snapshots=self.config.data / "snapshots",
            publish=self._publish,
            reply=self._reply,
        )

    def _services(self) -> Services:
        return Services(
            store=self.store,
            clock=self.clock,
            families=FAMILIES,
            products=self.config.products(),
            devices=self.devices,
            sources=self.sources,
            tokens=self.tokens,
            rulebook=self.rulebook,
            commands=self.commands,
            directory=self.directory,
            desk=self.desk,
            queries=self.queries,
            care=self.care,
            latest=self.derived.latest,
            inbox=self.inbox,
            lanes=self.decoding,
            quarantine=self.quarantine,
            hub=self.hub,
            metrics=self.metrics.registry,
            ready=self._ready,
        )

    async def _rebuild(self) -> None:
        self.desk.bind([one.document for one in await self.rulebook.in_force()])
        self.replayed = await self.pipeline.replay()

    async def _run(self) -> None:
        """From here on ticks run; what history has not heard yet is announced before a device may speak."""
        self.tasks = await self._exit.enter_async_context(Tasks())
        ticking = self.tasks.start("pipeline", self.pipeline.run())
        self._exit.push_async_callback(self.pipeline.stop, ticking)
        now = self.clock.now()
        if self.history.last_tick():
            down = max(self.history.last_received(), await self.store.read(horizon.reached))
            known: list[Control] = [GatewayUp(down, now)]
        else:
            known = [*await self.rulebook.controls(), *await self.devices.controls()]
        await self.pipeline.announce([*known, *self.links.controls(now, self.derived.engine.links)])
        await self.rulebook.load(packs.load())
        await self.devices.load()
        await self.sources.load()
        await self.tokens.load()
        self.admin_token = await self.tokens.first()

    async def _open_doors(self) -> None:
        self.tasks.start("desk", self._rounds())
        if not self.listening:
            return
        self.care.start(self.tasks)
        self.tasks.start("notify", self.flow.run())
        self.http = Server(self.application, listen_tcp(self.config.http.host, self.config.http.port))
        self.local = Server(self.door, listen_local(self.config.data / SOCKET))
        for name, server in (("http", self.http), ("local", self.local)):
            server.start(name, self.tasks)
            self._exit.push_async_callback(server.stop, self.clock)
        self._exit.callback(self.hub.close)
        if self.config.mqtt.endpoint.enabled:
            await self.endpoint.start(self.tasks)
            self._exit.push_async_callback(self.endpoint.stop)
        self._exit.push_async_callback(self.modbus.stop)
        await self.modbus.start(self.tasks)
        if self.config.hj212.enabled:
            self.metrics.registry.register(self.stations.figures)
            await self.stations.start(self.tasks)
            self._exit.push_async_callback(self.stations.stop)
        for forward in self.config.hj212.forward:
            bureau = Bureau(
                forward,
                self.history,
                self.directory,
                self.config.products(),
                self.clock,
                self.config.zone,
                self.config.data,
            )
            self.tasks.start(f"forward-{forward.name}", bureau.run())
        self.links.start(self.tasks)
        self._exit.push_async_callback(self.links.stop)

    async def _rounds(self) -> None:
        """What time alone does, outside of telemetry."""
        while True:
            await self.clock.sleep(ROUND)
            try:
                changes = await self.store.write(self._round)
                await self.commands.offer_waiting()
            except StoreError as error:
                log.warning("operations cannot be written, trying again: %s", error)
                continue
            self.presence.settle()
            self._publish(changes, [])
            self.metrics.connections.set(self.endpoint.connections)
            self.metrics.sessions.set(self.endpoint.sessions)
            for link in self.links:
                self.metrics.link(link.settings.name, up=link.up, counts=link.counts())

    def _round(self, conn: Connection) -> list[Change]:
        now = self.clock.now()
        commands.expire(conn, now)
        return self.desk.tick(conn, now)

    def _publish(self, changes: Sequence[Change], batches: Sequence[Batch]) -> None:
        self.hub.publish(changes, batches)
        if changes:
            self.flow.wake()

    def _reply(self, conn: Connection, replies: Replies, now: int) -> None:
        for frame, reply in replies:
            assert frame.lane is not None
            entry = self.directory.by_index(frame.lane.family, frame.device)
            device = entry.id if entry else ""
            if not commands.answer(conn, device, reply.id, reply.result, reply.error or "", now):
                self.quarantine.note(
                    Reason.NO_REPLY_EXPECTED,
                    now,
                    device,
                    frame.origin.address,
                    frame.topic,
                    frame.payload,
                    f"no open command {reply.id!r:.40} of this device",
                )

    def _deliver(self, family: str, device: str, payload: bytes, expires: int) -> bool:
        if self.modbus.deliver(device, payload, expires):
            return True
        topic = command_topic(family, device)
        entry = self.directory.device(device)
        return (
            (entry is not None and self.links.deliver(entry.link, topic, payload, expires))
            or self.endpoint.deliver(device, topic, payload, expires=expires)
            or self.stations.deliver(device, payload, expires)
        )

    def _newest(self, family: str, index: int) -> int | None:
        """The time of a device's newest reading; None where it was never heard."""
        known = self.derived.latest.get(family, index)
        return max((one.time for name, one in known.items() if name != "online"), default=None)

    async def _ready(self) -> list[str]:
        """Why the gateway cannot do its work, one line a reason; writes to both stores to find out."""
        reasons: list[str] = []
        if self.pipeline.stalled:
            reasons.append(self.pipeline.stalled)
        for name, write in (("operations", self._probe_store), ("history", self.history.probe)):
            try:
                await write()
            except StoreError as error:
                reasons.append(f"{name}: {error}")
        if self.history.space.level() is Level.FLOOR:
            reasons.append(f"disk: {self.history.space.reason()}")
        if self.inbox.paused:
            reasons.append("pipeline: sockets are paused, more readings wait than the bound")
        return reasons

    async def _spare_samples(self, sparing: bool) -> None:
        self.quarantine.sparing = sparing
        if sparing:
            await self.store.write(clear)

    def _unmirrored(self, point: Refused) -> None:
        now, line = self.clock.now(), point.line.encode()
        self.quarantine.note(Reason.MIRROR_REFUSED, now, point.device, "mirror", "", line, point.detail)

    async def _probe_store(self) -> None:
        now = self.clock.now()

        def write(conn: Connection) -> None:
            conn.execute(delete(meta).where(meta.c.key == PROBE))
            conn.execute(insert(meta).values(key=PROBE, value=str(now)))

        await self.store.write(write)
