"""What can go wrong out there: a table of named faults, each with the alarms that would show it was noticed.

Values stand well beyond the limits of standards and ordinances, so that what is expected does not hang on a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.families.every import BATTERY, SILENT
from drivers.refusal import Reason
from drivers.telemetry import HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int32, Int64
    from simulators.world.cohort import Cohort, Columns

ANY: Final = "*"
RIPPLE: Final = 97 * SECOND  # a faulty value still trembles by half a percent


@dataclass(frozen=True, slots=True)
class Rows:
    """The readings that a fault is about: positions in `columns`, their devices, times and the fault's start."""

    cohort: Cohort
    columns: Columns
    at: Int64
    device: Int32
    time: Int64
    start: int


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to fail.

    sets: points and what they say instead. amend: the same, computed. alarms: canonical names, any of which will do.
    refusal: how the gateway should refuse the extra message that a fault on bytes sends. event: what the device itself
    reports. at_once: it reports when the fault begins and ends, not only at its next turn. sun: "up" or "down" where
    the fault shows only then. within: city µs after which it should have been noticed or refused; 0 = not at all.
    """

    name: str
    family: str
    layer: str = "values"  # values | bytes | link
    alarms: tuple[str, ...] = ()
    within: int = 0
    sets: Mapping[str, float] = field(default_factory=dict)
    amend: Callable[[Rows], Columns] | None = None
    quality: Mapping[str, str] = field(default_factory=dict)
    refusal: Reason | None = None
    event: str | None = None
    at_once: bool = False
    sun: str = ""
    mute: bool = False  # the device says nothing
    frozen: bool = False  # it repeats what it said when the fault began

    def apply(self, rows: Rows) -> None:
        """Write the faulty values into the columns that are there."""
        found: dict[str, float | Float64] = dict(self.sets)
        if self.amend is not None:
            found |= self.amend(rows)
        tremble = 1 + 0.005 * np.sin(2 * np.pi * (rows.time % RIPPLE) / RIPPLE)
        for point, value in found.items():
            if point in rows.columns:
                spoken = rows.cohort.family.points[rows.cohort.family.index[point]]
                rows.columns[point][rows.at] = value if spoken.labels else value * tremble


def _burning(rows: Rows) -> Columns:
    rated = rows.cohort.attributes["rated_power"][rows.device]
    one = np.ones(len(rated))
    return {
        "switch": one,
        "dimming": 100 * one,
        "power": rated,
        "current": rated / 220,
        "power_factor": 0.96 * one,
    }


def _cut(rows: Rows) -> Columns:
    """The far end of the cable is gone: a tenth of the load is left."""
    names = ("current_a", "current_b", "current_c", "power")
    return {name: 0.1 * rows.columns[name][rows.at] for name in names if name in rows.columns}


def _dirty(rows: Rows) -> Columns:
    """Cooking without a purifier."""
    n = len(rows.at)
    fan, rich = np.ones(n), np.full(n, 2.6)
    return {
        "fan": fan,
        "fan_current": 8 * fan,
        "flow": 4 * fan,
        "purifier": 0 * fan,
        "purifier_current": 0 * fan,
        "fume": rich,
        "particulate": 2.6 * rich,
        "nmhc": 4.6 * rich,
    }


def _parked(rows: Rows, before: int) -> Columns:
    """A car that had been there for so long when the fault began."""
    stays, one = (rows.time - rows.start + before) / SECOND, np.ones(len(rows.time))
    return {"occupied": one, "duration": stays, "magnetic": 50 * one}


def _overstay(rows: Rows) -> Columns:
    return _parked(rows, 30 * HOUR)


def _forbidden(rows: Rows) -> Columns:
    return _parked(rows, 0) | {"forbidden": np.ones(len(rows.time))}


_FAN: Final = {"fan": 1.0, "fan_current": 8.0, "flow": 4.0, "purifier": 1.0, "purifier_current": 2.2}
_DARK_LAMP: Final = {"power": 1.4, "current": 0.02, "power_factor": 0.4}

_LAMP: Final = (
    Kind(
        "lamp_dead",
        "streetlight",
        alarms=("lampFailure", "lampPowerTooLow"),
        sets=_DARK_LAMP,
        sun="down",
        within=20 * MINUTE,
    ),
    Kind(
        "day_burning",
        "streetlight",
        alarms=("lampUnexpectedOn", "relayFailure"),
        amend=_burning,
        sun="up",
        within=20 * MINUTE,
    ),
    Kind(
        "gear_failed",
        "streetlight",
        alarms=("controlGearFailure", "lampFailure"),
        sets=_DARK_LAMP | {"gear_failure": 1},
        event="controlGearFailure",
        at_once=True,
        within=15 * MINUTE,
    ),
    Kind("undervoltage", "streetlight", "values", ("supplyVoltageTooLow",), 15 * MINUTE, {"voltage": 182}),
    Kind("overvoltage", "streetlight", "values", ("supplyVoltageTooHigh",), 15 * MINUTE, {"voltage": 262}),
    Kind("leakage", "streetlight", alarms=("leakageDetected",), sets={"leakage": 180}, within=15 * MINUTE),
    Kind(
        "pole_leaning", "streetlight", alarms=("orientationChanged",), sets={"tilt": 24}, within=15 * MINUTE
    ),
)
_CABINET: Final = (
    Kind(
        "door_open",
        "cabinet",
        alarms=("cabinetDoorOpen",),
        sets={"door": 1},
        event="cabinetDoorOpen",
        at_once=True,
        within=15 * MINUTE,
    ),
    Kind("leakage", "cabinet", alarms=("leakageDetected",), sets={"leakage": 620}, within=15 * MINUTE),
    Kind(
        "phase_loss",
        "cabinet",
        alarms=("phaseLoss", "supplyVoltageTooLow"),
        sets={"voltage_b": 4, "current_b": 0},
        within=15 * MINUTE,
    ),
    Kind(
        "undervoltage",
        "cabinet",
        alarms=("supplyVoltageTooLow",),
        sets={"voltage_a": 181, "voltage_b": 182, "voltage_c": 180},
        within=15 * MINUTE,
    ),
    Kind(
        "contactor_welded",
        "cabinet",
        alarms=("contactorWelded", "switchingErrorOff"),
        sets={
            "contactor": 0,
            "contactor_feedback": 1,
            "current_a": 9,
            "current_b": 9,
            "current_c": 9,
            "power": 5_800,
        },
        within=15 * MINUTE,
    ),
    Kind("cable_cut", "cabinet", alarms=("cableCut",), amend=_cut, sun="down", within=15 * MINUTE),
    Kind("overheated", "cabinet", alarms=("highTemperature",), sets={"temperature": 96}, within=15 * MINUTE),
)
_MANHOLE: Final = (
    Kind(
        "cover_tilted",
        "manhole",
        alarms=("orientationChanged", "coverMoved"),
        sets={"tilt": 31},
        event="orientationChanged",
        at_once=True,
        within=5 * MINUTE,
    ),
    Kind(
        "cover_opened",
        "manhole",
        alarms=("coverOpened", "orientationChanged", "coverMoved"),
        sets={"cover": 1, "tilt": 84, "moved": 1},
        event="coverOpened",
        at_once=True,
        within=5 * MINUTE,
    ),
    Kind(
        "flooded",
        "manhole",
        alarms=("overfull", "fluidLevelTooHigh"),
        sets={"water_level": 3.4, "distance": 0.6, "flooded": 1},
        event="overfull",
        at_once=True,
        within=5 * MINUTE,
    ),
    Kind(
        "gas",
        "manhole",
        alarms=("gasConcentrationTooHigh",),
        sets={"ch4": 34, "h2s": 28},
        event="gasConcentrationTooHigh",
        at_once=True,
        within=5 * MINUTE,
    ),
    Kind(
        "low_battery",
        "manhole",
        alarms=(BATTERY.name,),
        sets={"battery": 6, "battery_voltage": 3.02},
        event=BATTERY.name,
        at_once=True,
        within=5 * MINUTE,
    ),
)
_DUST: Final = (
    Kind(
        "dust_pour",
        "dust",
        alarms=("pm10TooHigh", "tspTooHigh", "pm2-5TooHigh"),
        sets={"pm10": 620, "pm25": 210, "tsp": 2_900, "spray": 1},
        within=15 * MINUTE,
    ),
    Kind(
        "spray_stuck",
        "dust",
        alarms=("sprayFailure", "pm10TooHigh", "tspTooHigh", "pm2-5TooHigh"),
        sets={"pm10": 540, "pm25": 170, "tsp": 2_500, "spray": 0, "rain": 0},
        within=15 * MINUTE,
    ),
    Kind(
        "noise_night",
        "dust",
        alarms=("noiseTooHigh", "abnormalNoiseDetected"),
        sets={"noise": 94, "rain": 0, "wind_speed": 2},  # GB 12523 judges noise in calm and dry air only
        within=15 * MINUTE,
    ),
    Kind("storm", "dust", alarms=("windTooStrong",), sets={"wind_speed": 24}, within=15 * MINUTE),
    Kind(
        "calibrating",
        "dust",
        sets={"pm10": 900, "pm25": 400, "tsp": 3_000},
        quality={"pm10": "calibrating", "pm25": "calibrating", "tsp": "calibrating"},
    ),
)
_FUME: Final = (
    Kind(
        "fume_over",
        "fume",
        alarms=("fumeTooHigh", "particulateTooHigh", "nmhcTooHigh"),
        sets=_FAN | {"fume": 4.2, "particulate": 14, "nmhc": 22, "temperature": 58},
        within=15 * MINUTE,
    ),
    Kind(
        "purifier_off",
        "fume",
        alarms=("purifierNotRunning", "fumeTooHigh", "particulateTooHigh", "nmhcTooHigh"),
        amend=_dirty,
        at_once=True,
        within=15 * MINUTE,
    ),
    Kind(
        "purifier_weak",
        "fume",
        alarms=("purifierFailure",),
        sets=_FAN | {"purifier_current": 0.06},
        within=15 * MINUTE,
    ),
    Kind(
        "fan_failed",
        "fume",
        alarms=("fanFailure",),
        sets=_FAN | {"fan_current": 0.05, "flow": 0},
        within=15 * MINUTE,
    ),
    Kind("overheated", "fume", alarms=("highTemperature",), sets={"temperature": 210}, within=15 * MINUTE),
)
_PARKING: Final = (
    Kind(
        "overstay",
        "parking",
        alarms=("overstayDetected",),
        amend=_overstay,
        event="overstayDetected",
        at_once=True,
        within=5 * MINUTE,
    ),
    Kind(
        "forbidden_parking",
        "parking",
        alarms=("forbiddenParkingDetected", "overstayDetected"),
        amend=_forbidden,
        event="forbiddenParkingDetected",
        at_once=True,
        within=15 * MINUTE,
    ),
    Kind(
        "low_battery",
        "parking",
        alarms=(BATTERY.name,),
        sets={"battery": 5, "battery_voltage": 2.7},
        event=BATTERY.name,
        at_once=True,
        within=5 * MINUTE,
    ),
    Kind(
        "overheated",
        "parking",
        alarms=("highTemperature",),
        sets={"temperature": 92},
        event="highTemperature",
        at_once=True,
        within=15 * MINUTE,
    ),
)
_EVERYWHERE: Final = (
    Kind("flatline", ANY, frozen=True),
    Kind("bad_json", ANY, layer="bytes", refusal=Reason.BAD_JSON, at_once=True, within=5 * MINUTE),
    Kind("wrong_type", ANY, layer="bytes", refusal=Reason.WRONG_TYPE, at_once=True, within=5 * MINUTE),
    Kind("not_finite", ANY, layer="bytes", refusal=Reason.NOT_FINITE, at_once=True, within=5 * MINUTE),
    Kind("out_of_range", ANY, layer="bytes", refusal=Reason.OUT_OF_RANGE, at_once=True, within=5 * MINUTE),
    Kind("unknown_point", ANY, layer="bytes", refusal=Reason.UNKNOWN_POINT, at_once=True, within=5 * MINUTE),
    Kind("foreign_topic", ANY, layer="bytes", refusal=Reason.FOREIGN_TOPIC, at_once=True, within=5 * MINUTE),
    Kind("oversize", ANY, layer="bytes", refusal=Reason.OVERSIZE, at_once=True, within=5 * MINUTE),
    Kind("wrong_clock", ANY, layer="bytes", alarms=("clockWrong",), at_once=True),
    Kind("duplicate", ANY, layer="bytes", at_once=True),
)
_QUIET: Final = tuple(
    Kind(name, family, layer, alarms=(SILENT.name,), mute=True, within=within)
    for family, within in (
        ("streetlight", 40 * MINUTE),
        ("cabinet", 20 * MINUTE),
        ("manhole", 27 * HOUR),
        ("dust", 20 * MINUTE),
        ("fume", 20 * MINUTE),
        ("parking", 27 * HOUR),
    )
    for name, layer in (("silent", "values"), ("disconnect", "link"))
)
_SPIKES: Final = tuple(
    Kind("spike", family, sets={point: value})
    for family, point, value in (
        ("streetlight", "voltage", 270.0),
        ("cabinet", "leakage", 900.0),
        ("dust", "wind_speed", 30.0),
        ("fume", "temperature", 180.0),
    )
)

KINDS: Final[dict[tuple[str, str], Kind]] = {
    (kind.family, kind.name): kind
    for kind in (*_LAMP, *_CABINET, *_MANHOLE, *_DUST, *_FUME, *_PARKING, *_EVERYWHERE, *_QUIET, *_SPIKES)
}


def find(name: str, family: str) -> Kind:
    """The fault of that name for that family. ValueError names those there are."""
    kind = KINDS.get((family, name)) or KINDS.get((ANY, name))
    if kind is None:
        known = ", ".join(sorted(word for owner, word in KINDS if owner in {family, ANY}))
        raise ValueError(f"a {family} has no fault {name!r}; it has {known}")
    return kind
