"""PNI PlacePod parking sensor, LoRaWAN: channel, type, value, big endian, one after the other."""

from __future__ import annotations

from drivers.lorawan.bits import Event, Fact, Part
from drivers.lorawan.codec import Frames
from drivers.lorawan.layout import Choice, Octets, Repeat
from drivers.products.product import Product
from drivers.telemetry import DAY

_RESTARTED = tuple(
    range(0x81, 0x100)
)  # a count above 0x80 says that it restarted or learnt the empty bay anew
_OCCUPIED = (Octets("B", Part("occupied")),)

PRODUCTS = (
    Product(
        id="pni-placepod",
        maker="PNI",
        model="PlacePod",
        family="parking",
        transport="lorawan",
        source="public decoders and their tests (domain F.1)",
        interval=DAY,
        codec=Frames(
            {
                1: (
                    Repeat(
                        Choice(
                            ">H",
                            {
                                0x1566: _OCCUPIED,
                                0x3766: _OCCUPIED,  # keep-alive
                                0x0267: (Octets(">h", Part("temperature", per=10)),),
                                0x0302: (Octets(">H", Part("battery_voltage", per=100)),),
                                0x2100: (
                                    Octets(
                                        "B",
                                        Part("parkings", absent=_RESTARTED),
                                        Event("deviceReset", of=_RESTARTED),
                                    ),
                                ),
                                0x0101: (Octets("B", Fact("response_01")),),
                                0x1C01: (Octets("B", Fact("response_1c")),),
                                0x3F01: (Octets("B", Fact("response_3f")),),
                            },
                        )
                    ),
                )
            },
            any_port=True,
        ),
    ),
)
