"""Read plans: complete, within limits, never across a hole, the fewest there can be, and they learn."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modbus.plan import Plan, Read, plan
from drivers.modbus.register_map import Module, Register

KINDS = {1: "u16", 2: "u32", 4: "u64"}


@st.composite
def modules(draw: st.DrawFn) -> Module:
    """Registers that do not overlap, holes between them, and a small limit so that it matters."""
    registers, holes, address = [], [], draw(st.integers(0, 5))
    for _ in range(draw(st.integers(1, 12))):
        size = draw(st.sampled_from([1, 2, 4]))
        registers.append(Register("pm10", address, KINDS[size]))
        address += size
        gap = draw(st.integers(0, 9))
        if gap and draw(st.booleans()):
            holes.append(("holding", address, address + gap - 1))
        address += gap
    return Module("m", tuple(registers), holes=tuple(holes), registers_a_read=draw(st.integers(4, 30)))


def fewest(module: Module) -> int:
    """By trying all: the least number of reads that cover the registers from the i-th on."""
    atoms = sorted((one.address, one.address + one.count) for one in module.registers)

    def readable(start: int, end: int) -> bool:
        if end - start > module.registers_a_read:
            return False
        return not any(first < end and last >= start for _, first, last in module.holes)

    @cache
    def best(begin: int) -> int:
        if begin == len(atoms):
            return 0
        ends = range(begin + 1, len(atoms) + 1)
        return min(1 + best(end) for end in ends if readable(atoms[begin][0], atoms[end - 1][1]))

    return best(0)


@settings(max_examples=200)
@given(modules())
def test_a_plan_is_complete_lawful_and_the_shortest(module: Module) -> None:
    found = plan(module)
    for one in module.registers:
        atom = Read("holding", one.address, one.count)
        assert sum(read.covers(atom) for read in found.reads) == 1
    for read in found.reads:
        assert 1 <= read.length <= module.registers_a_read
        for _, first, last in module.holes:
            assert last < read.start or first >= read.end
    assert len(found.reads) == fewest(module)


@settings(max_examples=200)
@given(modules(), st.sets(st.integers(0, 120), max_size=30))
def test_a_device_with_unknown_gaps_is_learnt_without_losing_what_it_has(
    module: Module, missing: set[int]
) -> None:
    def refuses(read: Read) -> bool:
        return any(address in missing for address in range(read.start, read.end))

    known: Plan = plan(module)
    requests = 0
    while (bad := next((read for read in known.reads if refuses(read)), None)) is not None:
        known = known.refused(bad)
        requests += 1
        assert requests < 60
    for one in module.registers:
        atom = Read("holding", one.address, one.count)
        assert any(read.covers(atom) for read in known.reads) is not refuses(atom)
        assert (atom in known.lost) is refuses(atom)


def test_a_read_is_first_cut_where_nobody_asked_for_anything() -> None:
    module = Module("m", tuple(Register("pm10", address) for address in (0, 1, 2, 20, 21)))
    known = plan(module)
    assert known.reads == (Read("holding", 0, 22),)
    assert known.refused(known.reads[0]).reads == (Read("holding", 0, 3), Read("holding", 20, 2))


def test_a_refusal_of_a_read_that_is_none_of_ours_changes_nothing() -> None:
    known = plan(Module("m", (Register("pm10", 0),)))
    assert known.refused(Read("holding", 7, 2)) is known


def test_tables_are_read_apart_and_bits_up_to_two_thousand() -> None:
    registers = (
        Register("spray", 0, table="coil"),
        Register("spray", 1_999, table="coil"),
        Register("spray", 2_000, table="coil"),
        Register("pm10", 0),
        Register("pm10", 124),
        Register("pm10", 125),
        Register("pm10", 0, "f32", "input"),
    )
    assert plan(Module("m", registers)).reads == (
        Read("coil", 0, 2_000),
        Read("coil", 2_000, 1),
        Read("input", 0, 2),
        Read("holding", 0, 125),
        Read("holding", 125, 1),
    )
