"""A bus in virtual time: the master and a simulated line, event by event, without a socket or a clock."""

from __future__ import annotations

import heapq

from drivers.families import FAMILIES
from drivers.modbus.master import Event, Master
from drivers.modbus.poll import Polled, Target
from drivers.modbus.register_map import Module, Register
from drivers.modbus.station import Station
from drivers.modbus.values import image_of
from simulators.modbus_slaves import Fault, Line, Slave

FAMILY = FAMILIES["dust"]

# Two reads of one shape, so that only care tells their answers apart on RTU.
MODULE = Module(
    "main",
    (
        Register("pm10", 0),
        Register("pm25", 1),
        Register("tsp", 2),
        Register("noise", 10),
        Register("temperature", 11),
        Register("humidity", 12),
    ),
    holes=(("holding", 5, 6),),
)


def truth(unit: int) -> dict[str, float]:
    """What the slave of this unit says: every value names its unit and its register."""
    return {
        "pm10": 1000.0 + unit,
        "pm25": 2000.0 + unit,
        "tsp": 3000.0 + unit,
        "noise": 100.0 + unit,
        "temperature": 20.0 + unit,
        "humidity": 50.0 + unit,
    }


def slave(unit: int, fault: Fault | None = None, turnaround: float = 0.01, module: Module = MODULE) -> Slave:
    return Slave(unit, image_of(module, FAMILY, truth(unit)), fault or Fault(), turnaround)


def targets(units: range, period: float, module: Module = MODULE) -> list[Target]:
    return [Target(f"D-{unit}", (Station(unit, module, FAMILY),), period) for unit in units]


class Virtual:
    """`said`: every event with its time. `asked`: times at which requests left."""

    def __init__(self, master: Master, line: Line) -> None:
        self.master = master
        self.line = line
        self.now = 0.0
        self.said: list[tuple[float, Event]] = []
        self.longest = 0.0  # seconds that a request was outstanding
        self._sent = 0.0
        self._coming: list[tuple[float, int, bytes]] = []
        self._count = 0

    def run(self, until: float) -> None:
        while self.now < until:
            self._turn()
            wake = self.master.wake()
            coming = self._coming[0][0] if self._coming else until
            following = min(until, coming, until if wake is None else wake)
            self.now = max(following, self.now + (0.0 if following > self.now else 1e-6))
            while self._coming and self._coming[0][0] <= self.now:
                _, _, data = heapq.heappop(self._coming)
                self.master.receive(data, self.now)
                self._heard()

    def _turn(self) -> None:
        busy = self.master.busy
        self.master.expire(self.now)
        if busy and not self.master.busy:
            self._over()
        data = self.master.send(self.now)
        if data is not None:
            self._sent = self.now
            for delay, frame in self.line.hear(data):
                self._count += 1
                heapq.heappush(self._coming, (self.now + delay, self._count, frame))
        self._take()

    def _heard(self) -> None:
        if not self.master.busy:
            self._over()
        self._take()

    def _over(self) -> None:
        self.longest = max(self.longest, self.now - self._sent)

    def _take(self) -> None:
        self.said += [(self.now, event) for event in self.master.events]
        self.master.events = []

    def readings(self) -> dict[int, list[Polled]]:
        """By unit; targets stand in order of units from 1."""
        found: dict[int, list[Polled]] = {}
        for _, event in self.said:
            if isinstance(event, Polled):
                found.setdefault(event.place + 1, []).append(event)
        return found
