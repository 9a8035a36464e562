"""NAS UL20xx luminaire controllers (UL2002, 2014, 2020, 2021, 2030), LoRaWAN; commands go to all drivers of one."""

from __future__ import annotations

from drivers.lorawan.bits import Fact, Part
from drivers.lorawan.codec import Frames
from drivers.lorawan.layout import Choice, Fixed, Octets, Options, Repeat, Sized
from drivers.lorawan.luminaire import (
    ADDRESS,
    ALERTS,
    CLOCK,
    DIMMING,
    DRIVER,
    LDR,
    LUX,
    PORT_50,
    PORT_60,
    PORT_61,
    PORT_99,
    RADIO,
    usage,
)
from drivers.products.product import Product
from drivers.telemetry import HOUR

_ERRORS = (Fact("dali_connection_error", 1, 1), Fact("metering_error", 5, 1), Fact("clock_error", 6, 1))
_STATE = Octets("B", *_ERRORS, Fact("relay_closed", 7, 1))
_MORE = Octets("B", Fact("open_drain", 2, 1))
_ALERTS = Octets("B", *ALERTS)
_SENSORS = {1: (LDR,), 2: (LUX,), 3: (LUX,), 4: (Octets("B", Fact("input", 0, 1)),)}
_DRIVERS = Repeat(ADDRESS, Octets("B", Fact("reason")), DIMMING, DRIVER)
_PROFILES = Repeat(*(Octets("B", Fact(name)) for name in ("profile", "version", "address", "days")), DIMMING)
_STATUS = {
    0: (CLOCK, _STATE, *RADIO, Options((), (LDR,), (), (), (_ALERTS,)), _DRIVERS),
    1: (CLOCK, _STATE, _MORE, *RADIO, _ALERTS, Sized(Choice("B", _SENSORS)), _DRIVERS),
}
_COMMON = {61: PORT_61, 60: PORT_60, 99: PORT_99, 50: PORT_50}
_EVERYONE = Fixed(b"\x01\xfe")
_COMMANDS = {
    "dim": (60, (_EVERYONE, Octets("B", Part("level", span=(0, 100))))),
    "switch": (60, (_EVERYONE, Octets("B", Part("state", per=100, span=(0, 100))))),
    "reportInterval": (50, (Fixed(b"\x07"), Octets("<I", Part("interval")))),
}
_RESTART = {"restart": (51, (Fixed(b"\xfe"),))}

PRODUCTS = (
    Product(
        id="nas-ul20xx",
        maker="NAS",
        model="UL20xx (firmware 1.1)",
        family="streetlight",
        transport="lorawan",
        source="nasys/nas-codecs src/ul20xx_decoder.js; temperature is the controller's",
        interval=HOUR,
        codec=Frames(
            {23: (Choice("B", _STATUS),), 26: (Fixed(b"\x00"), usage(3_600)), **_COMMON},
            downlinks={**_COMMANDS, **_RESTART},
        ),
    ),
    Product(
        id="nas-ul20xx-v10",
        maker="NAS",
        model="UL20xx (firmware 1.0)",
        family="streetlight",
        transport="lorawan",
        source="nasys/nas-codecs src/ul20xx_decoder.js; temperature is the controller's",
        interval=HOUR,
        codec=Frames(
            {
                24: (CLOCK, _STATE, *RADIO, Options((), (LDR,), parts=ALERTS), _PROFILES),
                25: (usage(1),),
                **_COMMON,
            },
            downlinks=_COMMANDS,
        ),
    ),
)
