"""From unboxing to the first reading: who is unknown is remembered, a window lets newcomers in as far as the quarantine,
and adoption makes a registered device of one, with a secret of its own. Nothing a newcomer says is history.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from secrets import token_hex
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select

from drivers.candidates import Candidates
from drivers.products.product import Product
from drivers.telemetry import MINUTE
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound, StoreError
from gateway.registry import secret as secrets
from gateway.registry import stranger_rows
from gateway.registry.device import ID, Device, Wrong
from gateway.registry.device import area as area_path
from gateway.registry.devices import Devices
from gateway.registry.directory import NEWCOMER, Directory, Principal
from gateway.registry.joining_settings import JoiningSettings
from gateway.registry.strangers import Sample, Stranger, Strangers
from gateway.store import audit
from gateway.store.schema.joining import join_window
from gateway.store.store import Store

log = logging.getLogger(__name__)

BEAT: Final = 1.0  # real seconds between two looks
TRIED: Final = 20  # payloads tried on the catalogue, a look
MQTT: Final = "mqtt"


class Window(Struct, frozen=True):
    """Until `closes` (µs UTC) new devices may connect. product "": any. digest None: with any secret."""

    id: str
    area: str
    product: str
    digest: bytes | None
    opened: int
    closes: int
    actor: str


class Joining:
    """expel: closes the connections under a name."""

    def __init__(
        self,
        settings: JoiningSettings,
        store: Store,
        clock: Clock,
        products: Mapping[str, Product],
        devices: Devices,
        directory: Directory,
    ) -> None:
        self.strangers = Strangers(settings)
        self._settings = settings
        self._store = store
        self._clock = clock
        self._products = products
        self._devices = devices
        self._directory = directory
        self._candidates = Candidates(products)
        self._windows: dict[str, Window] = {}
        self._newcomers: dict[str, str] = {}  # name -> window it came in by
        self._expel: Callable[[str], object] = str  # nobody is connected until someone watches
        directory.welcome(self._admit)

    def watch(self, expel: Callable[[str], object]) -> None:
        """`expel` is told whose connections must end: the window closed, or the newcomer has a secret of its own now."""
        self._expel = expel

    async def load(self) -> None:
        """What was remembered and which windows stand open; who was registered since is unknown no more."""
        known = await self._store.read(stranger_rows.every)
        self.strangers.load(known)
        for one in known:
            if self._directory.device(one.id) is not None:
                self.strangers.forget(one.id)
        self._windows = {one.id: one for one in await self._store.read(_windows)}

    # what the transports say

    def turned_away(self, name: str, origin: str) -> None:
        """CONNECT was refused. Who is registered has only the wrong secret."""
        if name and not self._directory.knows(name):
            self.strangers.heard(name, origin, self._clock.now(), proven=False)

    def refused(self, who: str, origin: str, topic: str, payload: bytes, time: int) -> None:
        """A payload was refused because nobody has this id."""
        if not who or self._directory.device(who) is not None:
            return
        window = self._windows.get(self._newcomers.get(who, ""))
        one = self.strangers.heard(who, origin, time, area=window.area if window else "")
        self.strangers.said(one, time, topic, payload)

    def _admit(self, name: str, secret: bytes) -> Principal | None:
        """A name that nobody has, while a window stands open."""
        now = self._clock.now()
        fits = [one for one in self._windows.values() if one.closes > now and _opens(one, secret)]
        if not fits or not ID.fullmatch(name):
            return None
        window = max(fits, key=lambda one: (one.digest is not None, one.opened))
        here = sum(1 for one in self._newcomers.values() if one == window.id)
        if name not in self._newcomers and here >= self._settings.newcomers:
            return None
        self._newcomers[name] = window.id
        known = self.strangers.find(name)
        origin = f"{known.transport}:{known.address}" if known else f"{MQTT}:{name}"
        self.strangers.heard(name, origin, now, area=window.area)
        return Principal(NEWCOMER, name)

    # what people do

    def windows(self) -> list[Window]:
        """Those that stand open, the oldest first."""
        now = self._clock.now()
        return [one for one in self._windows.values() if one.closes > now]

    async def open(
        self, area: str, minutes: float, product: str, actor: str, *, secret: bool = False
    ) -> tuple[Window, str | None]:
        """The window and, where one was asked for, its secret. Raises Invalid, Conflict where too many stand open."""
        self._check(area, minutes, product)
        if len(self.windows()) >= self._settings.windows:
            raise Conflict(f"{self._settings.windows} join windows stand open; close one first")
        word = secrets.generate() if secret else None
        now = self._clock.now()
        closes = now + int(minutes * MINUTE * self._clock.speed)
        digest = secrets.digest(word) if word else None
        window = Window(token_hex(4), area, product, digest, now, closes, actor)

        def work(conn: Connection) -> None:
            conn.execute(insert(join_window).values(asdict(window)))
            told = {"area": area, "minutes": minutes, "product": product, "secret": secret}
            audit.record(conn, now, actor, "opened", f"join_window:{window.id}", told)

        await self._store.write(work)
        self._windows[window.id] = window
        return window, word

    def _check(self, area: str, minutes: float, product: str) -> None:
        try:
            area_path(area)
        except Wrong as wrong:
            raise Invalid(f"area: {wrong.problem}; {wrong.remedy}", field="area") from wrong
        if not 0 < minutes <= self._settings.longest_minutes:
            raise Invalid(
                f"a join window stands open for at most {self._settings.longest_minutes} minutes",
                field="minutes",
            )
        if product and product not in self._products:
            raise Invalid(f"no product {product!r:.80}", field="product")

    async def close(self, window: str, actor: str) -> None:
        """Newcomers that came in by it and were not adopted are shown out; they stay remembered."""
        if window not in self._windows:
            raise NotFound(f"no join window {window!r:.32} stands open")
        now = self._clock.now()

        def work(conn: Connection) -> None:
            conn.execute(delete(join_window).where(join_window.c.id == window))
            audit.record(conn, now, actor, "closed", f"join_window:{window}")

        await self._store.write(work)
        self._windows.pop(window, None)
        for name in [name for name, one in self._newcomers.items() if one == window]:
            del self._newcomers[name]
            self._expel(name)

    async def adopt(self, who: str, form: Mapping[str, object], actor: str) -> tuple[Device, str]:
        """A registered device with a secret of its own. What `form` leaves out comes from the window it came in by.

        Raises NotFound where nothing is known of it, Invalid with every fault, Conflict where the id is taken.
        """
        one = self.strangers.find(who)
        if one is None:
            raise NotFound(
                f"nothing is known of {who!r:.80}; `citygate devices add` registers what was never heard"
            )
        device, word = await self._devices.create({**self._offered(one), **form, "id": one.id}, actor)
        now = self._clock.now()
        told = {"product": device.product, "area": device.area, "address": f"{one.transport}:{one.address}"}

        def work(conn: Connection) -> None:
            stranger_rows.drop(conn, [one.id])
            audit.record(conn, now, actor, "adopted", f"device:{one.id}", told)

        await self._store.write(work)
        self.strangers.forget(one.id)
        if self._newcomers.pop(one.id, None) is not None:
            self._expel(one.id)
        return device, word

    def _offered(self, one: Stranger) -> dict[str, object]:
        window = self._windows.get(self._newcomers.get(one.id, ""))
        offered: dict[str, object] = {"area": one.area} if one.area else {}
        if window is not None and window.product:
            offered["product"] = window.product
        elif len(one.products) == 1:
            offered["product"] = one.products[0]
        return offered

    async def forget(self, who: str, actor: str) -> None:
        """Raises NotFound where nothing is known of it."""
        if not self.strangers.forget(who):
            raise NotFound(f"nothing is known of {who!r:.80}")
        now = self._clock.now()
        await self._store.write(
            lambda conn: audit.record(conn, now, actor, "forgotten", f"unknown_device:{who:.64}")
        )

    # what time does

    async def run(self) -> None:
        """Close windows, try payloads on the catalogue, write what changed; until cancelled."""
        while True:
            await self._clock.sleep(BEAT)
            try:
                await self.look()
            except StoreError as error:
                log.warning("unknown devices cannot be written, trying again: %s", error)

    async def look(self) -> None:
        """One turn of `run`; raises StoreError, and what could not be written is kept for the next."""
        now = self._clock.now()
        for window in [one.id for one in self._windows.values() if one.closes <= now]:
            await self.close(window, "gateway")
        untried = self.strangers.untried(TRIED)
        if untried:
            self.strangers.learn(await asyncio.to_thread(lambda: dict(self._tried(untried))))
        await self.save()

    def _tried(self, untried: list[tuple[str, Sample]]) -> Iterator[tuple[str, list[str]]]:
        for who, sample in untried:
            yield who, self._candidates.of(sample.payload, sample.topic)

    async def stop(self) -> None:
        """What changed last is written where it can be."""
        try:
            await self.save()
        except StoreError as error:
            log.warning("the last unknown devices are not saved: %s", error)

    async def save(self) -> None:
        """Raises StoreError."""
        changes = self.strangers.changes()
        if not changes.rows and not changes.gone:
            return
        rows = [stranger_rows.row(one) for one in changes.rows]
        written = False
        try:
            await self._store.write(lambda conn: stranger_rows.write(conn, rows, changes.gone))
            written = True
        finally:
            if not written:
                self.strangers.again(changes)


def _opens(window: Window, secret: bytes) -> bool:
    return window.digest is None or secrets.matches(secret, window.digest)


def _windows(conn: Connection) -> list[Window]:
    return [
        Window(**row) for row in conn.execute(select(join_window).order_by(join_window.c.opened)).mappings()
    ]
