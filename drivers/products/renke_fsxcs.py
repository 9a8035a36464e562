"""建大仁科 RS-FSXCS dust and weather transmitter. Its firmwares differ in the scale of the wind: one product for each."""

from __future__ import annotations

from typing import Final

from drivers.modbus.register_map import Register, single
from drivers.products.product import Product

SOURCE: Final = "two independent public drivers of the RS-FSXCS (domain D.3): base 500, 9600 8N1 on new units, 4800 on old"


def registers(wind: float) -> tuple[Register, ...]:
    """wind: m/s in one; the driver's change log has it at 0.01, 0.1 and 0.01 again."""
    return (
        Register("wind_speed", 500, scale=wind),
        Register("wind_direction", 503),
        Register("humidity", 504, scale=0.1, absent=(0,)),  # 0 = not ready yet
        Register("temperature", 505, "i16", scale=0.1),
        Register("noise", 506, scale=0.1),
        Register("pm25", 507),
        Register("pm10", 508),
        Register("pressure", 509, scale=0.1),
        Register("rain", 513, scale=0.1),
    )


PRODUCTS = tuple(
    Product(
        id=id_,
        maker="建大仁科 (Renke)",
        model=f"RS-FSXCS, wind in {unit} m/s",
        family="dust",
        source=SOURCE,
        transport="modbus",
        modbus=single(*registers(unit)),
    )
    for id_, unit in (("renke-fsxcs", 0.1), ("renke-fsxcs-wind-hundredths", 0.01))
)
