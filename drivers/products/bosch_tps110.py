"""Bosch TPS110 parking lot sensor, LoRaWAN."""

from __future__ import annotations

from drivers.lorawan.bits import Fact, Happened, Part
from drivers.lorawan.codec import Frames
from drivers.lorawan.layout import Octets
from drivers.products.product import Product
from drivers.telemetry import DAY

_OCCUPIED = Octets("B", Part("occupied"))

PRODUCTS = (
    Product(
        id="bosch-tps110",
        maker="Bosch",
        model="TPS110",
        family="parking",
        transport="lorawan",
        source="TheThingsNetwork/lorawan-devices vendor/bosch/tps110-0292-codec.yaml",
        interval=DAY,
        codec=Frames(
            {
                1: (_OCCUPIED,),
                2: (_OCCUPIED, Octets("b", Part("temperature"))),
                3: (
                    Octets("<I", Fact("debug_1")),
                    Octets("<I", Fact("debug_2")),
                    Octets("<I", Fact("debug_3")),
                    Octets("B", Fact("firmware_major")),
                    Octets("B", Fact("firmware_minor")),
                    Octets("B", Fact("firmware_patch")),
                    Octets("B", Fact("reset_cause", words={3: "system request"})),
                    _OCCUPIED,
                    Happened("deviceReset"),
                ),
            }
        ),
    ),
)
