"""All that looks after history while the gateway runs: compaction and upkeep, and the mirror where there is one."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.clock import Clock
from gateway.history import snapshot
from gateway.history.compaction import Compactor
from gateway.history.duck import History
from gateway.history.mirror import Mirror
from gateway.history.mirror_settings import MirrorSettings
from gateway.history.settings import HistorySettings
from gateway.history.sink import Refused
from gateway.history.upkeep import Upkeep
from gateway.tasks import Tasks


class Care:
    """data: folder of cursor and snapshots. spare, refuse: see Upkeep and Mirror. mirror: None where none is configured.

    Raises StoreError where the mirror's cursor cannot be read.
    """

    def __init__(
        self,
        history: History,
        data: Path,
        settings: HistorySettings,
        mirrored: MirrorSettings,
        clock: Clock,
        spare: Callable[[bool], Awaitable[None]],
        refuse: Callable[[Refused], None],
    ) -> None:
        self._snapshots = data / "snapshots"
        self.history = history
        self.mirrored = mirrored
        self.mirror: Mirror | None = None
        if mirrored.url:
            from gateway.history.influx import InfluxSink  # noqa: PLC0415 - see there

            chance = random.SystemRandom()
            self.mirror = Mirror(history, data, InfluxSink(mirrored), mirrored, clock, chance, refuse)
        self.compactor = Compactor(history, settings, clock, self.passed)
        self._upkeep = Upkeep(self.compactor, history.space, settings, clock, spare)

    def change(self, settings: HistorySettings) -> None:
        """Other limits and times, from the next look on; threads, memory and readers stay as they were."""
        self.history.change(settings)
        self.compactor.change(settings)
        self._upkeep.change(settings)

    def passed(self) -> int:
        """The tick that snapshot and mirror have passed."""
        tick = snapshot.newest_tick(self._snapshots)
        return tick if self.mirror is None else min(tick, self.mirror.passed())

    def collect(self) -> Iterator[Metric]:
        """For a Prometheus registry."""
        yield GaugeMetricFamily(
            "citygate_disk_free_bytes", "Free space of the data folder", self.history.space.free()
        )
        held = self.compactor.held
        yield GaugeMetricFamily("citygate_history_parts", "Parquet parts of history", held.parts)
        yield GaugeMetricFamily("citygate_history_part_rows", "Rows in Parquet parts", held.rows)
        yield GaugeMetricFamily("citygate_history_part_bytes", "Bytes of Parquet parts", held.bytes)
        if self.mirror is None:
            return
        status = self.mirror.status()
        lag = status.newest - self.mirror.passed()
        yield GaugeMetricFamily("citygate_mirror_lag_ticks", "Ticks that the mirror is behind", lag)
        yield GaugeMetricFamily("citygate_mirror_up", "1 while the mirror takes points", not status.error)
        yield CounterMetricFamily("citygate_mirror_points", "Points written to the mirror", status.written)
        yield CounterMetricFamily(
            "citygate_mirror_refused", "Points the mirror does not take", status.refused
        )

    def start(self, tasks: Tasks) -> None:
        tasks.start("upkeep", self._upkeep.run())
        if self.mirror is not None:
            tasks.start("mirror", self.mirror.run())

    def close(self) -> None:
        """Wait for what runs. Comes after the tasks have ended and before the history's own close."""
        self.compactor.close()
        if self.mirror is not None:
            self.mirror.close()
