"""Alarms of one line as intervals, and how two lines differ: the same, shifted, added, removed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from rules.backtest import Said

OPEN: Final = 2**62  # the end of an alarm that has not cleared


class Occurrence(Struct, frozen=True):
    """One alarm, from its raise to its clear (event times, µs UTC); cleared None: it stands at the end."""

    id: str
    family: str
    index: int
    device: str
    severity: str
    raised: int
    cleared: int | None

    @property
    def end(self) -> int:
        return OPEN if self.cleared is None else self.cleared


class Pair(NamedTuple):
    """What both lines say of one event; None where a line says nothing of it."""

    old: Occurrence | None
    new: Occurrence | None

    @property
    def change(self) -> str:
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        same = (self.old.raised, self.old.cleared) == (self.new.raised, self.new.cleared)
        return "same" if same else "shifted"

    @property
    def either(self) -> Occurrence:
        found = self.old or self.new
        assert found is not None
        return found


def occurrences(said: Iterable[Said], line: str, t0: int, t1: int) -> list[Occurrence]:
    """Alarms of a line that were raised at t0 ≤ time < t1, by time. said: by time."""
    begun: dict[tuple[str, int], Said] = {}
    found: list[Occurrence] = []
    for each in said:
        if each.line != line or each.time >= t1:
            continue
        key = each.family, each.index
        if each.raised:
            begun.setdefault(key, each)
        elif (start := begun.pop(key, None)) is not None:
            found.append(_of(start, each.time))
    found += [_of(start, None) for start in begun.values()]
    return sorted((one for one in found if one.raised >= t0), key=_order)


def pairs(old: Sequence[Occurrence], new: Sequence[Occurrence]) -> list[Pair]:
    """Of each device, alarms that overlap in time are one event, the first with the first; by time."""
    of: dict[tuple[str, int], list[Occurrence]] = defaultdict(list)
    for one in new:
        of[one.family, one.index].append(one)
    found: list[Pair] = []
    for before in old:
        waiting = of.get((before.family, before.index), [])
        while waiting and waiting[0].end < before.raised:
            found.append(Pair(None, waiting.pop(0)))
        if waiting and waiting[0].raised <= before.end:
            found.append(Pair(before, waiting.pop(0)))
        else:
            found.append(Pair(before, None))
    found += [Pair(None, one) for left in of.values() for one in left]
    return sorted(found, key=lambda pair: _order(pair.either))


def _of(start: Said, cleared: int | None) -> Occurrence:
    return Occurrence(start.id, start.family, start.index, start.device, start.severity, start.time, cleared)


def _order(one: Occurrence) -> tuple[int, str, int]:
    return one.raised, one.family, one.index
