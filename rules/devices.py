"""What the engine knows of the devices of one family: columns by dense index, that grow and never shrink.

The rows come from the control log and from nowhere else, so a replay knows exactly what live knew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.telemetry import Family
from rules.attributes import ATTRIBUTES, LEARNED
from rules.control import DeviceRow

if TYPE_CHECKING:
    import numpy.typing as npt

    from drivers.telemetry import Bool, Float64, Int32, Int64

_COLUMNS: Final = ("alive", "lat", "lon", "interval", "lateness")


def longer(column: npt.NDArray[Any], length: int, fill: object) -> npt.NDArray[Any]:
    """The column with rows of `fill` added up to `length`. Zeros take memory only once another value is written."""
    shape = (length, *column.shape[1:])
    whole = np.full(shape, fill, column.dtype) if fill else np.zeros(shape, column.dtype)
    whole[: len(column)] = column
    return whole


class Names:
    """Texts that many devices share (products, areas), each with a small number."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.all = list(known)
        self._number = {name: number for number, name in enumerate(self.all)}

    def __contains__(self, name: str) -> bool:
        return name in self._number

    def number(self, name: str) -> int:
        if name not in self._number:
            self._number[name] = len(self.all)
            self.all.append(name)
        return self._number[name]


class Devices:
    """Columns of `size` devices (capacity may be more). alive: registered and not retired. interval, lateness: µs."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.size = 0
        self.ids: list[str] = []
        self.products = Names()
        self.areas = Names()
        self.links = Names()
        self.parents = Names()
        self.alive: Bool = np.zeros(0, bool)
        self.product: Int32 = np.zeros(0, np.int32)
        self.area: Int32 = np.zeros(0, np.int32)
        self.link: Int32 = np.zeros(0, np.int32)
        self.parent: Int32 = np.zeros(0, np.int32)
        self.lat: Float64 = np.zeros(0)
        self.lon: Float64 = np.zeros(0)
        self.interval: Int64 = np.zeros(0, np.int64)
        self.lateness: Int64 = np.zeros(0, np.int64)
        self.attributes: dict[str, Float64] = {}
        self._index: dict[str, int] | None = None  # made when somebody asks: few rules name a device

    @property
    def capacity(self) -> int:
        return len(self.alive)

    def find(self, id_: str) -> int | None:
        if self._index is None:
            self._index = {each: place for place, each in enumerate(self.ids) if each}
        return self._index.get(id_)

    def put(self, rows: list[DeviceRow]) -> Int64:
        """Register or change devices; their indices, in the order given."""
        at = np.array([row.index for row in rows], np.int64)
        self._reserve(int(at.max(initial=-1)) + 1)
        for row in rows:
            self.ids[row.index] = row.id
        if self._index is not None:
            self._index.update((row.id, row.index) for row in rows)
        self.alive[at] = [not row.retired for row in rows]
        self.product[at] = [self.products.number(row.product) for row in rows]
        self.area[at] = [self.areas.number(row.area) for row in rows]
        self.link[at] = [self.links.number(row.link) for row in rows]
        self.parent[at] = [self.parents.number(row.parent) for row in rows]
        self.lat[at] = [row.lat for row in rows]
        self.lon[at] = [row.lon for row in rows]
        self.interval[at] = [row.interval or self.family.interval for row in rows]
        self.lateness[at] = [row.lateness for row in rows]
        self._put_attributes(at, [row.attributes for row in rows])
        return at

    def _put_attributes(self, at: Int64, given: list[dict[str, float]]) -> None:
        """Names that no rule can ask for are left out; what was learned of a device outlives its registration."""
        for name in {name for each in given for name in each if name in ATTRIBUTES} - set(self.attributes):
            self.attributes[name] = np.full(self.capacity, np.nan)
        for name in self.attributes.keys() - LEARNED:
            self.attributes[name][at] = [each.get(name, np.nan) for each in given]

    def learn(self, name: str, at: list[int], values: list[float]) -> None:
        """What the log says of registered devices besides their registration."""
        known = {place: value for place, value in zip(at, values, strict=True) if place < self.size}
        column = self.attributes.setdefault(name, np.full(self.capacity, np.nan))
        column[list(known)] = list(known.values())

    def _reserve(self, size: int) -> None:
        if size > self.size:
            self.ids.extend([""] * (size - self.size))
            self.size = size
        if size <= self.capacity:
            return
        room = max(size, self.capacity * 3 // 2, 64)
        self.alive = longer(self.alive, room, fill=False)
        self.product = longer(self.product, room, 0)
        self.area = longer(self.area, room, 0)
        self.link = longer(self.link, room, 0)
        self.parent = longer(self.parent, room, 0)
        self.lat = longer(self.lat, room, np.nan)
        self.lon = longer(self.lon, room, np.nan)
        self.interval = longer(self.interval, room, self.family.interval)
        self.lateness = longer(self.lateness, room, 0)
        self.attributes = {name: longer(column, room, np.nan) for name, column in self.attributes.items()}

    def behind(self, links: Collection[str]) -> Bool:
        """Which devices are heard through these links."""
        return np.isin(self.link, [number for number, name in enumerate(self.links.all) if name in links])

    def within(self, areas: Collection[str]) -> Bool:
        """Which devices stand in these areas or below them."""
        tops = tuple(f"{area}/" for area in areas)
        inside = [number for number, name in enumerate(self.areas.all) if f"{name}/".startswith(tops)]
        return np.isin(self.area, inside)

    def snapshot(self) -> dict[str, Any]:
        columns = {name: getattr(self, name)[: self.size].copy() for name in _COLUMNS}
        return {
            **columns,
            "ids": list(self.ids),
            "product": self.product[: self.size].copy(),
            "products": list(self.products.all),
            "area": self.area[: self.size].copy(),
            "areas": list(self.areas.all),
            "link": self.link[: self.size].copy(),
            "links": list(self.links.all),
            "parent": self.parent[: self.size].copy(),
            "parents": list(self.parents.all),
            "attributes": {name: column[: self.size].copy() for name, column in self.attributes.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        ids = state["ids"]
        self._reserve(len(ids))
        self.ids[: len(ids)] = ids
        self._index = None
        for name in (*_COLUMNS, "product", "area", "link", "parent"):
            getattr(self, name)[: len(ids)] = state[name]
        self.products = Names(state["products"])
        self.areas = Names(state["areas"])
        self.links = Names(state["links"])
        self.parents = Names(state["parents"])
        for name, column in state["attributes"].items():
            self.attributes[name] = np.full(self.capacity, np.nan)
            self.attributes[name][: len(ids)] = column
