"""All buses of the gateway: started and stopped together, each with a line of its own; DTUs of one port share its door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.modbus.poll import BOUNDS
from gateway.ingest.modbus_bus import Bus, City
from gateway.ingest.modbus_line import Door, keep
from gateway.ingest.modbus_settings import ModbusSettings
from gateway.tasks import Tasks

PREFIX: Final = "citygate_modbus_"
COUNTED: Final = {
    "requests": "Requests sent",
    "answers": "Requests answered in time, by exceptions too",
    "exceptions": "Requests answered by an exception",
    "timeouts": "Requests that nobody answered in time",
}


class Buses(Collector):
    """Also what /metrics says of them: register it with the gateway's registry."""

    def __init__(self, settings: Sequence[ModbusSettings], city: City, random: Random) -> None:
        self._random = random
        self._city = city
        self.buses = [Bus(one, city, random) for one in settings]
        doors: dict[tuple[str, int], list[Bus]] = {}
        for bus in self.buses:
            if bus.settings.kind == "dtu":
                doors.setdefault((bus.settings.host, bus.settings.port), []).append(bus)
        self.doors = [Door(callers, city.inbox, city.clock) for callers in doors.values()]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, tasks: Tasks) -> None:
        """Listen for DTUs and connect to the rest. Raises ConfigError where a port cannot be had."""
        for bus in self.buses:
            bus.refresh()
        for door in self.doors:
            await door.open()
        self._tasks = [
            tasks.start(f"modbus-{bus.settings.name}", keep(bus, self._city.clock, self._random))
            for bus in self.buses
            if bus.settings.kind != "dtu"
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for bus in self.buses:
            bus.stop()
        for door in self.doors:
            await door.close()

    def deliver(self, device: str, payload: bytes, expires: int) -> bool:
        """Hand a command to the bus that has this device; expires: µs UTC. False where none has, or its line is down."""
        return any(bus.deliver(device, payload, expires) for bus in self.buses)

    def halt(self) -> None:
        """No command that waits is written any more; what was written is still read back."""
        for bus in self.buses:
            bus.master.halt()

    def collect(self) -> Iterable[Metric]:
        yield from self._totals()
        up = GaugeMetricFamily(f"{PREFIX}up", "1 while a bus has its line", labels=["bus"])
        overshoot = GaugeMetricFamily(
            f"{PREFIX}deadline_overshoot_seconds", "How far a deadline was passed at most", labels=["bus"]
        )
        period = GaugeMetricFamily(
            f"{PREFIX}period_seconds", "Achieved poll period, smoothed", labels=["bus", "device"]
        )
        jitter = HistogramMetricFamily(
            f"{PREFIX}jitter_seconds", "How far two polls lie off their period", labels=["bus"]
        )
        for bus in self.buses:
            name = bus.settings.name
            up.add_metric([name], float(bus.line is not None))
            overshoot.add_metric([name], max(bus.master.counters.overshoot, bus.counters.before.overshoot))
            counts, total = [0] * (len(BOUNDS) + 1), 0.0
            for member in bus.members:
                pace = member.target.pace
                total += pace.jitter_sum
                counts = [mine + its for mine, its in zip(counts, pace.jitter, strict=True)]
                if pace.achieved:
                    period.add_metric([name, member.device], pace.achieved)
            jitter.add_metric([name], _buckets(counts), total)
        yield from (up, overshoot, period, jitter)

    def _totals(self) -> Iterable[Metric]:
        for counted, text in COUNTED.items():
            family = CounterMetricFamily(f"{PREFIX}{counted}", text, labels=["bus"])
            for bus in self.buses:
                total = getattr(bus.master.counters, counted) + getattr(bus.counters.before, counted)
                family.add_metric([bus.settings.name], total)
            yield family
        late = CounterMetricFamily(
            f"{PREFIX}late", "Answers that came when nobody awaited them", labels=["bus"]
        )
        for bus in self.buses:
            late.add_metric([bus.settings.name], bus.strays)
        yield late


def _buckets(counts: Sequence[int]) -> list[tuple[str, float]]:
    edges = [*(str(bound) for bound in BOUNDS), "+Inf"]
    running = 0
    buckets: list[tuple[str, float]] = []
    for edge, count in zip(edges, counts, strict=True):
        running += count
        buckets.append((edge, float(running)))
    return buckets
