"""Which device fails when: the scenario's faults, those of its seed, and what they bring upon others.

No two faults of a device come so close that what one leaves behind could be taken for the other.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import HOUR, MINUTE
from simulators.drill import kinds, truth
from simulators.drill.scenario import ScenarioError, Wrong, moment
from simulators.faults import Fault, pick
from simulators.world import sun
from simulators.world.daytime import hour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.drill.scenario import Chance, Planned, Scenario
    from simulators.drill.truth import Due
    from simulators.mishaps import Kind
    from simulators.world.city import City

TRIES: Final = 400
MILLISECOND: Final = 1_000  # µs: the wire knows no finer time
APART: Final = HOUR  # between what one fault leaves behind and the next one of the device
UP, DOWN = 2.7, -4.5  # degrees: what the day rule leaves about sunrise and sunset; lit lamps of any site


@dataclass(frozen=True, slots=True)
class Injury:
    """A fault of this drill. number: its own. root: number of the fault that brought it about; its own elsewhere."""

    number: int
    fault: Fault
    due: Due
    root: int

    @property
    def over(self) -> int:
        """City µs until which it may be the reason of an alarm."""
        return self.fault.end + self.due.trail


class Plan:
    def __init__(self, city: City, scenario: Scenario, seed: int) -> None:
        self.city, self.scenario = city, scenario
        self.injuries: list[Injury] = []
        self._busy: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        self._random = np.random.default_rng([seed, 20_260_922])

    def make(self) -> list[Injury]:
        """Raises ScenarioError where a fault finds no place."""
        wrong: list[Wrong] = []
        for place, one in enumerate(self.scenario.fault):
            try:
                self._planned(one, place)
            except ValueError as error:
                wrong.append(Wrong(("fault", str(place)), str(error)))
        for place, chance in enumerate(self.scenario.random):
            if (missing := chance.count - sum(self._chances(chance))) > 0:
                problem = f"{missing} of {chance.count} faults find no place; ask for fewer, or more devices or time"
                wrong.append(Wrong(("random", str(place), "count"), problem))
        if wrong:
            raise ScenarioError(wrong)
        return self.injuries

    def _planned(self, one: Planned, place: int) -> None:
        family, indices = self._chosen(one, place)
        kind = kinds.find(family, one.kind)
        if kind is None:
            raise ValueError(f"a {family} has no fault {one.kind!r}")
        begin = moment(self.scenario.begin, one.begin)
        for index in indices:
            trail = truth.due(family, kind.name).trail
            if not self._free(family, index, begin, begin + one.lasts + trail):
                raise ValueError(f"{self._id(family, index)} has another fault at that time")
            self._add(kind, family, index, begin, begin + one.lasts)

    def _chosen(self, one: Planned, place: int) -> tuple[str, Sequence[int]]:
        if one.family is not None:
            return one.family, pick(self.city, one.family, f"drill.{place}", one.choose)
        for family, cohort in self.city.cohorts.items():
            if one.device in cohort.ids:
                return family, [cohort.ids.index(one.device)]
        raise ValueError(f"the city has no device {one.device!r}")

    def _chances(self, chance: Chance) -> Iterator[bool]:
        """Whether each fault has found its place; the kinds come in turn, but for those nobody named and that find none."""
        names, turn = list(chance.kinds) or self._fitting(chance.family), 0
        for _ in range(chance.count):
            while not (found := bool(names) and self._somewhere(chance, names[turn % len(names)])):
                if chance.kinds or not names:
                    break
                names.pop(turn % len(names))
            turn += found
            yield found

    def _fitting(self, family: str) -> list[str]:
        """Every kind of the family for which there is time enough, and whose rules are there."""
        room = self.scenario.lasts - self.scenario.settle - 20 * MINUTE
        return [
            name
            for (owner, name), due in truth.DUE.items()
            if owner == family
            and name not in truth.SECOND_HAND
            and due.longest + 10 * MINUTE < room
            and any(rule not in due.needs or due.needs[rule] in self._known(family) for rule in due.rules)
        ]

    def _known(self, family: str) -> set[str]:
        return set(self.city.cohorts[family].attributes)

    def _somewhere(self, chance: Chance, name: str) -> bool:
        kind, due = kinds.find(chance.family, name), truth.due(chance.family, name)
        assert kind is not None
        first, last = self.scenario.begin + self.scenario.settle, self.scenario.end - 10 * MINUTE
        for _ in range(TRIES):
            short, long = chance.lasts
            least = due.longest + 10 * MINUTE
            span = max(int(self._random.uniform(short, long)), int(least * self._random.uniform(1.0, 1.3)))
            span = min(span, last - first)
            index = int(self._random.integers(len(self.city.cohorts[chance.family])))
            start = int(self._random.integers(first, last - span + 1))
            if self._shows(kind, due, chance.family, index, start) and self._free(
                chance.family, index, start, start + span + due.trail
            ):
                self._add(kind, chance.family, index, start, start + span)
                return True
        return False

    def _shows(self, kind: Kind, due: Due, family: str, index: int, start: int) -> bool:
        """Whether sun and hour let it show from its start until it is due."""
        ends = np.array([start, start + max(due.longest, kind.within)], np.int64)
        if due.hours is not None:
            begin, until = due.hours
            since, width = (hour(ends[:1])[0] - begin) % 24, (until - begin) % 24
            if since + (ends[1] - ends[0]) / HOUR > width:
                return False
        if not kind.sun:
            return True
        cohort = self.city.cohorts[family]
        height = sun.elevation(ends, cohort.lat[[index, index]], cohort.lon[[index, index]])
        return bool((height > UP).all()) if kind.sun == "up" else bool((height < DOWN).all())

    def _free(self, family: str, index: int, start: int, end: int) -> bool:
        return all(
            end + APART <= since or until + APART <= start
            for who in self._concerned(family, index)
            for since, until in self._busy[who]
        )

    def _concerned(self, family: str, index: int) -> Iterator[tuple[str, int]]:
        yield family, index
        if family == "cabinet":
            for lamp in np.flatnonzero(self.city.cohorts["streetlight"].parent == index).tolist():
                yield "streetlight", lamp

    def _add(self, kind: Kind, family: str, index: int, start: int, end: int) -> None:
        due, root = truth.due(family, kind.name), len(self.injuries)
        start, end = start // MILLISECOND * MILLISECOND, end // MILLISECOND * MILLISECOND
        self._put(kind, family, index, (start, end), root)
        if not due.lamps:
            return
        child = kinds.find("streetlight", due.lamps)
        assert child is not None
        for who, lamp in self._concerned(family, index):
            if who == "streetlight" and self._random.random() < due.share:
                self._put(child, who, lamp, (start, end), root)

    def _put(self, kind: Kind, family: str, index: int, span: tuple[int, int], root: int) -> None:
        due = truth.due(family, kind.name)
        fault = Fault(kind, family, index, self._id(family, index), *span)
        self.injuries.append(Injury(len(self.injuries), fault, due, root))
        self._busy[family, index].append((span[0], span[1] + due.trail))

    def _id(self, family: str, index: int) -> str:
        return self.city.cohorts[family].ids[index]
