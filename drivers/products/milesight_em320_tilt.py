"""Milesight EM320-TILT, LoRaWAN: as EM310-TILT, with the threshold's bit in each angle's own word."""

from __future__ import annotations

from drivers.lorawan.bits import Fact, Flag, Part
from drivers.lorawan.layout import Octets
from drivers.lorawan.milesight import frames
from drivers.products.product import Product
from drivers.telemetry import HOUR

PRODUCTS = (
    Product(
        id="milesight-em320-tilt",
        maker="Milesight",
        model="EM320-TILT",
        family="manhole",
        transport="lorawan",
        source="Milesight-IoT/SensorDecoders em-series/em320-tilt; mounted flat under the cover is assumed",
        interval=HOUR,
        codec=frames(
            {
                0x03D4: (
                    Octets("<h", Flag("moved", 0, 1), Fact("x_beyond", 0, 1), Fact("angle_x", 1, per=100)),
                    Octets("<h", Flag("moved", 0, 1), Fact("y_beyond", 0, 1), Fact("angle_y", 1, per=100)),
                    Octets(
                        "<h",
                        Flag("moved", 0, 1),
                        Fact("z_beyond", 0, 1),
                        Part("tilt", 1, per=-100, offset=90),
                        Fact("angle_z", 1, per=100),
                    ),
                )
            }
        ),
    ),
)
