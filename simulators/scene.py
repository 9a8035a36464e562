"""What the city's devices say in this run: the world, then what was ordered, then what has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drivers.encode import encode
from drivers.families import FAMILIES
from drivers.products import catalog
from simulators.world.city import rounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.telemetry import Int32, Int64
    from simulators.faults import Faults
    from simulators.orders import Orders
    from simulators.world.city import City
    from simulators.world.cohort import Columns


class Scene:
    def __init__(self, city: City, faults: Faults, orders: Orders) -> None:
        self.city, self.faults, self.orders = city, faults, orders
        products = catalog()
        self._products = {family: products[f"generic-{family}"] for family in city.cohorts}

    def columns(self, family: str, device: Int32, time: Int64) -> tuple[Columns, dict[int, dict[str, str]]]:
        """Every point of these devices at these times, and quality words by row where one is not good."""
        columns = self.city.models[family].values(device, self.faults.held(family, device, time))
        self.orders.alter(family, device, time, columns)
        quality = self.faults.alter(family, device, time, columns)
        return rounded(FAMILIES[family], columns), quality

    def payloads(
        self, family: str, device: Int32, time: Int64, channel: str = "telemetry", event: str | None = None
    ) -> Iterator[bytes]:
        """One reading a row, as its product sends it."""
        columns, quality = self.columns(family, device, time)
        product, names = self._products[family], list(columns)
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        for row, (when, cells) in enumerate(zip(time.tolist(), rows, strict=True)):
            values = dict(zip(names, cells, strict=True))
            yield encode(product, channel, when, values, quality.get(row, {}), event)

    def state(self, family: str, device: Int32, time: Int64) -> Int64:
        """A number that changes when a watched point crosses its limit: then the device reports at once."""
        model = self.city.models[family]
        bits = np.zeros(len(device), np.int64)
        if not model.watches:
            return bits
        columns = model.watched(device, self.faults.held(family, device, time))
        self.orders.alter(family, device, time, columns)
        self.faults.alter(family, device, time, columns)
        for position, watch in enumerate(model.watches):
            bits |= (columns[watch.point] > watch.above).astype(np.int64) << position
        return bits
