"""What /metrics says of broker links: totals since the start, and what is under way now, by link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX: Final = "citygate_link_"
COUNTED: Final = {
    "received": "Messages that came over a broker link",
    "acked": "Messages acknowledged to a link's broker after commit",
    "repeated": "Messages that a link's broker sent again",
    "retained": "Stored copies of old messages that came over a broker link, not used",
    "reconnects": "Times a broker link came back",
    "failures": "Attempts to connect a broker link that failed",
    "sessions_lost": "Times a link's broker had lost the session, and what was published meanwhile",
    "dropped": "Messages that a link's broker says it dropped, for any of its clients, since the link was up",
    "downlinks_sent": "Commands published over a broker link",
    "downlinks_acked": "Commands that a link's broker acknowledged",
    "downlinks_unheard": "Commands that a link's broker acknowledged and nobody had subscribed to",
    "downlinks_refused": "Commands that a link's broker refused",
    "published": "Alarms, cases and devices that a link's broker has taken",
}
LEVELS: Final = {
    "unsettled": "Messages of a broker link that wait for their commit",
    "inflight": "Publishes of ours that a link's broker has not acknowledged",
}


class Counted(Protocol):
    """gateway.ingest.link.Link, as far as its figures go."""

    @property
    def name(self) -> str: ...
    @property
    def up(self) -> bool: ...
    def counts(self) -> Mapping[str, int]:
        """By the names above."""


class LinkFigures(Collector):
    """Register it with the gateway's registry."""

    def __init__(self, links: Iterable[Counted]) -> None:
        self._links = links

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            f"{PREFIX}up", "1 while a broker link is connected and subscribed", labels=["link"]
        )
        families: dict[str, Metric] = {
            name: CounterMetricFamily(PREFIX + name, text, labels=["link"]) for name, text in COUNTED.items()
        } | {name: GaugeMetricFamily(PREFIX + name, text, labels=["link"]) for name, text in LEVELS.items()}
        for link in self._links:
            up.add_metric([link.name], float(link.up))
            for name, value in link.counts().items():
                suffix = "_total" if name in COUNTED else ""
                families[name].add_sample(PREFIX + name + suffix, {"link": link.name}, value)
        yield up
        yield from families.values()
