"""Three-phase meter on the register map of Eastron's SDM630: input registers, floats, high word first."""

from __future__ import annotations

from typing import Final

from drivers.modbus.register_map import Module, Register, RegisterMap
from drivers.products.product import Product


def _float(point: str, address: int) -> Register:
    return Register(point, address, "f32", "input")


METER: Final = Module(
    "meter",
    (
        _float("voltage_a", 0x0000),
        _float("voltage_b", 0x0002),
        _float("voltage_c", 0x0004),
        _float("current_a", 0x0006),
        _float("current_b", 0x0008),
        _float("current_c", 0x000A),
        _float("power", 0x0034),
        _float("power_factor", 0x003E),
        _float("energy", 0x0048),
    ),
    registers_a_read=80,
)

PRODUCTS = (
    Product(
        id="eastron-sdm630",
        maker="Eastron",
        model="SDM630 and meters with its map",
        family="cabinet",
        source="Eastron SDM630 protocol, input registers (domain B.5, from memory: check with a known value)",
        transport="modbus",
        modbus=RegisterMap((METER,)),
    ),
)
