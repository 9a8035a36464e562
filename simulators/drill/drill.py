"""A scenario with its city, its faults and its script: everything that a drill needs of the outside world."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from simulators.drill import truth
from simulators.drill.plan import Plan
from simulators.drill.score import Judge
from simulators.drill.script import Script
from simulators.world.city import City

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.drill.plan import Injury
    from simulators.drill.scenario import Scenario
    from simulators.drill.score import Score, Told

CROWD: Final = 4  # devices of an area, so that each has three others
LAST: Final = 3  # readings that a miss is shown with


@dataclass(frozen=True, slots=True)
class Drill:
    scenario: Scenario
    city: City
    injuries: list[Injury]
    script: Script

    @classmethod
    def build(cls, scenario: Scenario, seed: int) -> Self:
        """Raises ScenarioError where a fault finds no place."""
        city = City.build(scenario.devices, seed, scenario.begin, scenario.shares())
        for family, given in scenario.attributes.items():
            cohort = city.cohorts[family]
            cohort.attributes.update({name: np.full(len(cohort), value) for name, value in given.items()})
        injuries = Plan(city, scenario, seed).make()
        return cls(scenario, city, injuries, Script(city, injuries, scenario.network, seed))

    def roll(self) -> Iterator[dict[str, str]]:
        """One row a device, as the gateway's CSV import reads them."""
        return self.city.registry()

    def judge(self, told: Told) -> Score:
        judge = Judge(self.scenario, self.injuries, self._has())
        return judge.score(told, len(self.city), self.signal)

    def _has(self) -> dict[str, dict[str, set[str]]]:
        """By family and attribute: the devices that have it; and those that have neighbours."""
        return {
            family: {
                truth.NEIGHBOURS: _crowded(cohort.ids, cohort.areas),
            }
            | {
                name: {
                    device
                    for device, value in zip(cohort.ids, column.tolist(), strict=True)
                    if value == value  # noqa: PLR0124 - NaN alone differs from itself
                }
                for name, column in cohort.attributes.items()
            }
            for family, cohort in self.city.cohorts.items()
        }

    def signal(self, one: Injury, by: int) -> dict[str, Any]:
        """What the device said at the last moments before `by`: a list a point."""
        fault = one.fault
        interval = self.city.cohorts[fault.family].family.interval
        times = by - interval * np.arange(LAST - 1, -1, -1, dtype=np.int64)
        device = np.full(LAST, fault.index, np.int32)
        columns, _ = self.script.values(fault.family, device, times)
        if fault.kind.mute:
            return {"silent": True}
        return {name: column.tolist() for name, column in columns.items()}


def _crowded(ids: Sequence[str], areas: Sequence[str]) -> set[str]:
    members = Counter(areas)
    return {device for device, area in zip(ids, areas, strict=True) if members[area] >= CROWD}
