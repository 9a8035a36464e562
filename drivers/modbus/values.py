"""From the bytes of an answered read to values of points, and the inverse: the registers that read back as these values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.modbus import words
from drivers.modbus.words import BIT_TABLES

if TYPE_CHECKING:
    from drivers.modbus.plan import Read
    from drivers.modbus.register_map import Module, Register, RegisterMap
    from drivers.telemetry import Family, Point

Image = dict[str, dict[int, int]]  # by table: what stands at each address

_FINE: Final = 1e-9


class Field(NamedTuple):
    """A register with what its raw values mean, ready to be read."""

    register: Register
    point: Point
    meanings: Mapping[float, float]
    divisor: float  # not 0: value = raw / divisor + offset, exact where scale is 0.1


class Reader:
    """Reads one module's answers. Numbers that lie one behind the other are unpacked at once."""

    def __init__(self, module: Module, family: Family) -> None:
        self._fields = [field_of(register, family) for register in module.registers]
        self._layouts: dict[Read, _Layout] = {}

    def values(self, read: Read, data: bytes, faults: list[str]) -> dict[str, float]:
        """Values by point. data: as on the wire. What no declared word or decimal digit explains goes to `faults`."""
        layout = self._layouts.get(read)
        if layout is None:
            inside = [one for one in self._fields if read.covers(_span(one.register, read))]
            layout = self._layouts[read] = _Layout(read, inside)
        found: dict[str, float] = {}
        for (name, divisor, scale, offset), number in zip(layout.plain, layout.unpack(data), strict=True):
            if number == number:  # noqa: PLR0124 - not a number is no value
                found[name] = (number / divisor if divisor else number * scale) + offset
        for one in layout.rest:
            value = _explained(one, raw(one.register, read, data), faults)
            if value is not None:
                found[one.point.name] = value
        return found


class _Layout:
    """How one read is taken apart. plain: (point, divisor, scale, offset) of numbers without order, words or sentinels."""

    def __init__(self, read: Read, fields: list[Field]) -> None:
        self.plain: list[tuple[str, float, float, float]] = []
        self.rest: list[Field] = []
        code, at = ">", read.start
        for one in sorted(fields, key=lambda each: each.register.address):
            register = one.register
            plain = (
                register.kind in words.CODES and register.table not in BIT_TABLES and register.order == "ABCD"
            )
            if not plain or one.meanings or register.absent or register.address < at:
                self.rest.append(one)
                continue
            code += f"{2 * (register.address - at)}x{words.CODES[register.kind]}"
            at = register.address + register.count
            self.plain.append((one.point.name, one.divisor, register.scale, register.offset))
        self.unpack = Struct(code).unpack_from


def _explained(one: Field, number: float | None, faults: list[str]) -> float | None:
    """A raw number as the value it means; None where it means none, or with the fault noted."""
    if number is None:
        faults.append(f"{one.point.name}: the registers hold no decimal digits")
        return None
    if number in one.register.absent or number != number:  # noqa: PLR0124 - not a number
        return None
    if not one.meanings:
        return (number / one.divisor if one.divisor else number * one.register.scale) + one.register.offset
    value = one.meanings.get(number)
    if value is None:
        known = ", ".join(one.register.words)
        faults.append(f"{one.point.name}: raw {number:g} is none of {known}; declare it in words")
    return value


def field_of(register: Register, family: Family) -> Field:
    return field_for(register, family.points[family.index[register.point]])


def field_for(register: Register, point: Point) -> Field:
    """The register as one that holds this quantity: a point of the family, or an argument of a command."""
    meanings = {
        float(text): float(point.labels.index(said)) if isinstance(said, str) else said
        for text, said in register.words.items()
    }
    inverse = 1 / register.scale
    exact = register.scale < 1 and abs(inverse - round(inverse)) < _FINE * inverse
    return Field(register, point, meanings, round(inverse) if exact else 0.0)


def _span(register: Register, read: Read) -> Read:
    return read._replace(table=register.table, start=register.address, length=register.count)


def raw(register: Register, read: Read, data: bytes) -> float | None:
    """The register's number in the answer to a read that covers it; None of what is no BCD."""
    place = register.address - read.start
    if register.table in BIT_TABLES:
        return data[place >> 3] >> (place & 7) & 1
    number = words.decode(register.kind, register.order, data[2 * place : 2 * (place + register.count)])
    if register.kind == "bits" and number is not None:
        return int(number) >> register.bit & ((1 << register.size) - 1)
    return number


def raw_of(one: Field, value: float) -> float:
    """The raw number that reads back as `value`; raises ValueError where none does."""
    if one.meanings:
        for number, meaning in one.meanings.items():
            if meaning == value:
                return number
        raise ValueError(f"no word of {one.point.name} means {value:g}")
    if not math.isfinite(value):
        raise ValueError(f"{one.point.name} is {value}, which no register holds")
    shifted = value - one.register.offset
    return shifted * one.divisor if one.divisor else shifted / one.register.scale


def put(image: Image, one: Field, value: float) -> None:
    """Set the registers of a field so that they read back as `value`, to the register's resolution."""
    register = one.register
    number = raw_of(one, value)
    cells = image.setdefault(register.table, {})
    if register.table in BIT_TABLES:
        cells[register.address] = int(round(number) != 0)
    elif register.kind == "bits":
        mask = ((1 << register.size) - 1) << register.bit
        if not 0 <= round(number) < 1 << register.size:
            raise ValueError(f"{number:g} does not fit into {register.size} bits")
        cells[register.address] = cells.get(register.address, 0) & ~mask | round(number) << register.bit
    else:
        data = words.encode(register.kind, register.order, number)
        for place in range(register.count):
            cells[register.address + place] = int.from_bytes(data[2 * place : 2 * place + 2], "big")


def image_of(module: Module, family: Family, values: Mapping[str, float]) -> Image:
    """The registers of a module that says these values; points of other modules are left out."""
    image: Image = {}
    for register in module.registers:
        if register.point in values:
            put(image, field_of(register, family), values[register.point])
    return image


def images(declared: RegisterMap, family: Family, values: Mapping[str, float]) -> dict[str, Image]:
    """The registers of every module, by its name."""
    return {module.name: image_of(module, family, values) for module in declared.modules}


def answer(image: Image, read: Read) -> bytes:
    """The data bytes of the answer to a read; what is not set is 0."""
    cells = image.get(read.table, {})
    if read.table not in BIT_TABLES:
        return b"".join(cells.get(at, 0).to_bytes(2, "big") for at in range(read.start, read.end))
    packed = bytearray((read.length + 7) // 8)
    for place in range(read.length):
        packed[place >> 3] |= cells.get(read.start + place, 0) << (place & 7)
    return bytes(packed)
