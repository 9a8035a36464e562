"""A registry on a real store, with a clock that stands still and a history that only listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from drivers.products import catalog
from drivers.products.product import Product
from gateway.errors import StoreError
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory
from gateway.registry.sources import Sources
from gateway.registry.tokens import Tokens
from gateway.store.store import Store
from rules.control import Control, DeviceRow
from rules.control import Devices as DevicesControl

NOW = 1_790_000_000_000_000


ACME: Final = Product(
    "acme-lamp", "Acme", "lamp", "streetlight", "test", interval=900_000_000, lateness=60_000_000
)
PRODUCTS: Final = catalog([ACME])


@dataclass
class StandingClock:
    time: int = NOW
    speed: float = 1.0

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return self.time / 1e6

    async def sleep(self, seconds: float) -> None:
        self.time += round(seconds * 1e6)


@dataclass
class History:
    """Hears controls, and notes how many devices the directory knew then."""

    directory: Directory
    heard: list[Control] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    broken: bool = False
    stuck: bool = False  # it cannot be written, and tries again for as long as that lasts
    known_stuck: bool = False

    def stalled(self) -> str | None:
        return "history: the disk is full" if self.known_stuck else None

    async def announce(self, controls: list[Control]) -> None:
        if self.broken:
            raise StoreError("disk full")
        if self.stuck:
            await asyncio.Event().wait()
        self.heard.extend(controls)
        self.known.append(len(self.directory))

    def rows(self) -> list[tuple[str, DeviceRow]]:
        return [
            (control.family, row)
            for control in self.heard
            if isinstance(control, DevicesControl)
            for row in control.rows
        ]


@dataclass
class City:
    store: Store
    clock: StandingClock
    directory: Directory
    history: History
    devices: Devices
    sources: Sources
    tokens: Tokens

    async def add(self, *ids: str, **fields: Any) -> Mapping[str, str]:
        """Lamps of these ids; gives their secrets."""
        form = {"product": "generic-streetlight", **fields}
        return {name: (await self.devices.create({**form, "id": name}, "token:test"))[1] for name in ids}


def csv(lines: Iterable[str]) -> bytes:
    return "\n".join(lines).encode()


@asynccontextmanager
async def open_city(path: Path, url: str = "") -> AsyncIterator[City]:
    async with Store(url or f"sqlite:///{path}/operations.sqlite") as store:
        await store.migrate()
        clock = StandingClock()
        directory = Directory(clock)
        history = History(directory)
        devices = Devices(store, clock, PRODUCTS, directory, history.announce, history.stalled)
        sources = Sources(store, clock, directory)
        tokens = Tokens(store, clock)
        await devices.load()
        await sources.load()
        await tokens.load()
        yield City(store, clock, directory, history, devices, sources, tokens)
