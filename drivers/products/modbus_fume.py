"""A kitchen-fume monitor over Modbus: no maker's map is public, so this is a profile. Adapt its addresses and scales."""

from __future__ import annotations

from drivers.modbus.register_map import Control, Register, single
from drivers.products.product import Product

PRODUCTS = (
    Product(
        id="modbus-fume",
        maker="profile",
        model="kitchen-fume monitor, to be adapted",
        family="fume",
        source="a profile of ours; domain E: no named monitor has a public register map",
        transport="modbus",
        modbus=single(
            Register("fume", 0, scale=0.01, absent=(0xFFFF,)),
            Register("particulate", 1, scale=0.01, absent=(0xFFFF,)),
            Register("nmhc", 2, scale=0.01, absent=(0xFFFF,)),
            Register("temperature", 3, "i16", scale=0.1, absent=(-32_768,)),
            Register("humidity", 4, scale=0.1, absent=(0xFFFF,)),
            Register("fan_current", 5, scale=0.01),
            Register("purifier_current", 6, scale=0.01),
            Register("fan", 7, "bits", bit=0),
            Register("purifier", 7, "bits", bit=1),
            controls=(Control("calibrate", Register("", 16), constant=1),),
        ),
    ),
)
