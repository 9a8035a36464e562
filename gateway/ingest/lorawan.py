"""LoRaWAN network servers, behind a link or at the endpoint: which of them heard a device last, and what became of downlinks.

The way down is the way of the last uplink. Before the first one since the start there is none, and a command waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.lorawan import downlinks
from drivers.lorawan.downlinks import Fate

ENDPOINT = ""  # in place of a link's name


class Heard(NamedTuple):
    """topic: of the last uplink. link: the broker link it came by, or ENDPOINT."""

    topic: str
    link: str


class NetworkServers(Collector):
    """fate: told what a server says of a command of ours. One entry a device; register it for /metrics."""

    def __init__(self, fate: Callable[[Fate], object] = lambda _fate: None) -> None:
        self._fate = fate
        self._last: dict[tuple[str, int], Heard] = {}
        self._counts = Counter(queued=0, sent=0, delivered=0, failed=0, foreign=0)

    def heard(self, family: str, index: int, topic: str, link: str) -> None:
        """An uplink of this device came under this topic."""
        self._last[family, index] = Heard(topic, link)

    def last(self, family: str, index: int) -> Heard | None:
        return self._last.get((family, index))

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
