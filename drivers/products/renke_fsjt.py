"""建大仁科 RS-FSJT-N01 anemometer: one register. Its recorded exchange is the published one."""

from __future__ import annotations

from drivers.modbus.register_map import Register, single
from drivers.products.product import Product

PRODUCTS = (
    Product(
        id="renke-fsjt",
        maker="建大仁科 (Renke)",
        model="RS-FSJT-N01",
        family="dust",
        source="maker's exchange 01 03 00 00 00 01 84 0A, 01 03 02 00 56 38 7A = 8.6 m/s (domain D.3)",
        transport="modbus",
        modbus=single(Register("wind_speed", 0, scale=0.1)),
    ),
)
