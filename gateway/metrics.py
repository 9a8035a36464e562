"""What the gateway counts about itself. Counters move once a tick, never once a message; levels are read when scraped.

Names are a contract: the dashboards and alert rules under deploy/ use them, and a test holds both to this registry.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from drivers.telemetry import SECOND, Int64

PREFIX: Final = "citygate_"
TICK_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 5.0)
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LAG_BUCKETS: Final = (1, 5, 15, 60, 300, 1_800, 7_200, 86_400)  # seconds
STAGES: Final = ("decode", "stamp", "commit", "judge", "record", "settle")

Levels = Mapping[tuple[str, ...], float]  # by label values


class Metrics:
    """All metrics of one gateway, in a registry of their own so that tests do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._flow()
        self._stores()
        self.event_lag = EventLag()
        self.registry.register(self.event_lag)
        self.api_requests = self._counter("api_requests_total", "HTTP requests", "method", "route", "status")
        self.api_seconds = self._histogram(
            "api_seconds", "HTTP requests until their answer is whole", "route", buckets=REQUEST_BUCKETS
        )
        build = self._gauge("build_info", "1; what runs here", "version", "python", "duckdb", "numpy")
        build.labels(version("citygate"), platform.python_version(), version("duckdb"), version("numpy")).set(
            1
        )

    def _flow(self) -> None:
        counter = self._counter
        self.frames = counter("frames_total", "Payloads taken from transports", "transport")
        self.frame_bytes = counter("frame_bytes_total", "Bytes of them", "transport")
        self.readings = counter("readings_total", "Readings committed to history", "family")
        self.duplicates = counter("duplicates_total", "Readings that history held already", "family")
        self.late = counter(
            "late_total", "Readings behind their device's watermark: stored, not judged", "family"
        )
        self.clock = counter(
            "clock_total", "Readings stored under their receive time: wrong device clock", "family"
        )
        self.transitions = counter("transitions_total", "Conditions raised or cleared", "family", "edge")
        self.shadow_transitions = counter(
            "shadow_transitions_total", "The same by rules that are only tried", "family", "edge"
        )
        self.acked = counter("acked_total", "Frames settled to their devices after commit")
        self.watermark_restarts = counter("watermark_restarts_total", "Device clocks that stepped back")
        self.sweeps = counter("sweeps_total", "Looks at absence and at holds that ran out")
        self.tick = self._histogram("tick_seconds", "One tick: decode to acks")
        stage = self._histogram("stage_seconds", "One stage of a tick", "stage")
        self.stages = {name: stage.labels(name) for name in STAGES}
        self.last_tick = self._gauge("last_tick", "Number of the newest committed tick")

    def _stores(self) -> None:
        self.commit_failures = self._counter(
            "commit_failures_total", "Commits of a tick that failed and were tried again", "store"
        )
        for store in ("history", "operations"):  # a first failure must be a rise, not a new series
            self.commit_failures.labels(store)
        self.store_wait = self._histogram("store_wait_seconds", "How long a write waits for the SQL writer")
        self.store_write = self._histogram("store_write_seconds", "A write of the SQL writer, its wait apart")
        self.replay_seconds = self._gauge("replay_seconds", "How long the replay at the start took")
        self.replayed_ticks = self._gauge("replayed_ticks", "Ticks that the start replayed")

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A level that is read when scraped, so that it is true where nothing ticks any more."""
        self._gauge(name, text).set_function(read)

    def table(self, name: str, text: str, labels: Sequence[str], read: Callable[[], Levels]) -> None:
        """Levels by label values, read when scraped; what is not among them any more is not shown any more."""
        self.registry.register(_Table(GaugeMetricFamily, PREFIX + name, text, labels, read))

    def totals(self, name: str, text: str, labels: Sequence[str], read: Callable[[], Levels]) -> None:
        """Totals by label values that their part counts by itself; `name` without "_total"."""
        self.registry.register(_Table(CounterMetricFamily, PREFIX + name, text, labels, read))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: Sequence[float] = TICK_BUCKETS
    ) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self.registry)


class EventLag(Collector):
    """How old readings are when they are received, by family: a batch is counted at once, not row by row."""

    def __init__(self) -> None:
        self._bounds = np.asarray(LAG_BUCKETS, np.int64) * SECOND
        self._counts: dict[str, Int64] = {}
        self._sums: dict[str, int] = {}

    def observe(self, family: str, lags: Int64) -> None:
        """µs from event to receipt; what a fast device clock sends counts as no lag."""
        lags = np.maximum(lags, 0)
        counts = np.bincount(np.searchsorted(self._bounds, lags), minlength=len(self._bounds) + 1)
        self._counts[family] = self._counts.get(family, np.zeros_like(counts)) + counts
        self._sums[family] = self._sums.get(family, 0) + int(lags.sum())

    def collect(self) -> Iterator[Metric]:
        found = HistogramMetricFamily(
            f"{PREFIX}event_lag_seconds", "Age of readings when they are received", labels=["family"]
        )
        edges = [*(str(float(bound)) for bound in LAG_BUCKETS), "+Inf"]
        for family, counts in list(self._counts.items()):
            running = np.cumsum(counts).tolist()
            buckets = [(edge, float(count)) for edge, count in zip(edges, running, strict=True)]
            found.add_metric([family], buckets, self._sums[family] / SECOND)
        yield found


class _Table(Collector):
    def __init__(
        self,
        family: type[GaugeMetricFamily | CounterMetricFamily],
        name: str,
        text: str,
        labels: Sequence[str],
        read: Callable[[], Levels],
    ) -> None:
        self._new: Callable[[], GaugeMetricFamily | CounterMetricFamily] = lambda: family(
            name, text, labels=labels
        )
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """So that registering it reads nothing yet."""
        yield self._new()

    def collect(self) -> Iterator[Metric]:
        found = self._new()
        for labels, level in self._read().items():
            found.add_metric(labels, level)
        yield found
