"""Faults of a run: which device fails how, from when to when. What they should lead to is exported as ground truth."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from simulators import mishaps
from simulators.mishaps import ANY, Rows
from simulators.world import sun
from simulators.world.daytime import ZONE
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drivers.telemetry import Bool, Int32, Int64
    from simulators.mishaps import Kind
    from simulators.world.city import City
    from simulators.world.cohort import Columns

_KEYS: Final = {"kind", "family", "device", "choose", "from", "until"}
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


@dataclass(frozen=True, slots=True)
class Fault:
    """index: position in the cohort. start, end: city time, µs UTC; it lasts from start up to, not including, end."""

    kind: Kind
    family: str
    index: int
    device: str
    start: int
    end: int

    def truth(self) -> dict[str, Any]:
        """What a score is reckoned from: times in µs UTC; `by` is None where neither alarm nor refusal is due."""
        kind = self.kind
        return {
            "kind": kind.name,
            "layer": kind.layer,
            "family": self.family,
            "device": self.device,
            "start": self.start,
            "end": self.end,
            "alarms": list(kind.alarms),
            "refusal": kind.refusal,
            "by": self.start + kind.within if kind.within and self.start + kind.within <= self.end else None,
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """A fault begins or ends."""

    time: int
    fault: Fault
    begins: bool


class Faults:
    """All faults of a city, looked up by device. A device's faults apply in the order of their start."""

    def __init__(self, city: City, faults: Iterable[Fault] = ()) -> None:
        self.all = sorted(faults, key=lambda fault: (fault.start, fault.device, fault.kind.name))
        self._cohorts = city.cohorts
        self._known: dict[str, dict[int, list[Fault]]] = {family: {} for family in city.cohorts}
        self._touched = {family: np.zeros(len(cohort), bool) for family, cohort in city.cohorts.items()}
        for fault in self.all:
            self._known[fault.family].setdefault(fault.index, []).append(fault)
            self._touched[fault.family][fault.index] = True
        turns = [Turn(fault.start, fault, True) for fault in self.all]
        turns += [Turn(fault.end, fault, False) for fault in self.all]
        self._turns = sorted(turns, key=lambda turn: (turn.time, turn.begins))
        self._next = 0

    def active(self, family: str, index: int, time: int) -> list[Fault]:
        return [fault for fault in self._known[family].get(index, ()) if fault.start <= time < fault.end]

    def _rows(self, family: str, device: Int32, time: Int64) -> Iterator[tuple[int, list[Fault]]]:
        """Rows whose device is failing at that time."""
        for row in np.flatnonzero(self._touched[family][device]).tolist():
            found = self.active(family, int(device[row]), int(time[row]))
            if found:
                yield row, found

    def held(self, family: str, device: Int32, time: Int64) -> Int64:
        """The times whose values the devices speak of: a frozen one stays at the start of its fault."""
        shown = time
        for row, found in self._rows(family, device, time):
            for fault in found:
                if fault.kind.frozen:
                    shown = shown.copy() if shown is time else shown
                    shown[row] = fault.start
        return shown

    def alter(self, family: str, device: Int32, time: Int64, columns: Columns) -> dict[int, dict[str, str]]:
        """Write the faults on values into the columns, in place; quality words by row where a fault changes them."""
        quality: dict[int, dict[str, str]] = {}
        for row, found in self._rows(family, device, time):
            here = slice(row, row + 1)
            for fault in found:
                rows = Rows(
                    self._cohorts[family], columns, np.array([row]), device[here], time[here], fault.start
                )
                fault.kind.apply(rows)
                if fault.kind.quality:
                    quality[row] = {**quality.get(row, {}), **fault.kind.quality}
        return quality

    def mute(self, family: str, device: Int32, time: Int64) -> Bool:
        """bool[n]: the device says nothing at that time."""
        dumb = np.zeros(len(device), bool)
        for row, found in self._rows(family, device, time):
            dumb[row] = any(fault.kind.mute for fault in found)
        return dumb

    def turns(self, until: int) -> list[Turn]:
        """Faults that have begun or ended since the last call, up to `until`, in order of time."""
        first = self._next
        while self._next < len(self._turns) and self._turns[self._next].time <= until:
            self._next += 1
        return self._turns[first : self._next]

    def truth(self) -> list[dict[str, Any]]:
        return [fault.truth() for fault in self.all]


def read(text: str, city: City) -> Faults:
    """A scenario: `[[fault]]` tables. ValueError lists every fault of the document.

    kind; family, or device; choose: how many devices of the family, by the city's seed (default 1); from, until: local
    clock "HH:MM[:SS]", the first after the city's start.
    """
    found: list[Fault] = []
    wrong: list[str] = []
    for position, table in enumerate(tomllib.loads(text).get("fault", []), 1):
        try:
            found += _table(table, city, position)
        except (ValueError, KeyError, TypeError) as error:
            wrong.append(f"fault {position}: {error}")
    if wrong:
        raise ValueError("\n".join(wrong))
    return Faults(city, found)


def _table(table: dict[str, Any], city: City, position: int) -> list[Fault]:
    unknown = table.keys() - _KEYS
    if unknown:
        raise ValueError(f"no such key: {', '.join(sorted(unknown))}")
    family, indices = _chosen(table, city, position)
    kind = mishaps.find(table["kind"], family)
    start, end = clock(city.start, table["from"]), clock(city.start, table["until"])
    if end <= start:
        end += DAY
    ids = city.cohorts[family].ids
    return [Fault(kind, family, index, ids[index], start, end) for index in indices]


def _chosen(table: dict[str, Any], city: City, position: int) -> tuple[str, Sequence[int]]:
    if "device" in table:
        for family, cohort in city.cohorts.items():
            if table["device"] in cohort.ids:
                return family, [cohort.ids.index(table["device"])]
        raise ValueError(f"the city has no device {table['device']!r}")
    family = table.get("family", "")
    if family not in city.cohorts:
        raise ValueError(f"name a device, or a family of {', '.join(city.cohorts)}")
    return family, pick(city, family, f"scenario.{position}", int(table.get("choose", 1)))


def clock(start: int, text: str) -> int:
    """City time of the first local `HH:MM[:SS]` at or after `start`."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of day; write HH:MM or HH:MM:SS")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    midnight = (start + ZONE) // DAY * DAY - ZONE
    time = midnight + hours * HOUR + minutes * MINUTE + seconds * SECOND
    return time if time >= start else time + DAY


def pick(city: City, family: str, purpose: str, n: int) -> list[int]:
    """n different devices of a family, the same ones for the same city and purpose."""
    cohort = city.cohorts[family]
    order = np.argsort(Noise(city.seed, f"pick.{purpose}.{family}").uniform(cohort.everyone()))
    chosen: list[int] = order[:n].tolist()
    return chosen


def shows(kind: Kind, city: City, family: str, index: int, start: int) -> bool:
    """Whether the sun stands so that the fault shows from its start until it should have been noticed."""
    if not kind.sun:
        return True
    cohort = city.cohorts[family]
    times = np.array([start, start + kind.within])
    height = sun.elevation(times, cohort.lat[[index, index]], cohort.lon[[index, index]])
    # rules leave a quarter of an hour about sunrise and sunset, in which the sun moves by three to four degrees
    return bool((height > 4.5).all()) if kind.sun == "up" else bool((height < -4.5).all())


_EXTRAS: Final = tuple(
    name for (family, name), kind in mishaps.KINDS.items() if family == ANY and kind.layer == "bytes"
)
_SPARE: Final = 31 * MINUTE
_CUT_OFF: Final = (
    ("silent", "dust"),
    ("silent", "fume"),
    ("disconnect", "cabinet"),
    ("disconnect", "fume"),
)


def demo(city: City) -> Faults:
    """The demo's mix, for one city hour from the city's start.

    In every family at least three faults that must be noticed, begun within ten minutes and gone after
    thirty-six so that they clear; one of each fault on bytes; a few devices that fall silent.
    """
    found: list[Fault] = []
    for family, cohort in city.cohorts.items():
        found += _family(city, family, max(3, min(len(cohort) // 20, 3 + len(cohort) // 150)))
    families = list(city.cohorts)
    for position, name in enumerate(_EXTRAS):
        family = families[position % len(families)]
        found.append(_spare(city, family, name, position, 8 + position))
    for position, (name, family) in enumerate(_CUT_OFF):
        found.append(_spare(city, family, name, len(_EXTRAS) + position, 5 + position))
    return Faults(city, found)


def _family(city: City, family: str, n: int) -> list[Fault]:
    """Faults that must be noticed, their kinds in turn, on different devices while there are enough."""
    cohort, noise = city.cohorts[family], Noise(city.seed, f"demo.{family}")
    devices = pick(city, family, "demo", len(cohort))
    found: list[Fault] = []
    for position in range(n):
        index = devices[position % len(devices)]
        early, late = noise.uniform(np.array([position]), np.array([1, 2])).tolist()
        start = city.start + int((4 + 6 * early) * MINUTE)
        end = city.start + int((30 + 6 * late) * MINUTE)
        kinds = [kind for kind in mishaps.KINDS.values() if _suits(kind, city, family, index, start)]
        found.append(Fault(kinds[position % len(kinds)], family, index, cohort.ids[index], start, end))
    return found


def _suits(kind: Kind, city: City, family: str, index: int, start: int) -> bool:
    noticed = kind.family == family and kind.within > 0 and not kind.mute
    return noticed and shows(kind, city, family, index, start)


def _spare(city: City, family: str, name: str, position: int, begin: int) -> Fault:
    """A fault on a device from the far end of the order, away from those that must be noticed."""
    devices = pick(city, family, "demo", len(city.cohorts[family]))
    index = devices[-1 - position % len(devices)]
    start = city.start + begin * MINUTE
    device = city.cohorts[family].ids[index]
    return Fault(mishaps.find(name, family), family, index, device, start, start + _SPARE)
