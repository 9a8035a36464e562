"""A single-lamp controller over Modbus: no maker's map is public, so this is a profile. Adapt its addresses and scales."""

from __future__ import annotations

from typing import Final

from drivers.modbus.register_map import Control, Register, single
from drivers.products.product import Product

_SWITCH: Final = Register("switch", 0, table="coil")
_DIMMING: Final = Register("dimming", 0)

PRODUCTS = (
    Product(
        id="modbus-lamp",
        maker="profile",
        model="lamp controller, to be adapted",
        family="streetlight",
        source="a profile of ours; domain B.5: no named controller has a public register map",
        transport="modbus",
        modbus=single(
            _SWITCH,
            _DIMMING,
            Register("power", 1, scale=0.1),
            Register("voltage", 2, scale=0.1),
            Register("current", 3, scale=0.001),
            Register("power_factor", 4, scale=0.01),
            Register("energy", 5, "u32", scale=0.01),
            Register("operating_hours", 7, "u32", scale=0.1),
            Register("temperature", 9, "i16", scale=0.1, absent=(-32_768,)),
            Register("lamp_failure", 10, "bits", bit=0),
            Register("gear_failure", 10, "bits", bit=1),
            controls=(Control("switch", _SWITCH, "state"), Control("dim", _DIMMING, "level")),
        ),
    ),
)
