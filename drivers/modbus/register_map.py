"""What a Modbus device is, as a declaration: its modules on the bus, the registers behind each point, what it can be told.

Addresses are those of the PDU, from 0; `at` takes them as a manual writes them (40001).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from drivers.modbus.words import BIT_TABLES, reference, width

MOST_REGISTERS: Final = 125  # of one read (Modbus Application Protocol 1.1b3, 6.3)
MOST_BITS: Final = 2000  # the same, 6.1


@dataclass(frozen=True, slots=True)
class Register:
    """value = raw * scale + offset; or, of words, words[raw]: a label or a number.

    absent: raw values that mean "no value" (not a number always does). bit, size: of kind bits, which of the register's
    bits are meant, from the least significant.
    """

    point: str
    address: int
    kind: str = "u16"
    table: str = "holding"
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    absent: tuple[float, ...] = ()
    words: Mapping[str, str | float] = field(default_factory=dict)
    bit: int = 0
    size: int = 1

    @property
    def count(self) -> int:
        """Registers, or bits of a bit table."""
        return 1 if self.table in BIT_TABLES else width(self.kind)


def at(point: str, written: str, kind: str = "u16", **rest: Any) -> Register:
    """A register by the reference that its manual gives, as "40509"."""
    table, address = reference(written)
    return Register(point, address, kind, table, **rest)


@dataclass(frozen=True, slots=True)
class Control:
    """How a command of the family is carried out: its argument goes to this register (point = the point that reads back).

    argument "": the command has none and `constant` is written. The register's table is coil or holding.
    """

    command: str
    register: Register
    argument: str = ""
    constant: float = 0.0


@dataclass(frozen=True, slots=True)
class Module:
    """What answers under one unit id. holes: (table, first, last) that must never be inside a read.

    registers_a_read: what the device gives at most in one answer.
    """

    name: str
    registers: tuple[Register, ...]
    controls: tuple[Control, ...] = ()
    holes: tuple[tuple[str, int, int], ...] = ()
    registers_a_read: int = MOST_REGISTERS

    def named(self, name: str) -> Module:
        return replace(self, name=name)


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """All modules of one device; most have one. No point stands in two modules."""

    modules: tuple[Module, ...]

    def control(self, command: str) -> tuple[Module, Control] | None:
        for module in self.modules:
            for control in module.controls:
                if control.command == command:
                    return module, control
        return None


def single(*registers: Register, **rest: Any) -> RegisterMap:
    """A device that is one module."""
    return RegisterMap((Module("main", registers, **rest),))
