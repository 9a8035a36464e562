"""Broker links (design 3): the gateway joins brokers that stand already, each link in a task of its own, and comes back.

History hears of a link's outages, so that nobody behind it counts as silent because the link was down.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Final

from drivers.mqtt.codes import ReasonCode
from drivers.products.product import Product
from gateway.clock import Clock
from gateway.errors import ConfigError, LinkError, StoreError
from gateway.ingest.backoff import Backoff
from gateway.ingest.inbox import Inbox
from gateway.ingest.link_broker import FAILURE, Broker
from gateway.ingest.link_connection import LinkConnection
from gateway.ingest.link_figures import COUNTED
from gateway.ingest.link_filters import LinkFilters, Memory
from gateway.ingest.link_routes import Directory, Lanes, Routes
from gateway.ingest.link_session import Downlink, LinkCounters, LinkSession
from gateway.ingest.link_settings import LinkSettings
from gateway.ingest.lorawan import NetworkServers
from gateway.tasks import Tasks
from rules.control import Control, LinkDown, LinkUp

log = logging.getLogger(__name__)

STEADY: Final = 10.0  # seconds up after which the next break counts as the first
FULL: Final = 0.05  # seconds until a publish that found the broker's window full is tried again
PARTING: Final = 1.0  # seconds for history to take the last word
HOPELESS: Final = frozenset(
    (
        ReasonCode.SESSION_TAKEN_OVER,
        ReasonCode.BANNED,
        ReasonCode.BAD_USER_NAME_OR_PASSWORD,
        ReasonCode.NOT_AUTHORIZED,
    )
)

Announce = Callable[[Sequence[Control]], Awaitable[None]]


class Link:
    """One broker. `announce` puts control rows into the log and returns once they are in force."""

    def __init__(self, session: LinkSession, announce: Announce, random: Random) -> None:
        self.settings = session.settings
        self._session = session
        self._announce = announce
        self._backoff = Backoff(self.settings.reconnect_cap, random)
        self._context = _context(self.settings)
        self._connection: LinkConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._open = asyncio.Event()  # set while it is up
        self._saying = False
        self._leaving = False
        self.why = "not connected yet"  # where it is not up

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def counters(self) -> LinkCounters:
        return self._session.counters

    def counts(self) -> dict[str, int]:
        """For metrics; those since the start, and what is unsettled now."""
        counters, connection = self.counters, self._connection
        counts = {name: getattr(counters, name) for name in COUNTED if hasattr(counters, name)}
        unsettled = connection.uplink.unsettled if connection is not None else 0
        inflight = len(self._session.inflight)
        return {**counts, "dropped": self.broker.dropped, "unsettled": unsettled, "inflight": inflight}

    @property
    def broker(self) -> Broker:
        return self._session.broker

    @property
    def up(self) -> bool:
        """Connected and subscribed."""
        connection = self._connection
        return connection is not None and connection.up.done() and not connection.over

    def start(self, tasks: Tasks, *, known: bool) -> None:
        """known: history says that it was up before, so the broker ought to have its session."""
        self._session.established = known
        self._task = tasks.start(f"mqtt-link-{self.settings.name}", self.run())

    async def run(self) -> None:
        """Connect, stay, come back; until stopped."""
        while not self._leaving:
            await self._once()
            if not self._leaving:
                await self._session.clock.sleep(self._backoff.pause())

    async def _once(self) -> None:
        connection = self._connection = LinkConnection(self._session)
        try:
            await self._session.filters.prepare()
            async with asyncio.timeout(self.settings.connect_timeout):
                await self._connect(connection)
                await connection.up
        except (OSError, LinkError, StoreError, UnicodeError) as error:  # a time-out is an OSError
            connection.abort()
            self._failed(connection, str(error) or f"no answer in {self.settings.connect_timeout:g} s")
            return
        await self._stay(connection)

    async def _connect(self, connection: LinkConnection) -> None:
        settings = self.settings
        log.debug("link %s: connecting to %s:%d", settings.name, settings.host, settings.port)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, settings.host, settings.port, ssl=self._context)

    async def _stay(self, connection: LinkConnection) -> None:
        settings, clock = self.settings, self._session.clock
        since = clock.monotonic()
        log.info(
            "link %s: up at %s:%d, MQTT %s",
            settings.name,
            settings.host,
            settings.port,
            "5" if self._session.version == 5 else "3.1.1",
        )
        await self._say(LinkUp(settings.name, clock.now()))
        await self._settle_filters()
        self._open.set()
        self.why = why = await connection.ended
        self._open.clear()
        if self._leaving:
            return
        log.warning("link %s: down: %s", settings.name, why)
        await self._say(LinkDown(settings.name, clock.now()))
        if clock.monotonic() - since >= STEADY:
            self._backoff.reset()
        self._consider(connection.code)

    async def _settle_filters(self) -> None:
        try:
            await self._session.filters.settle()
        except StoreError as error:  # they are taken back once more with the next start
            log.warning("link %s: filters cannot be remembered: %s", self.settings.name, error)

    async def _say(self, control: Control) -> None:
        self._saying = True
        await self._announce([control])
        self._saying = False

    def _failed(self, connection: LinkConnection, why: str) -> None:
        self.why = why
        self.counters.failures += 1
        self._consider(connection.code)
        log.warning("link %s: %s; next attempt within %g s", self.settings.name, why, self._backoff.bound)

    def _consider(self, code: int) -> None:
        """What the broker means and will mean again: no hurry to ask."""
        if self._session.version == self.settings.version == 5 and code in HOPELESS:
            self._backoff.exhaust()
            if code == ReasonCode.SESSION_TAKEN_OVER:
                log.error(
                    "link %s: another client uses the client id %s; give each gateway its own client_id",
                    self.settings.name,
                    self.settings.client,
                )

    async def stop(self) -> None:
        """Take no more, acknowledge what is being committed, leave the session at the broker."""
        self._leaving = True
        if self._connection is not None:
            await self._connection.leave()
        if self._task is None:
            return
        if self._saying:
            await asyncio.wait([self._task], timeout=PARTING)
        self._task.cancel()
        await asyncio.wait([self._task])

    def deliver(self, topic: str, payload: bytes, expires: int) -> bool:
        """Publish a command, to be given up at `expires` (µs UTC, city time). True once it is on its way to the broker."""
        return self._connection is not None and self._connection.send(Downlink(topic, payload, expires))

    def halt(self) -> None:
        """Give up every command that the broker has not acknowledged."""
        self._session.halt()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Retained, at QoS 1. Returns once the broker has taken it, however often the link breaks meanwhile.

        LinkError: the broker refuses it, now and probably later.
        """
        verdict: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def heard(code: int) -> None:
            if not verdict.done():
                verdict.set_result(code)

        downlink = Downlink(topic, payload, 0, retain=True, heard=heard)
        while not verdict.done():
            await self._open.wait()
            if self._connection is not None and self._connection.send(downlink):
                break
            await self._session.clock.sleep(FULL)
        if (code := await verdict) >= FAILURE:
            raise LinkError(f"the broker refuses {topic}: 0x{code:02x}")
        self.counters.published += 1

    def pause(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()


class Links:
    """All broker links. ConfigError where a certificate cannot be used."""

    def __init__(
        self,
        settings: Iterable[LinkSettings],
        catalog: Mapping[str, Product],
        directory: Directory,
        inbox: Inbox,
        clock: Clock,
        lanes: Lanes,
        announce: Announce,
        random: Random,
        memory: Memory,
        servers: NetworkServers | None = None,
    ) -> None:
        def make(each: LinkSettings) -> Link:
            routes, filters = Routes(each, catalog, directory, lanes, servers), LinkFilters(each, memory)
            session = LinkSession(each, routes, inbox, clock, Broker(each), filters, each.version)
            return Link(session, announce, random)

        self._make, self._announce, self._clock = make, announce, clock
        self._links = {each.name: make(each) for each in settings}
        self._known: set[str] = set()  # up when the log ended
        inbox.gate(self._pause, self._resume)

    def named(self, name: str) -> Link:
        return self._links[name]

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def controls(self, now: int, known: Mapping[str, int | None]) -> list[Control]:
        """At the gateway's start, nobody is connected yet; and who waits for a link that is no more waits in vain.

        known: as the engine knows the links of the log: since when they are down, None = up.
        """
        self._known = {name for name, down in known.items() if down is None}
        return [
            *(LinkDown(name, now) for name in self._links),
            *(
                LinkUp(name, now)
                for name, down in known.items()
                if name not in self._links and down is not None
            ),
        ]

    def start(self, tasks: Tasks) -> None:
        """Each link connects in a task of its own."""
        for name, link in self._links.items():
            link.start(tasks, known=name in self._known)

    async def stop(self) -> None:
        await asyncio.gather(*(link.stop() for link in self))

    async def change(self, settings: Iterable[LinkSettings], tasks: Tasks) -> None:
        """These from now on: what is new or different connects, what is gone leaves. ConfigError: nothing has changed."""
        wanted = {each.name: each for each in settings}
        here = {link.settings.name: link.settings for link in self}
        fresh = {name: self._make(each) for name, each in wanted.items() if here.get(name) != each}
        gone = [self._links.pop(name) for name in here if name not in wanted or name in fresh]
        await asyncio.gather(*(link.stop() for link in gone))
        self._links |= fresh
        now = self._clock.now()
        down = [LinkDown(name, now) for name in fresh]
        await self._announce([*down, *(LinkUp(name, now) for name in here if name not in wanted)])
        for name, link in fresh.items():
            link.start(tasks, known=name in here and _keeps(here[name], wanted[name]))

    def halt(self) -> None:
        for link in self:
            link.halt()

    def deliver(self, link: str, topic: str, payload: bytes, expires: int) -> bool:
        """Publish a command to a device behind `link`; False where there is no such link or it cannot take it now."""
        found = self._links.get(link)
        return found is not None and found.deliver(topic, payload, expires)

    def _pause(self) -> None:
        for link in self:
            link.pause()

    def _resume(self) -> None:
        for link in self:
            link.resume()


def _keeps(before: LinkSettings, after: LinkSettings) -> bool:
    """Whether the broker ought to have the session still."""
    return (before.host, before.port, before.client) == (after.host, after.port, after.client)


def _context(settings: LinkSettings) -> ssl.SSLContext | None:
    if not settings.secure:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.tls_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.tls_cert is not None:
            context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:
        raise ConfigError([f"mqtt.link {settings.name}: certificates cannot be used: {error}"]) from error
    return context
