"""What runs without a socket: stores, registry, desk and the pipeline between them. Doors only bring it frames.

History first: it is replayed before anything else may speak; the last tick is done before a store closes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from sqlalchemy import Connection

from drivers.families import FAMILIES
from drivers.refusal import Reason
from drivers.telemetry import DAY, SECOND, Batch
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
from gateway.ingest.inbox import Inbox
from gateway.ingest.presence import Presence
from gateway.ingest.quarantine import Quarantine, clear
from gateway.metrics import Metrics
from gateway.notify.flow import Flow, channels
from gateway.notify.outbox import Outbox
from gateway.pipeline import Parts, Pipeline, Replies
from gateway.registry import commands
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory
from gateway.registry.rulebook import Rulebook
from gateway.registry.sources import Sources
from gateway.registry.tokens import Tokens
from gateway.store import horizon
from gateway.store.store import Store
from gateway.tasks import Tasks
from rules import packs
from rules.control import Control, GatewayUp
from rules.document import read_rules
from rules.order import Order

SOCKET: Final = "citygate.sock"


class Core:
    """Every part that owns state, each built once and named here; `closing` undoes what it opens, in reverse."""

    def __init__(self, config: Config, clock: CityClock, closing: AsyncExitStack) -> None:
        self.config, self.clock, self.closing = config, clock, closing
        self.products = config.products()
        self.admin_token: str | None = None  # the very first one, to be shown this once
        self.replayed = 0  # ticks

    async def open_stores(self) -> None:
        data = self.config.data
        data.mkdir(parents=True, exist_ok=True)
        url = self.config.operations.url or f"sqlite:///{(data / 'operations.sqlite').absolute()}"
        self.store = await self.closing.enter_async_context(Store(url))
        await self.store.migrate()
        try:
            self.history = History(data / "history", FAMILIES, self.config.history, self.clock)
        except StoreError as error:
            raise ConfigError([f"data: {error}; does another citygate run on this directory?"]) from error
        self.closing.callback(self.history.close)
        self.queries = Queries(self.history, self.config.history.readers)
        self.closing.callback(self.queries.close)
        self.clock.not_before(1 + max(self.history.last_received(), await self.store.read(horizon.reached)))

    def build(self) -> None:
        self._build_flow()
        self._build_registry()

    def _build_flow(self) -> None:
        """From frames to messages."""
        config, clock = self.config, self.clock
        desk = config.desk
        if "zone" not in desk.model_fields_set:
            desk = desk.model_copy(update={"zone": config.zone})
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
        self.closing.callback(self.care.close)
        self.metrics.registry.register(self.care)
        self.decoding = Decoding(self.products, config.zone)
        post = Outbox(config.notify.channels).post
        self.desk = Desk(config.templates(), desk, describe=self.facts, post=post)
        self.flow = Flow(
            self.store, channels(config.notify, clock), config.notify, clock, random.SystemRandom()
        )
        order = Order(FAMILIES, config.clocks.ahead_s * SECOND, config.clocks.behind_days * DAY)
        self.derived = Derived(FAMILIES, order, config.zone)
        self.pipeline = Pipeline(self.parts(), config.pipeline)

    def _build_registry(self) -> None:
        """Who may speak, and what is known of them."""
        store, clock = self.store, self.clock
        self.devices = Devices(store, clock, self.products, self.directory, self.pipeline.announce)
        self.rulebook = Rulebook(
            store, clock, self.devices.announcer, lambda document: read_rules([document], FAMILIES)
        )
        self.sources = Sources(store, clock, self.directory)
        self.tokens = Tokens(store, clock)
        self.presence = Presence(self.inbox, self.directory, self.decoding.lane, clock)

    def parts(self) -> Parts:
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
            publish=self.publish,
            reply=self._reply,
        )

    async def rebuild(self) -> None:
        self.desk.bind([one.document for one in await self.rulebook.in_force()])
        self.replayed = await self.pipeline.replay()

    async def run(self, tasks: Tasks, links: Sequence[Control]) -> None:
        """From here on ticks run; what history has not heard yet is announced before a device may speak."""
        ticking = tasks.start("pipeline", self.pipeline.run())
        self.closing.push_async_callback(self.pipeline.stop, ticking)
        await self.pipeline.announce([*await self._known(), *links])
        await self.rulebook.load(packs.load())
        await self.devices.load()
        await self.sources.load()
        await self.tokens.load()
        self.admin_token = await self.tokens.first()

    async def _known(self) -> list[Control]:
        if not self.history.last_tick():
            return [*await self.rulebook.controls(), *await self.devices.controls()]
        down = max(self.history.last_received(), await self.store.read(horizon.reached))
        return [GatewayUp(down, self.clock.now())]

    def publish(self, changes: Sequence[Change], batches: Sequence[Batch]) -> None:
        self.hub.publish(changes, batches)
        if changes:
            self.flow.wake()

    def newest(self, family: str, index: int) -> int | None:
        """The time of a device's newest reading; None where it was never heard."""
        known = self.derived.latest.get(family, index)
        return max((one.time for name, one in known.items() if name != "online"), default=None)

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

    async def _spare_samples(self, sparing: bool) -> None:
        self.quarantine.sparing = sparing
        if sparing:
            await self.store.write(clear)

    def _unmirrored(self, point: Refused) -> None:
        now, line = self.clock.now(), point.line.encode()
        self.quarantine.note(Reason.MIRROR_REFUSED, now, point.device, "mirror", "", line, point.detail)
