"""python -m simulators.hj212_fleet PORT STATIONS PERIOD: HJ 212 dust stations in a process of their own, for loads.

Prints "ready" once all have connected; each then reports every PERIOD seconds, evenly spread, until standard input
closes. Ends with a line of JSON: what was sent and answered, and how long the answers took (ms).
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Final
from zoneinfo import ZoneInfo

import uvloop

from drivers.products import catalog
from simulators.__main__ import raise_descriptors
from simulators.hj212_stations import Manners, StationLink, dial
from simulators.latency import Histogram
from simulators.pace import SECOND, Pace

PRODUCT: Final = "hj212-dust"
ZONE: Final = ZoneInfo("Asia/Shanghai")
SLICE: Final = 0.05  # seconds between two looks at who is due
PATIENCE: Final = 15.0  # seconds that the last answers may take
VALUES: Final = {"pm10": 71.5, "pm25": 38.0, "noise": 58.2, "temperature": 21.5, "humidity": 60.0}


def mn(number: int) -> str:
    """The 24 digits by which the platform knows a station of this fleet."""
    return f"31010400{number:016}"


class Fleet:
    """n stations, each of which reports every `period` seconds of real time."""

    def __init__(self, n: int, period: float, pace: Pace) -> None:
        profile = catalog()[PRODUCT].hj212
        assert profile is not None
        self.latency = Histogram()
        self.stations = [
            StationLink(
                mn(number),
                profile,
                lambda _: VALUES,
                pace,
                zone=ZONE,
                manners=Manners(),
                latency=self.latency,
            )
            for number in range(n)
        ]
        self._pace = pace
        self._period = period

    async def run(self, over: asyncio.Event) -> None:
        """Report until told to stop, then wait for what is still to be answered."""
        began, done = self._pace.monotonic(), 0
        n = len(self.stations)
        while not over.is_set():
            due = int((self._pace.monotonic() - began) / self._period * n)
            for turn in range(done, due):
                self.stations[turn % n].measure(self._pace.now() // SECOND * SECOND)
            done = due
            await self._pace.sleep(SLICE)
        until = self._pace.monotonic() + PATIENCE
        while any(one.kept for one in self.stations) and self._pace.monotonic() < until:
            await self._pace.sleep(SLICE)

    def report(self) -> dict[str, Any]:
        tallies = [one.tally for one in self.stations]
        return {
            "sent": sum(one.sent for one in tallies),
            "again": sum(one.again for one in tallies),
            "acknowledged": sum(one.acknowledged for one in tallies),
            "unanswered": sum(one.kept for one in self.stations),
            "connected": sum(one.connected for one in self.stations),
            "latency_ms": self.latency.summary(),
        }


async def serve(port: int, n: int, period: float) -> None:
    fleet, over = Fleet(n, period, Pace.real()), asyncio.Event()
    await dial(fleet.stations, "127.0.0.1", port)
    _say("ready")
    async with asyncio.TaskGroup() as group:
        group.create_task(fleet.run(over), name="fleet")
        await asyncio.to_thread(sys.stdin.read)
        over.set()
    _say(json.dumps(fleet.report()))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise_descriptors()
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
