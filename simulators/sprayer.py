"""A building site on a Modbus line whose dust calls for its spray: PM10 rises by itself and falls while the relay is on."""

from __future__ import annotations

from math import exp
from random import Random
from typing import TYPE_CHECKING, Final

from drivers.families import FAMILIES
from drivers.modbus.values import images
from drivers.telemetry import MINUTE
from simulators.modbus_slaves import Slave

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.modbus.values import Image
    from drivers.products.product import Product

PRODUCT: Final = "modbus-dust-site"
DUSTY: Final = 240.0  # µg/m³ that the work goes towards
LAID: Final = 50.0  # … and the spray
SLOW: Final = 4 * MINUTE  # how long either takes to do two thirds of it
_COIL: Final = 0


class Site:
    """Two slaves of one line: the transmitter at `unit`, the relay after it. now: city time (µs UTC)."""

    def __init__(self, unit: int, product: Product, now: Callable[[], int], random: Random) -> None:
        assert product.modbus is not None
        self.units = {"station": unit, "sprayer": unit + 1}
        self.pm10 = 80.0
        self.runs = 0  # how often the spray was started
        self._product, self._now, self._random = product, now, random
        self._seen = now()
        self._wet = False
        self._relay = Slave(unit + 1, {"coil": {_COIL: 0}})
        self.slaves = (Slave(unit, self._measured(), refresh=self._measured), self._relay)

    @property
    def polls(self) -> int:
        """How often its transmitter was read; the relay is written and read back, too."""
        return self.slaves[0].asked

    @property
    def spraying(self) -> bool:
        return bool(self._relay.image["coil"][_COIL])

    def _measured(self) -> Image:
        """The transmitter's registers now."""
        now, wet = self._now(), self.spraying
        self.runs += wet and not self._wet
        self._wet = wet
        aim = LAID if wet else DUSTY
        self.pm10 = aim + (self.pm10 - aim) * exp(-(now - self._seen) / SLOW)
        self._seen = now
        pm10 = round(self.pm10 + self._random.uniform(-4, 4))
        values = {
            "pm10": pm10,
            "pm25": round(pm10 * 0.4),
            "noise": 62.0,
            "temperature": 21.0,
            "humidity": 48.0,
        }
        values |= {"pressure": 101.2, "wind_speed": 1.4, "wind_direction": 120.0, "rain": 0.0}
        assert self._product.modbus is not None
        return images(self._product.modbus, FAMILIES[self._product.family], values)["station"]
