"""Relay and input modules as cabinets hold them: coils switch, discrete inputs report. Which wire is which, is the site's."""

from __future__ import annotations

from typing import Final

from drivers.modbus.register_map import Control, Module, Register, RegisterMap
from drivers.products.product import Product

_CONTACTOR: Final = Register("contactor", 0, table="coil")

RELAY: Final = Module("relay", (_CONTACTOR,), (Control("contactor", _CONTACTOR, "state"),))
INPUTS: Final = Module(
    "inputs",
    (
        Register("door", 0, table="discrete"),  # 1 = open
        Register("contactor_feedback", 1, table="discrete"),  # 1 = closed
    ),
)

PRODUCTS = tuple(
    Product(
        id=f"modbus-{module.name}",
        maker="any",
        model=f"{module.name} module",
        family="cabinet",
        source="relay modules: functions 1, 5 and 15 on coils from 0, function 2 on inputs from 0 (domain B.5)",
        transport="modbus",
        modbus=RegisterMap((module,)),
    )
    for module in (RELAY, INPUTS)
)
