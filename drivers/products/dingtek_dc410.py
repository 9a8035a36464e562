"""Dingtek DC410 / DC413: ultrasonic level and tilt under a manhole cover, LoRaWAN."""

from __future__ import annotations

from drivers.lorawan.bits import Event, Fact, Flag, Part
from drivers.lorawan.codec import Frames
from drivers.lorawan.layout import Choice, Fixed, Hex, Octets, Skip
from drivers.products.product import Product
from drivers.telemetry import HOUR, SECOND

_STATUS = (
    Fixed(b"\x11"),
    Octets(">H", Part("distance", per=1000)),
    Skip(1),
    Octets("b", Part("temperature")),  # the maker's script reads it unsigned; both agree up to 127
    Skip(1),  # the sign, which the maker's script gets wrong: it always shows the negative
    Octets("B", Part("tilt")),
    Octets("B", Flag("flooded", 4, 4)),
    Octets("B", Flag("moved", 4, 4), Event("batteryLevelTooLow", 0, 4)),
    Octets(">H", Fact("frame_counter")),
    Skip(1),
)
_PARAMETERS = (
    Fixed(b"\x19"),
    Skip(2),
    Octets("B", Fact("upload_interval_h")),
    Octets("B", Fact("detection_interval_min")),
    Octets("B", Fact("full_alarm_cm")),
    Skip(1),
    Octets("B", Fact("tilt_threshold_deg")),
    Octets("B", Fact("tilt_enabled")),
    Octets("B", Fact("range_m", words={0: "2"}, per=0.2)),
    Skip(10),
)
_ASKED = bytes.fromhex("80029999")

PRODUCTS = (
    Product(
        id="dingtek-dc410",
        maker="Dingtek",
        model="DC410 / DC413",
        family="manhole",
        transport="lorawan",
        source="TheThingsNetwork/lorawan-devices vendor/dingtek/dc410-codec.yaml; actility vendors/dingtek",
        interval=6 * HOUR,
        codec=Frames(
            {3: (Fixed(b"\x80"), Skip(2), Choice("B", {2: _STATUS, 3: _PARAMETERS}), Fixed(b"\x81"))},
            downlinks={
                "reportInterval": (
                    3,
                    (
                        Hex(
                            Fixed(_ASKED + b"\x01"),
                            Octets("B", Part("interval", per=SECOND / HOUR, span=(1, 168))),
                            Fixed(b"\x81"),
                        ),
                    ),
                ),
                "tiltThreshold": (
                    3,
                    (Hex(Fixed(_ASKED + b"\x04"), Octets("B", Part("tilt", span=(15, 90))), Fixed(b"\x81")),),
                ),
            },
        ),
    ),
)
