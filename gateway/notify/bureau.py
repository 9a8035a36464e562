"""Forwards readings to an environmental bureau's platform, as an HJ 212-2017 client that follows history.

The cursor moves after the platform's 9014: an outage of any length costs lag, and what it missed is sent oldest first.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import msgspec
import numpy as np

from drivers.hj212.profile import FLAGS, STATES, StationMap
from drivers.hj212.reporter import Reporter
from drivers.hj212.segment import Segment
from drivers.hj212.uploads import upload
from drivers.products.product import Product
from drivers.telemetry import Batch, Kind, Quality
from gateway.clock import SECOND, Clock
from gateway.errors import StoreError
from gateway.history.duck import History
from gateway.ingest.hj212_settings import ForwardSettings
from gateway.registry.directory import Directory

log = logging.getLogger(__name__)

PORTION: Final = 500  # messages read from history at once; a single tick may have more
DIGITS: Final = 3  # decimals, as in N3.3 of Annex B
_WORDS: Final = frozenset(FLAGS.values())
_STATES: Final = frozenset(STATES.values())


class Cursor(msgspec.Struct, frozen=True):
    """Every reading up to this tick has been acknowledged. sent: messages, since the first start."""

    tick: int = 0
    sent: int = 0


class Portion(NamedTuple):
    until: int  # the last tick it has all of
    messages: list[Segment]


class Bureau:
    """One platform. connected: whether it answers; error: why not."""

    def __init__(
        self,
        settings: ForwardSettings,
        history: History,
        directory: Directory,
        products: Mapping[str, Product],
        clock: Clock,
        zone: str,
        folder: Path,
    ) -> None:
        self.settings = settings
        self.connected = False
        self.error = ""
        self._history = history
        self._directory = directory
        self._products = products
        self._clock = clock
        self._zone = ZoneInfo(zone)
        self._path = folder / f"forward-{settings.name}.json"
        self.cursor = self._load()
        self._portion: Portion | None = None
        self._reporter = Reporter(
            self._zone,
            timeout=int(settings.answer_timeout * SECOND * clock.speed),
            retries=settings.retries,
            window=settings.window,
            crc=settings.crc,
        )

    async def run(self) -> None:
        """Until cancelled. StoreError: history cannot be read, or the cursor cannot be written."""
        while True:
            try:
                await self._session()
                why = "the platform closed the connection or left messages unanswered"
            except (OSError, TimeoutError) as error:
                why = str(error) or type(error).__name__
            if not self.error:
                log.warning("forwarding to %s waits: %s", self.settings.name, why)
            self.connected, self.error = False, why
            self._reporter.lost()
            await self._clock.sleep(self.settings.reconnect)

    async def _session(self) -> None:
        async with asyncio.timeout(self.settings.answer_timeout):
            reader, writer = await asyncio.open_connection(self.settings.host, self.settings.port)
        try:
            self.connected, self.error = True, ""
            while not self._reporter.dead(self._clock.now()):
                await self._refill()
                writer.write(self._reporter.due(self._clock.now()))
                await writer.drain()
                try:
                    async with asyncio.timeout(self.settings.poll):
                        data = await reader.read(65_536)
                except TimeoutError:
                    continue
                if not data:
                    return
                answers, _ = self._reporter.feed(data)
                writer.write(answers)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _refill(self) -> None:
        """Once a portion is acknowledged whole, the cursor moves and the next one is read."""
        if len(self._reporter):
            return
        if self._portion is not None:
            done = Cursor(self._portion.until, self.cursor.sent + len(self._portion.messages))
            await asyncio.to_thread(self._save, done)
            self.cursor, self._portion = done, None
        if self._history.last_tick() > self.cursor.tick:
            self._portion = await asyncio.to_thread(self._read, self.cursor.tick)
            for token, message in enumerate(self._portion.messages):
                self._reporter.offer(token, message)

    def _read(self, after: int) -> Portion:
        messages: list[Segment] = []
        try:
            for replayed in self._history.replay(after):
                after = replayed.tick
                for batch in replayed.batches:
                    messages += self._messages(batch)
                if len(messages) >= PORTION:
                    break
        except duckdb.Error as error:
            raise StoreError(f"history cannot be read: {error}") from error
        return Portion(after, messages)

    def _messages(self, batch: Batch) -> Iterator[Segment]:
        """The rows of forwarded devices, as uploads of their stations."""
        for row in np.flatnonzero(batch.kind != Kind.STATUS).tolist():
            entry = self._directory.by_index(batch.family.name, int(batch.device[row]))
            mn = self.settings.stations.get(entry.id) if entry else None
            profile = self._profile(entry.product, batch.family.name) if entry and mn else None
            if mn is None or profile is None:
                continue
            values, quality = _values(batch, row, profile)
            if values:
                time = int(batch.time[row])
                yield upload(
                    profile,
                    self._zone,
                    mn=mn,
                    time=time,
                    sent=time,
                    values=values,
                    quality=quality,
                    kind=Kind(batch.kind[row]),
                    st=self.settings.st,
                    pw=self.settings.password,
                )

    def _profile(self, product: str, family: str) -> StationMap | None:
        """Factors of the device's own product, or of the family's plain station."""
        own = self._products[product].hj212
        plain = self._products.get(f"hj212-{family}")
        return own or (plain.hj212 if plain else None)

    def _load(self) -> Cursor:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Cursor)
        except FileNotFoundError:
            return Cursor(self._history.last_tick() if self.settings.only_new else 0)
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(
                f"{self._path}: {error}; without the file all of history is sent again"
            ) from error

    def _save(self, cursor: Cursor) -> None:
        """Blocks until it is durable; raises StoreError."""
        aside = self._path.with_suffix(".new")
        try:
            with aside.open("wb") as file:
                file.write(msgspec.json.encode(cursor))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path)
        except OSError as error:
            raise StoreError(f"{aside}: {error}") from error


def _values(batch: Batch, row: int, profile: StationMap) -> tuple[dict[str, float], dict[str, Quality]]:
    """What HJ 212 has words for; an uncertain value goes as a normal one, for it has no flag of its own."""
    values: dict[str, float] = {}
    quality: dict[str, Quality] = {}
    index = batch.family.index
    for factor in profile.factors:
        grade = Quality(batch.quality[index[factor.point], row])
        value = float(batch.values[index[factor.point], row])
        grade = Quality.GOOD if grade is Quality.UNCERTAIN else grade
        said = (value, grade) in _STATES if factor.state else grade in _WORDS
        if said:
            values[factor.point] = value if factor.state else round(value, DIGITS)
            quality[factor.point] = grade
    return values, quality
