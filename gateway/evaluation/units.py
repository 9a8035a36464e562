"""The devices that figures are about, as columns: who answers for each, where it stands, since when it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import Connection, select

from gateway.registry.roles import Areas, covers
from gateway.store.schema.registry import device

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int32, Int64

RATED: Final = "rated_power"  # W


class By(StrEnum):
    """What is compared. area: its first levels, as many as `depth` says. owner: the department that a device belongs to."""

    ALL = "all"
    AREA = "area"
    OWNER = "owner"
    GRID = "grid"


@dataclass(frozen=True)
class Units:
    """Devices of one family in service, by row; index: in history. created: µs UTC. Unknown numbers are NaN."""

    index: Int32
    lat: Float64
    lon: Float64
    created: Int64
    rated: Float64
    id: list[str]
    product: list[str]
    area: list[str]
    owner: list[str]
    grid: list[str]

    def __len__(self) -> int:
        return len(self.index)

    def rows_of(self, index: Int64) -> Int64:
        """The row of each of these indexes in history; -1 where it is none of ours."""
        room = int(max(index.max(initial=-1), self.index.max(initial=-1))) + 1
        rows = np.full(room, -1, np.int64)
        rows[self.index] = np.arange(len(self))
        return rows[index]

    def groups(self, by: By, depth: int, areas: Areas, area: str = "") -> dict[str, Int64]:
        """Rows by what is compared, of the area and of those that the caller is limited to; names in order."""
        name = _names(by, depth, self)
        inside: dict[str, bool] = {}
        for place in set(self.area):
            inside[place] = covers(areas, place) and covers((area,) if area else (), place)
        found: dict[str, list[int]] = {}
        for row, place in enumerate(self.area):
            if inside[place]:
                found.setdefault(name(row), []).append(row)
        return {key: np.array(found[key], np.int64) for key in sorted(found)}


def _names(by: By, depth: int, units: Units) -> Callable[[int], str]:
    if by is By.AREA:
        short = {place: "/".join(place.split("/")[:depth]) for place in set(units.area)}
        return lambda row: short[units.area[row]]
    columns: dict[By, Sequence[str]] = {By.OWNER: units.owner, By.GRID: units.grid}
    return columns[by].__getitem__ if by in columns else lambda _: ""


def load(conn: Connection, family: str, until: int) -> Units:
    """All in service that were registered before `until`, by index."""
    c = device.c
    names = ("idx", "lat", "lon", "created", "attributes", "id", "product", "area", "owner", "grid")
    query = select(*(c[name] for name in names)).where(
        c.family == family, c.retired.is_(False), c.created < until
    )
    rows = conn.execute(query.order_by(c.idx)).all()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    shared: dict[str, str] = {}
    idx, lat, lon, created, attributes, *texts = columns
    ids, products, areas, owners, grids = ([shared.setdefault(text, text) for text in one] for one in texts)
    return Units(
        index=np.array(idx, np.int32),
        lat=np.array(lat, float),
        lon=np.array(lon, float),
        created=np.array(created, np.int64),
        rated=np.array([each.get(RATED, np.nan) for each in attributes], float),
        id=ids,
        product=products,
        area=areas,
        owner=owners,
        grid=grids,
    )
