"""How a product's factors become points: declared, never guessed. Units are the product's; the standard's table is no help.

What lies in a doubtful band is marked uncertain (mg taken for µg, bar for kPa); no value is ever rescaled by its looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drivers.hj212.crc import Crc
from drivers.telemetry import Quality

# Table 8 of HJ 212-2017
FLAGS: Final[Mapping[str, Quality]] = {
    "N": Quality.GOOD,
    "F": Quality.STOPPED,
    "M": Quality.MAINTENANCE,
    "S": Quality.MANUAL,
    "D": Quality.FAULT,
    "C": Quality.CALIBRATING,
    "T": Quality.OVER_RANGE,
    "B": Quality.NO_COMMS,
}

# SBx-RS: off, running, calibrating, maintenance, alarm, blow-back
STATES: Final[Mapping[str, tuple[float, Quality]]] = {
    "0": (0.0, Quality.GOOD),
    "1": (1.0, Quality.GOOD),
    "2": (1.0, Quality.CALIBRATING),
    "3": (1.0, Quality.MAINTENANCE),
    "4": (1.0, Quality.FAULT),
    "5": (1.0, Quality.GOOD),
}

STATISTICS: Final = frozenset(
    (
        "Cou",
        "Min",
        "Max",
        "ZsRtd",
        "ZsMin",
        "ZsAvg",
        "ZsMax",
        "EFlag",
        "SampleTime",
        "RT",
        "DayData",
        "NightData",
    )
)  # suffixes of the standard that no point has a place for
SAMPLE: Final = ("Rtd", "Data", "")
PERIOD: Final = ("Avg", "Data")


@dataclass(frozen=True, slots=True)
class Factor:
    """value = raw * scale, in the point's unit. codes: what stations call it, the first found wins.

    state: the raw value is an SBx-RS code, of an off/on point. plausible: beyond it a value is uncertain; zero is not
    doubted.
    """

    point: str
    codes: tuple[str, ...]
    scale: float = 1.0
    state: bool = False
    plausible: tuple[float, float] | None = None

    def doubts(self, value: float) -> bool:
        return (
            self.plausible is not None and value != 0 and not self.plausible[0] <= value <= self.plausible[1]
        )


@dataclass(frozen=True, slots=True)
class StationMap:
    """crc: what this product's frames must be right by. unused: codes that are known and have no point."""

    factors: tuple[Factor, ...]
    crc: Crc = Crc.HJ212
    unused: frozenset[str] = frozenset()
    minutes: int = 10  # the minute interval asked for at the first connection
    commands: frozenset[str] = frozenset()  # of the family, that these stations take
    subject: str = ""  # the factor that a calibration is for
    doubt: str = ""  # the alarm of the family that a run of doubtful samples reports as an event
