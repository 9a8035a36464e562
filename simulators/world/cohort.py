"""All devices of one family in a city, as columns; position in them is the device's number inside the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from drivers.telemetry import Family, Float64, Int32, Int64

    Columns = dict[str, Float64]


@dataclass(frozen=True, slots=True)
class Cohort:
    """lat, lon: WGS-84 degrees. parent: position of the parent in its own cohort, -1 without one."""

    family: Family
    ids: tuple[str, ...]
    names: tuple[str, ...]
    areas: tuple[str, ...]
    lat: Float64
    lon: Float64
    parent: Int32
    attributes: dict[str, Float64]
    seed: int

    def __len__(self) -> int:
        return len(self.ids)

    def everyone(self) -> Int32:
        return np.arange(len(self.ids), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Watch:
    """A device looks at this point all the time and reports at once when it crosses `above`, either way.

    `event` is the alarm the device itself names when it rises above.
    """

    point: str
    above: float = 0.5
    event: str | None = None


class Model(Protocol):
    """How the devices of one family behave: a pure function of device and time."""

    watches: tuple[Watch, ...]

    def values(self, device: Int32, time: Int64) -> Columns:
        """Every point of these devices at these times (µs UTC), row by row."""

    def watched(self, device: Int32, time: Int64) -> Columns:
        """The points of `watches` alone, equal to those of `values`."""
