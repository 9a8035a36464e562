"""What runs without a socket: stores, registry, desk and the pipeline between them. Doors only bring it frames.

History first: it is replayed before anything else may speak; the last tick is done before a store closes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from drivers.families import FAMILIES
from drivers.refusal import Reason
from drivers.telemetry import DAY, LAST_JUDGED, SECOND, Batch
from gateway.api.people import People
from gateway.api.provider import Provider
from gateway.api.stream import Hub
from gateway.app import workdays
from gateway.cases import template
from gateway.cases.desk import Desk
from gateway.cases.explanations import Explanations
from gateway.cases.facts import Facts
from gateway.cases.photos import Album
from gateway.cases.record import Change, Message, Pulse
from gateway.clock import CityClock
from gateway.commands.commands import Commands
from gateway.commands.linkage import Linkage
from gateway.config import Config
from gateway.decoding import Decoding
from gateway.derived import Derived
from gateway.errors import ConfigError, StoreError
from gateway.evaluation.compose import Composer
from gateway.evaluation.facilities import Facilities
from gateway.history.care import Care
from gateway.history.duck import History
from gateway.history.query import Queries
from gateway.history.sink import Refused
from gateway.ingest.inbox import Inbox
from gateway.ingest.logins import Logins
from gateway.ingest.presence import Presence
from gateway.ingest.quarantine import Quarantine
from gateway.metrics import Metrics
from gateway.notify.cloudevents import Events
from gateway.notify.flow import Flow, channels
from gateway.notify.labels import Labels
from gateway.notify.links import KEY_FILE, Links
from gateway.notify.outbox import Outbox
from gateway.notify.publish import Publishing
from gateway.offsets import Offsets
from gateway.pipeline import Parts, Pipeline, Replies
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory
from gateway.registry.joining import Joining
from gateway.registry.rulebook import Rulebook
from gateway.registry.sources import Sources
from gateway.registry.tokens import Tokens
from gateway.store import horizon
from gateway.store.checkpoints import Checkpoints
from gateway.store.store import Store
from gateway.tasks import Tasks
from rules import packs, presets
from rules.control import Control, GatewayUp
from rules.document import read_rules
from rules.order import Order
from rules.parameters import PRESET


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
        self.metrics, self.hub, self.directory, self.quarantine = (
            Metrics(),
            Hub(),
            Directory(clock),
            Quarantine(),
        )
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
        self.decoding = Decoding(self.products, config.zone, config.payloads.limits())
        self.outbox = Outbox((*config.notify.channels, *config.open311.forward), config.zone)
        self.publishing = Publishing(config.links(), self.outbox)
        self.desk = Desk(
            config.templates(),
            config.desk_settings(),
            describe=self.facts,
            listen=self.pulse,
            post=self._post,
            correlation=config.correlation(),
        )
        self.album = Album(config.data / "photos")
        self.links = Links(config.data / KEY_FILE, config.notify.base_url, config.notify.link_life)
        self.labels = Labels(config.labels)
        self.events = Events(config.notify.source, config.notify.base_url)
        self.flow = Flow(
            self.store,
            channels(config.notify, clock, config.zone, self.links, self.events, self.labels),
            config.notify,
            clock,
            random.SystemRandom(),
        )
        order = Order(FAMILIES, config.clocks.ahead_s * SECOND, config.clocks.behind_days * DAY)
        offsets = Offsets(FAMILIES, config.clocks.wrong_s * SECOND)
        self.metrics.registry.register(offsets)
        self.derived = Derived(FAMILIES, order, config.zone, offsets)
        self.pipeline = Pipeline(self.parts(), config.pipeline)
        self.metrics.registry.register(self.pipeline.timekeeper)

    def _build_registry(self) -> None:
        """Who may speak, and what is known of them."""
        config, store, clock = self.config, self.store, self.clock
        self.devices = Devices(
            store, clock, self.products, self.directory, self.pipeline.announce, lambda: self.pipeline.stalled
        )
        self.rulebook = Rulebook(store, clock, self.devices.announcer, self._check_rules, config.rules.preset)
        self.explanations = Explanations(FAMILIES, config.zone, lambda: self.derived.engine, self.rulebook)
        self.facilities = Facilities(
            store, self.queries, self.rulebook, FAMILIES, clock, ZoneInfo(config.zone), config.evaluation
        )
        self.composer = Composer(store, self.facilities)
        self.sources = Sources(store, clock, self.directory)
        self.tokens = Tokens(store, clock)
        self.people = People(config.people, store, clock)
        self.closing.push_async_callback(self.people.passwords.close)
        self.provider = Provider(config.oidc, clock) if config.oidc.issuer else None
        if self.provider is not None:
            self.closing.push_async_callback(self.provider.close)
        self.checkpoints = Checkpoints(store, clock, config.data)
        self.closing.push_async_callback(self.checkpoints.close)
        self.logins = Logins(config.logins, clock)
        self.joining = Joining(config.joining, store, clock, self.products, self.devices, self.directory)
        self.quarantine.watch(self.joining.refused)
        self.presence = Presence(self.inbox, self.directory, self.decoding.lane, clock)
        self.commands = Commands(
            store,
            clock,
            self.directory,
            self.products,
            self.derived.latest,
            config.commands,
            self.hub.publish,
        )
        self.metrics.registry.register(self.commands.figures)
        self.linkage = Linkage(self.commands, store, clock, self.derived.latest, self._documents)

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

    def _check_rules(self, documents: list[dict[str, Any]]) -> None:
        """Raises ValueError for a set that could not be in force."""
        read_rules(documents, FAMILIES)
        faults = template.faults(self.config.templates(), documents)
        if faults:
            raise ValueError("; ".join(faults))

    async def _documents(self) -> list[dict[str, Any]]:
        return [one.document for one in await self.rulebook.in_force()]

    async def rebuild(self) -> None:
        self.desk.bind(await self._documents())
        with self.metrics.replay_seconds.time():
            _, self.replayed = await asyncio.gather(self.devices.load(), self.pipeline.replay())
        self.metrics.replayed_ticks.set(self.replayed)

    async def run(self, tasks: Tasks, links: Sequence[Control]) -> None:
        """From here on ticks run; what history has not heard yet is announced before a device may speak."""
        ticking = tasks.start("pipeline", self.pipeline.run())
        self.closing.push_async_callback(self.pipeline.stop, ticking)
        known = [*await self._known(), *self._workdays(), *self._preset()]
        await self.pipeline.announce([*known, *links])
        await self.rulebook.load(packs.load())
        await self.devices.announcer.flush(forever=True)
        await self.sources.load()
        await self.joining.load()
        await self.tokens.load()
        await self.people.load()
        self.publish(await self.store.write(partial(self.desk.reckon, now=self.clock.now())), [])
        self.admin_token = await self.tokens.first()
        await self.commands.load()

    def _preset(self) -> list[Control]:
        """The city's rule set, as far as the log does not hold it yet."""
        return [*presets.changes(self.rulebook.preset, self.derived.engine.overrides(PRESET))]

    async def change_desk(self, config: Config) -> None:
        """Other case templates and working hours, within the writer's turn: no transaction sees half of them."""
        templates, settings, correlation = config.templates(), config.desk_settings(), config.correlation()
        await self.store.write(lambda _: self.desk.change(templates, settings, correlation))
        self.config = config
        self.desk.bind(await self._documents())
        await self.pipeline.announce(self._workdays())
        self.publish(await self.store.write(partial(self.desk.reckon, now=self.clock.now())), [])

    def _workdays(self) -> list[Control]:
        """The calendar that rules ask, where the log does not hold it yet."""
        now = datetime.fromtimestamp(self.clock.now() / SECOND, UTC)
        calendar = workdays.told(self.config.desk.clock().calendar, now.year)
        return [] if calendar == self.derived.engine.calendar else [calendar]

    async def _known(self) -> list[Control]:
        if not self.history.last_tick():
            return [*await self.rulebook.controls(), *await self.devices.controls()]
        down = max(self.history.last_received(), await self.store.read(horizon.reached))
        return [GatewayUp(down, self.clock.now())]

    def publish(self, changes: Sequence[Change], batches: Sequence[Batch]) -> None:
        self.hub.publish(changes, batches)
        self.commands.hear(batches)
        if changes:
            self.flow.wake()

    def newest(self, family: str, index: int) -> int | None:
        """The time of a device's newest reading; None where it was never heard."""
        known = self.derived.latest.get(family, index)
        return max((one.time for name, one in known.items() if name != "online"), default=None)

    def pulse(self, family: str, index: int) -> Pulse:
        known = self.derived.latest.get(family, index).values()
        heard = max((one.time for one in known if one.quality <= LAST_JUDGED), default=None)
        return Pulse(heard, self.derived.order.interval(family, index))

    def _post(self, conn: Connection, messages: Sequence[Message], now: int) -> None:
        self.publishing.post(conn, self.explanations.told(messages), now)

    def _reply(self, conn: Connection, replies: Replies, now: int) -> Replies:
        """Gives those that answer no command."""
        unasked = []
        for frame, reply in replies:
            assert frame.lane is not None
            entry = self.directory.by_index(frame.lane.family, frame.device)
            if not self.commands.answer(conn, entry.id if entry else "", reply, now):
                unasked.append((frame, reply))
        return unasked

    async def _spare_samples(self, sparing: bool) -> None:
        self.quarantine.sparing = sparing
        if sparing:
            await self.store.write(self.quarantine.clear)

    def _unmirrored(self, point: Refused) -> None:
        now, line = self.clock.now(), point.line.encode()
        self.quarantine.note(Reason.MIRROR_REFUSED, now, point.device, "mirror", "", line, point.detail)
