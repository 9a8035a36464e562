"""What is measured of facilities, as four numbers a device: part, whole, covered, due. Rates are sums of them, never means of rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from msgspec import Struct

from drivers.telemetry import DAY
from gateway.evaluation.units import Units

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int64


class Measure(StrEnum):
    LIT = "lit_rate"
    INTEGRITY = "integrity_rate"
    OCCUPANCY = "parking_occupancy"
    TURNOVER = "parking_turnover"
    PURIFIER = "purifier_rate"
    DUST = "dust_exceedance_hours"


class Sums:
    """Columns by unit. part of whole is the rate; covered of due is what was heard of what there was to hear."""

    def __init__(self, units: Units, due: Float64) -> None:
        self.units = units
        self.part, self.whole, self.covered = (np.zeros(len(units)) for _ in range(3))
        self.due = due

    def add(self, device: Int64, part: Float64, whole: Float64, covered: Float64) -> None:
        """Of a day, by index in history, each device once; others than ours are left out."""
        rows = self.units.rows_of(device)
        ours = rows >= 0
        for column, values in ((self.part, part), (self.whole, whole), (self.covered, covered)):
            column[rows[ours]] += np.asarray(values, float)[ours]


class Figure(Struct, frozen=True):
    """value: part / whole, None where nothing is known; of dust it is the part itself, in hours. coverage: 0 to 1.

    devices: that there are; heard: of them, at least once in the time that counts. met: whether the target is.
    """

    value: float | None
    part: float
    whole: float
    devices: int
    heard: int
    coverage: float | None
    target: float | None
    met: bool | None


class Facts(NamedTuple):
    """All that was computed of since ≤ time < until, once, for every comparison. several families may share a measure."""

    since: int
    until: int
    sums: Mapping[Measure, tuple[Sums, ...]]


RATE: Final = {  # of part / whole, so that it reads in the unit that is shown
    Measure.TURNOVER: DAY,  # parkings a bay and day
}


def figure(measure: Measure, sums: Iterable[tuple[Sums, Int64]], target: float | None) -> Figure:
    """Of these rows of each."""
    part = whole = covered = due = 0.0
    devices = heard = 0
    for one, rows in sums:
        part, whole = part + float(one.part[rows].sum()), whole + float(one.whole[rows].sum())
        covered, due = covered + float(one.covered[rows].sum()), due + float(one.due[rows].sum())
        devices, heard = devices + len(rows), heard + int((one.covered[rows] > 0).sum())
    value = _value(measure, part, whole)
    return Figure(
        value=value,
        part=part,
        whole=whole,
        devices=devices,
        heard=heard,
        coverage=min(covered / due, 1.0) if due else None,
        target=target,
        met=None if target is None or value is None else value >= target,
    )


def _value(measure: Measure, part: float, whole: float) -> float | None:
    if not whole:
        return None
    return part if measure is Measure.DUST else part / whole * RATE.get(measure, 1)
