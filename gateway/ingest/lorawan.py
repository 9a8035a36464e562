"""LoRaWAN network servers, behind a link or at the endpoint: which of them heard a device last, and what became of downlinks.

The way down is the way of the last uplink, and is kept in operations. Before a device's first one there is none, and a
command waits.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.lorawan import downlinks
from drivers.lorawan.downlinks import Fate
from gateway.clock import Clock
from gateway.errors import StoreError

log = logging.getLogger(__name__)

ENDPOINT = ""  # in place of a link's name
SAVE: Final = 1.0  # real seconds between two saves of ways that have changed
Key = tuple[str, int]  # family, and index of a device


class Heard(NamedTuple):
    """topic: of the last uplink. link: the broker link it came by, or ENDPOINT."""

    topic: str
    link: str


class WayStore(Protocol):
    """gateway.ingest.lorawan_ways."""

    async def load(self) -> dict[Key, Heard]: ...

    async def save(self, ways: Mapping[Key, Heard]) -> None: ...


class NetworkServers(Collector):
    """fate: told what a server says of a command of ours. One entry a device; register it for /metrics."""

    def __init__(
        self, fate: Callable[[Fate], object] = lambda _fate: None, rows: WayStore | None = None
    ) -> None:
        self._fate = fate
        self._rows = rows
        self._last: dict[Key, Heard] = {}
        self._changed: dict[Key, Heard] = {}  # and not saved yet
        self._counts = Counter(queued=0, sent=0, delivered=0, failed=0, foreign=0)

    def heard(self, family: str, index: int, topic: str, link: str) -> None:
        """An uplink of this device came under this topic."""
        way = Heard(topic, link)
        if self._last.get((family, index)) != way:
            self._last[family, index] = self._changed[family, index] = way

    def last(self, family: str, index: int) -> Heard | None:
        return self._last.get((family, index))

    async def load(self) -> None:
        """The ways that were known before; call it before anything is heard."""
        if self._rows is not None:
            self._last = await self._rows.load()

    async def keep(self, clock: Clock) -> None:
        """Save what has changed, now and then; until cancelled."""
        while True:
            await clock.sleep(SAVE)
            await self.save()

    async def save(self) -> None:
        """What has changed since the last time; where operations cannot be written, later."""
        if self._rows is None or not self._changed:
            return
        changed, self._changed = self._changed, {}
        try:
            await self._rows.save(changed)
        except StoreError as error:
            self._changed = changed | self._changed
            log.warning(
                "the ways down to %d LoRaWAN devices are not saved yet: %s", len(self._changed), error
            )

    def queued(self) -> None:
        """A downlink has left for its server."""
        self._counts["queued"] += 1

    def tell(self, topic: str, payload: bytes) -> None:
        """An event of a downlink; raises Refused where it is none."""
        fate = downlinks.fate(topic, payload)
        if fate is None:
            self._counts["foreign"] += 1
            return
        self._counts[{True: "delivered", False: "failed", None: "sent"}[fate.delivered]] += 1
        self._fate(fate)

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "citygate_lorawan_downlinks",
            "LoRaWAN commands handed to a network server, and what servers said of downlinks; foreign: of none of ours",
            labels=["state"],
        )
        for state, count in self._counts.items():
            family.add_metric([state], count)
        yield family
