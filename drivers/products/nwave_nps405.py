"""Nwave NPS405 parking sensor, LoRaWAN: the state, and how long the state before it lasted."""

from __future__ import annotations

from drivers.lorawan.bits import Curve, Fact, Happened, Part
from drivers.lorawan.codec import Frames
from drivers.lorawan.layout import Octets, Text
from drivers.products.product import Product
from drivers.telemetry import HOUR


def minutes(code: int) -> float:
    """Exact below 90, then steps of 5 (up to 4 more), then of 60 (up to 59 more); 127: longer than it can say."""
    if code < 90:
        return code
    return 90 + (code - 90) * 5 if code < 120 else 240 + (code - 120) * 60


def code_of(span: float) -> int:
    """The code of the longest span that is not longer."""
    return max(code for code in range(128) if minutes(code) <= span)


_OCCUPIED = Part("occupied", 0, 1)
_STATE = Octets("B", _OCCUPIED, Fact("previous_state_minutes", 1, 7, curve=Curve(minutes, code_of)))
_CAUSES = {0: "rejoined", 1: "watchdog", 2: "power on", 3: "user request", 6: "brownout", 7: "other"}

PRODUCTS = (
    Product(
        id="nwave-nps405",
        maker="Nwave",
        model="NPS405",
        family="parking",
        transport="lorawan",
        source="TheThingsNetwork/lorawan-devices vendor/nwave/nps405-codec.yaml",
        interval=6 * HOUR,
        codec=Frames(
            {
                1: (_STATE,),
                2: (
                    Octets("B", _OCCUPIED, Fact("hardware_health", 1, 7)),
                    Octets("B", Part("battery_voltage", per=250, offset=2.5)),
                    Octets("b", Part("temperature", per=2, offset=10)),
                    Text("rest", 3),
                ),
                3: (
                    Octets("B", Fact("firmware_major")),
                    Octets("B", Fact("firmware_minor")),
                    Octets("B", Fact("firmware_patch")),
                    Octets("B", Fact("reset_cause", words=_CAUSES)),
                    Octets("B", _OCCUPIED),
                    Happened("deviceReset"),
                ),
                10: (_STATE, Octets("B", Fact("tag_voltage", per=10)), Text("tag", 4)),
            }
        ),
    ),
)
