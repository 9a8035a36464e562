"""What devices of one family see of the others: the clock of minutes, who stands above whom, zone and calendar.

The minutes close by receive time, in step with the log, so that cross-device rules do not depend on batching.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drivers.telemetry import MINUTE
from rules.buckets import scale_of
from rules.dates import Dates
from rules.groups import Groups
from rules.minutes import SLOTS
from rules.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from drivers.telemetry import Float64, Int64
    from rules.control import DeviceRow
    from rules.memory import Memory
    from rules.tree import Peers

DEEPEST: Final = 8  # devices above one another
LAG: Final = 2  # minutes from a minute's beginning to its closing


class City:
    """open: number of the first event-time minute that has not closed. filled: open minutes that hold something."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.dates = Dates()
        self.families: dict[str, Memory] = {}
        self.open = 0
        self.filled: set[int] = set()
        self._above: dict[tuple[str, str, str], Int64] = {}
        self._peers: dict[tuple[str, Peers, int], Float64] = {}

    # -- minutes

    @property
    def watches(self) -> bool:
        """Whether any rule looks at other devices."""
        return any(memory.minutes.points for memory in self.families.values())

    def watch(self, points: Collection[tuple[str, int]]) -> None:
        """Collect these (family, point) for others to see, and no others."""
        for name, memory in self.families.items():
            memory.minutes.watch(row for family, row in points if family == name)
        self._peers.clear()
        if not points:
            self.filled.clear()

    def due(self, now: int) -> int | None:
        """The first filled minute that closes by then."""
        first = min(self.filled, default=None)
        return first if first is not None and (first + LAG) * MINUTE <= now else None

    def close(self, minute: int) -> None:
        self.filled.discard(minute)
        self.open = max(self.open, minute + 1)
        for memory in self.families.values():
            memory.minutes.close(minute)
        self._peers.clear()

    def reach(self, now: int) -> None:
        """Nothing that is filled closes by then; the empty minutes do."""
        self.open = max(self.open, now // MINUTE - LAG + 1)

    def minute(self, time: Int64, received: Int64) -> Int64:
        """The minute that a row counts in."""
        number = np.maximum(time // MINUTE, received // MINUTE - LAG + 1)
        return np.clip(number, self.open, self.open + SLOTS - 1)

    # -- who stands above whom

    def moved(self, rows: list[DeviceRow], parents: bool) -> None:
        """Devices are new or changed; parents: some name one that nobody named before."""
        self._peers.clear()
        known = [memory.devices.parents for memory in self.families.values()]
        if parents or any(row.id in each for row in rows for each in known):
            self._above.clear()

    def above(self, family: str, who: str, kind: str) -> Int64:
        """By number of a parent's name in the family: index of the device of `kind` there or above; -1 where there is none."""
        key = (family, who, kind)
        if key not in self._above:
            names = self.families[family].devices.parents.all
            self._above[key] = np.array([self._ancestor(name, who, kind) for name in names] or [-1], np.int64)
        return self._above[key]

    def _ancestor(self, name: str, who: str, kind: str) -> int:
        for _ in range(DEEPEST):
            found = self._find(name)
            if found is None:
                return -1
            memory, index = found
            if memory.family.name == kind:
                return index
            if who == "parent":
                return -1
            name = memory.devices.parents.all[memory.devices.parent[index]]
        return -1

    def _find(self, name: str) -> tuple[Memory, int] | None:
        """The device of that id; one in service before one that is retired."""
        found = [
            (memory, index)
            for memory in self.families.values()
            if name and (index := memory.devices.find(name)) is not None
        ]
        return next((each for each in found if each[0].devices.alive[each[1]]), found[0] if found else None)

    # -- groups

    def peers(self, family: str, node: Peers, end: int) -> Float64:
        """The statistic for every device of the family, when the minute that ends at `end` (µs) was the last to close."""
        key = (family, node, end)
        if key not in self._peers:
            if len(self._peers) > 64:
                self._peers.clear()
            self._peers[key] = self._over_peers(family, node, end)
        return self._peers[key]

    def _over_peers(self, family: str, node: Peers, end: int) -> Float64:
        members = self.families[node.family]
        devices = members.devices
        who = np.arange(devices.size)
        value = members.minutes.read(node.point.row, who, end)
        value[~devices.alive[: devices.size]] = np.nan
        codes, names = (
            (devices.parent, devices.parents) if node.by == "parent" else (devices.area, devices.areas)
        )
        number = np.array([place if name else -1 for place, name in enumerate(names.all)] or [-1], np.int64)
        group = number.take(codes[: devices.size])
        groups = Groups(value, group, len(names.all), scale_of(node.point, members.family))
        if node.by != "site":
            return groups.others(node.statistic, node.least)
        mine = self.families[family].devices
        place = {name: code for code, name in enumerate(names.all) if name}
        theirs = np.array([place.get(name, -1) for name in mine.areas.all] or [-1], np.int64)
        return groups.whole(node.statistic, node.least, theirs.take(mine.area[: mine.size]))

    # -- keeping

    def snapshot(self) -> dict[str, Any]:
        calendar = self.dates.calendar
        return {
            "open": self.open,
            "filled": sorted(self.filled),
            "calendar": [list(calendar.years), list(calendar.holidays), list(calendar.workdays)],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.open = int(state["open"])
        self.filled = {int(each) for each in state["filled"]}
        self.dates.follow(type(self.dates.calendar)(*state["calendar"]))
