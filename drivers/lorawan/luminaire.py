"""Parts of frames that the UL20xx luminaire controllers of NAS share over their firmwares.

Source: nasys/nas-codecs, src/ul20xx_decoder.js and its tests; bits of a driver: IEC 62386-102 QUERY STATUS.
"""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Final

from drivers.lorawan.bits import Curve, Event, Fact, Flag, Happened, Part
from drivers.lorawan.layout import Choice, Fixed, Octets, Options, Repeat, Skip, Text

if TYPE_CHECKING:
    from drivers.lorawan.bits import Merge
    from drivers.lorawan.layout import Layout

NONE: Final = (0xFF,)
OWN: Final = 0xFF  # the controller's own meter, among addresses of drivers


def _lux(raw: int) -> float:
    """A logarithm of milli-lux in steps of 1/4000."""
    return float(10 ** (raw / 4_000) / 1_000)


def _log(lux: float) -> int:
    return round(4_000 * log10(max(lux * 1_000, 1)))


CLOCK: Final = Octets("<I", Fact("clock"))  # s since 1970; below 2015 it was never set
RADIO: Final[Layout] = (
    Octets("B", Fact("downlink_rssi", per=-1)),
    Octets("b", Fact("downlink_snr")),
    Octets("b", Part("temperature")),
)
LDR: Final = Octets("B", Fact("ldr"))
LUX: Final = Octets("<H", Part("lux", 0, 15, curve=Curve(_lux, _log)))
ALERTS: Final = (
    Flag("lamp_failure", 5, 1),
    Fact("alerts_in_24h", 4, 4),
)  # voltage, lamp, power, power factor
DIMMING: Final = Octets("B", Part("dimming", absent=NONE, merge="most"))
ADDRESS: Final = Octets("B", Fact("address"))
DRIVER: Final = Octets(
    "B",
    Flag("gear_failure", 0, 1, absent=NONE),
    Flag("lamp_failure", 1, 1, absent=NONE),
    Flag("switch", 2, 1, absent=NONE),
)
PORT_60: Final[Layout] = (  # answers to commands
    Choice(
        "B",
        {
            0x00: (Repeat(ADDRESS, DRIVER),),
            0x01: (Repeat(ADDRESS, DIMMING),),
            0x03: (Text("dali_answers"),),
            0x04: (Text("dali_commands"),),
            0x05: (Octets("B", Fact("requested")), Repeat(Text("driver", 4))),
            0x06: (Text("interfaces", 8),),
            0x08: (Text("written"),),
        },
    ),
)
PORT_50: Final[Layout] = (  # its configuration, asked for
    Choice(
        "B",
        {
            0x07: (Octets("<I", Fact("status_interval_s")),),
            0x08: (
                Octets("B", Fact("profile")),
                Octets("B", Fact("profile_version")),
                ADDRESS,
                Octets("B", Fact("days")),
                Text("steps"),  # pairs: ten minutes since midnight, percent
            ),
            0x0B: (Octets("<I", Fact("usage_interval_s")), Octets("B", Fact("mains_v"))),
            0x16: (
                Fixed(b"\x01"),
                Octets("<H", Fact("power_low_w")),
                Octets("<H", Fact("power_high_w")),
                Octets("<H", Fact("voltage_low_v")),
                Octets("<H", Fact("voltage_high_v")),
                Octets("B", Fact("power_factor_low", per=100)),
            ),
        },
    ),
)
PORT_61: Final[Layout] = (  # alerts
    Choice(
        "B",
        {
            0x80: (
                Choice(
                    "B",
                    {2: (Octets("<H", Fact("count")),), 4: (Octets("<I", Fact("count")),)},
                    shift=4,
                    parts=(Fact("input", 0, 1),),
                ),
            ),
            0x81: (Skip(1), Octets("B", Fact("ldr_on", 0, 1)), LDR),
            0x83: (Skip(1), Repeat(ADDRESS, DRIVER)),
            0x84: (
                Octets(
                    "B",
                    Flag("lamp_failure", 0, 1),
                    Event("currentTooHigh", 1, 1),
                    Event("supplyVoltageTooLow", 2, 1),
                    Event("supplyVoltageTooHigh", 3, 1),
                    Event("powerFactorTooLow", 4, 1),
                ),
                Octets("<H", Part("power")),
                Octets("<H", Part("voltage")),
                Octets("B", Part("power_factor", per=100)),
            ),
        },
    ),
)
PORT_99: Final[Layout] = (
    Choice(
        "B",
        {
            0x00: (
                Text("serial", 4, little=True),
                Text("firmware", 3),
                CLOCK,
                Octets("B", Fact("device_config")),
                Octets("B", Fact("features")),
                Octets("B", Fact("dali_supply", 0, 7), Fact("dali_external", 7, 1)),
                Octets("B", Fact("drivers", 0, 7), Fact("unaddressed_driver", 7, 1)),
                Repeat(Octets("B", Fact("reset_reason"))),
                Happened("deviceReset"),
            ),
            0x13: (Octets("B", Fact("refused_port")), Octets("B", Fact("refused_reason"))),
        },
    ),
)


def usage(own_hours: float) -> Repeat:
    """What is consumed: a driver's parts add up, the controller's own meter stands for all of them.

    own_hours: of its lamp time, counts in an hour.
    """
    cases = dict.fromkeys(range(OWN), _consumption("sum", 3_600))
    return Repeat(Choice("B", {OWN: _consumption("whole", own_hours), **cases}))


def _consumption(merge: Merge, hours: float) -> Layout:
    return (
        Options(
            (Octets("<I", Part("energy", per=1_000, merge=merge)),),
            (Octets("<H", Part("power", merge=merge)),),
            (Octets("<I", Fact("load_energy_wh")),),
            (Octets("<H", Fact("load_power_w")),),
            (Octets("B", Part("power_factor", per=100, absent=NONE)),),
            (Octets("B", Part("voltage")),),
            (Octets("<I", Fact("driver_hours", per=3_600)),),
            (Octets("<I", Part("operating_hours", per=hours, merge="most")),),
        ),
    )
