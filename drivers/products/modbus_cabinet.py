"""A lighting cabinet as it is really built: meter, relay, inputs and a light sensor, each under its own unit id of one bus.

A device names the units it has: units = { meter = 1, relay = 2, inputs = 3 }; what it does not name is not asked.
"""

from __future__ import annotations

from typing import Final

from drivers.modbus.register_map import Module, Register, RegisterMap
from drivers.products.eastron_sdm630 import METER
from drivers.products.modbus_io import INPUTS, RELAY
from drivers.products.product import Product

LIGHT: Final = Module("light", (Register("lux", 510, "u32"),))

PRODUCTS = (
    Product(
        id="modbus-cabinet",
        maker="any",
        model="cabinet of meter, relay, inputs and light sensor",
        family="cabinet",
        source="domain B.5: SDM630 map, relay and input modules; light sensor as in the RS-FSXCS map, D.3",
        transport="modbus",
        modbus=RegisterMap((METER, RELAY, INPUTS, LIGHT)),
    ),
)
