"""The devices whose readings are measured: a city's mix, five points a message, carried by a few busy connections."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
from msgspec import Struct

from drivers.encode import encode
from drivers.families import FAMILIES
from drivers.mqtt.packets import V311
from drivers.mqtt.topics import telemetry_topic
from drivers.mqtt.writer import Publisher
from drivers.products import catalog
from drivers.telemetry import MINUTE, Batch, Quality
from rules.control import DeviceRow
from simulators.world.city import City

SEED: Final = 7
STEP: Final = MINUTE  # µs; every device reports once a minute, so every reading of a site closes a bucket
READ: Final = 65_536  # bytes that the event loop hands over at once
CARRIED: Final = 400  # devices that speak through one connection

POINTS: Final[dict[str, tuple[str, ...]]] = {
    "streetlight": ("switch", "dimming", "power", "voltage", "current"),
    "cabinet": ("voltage_a", "current_a", "power", "leakage", "door"),
    "manhole": ("tilt", "cover", "water_level", "temperature", "battery"),
    "dust": ("pm10", "pm25", "tsp", "noise", "wind_speed"),
    "fume": ("fume", "particulate", "fan", "purifier", "purifier_current"),
    "parking": ("occupied", "duration", "forbidden", "magnetic", "battery"),
}


class Reads(Struct, frozen=True):
    """What one connection brings in a tick, as the event loop reads it."""

    carrier: int
    chunks: list[bytes]


class Town:
    """n devices. Devices stand in a shuffled order, CARRIED of them behind each carrier."""

    def __init__(self, n: int, start: int) -> None:
        """start: µs UTC of the first reading."""
        self.city = City.build(n, SEED, start)
        self.start = start
        everyone = [(family, device) for family, cohort in self.city.cohorts.items() for device in cohort.ids]
        order = np.random.default_rng(SEED).permutation(n).tolist()
        self._order: list[int] = order
        products = catalog()
        self._products = {family: products[f"generic-{family}"] for family in FAMILIES}
        self._publishers = [Publisher(telemetry_topic(family, device), V311) for family, device in everyone]
        self.ids = [device for _, device in everyone]
        self.carriers = -(-n // CARRIED)

    def __len__(self) -> int:
        return len(self.ids)

    def registry(self) -> bytes:
        """The devices as the gateway's CSV import reads them."""
        file = io.StringIO()
        self.city.write_registry(file)
        return file.getvalue().encode()

    def time(self, tick: int) -> int:
        return self.start + tick * STEP

    def payloads(self, tick: int) -> list[bytes]:
        """One reading of each device, in order of `ids`."""
        return [payload for family in FAMILIES for payload in self._payloads(family, self.time(tick))]

    def _payloads(self, family: str, time: int) -> Iterator[bytes]:
        cohort, product, names = self.city.cohorts[family], self._products[family], POINTS[family]
        columns = self.city.values(family, cohort.everyone(), np.full(len(cohort), time))
        rows = zip(*(columns[name].tolist() for name in names), strict=True)
        for cells in rows:
            yield encode(product, "telemetry", time, dict(zip(names, cells, strict=True)))

    def reads(self, tick: int) -> list[Reads]:
        """All readings of a tick at QoS 1, carrier by carrier."""
        payloads = self.payloads(tick)
        found = []
        for carrier in range(self.carriers):
            mine = self._order[carrier * CARRIED : (carrier + 1) * CARRIED]
            frames = [
                self._publishers[one].encode(payloads[one], packet_id)
                for packet_id, one in enumerate(mine, 1)
            ]
            found.append(Reads(carrier, cut(b"".join(frames))))
        return found

    def frames(self, device: str, n: int) -> list[bytes]:
        """n PUBLISH packets of one device, a millisecond apart."""
        number = self.ids.index(device)
        family = next(name for name, cohort in self.city.cohorts.items() if device in cohort.ids)
        product, names = self._products[family], POINTS[family]
        one = np.array([self.city.cohorts[family].ids.index(device)], np.int32)
        columns = self.city.values(family, one, np.array([self.start]))
        values = {name: float(columns[name][0]) for name in names}
        return [
            self._publishers[number].encode(
                encode(product, "telemetry", self.start + step * 1_000, values), step % 0xFFFF + 1
            )
            for step in range(n)
        ]

    def batch(self, family: str, tick: int) -> Batch:
        """The readings of a family as the decoder would give them; device indices are positions in the cohort."""
        return readings(self.city, family, self.time(tick))

    def rows(self, family: str) -> list[DeviceRow]:
        cohort = self.city.cohorts[family]
        names = cohort.attributes
        return [
            DeviceRow(
                number,
                device,
                f"generic-{family}",
                cohort.areas[number],
                cohort.lat[number],
                cohort.lon[number],
                attributes={name: float(names[name][number]) for name in names},
            )
            for number, device in enumerate(cohort.ids)
        ]


def readings(city: City, family: str, time: int) -> Batch:
    """One of each device, as the decoder would give them; device indices are positions in the cohort."""
    cohort = city.cohorts[family]
    batch = Batch.empty(FAMILIES[family], len(cohort))
    batch.device[:] = cohort.everyone()
    batch.time[:] = batch.received[:] = time
    columns = city.values(family, cohort.everyone(), batch.time)
    for name in POINTS[family]:
        row = batch.family.index[name]
        batch.values[row], batch.quality[row] = columns[name], Quality.GOOD
    return batch


def cut(data: bytes) -> list[bytes]:
    return [data[start : start + READ] for start in range(0, len(data), READ)]
