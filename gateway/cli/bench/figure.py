"""A measured number beside what the design allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from msgspec import Struct


class Figure(Struct, frozen=True):
    """value: median of the samples, low and high their ends. budget: at most, or (`least`) at least; None: none is set.

    error: why there is no value.
    """

    name: str
    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    budget: float | None = None
    least: bool = False
    note: str = ""
    error: str = ""

    @property
    def distance(self) -> float | None:
        """How far from the budget, as a share of it: positive is beyond it, in the bad direction."""
        if self.value is None or not self.budget:
            return None
        away = self.value / self.budget - 1
        return -away if self.least else away

    @property
    def verdict(self) -> str:
        """The distance in words."""
        away = self.distance
        if away is None:
            return ""
        return f"{abs(away):.0%} {'over' if away > 0 else 'inside'}"


def of(
    name: str,
    unit: str,
    samples: Iterable[float],
    budget: float | None = None,
    *,
    least: bool = False,
    note: str = "",
) -> Figure:
    """The median of samples and their spread; a figure with an error where there are none."""
    found = sorted(samples)
    if not found:
        return Figure(name, unit, budget=budget, least=least, note=note, error="nothing was measured")
    return Figure(name, unit, median(found), found[0], found[-1], len(found), budget, least=least, note=note)


def total(name: str, parts: Iterable[Figure], budget: float | None = None, *, note: str = "") -> Figure:
    """The sum of medians; of the ends too, which the whole would hardly reach together."""
    known = list(parts)
    values = [(part.value, part.low, part.high) for part in known]
    if not known or any(None in cells for cells in values):
        return Figure(name, "", budget=budget, note=note, error="a part of it was not measured")
    value, low, high = (sum(cell or 0.0 for cell in column) for column in zip(*values, strict=True))
    samples = min(part.samples for part in known)
    return Figure(name, known[0].unit, value, low, high, samples, budget, note=note)


def quantile(samples: Iterable[float], share: float) -> float:
    """The smallest sample that this share of them does not exceed; there is at least one."""
    found = sorted(samples)
    return found[max(0, min(len(found) - 1, -int(-share * len(found) // 1) - 1))]
