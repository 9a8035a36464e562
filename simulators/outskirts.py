"""Devices of the demo that speak no MQTT of their own: LoRaWAN lamps, HJ 212 dust stations, NB-IoT parking sensors, Modbus
lamps and a building site with a spray.

What their own side saw acknowledged is promised: history must have it. A poll is never promised: the slave cannot know.
"""

from __future__ import annotations

import asyncio
import json
from math import sin
from random import Random
from typing import TYPE_CHECKING, Any, Final

from drivers.encode import encode
from drivers.families import FAMILIES
from drivers.lorawan.codec import Frames
from drivers.modbus.values import images
from drivers.telemetry import DAY, HOUR, SECOND
from simulators.hj212_stations import StationLink, dial
from simulators.lorawan_server import Faults, NetworkServer, Node
from simulators.modbus_slaves import Line, Slave, Slaves
from simulators.sprayer import PRODUCT as SITE
from simulators.sprayer import Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import tzinfo

    from drivers.modbus.values import Image
    from drivers.products.product import Product
    from simulators.pace import Pace

LAMP: Final = "nas-ul20xx"
STATION: Final = "hj212-dust"
BAY: Final = "chinatelecom-geomagnetic"
POLE: Final = "modbus-lamp"
POLE_ID: Final = "MB-"  # ids of those lamps, and of the site, begin so
SITE_ID: Final = f"{POLE_ID}SITE"
LAMPS: Final = 40
STATIONS: Final = 6
BAYS: Final = 30
POLES: Final = 8
READS: Final = (
    2  # requests of one poll: of a pole its coils and registers, of the site its transmitter and relay
)
ROUND: Final = 1.0  # real seconds between two reports of a device
PATIENCE: Final = 5.0  # real seconds for the last acknowledgements
DUSK: Final = 10 * HOUR  # UTC: six in the evening at UTC+8
DAWN: Final = 22 * HOUR
RATED: Final = 90.0  # W
AREA: Final = "huangpu/waitan"


class Outskirts:
    """round_: real seconds between two reports of a device."""

    def __init__(
        self, products: Mapping[str, Product], pace: Pace, zone: tzinfo, seed: int, *, round_: float = ROUND
    ) -> None:
        self._products = products
        self._pace = pace
        self._random = Random(seed)  # noqa: S311 - makes no secrets
        self._round = round_
        codec, profile = products[LAMP].codec, products[STATION].hj212
        assert isinstance(codec, Frames)
        assert profile is not None
        self._lamps = [
            Node(f"70b3d5b02{number:07x}", f"lora-{number:03}", codec, self._lamp, self._obey)
            for number in range(LAMPS)
        ]
        self._stations = [
            StationLink(f"31010100{number:06}", profile, self._dust, pace, zone=zone)
            for number in range(STATIONS)
        ]
        self._bays = [f"AEP-{number:04}" for number in range(BAYS)]
        self._poles = [f"{POLE_ID}{number:04}" for number in range(POLES)]
        self._members = [Slave(unit, self._pole(), refresh=self._pole) for unit in range(1, POLES + 1)]
        self._site = Site(POLES + 1, products[SITE], pace.now, self._random)
        self._slaves = Slaves(Line([*self._members, *self._site.slaves], self._random, rtu=False))
        self._server: NetworkServer | None = None
        self._pushed: list[tuple[str, int]] = []
        self._over = asyncio.Event()

    def forms(self) -> list[dict[str, Any]]:
        """As the registry wants them."""
        names = {
            LAMP: [one.eui for one in self._lamps],
            STATION: [one.mn for one in self._stations],
            BAY: self._bays,
            POLE: self._poles,
        }
        place = {"area": AREA, "lat": 31.24, "lon": 121.49}
        forms = [{"id": one, "product": product, **place} for product, ids in names.items() for one in ids]
        return [*forms, {"id": SITE_ID, "product": SITE, "attributes": {"sprayer": 1}, **place}]

    async def listen(self) -> dict[str, Any]:
        """The Modbus line is there; the bus that polls it, as the configuration wants it."""
        await self._slaves.listen()
        slaves: list[dict[str, Any]] = [
            {"device": pole, "unit": unit, "period": "60s"} for unit, pole in enumerate(self._poles, 1)
        ]
        slaves.append({"device": SITE_ID, "units": self._site.units, "period": "60s"})
        return {"name": "outskirts", "kind": "tcp", "port": self._slaves.port, "slaves": slaves}

    async def run(
        self,
        host: str,
        mqtt: int,
        login: tuple[str, str],
        hj212: int,
        push: Callable[[bytes], Awaitable[bool]],
    ) -> None:
        """Until stopped. push: hands a list of NB-IoT messages over; whether all was taken. Raises OSError."""
        faults = Faults(duplicates=0.05, zeros=0.5)
        server = self._server = NetworkServer(self._lamps, self._random, login=login, faults=faults)
        await asyncio.get_running_loop().create_connection(lambda: server, host, mqtt)
        await server.ready
        await dial(self._stations, host, hj212)
        while not self._over.is_set():
            now = self._pace.now()
            for number, node in enumerate(self._lamps):
                server.uplink(node.eui, now + number)
            for station in self._stations:
                station.measure(now // SECOND * SECOND)
            await self._push(push, now)
            await self._pace.sleep(self._round)
        await self._settle(server)
        server.leave()
        for station in self._stations:
            station.cut()

    def stop(self) -> None:
        """Report no more; `run` ends once all is acknowledged."""
        self._over.set()

    async def close(self) -> None:
        """The Modbus line is gone."""
        await self._slaves.close()

    def promised(self) -> dict[str, list[tuple[str, int]]]:
        """By transport: device and event time (µs UTC) of what was acknowledged."""
        return {
            "lorawan": sorted(self._server.acked) if self._server is not None else [],
            "hj212": [(one.mn, time) for one in self._stations for time in one.times],
            "nbiot": list(self._pushed),
        }

    @property
    def sprays(self) -> int:
        """How often the site's spray was started: by the rule, for nobody else does."""
        return self._site.runs

    def counts(self) -> dict[str, int]:
        """Readings so far by transport: acknowledged, or of Modbus answered."""
        polled = sum(one.asked for one in self._members) // READS + self._site.polls
        return {
            "lorawan": len(self._server.acked) if self._server is not None else 0,
            "hj212": sum(one.tally.acknowledged for one in self._stations),
            "nbiot": len(self._pushed),
            "modbus": polled,
        }

    async def _push(self, push: Callable[[bytes], Awaitable[bool]], now: int) -> None:
        """One list of messages a round, as a platform forwards them; whole ms."""
        time = now // 1000 * 1000
        messages = []
        for bay in self._bays:
            values = {"occupied": float(self._random.random() < 0.6), "battery_voltage": 3.6, "rssi": -90.0}
            message = json.loads(encode(self._products[BAY], "telemetry", time, values))
            messages.append({**message, "deviceId": bay})
        if await push(json.dumps(messages).encode()):
            self._pushed += [(bay, time) for bay in self._bays]

    async def _settle(self, server: NetworkServer) -> None:
        until = self._pace.monotonic() + PATIENCE
        while self._pace.monotonic() < until:
            if server.settled and not any(one.kept for one in self._stations):
                return
            await self._pace.sleep(0.02)

    def _lit(self) -> bool:
        return DUSK <= self._pace.now() % DAY < DAWN

    def _lamp(self) -> Mapping[str, float]:
        return {
            "dimming": 100.0 if self._lit() else 0.0,
            "temperature": float(self._random.randint(18, 24)),
        }

    def _obey(self, command: str, args: Mapping[str, float]) -> None:
        """These lamps follow their own clock."""

    def _pole(self) -> Image:
        """The registers of a lamp now."""
        lit = float(self._lit())
        power = RATED * lit + self._random.uniform(0.2, 1.0)
        values = {"switch": lit, "dimming": 100 * lit, "power": power, "voltage": 229.0, "temperature": 21.0}
        values |= {"lamp_failure": 0.0, "gear_failure": 0.0}
        declared = self._products[POLE].modbus
        assert declared is not None
        (image,) = images(declared, FAMILIES[self._products[POLE].family], values).values()
        return image

    def _dust(self, time: int) -> Mapping[str, float]:
        wave = 20 * sin(time / HOUR)
        return {
            "pm10": round(70 + wave + self._random.uniform(0, 8), 1),
            "pm25": round(45 + wave / 2 + self._random.uniform(0, 5), 1),
            "noise": round(58 + self._random.uniform(0, 6), 1),
            "temperature": round(22 + self._random.uniform(0, 1), 1),
            "humidity": round(60 + self._random.uniform(0, 3), 1),
        }
