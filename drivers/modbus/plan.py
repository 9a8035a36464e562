"""Which reads fetch a module's points: the fewest, none across a declared hole, none that splits a number.

A read that the device refuses is split and the plan remembers it: a plan is a value, `refused` gives the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.modbus.register_map import MOST_BITS
from drivers.modbus.words import BIT_TABLES, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.modbus.register_map import Module

FUNCTION: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


class Read(NamedTuple):
    """One request: `length` registers or bits of a table from `start`."""

    table: str
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length

    def covers(self, other: Read) -> bool:
        return self.table == other.table and self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True)
class Plan:
    """reads: in order of table and address. lost: numbers that the device refused on their own."""

    atoms: tuple[Read, ...]
    reads: tuple[Read, ...]
    lost: tuple[Read, ...] = ()

    def inside(self, read: Read) -> list[Read]:
        """The numbers that a read fetches."""
        return [atom for atom in self.atoms if read.covers(atom)]

    def refused(self, read: Read) -> Plan:
        """The plan after the device has refused this read: in two at its widest gap, else at its middle, else without it."""
        if read not in self.reads:
            return self
        position = self.reads.index(read)
        parts = _parts(self.inside(read))
        reads = self.reads[:position] + parts + self.reads[position + 1 :]
        return replace(self, reads=reads, lost=self.lost if parts else (*self.lost, read))


def plan(module: Module) -> Plan:
    """The fewest reads for all registers of a module."""
    atoms = {Read(one.table, one.address, one.count) for one in module.registers}
    reads: list[Read] = []
    for table in TABLES:
        own = sorted(atom for atom in atoms if atom.table == table)
        holes = [(first, last) for name, first, last in module.holes if name == table]
        limit = MOST_BITS if table in BIT_TABLES else module.registers_a_read
        reads += _merged(own, holes, limit)
    return Plan(tuple(sorted(atoms, key=_place)), tuple(reads))


def _place(read: Read) -> tuple[int, int, int]:
    return TABLES.index(read.table), read.start, read.length


def _merged(atoms: Iterable[Read], holes: list[tuple[int, int]], limit: int) -> list[Read]:
    """From the left, each read as long as it may be: no other choice needs fewer."""
    reads: list[Read] = []
    for atom in atoms:
        if reads:
            last = reads[-1]
            joined = last._replace(length=max(last.end, atom.end) - last.start)
            if joined.length <= limit and not any(
                first < joined.end and last_one >= joined.start for first, last_one in holes
            ):
                reads[-1] = joined
                continue
        reads.append(atom)
    return reads


def _parts(atoms: list[Read]) -> tuple[Read, ...]:
    """Two reads that together fetch these numbers and overlap no number; none where they cannot be told apart."""
    cuts: list[tuple[int, int, int]] = []
    end = atoms[0].end
    for position, atom in enumerate(atoms[1:], 1):
        if atom.start >= end:
            cuts.append((atom.start - end, -abs(2 * position - len(atoms)), position))
        end = max(end, atom.end)
    if not cuts:
        return ()
    _, _, position = max(cuts)
    return _span(atoms[:position]), _span(atoms[position:])


def _span(atoms: list[Read]) -> Read:
    start = min(atom.start for atom in atoms)
    return Read(atoms[0].table, start, max(atom.end for atom in atoms) - start)
