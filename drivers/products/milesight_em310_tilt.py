"""Milesight EM310-TILT, LoRaWAN: three angles. Mounted flat, its z axis stands at 90°, so tilt is what is missing there."""

from __future__ import annotations

from drivers.lorawan.bits import Fact, Flag, Part
from drivers.lorawan.layout import Octets
from drivers.lorawan.milesight import frames
from drivers.products.product import Product
from drivers.telemetry import HOUR

PRODUCTS = (
    Product(
        id="milesight-em310-tilt",
        maker="Milesight",
        model="EM310-TILT",
        family="manhole",
        transport="lorawan",
        source="Milesight-IoT/SensorDecoders em-series/em310-tilt; mounted flat under the cover is assumed",
        interval=HOUR,
        codec=frames(
            {
                0x03CF: (
                    Octets("<h", Fact("angle_x", per=100)),
                    Octets("<h", Fact("angle_y", per=100)),
                    Octets("<h", Part("tilt", per=-100, offset=90), Fact("angle_z", per=100)),
                    Octets("B", Flag("moved", 0, 3), Fact("beyond_threshold", 0, 3)),
                )
            }
        ),
    ),
)
