"""A building site as spray linkage needs it: a dust transmitter and the relay of the spray, each under its own unit id.

Its device wants the attribute sprayer = 1; the rule dust-spray-linkage then switches the relay.
"""

from __future__ import annotations

from typing import Final

from drivers.modbus.register_map import Control, Module, Register, RegisterMap
from drivers.products.product import Product
from drivers.products.renke_fsxcs import registers

_SPRAY: Final = Register("spray", 0, table="coil")

PRODUCTS = (
    Product(
        id="modbus-dust-site",
        maker="any",
        model="site of dust transmitter and spray relay",
        family="dust",
        source="domain D.3 (RS-FSXCS, wind in 0.1 m/s) and B.5 (relay modules: coils from 0); which coil is the site's",
        transport="modbus",
        modbus=RegisterMap(
            (
                Module("station", registers(0.1)),
                Module("sprayer", (_SPRAY,), (Control("spray", _SPRAY, "state"),)),
            )
        ),
    ),
)
