"""Faults that only drills use: slow ones, ones that need the right hour, and what befalls the lamps of a cabinet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import MINUTE
from simulators import mishaps
from simulators.mishaps import ANY, Kind

if TYPE_CHECKING:
    from drivers.telemetry import Float64
    from simulators.mishaps import Rows
    from simulators.world.cohort import Columns

BLINK: Final = (
    10 * MINUTE
)  # a loose contact: half of it lit, half of it dark, so that every report finds it otherwise
LEAP: Final = 2 * MINUTE


def _while_lit(rows: Rows, changed: Columns) -> Columns:
    """Only while the lamp is switched on: a lamp that is off has nothing to be wrong with."""
    lit = rows.columns["switch"][rows.at] > 0
    return {
        name: np.where(lit, column, rows.columns[name][rows.at])
        for name, column in changed.items()
        if name in rows.columns
    }


def _drawing(rows: Rows, part: float) -> Columns:
    """A share of its rated power, whatever its level."""
    power = part * rows.cohort.attributes["rated_power"][rows.device]
    return _while_lit(rows, {"power": power, "current": power / 215})


def _cycling(rows: Rows) -> Columns:
    """The lamp goes out and restrikes; its relay stays closed all the while."""
    if "power" not in rows.columns:  # what a device watches is its relay
        return {}
    lit = (rows.time - rows.start) % BLINK < BLINK // 2
    power = np.where(lit, rows.columns["power"][rows.at], 0.6)
    return _while_lit(rows, {"power": power, "current": power / 215})


def _undimmed(rows: Rows) -> Columns:
    return _drawing(rows, 1.0)


def _strong(rows: Rows) -> Columns:
    return _drawing(rows, 1.45)


def _meter_leaps(rows: Rows) -> Columns:
    """The meter shows what no fuse would let through."""
    return _while_lit(rows, {"power": 6 * rows.cohort.attributes["rated_power"][rows.device]})


def _weak(rows: Rows) -> Columns:
    return _drawing(rows, 0.55)


def _reactive(rows: Rows) -> Columns:
    return _while_lit(rows, {"power_factor": np.full(len(rows.at), 0.58)})


def _backwards(rows: Rows) -> Columns:
    """The meter was exchanged for a new one."""
    return {"energy": (rows.time - rows.start) / (600 * MINUTE)}


def _greasy(rows: Rows) -> Columns:
    """Grease on its plates takes two fifths of the purifier's current."""
    names = ("purifier_current",)
    return {name: 0.6 * rows.columns[name][rows.at] for name in names if name in rows.columns}


def _leaping(rows: Rows, high: float) -> Float64:
    leap: Float64 = np.where((rows.time - rows.start) % LEAP < LEAP // 2, high, 1.0)
    return leap


def _dust_leaps(rows: Rows) -> Columns:
    pm10 = _leaping(rows, 5_200)
    return {"pm10": pm10, "pm25": 0.3 * pm10, "tsp": 1.8 * pm10}


def _fume_leaps(rows: Rows) -> Columns:
    fume = _leaping(rows, 28)
    return {"fume": fume, "particulate": 2.6 * fume, "nmhc": 5 * fume}


_CURRENTS: Final = {"current_a": 0.0, "current_b": 0.0, "current_c": 0.0}
_LAMP: Final = (
    Kind("lamp_reported", "streetlight", alarms=("lampFailure",), sets={"lamp_failure": 1},
         event="lampFailure", at_once=True, within=15 * MINUTE),
    Kind("cycling", "streetlight", alarms=("cyclingFailure",), amend=_cycling, sun="down", within=60 * MINUTE),
    Kind("dimming_failed", "streetlight", alarms=("dimmingFailure",), amend=_undimmed, within=30 * MINUTE),
    Kind("power_high", "streetlight", alarms=("lampPowerTooHigh",), amend=_strong, sun="down", within=45 * MINUTE),
    Kind("power_low", "streetlight", alarms=("lampPowerTooLow",), amend=_weak, within=45 * MINUTE),
    Kind("power_factor_low", "streetlight", alarms=("powerFactorTooLow",), amend=_reactive, sun="down",
         event="powerFactorTooLow", at_once=True, within=45 * MINUTE),
    Kind("overcurrent", "streetlight", alarms=("currentTooHigh",), sets={"current": 9.0}, event="currentTooHigh",
         at_once=True, within=15 * MINUTE),
    Kind("hot", "streetlight", alarms=("highTemperature",), sets={"temperature": 99}, event="highTemperature",
         at_once=True, within=25 * MINUTE),
    Kind("meter_leaps", "streetlight", alarms=("implausibleJump",), amend=_meter_leaps, sun="down", within=25 * MINUTE),
    Kind("lantern_broken", "streetlight", alarms=("columnDamaged",), sets={"tilt": 4}, event="lanternBroken",
         at_once=True, within=5 * MINUTE),
    Kind("flatline", "streetlight", alarms=("flatLine",), frozen=True),
    Kind("unpowered", "streetlight", alarms=("communicationFailure",), mute=True),
    Kind("unfed", "streetlight", alarms=("lampFailure",), sets={"power": 0.6, "current": 0.01, "power_factor": 0.5}),
)  # fmt: skip
_CABINET: Final = (
    Kind("feeder_cut", "cabinet", alarms=("supplyLoss",), at_once=True, within=5 * MINUTE,
         sets={**_CURRENTS, "voltage_a": 0, "voltage_b": 0, "voltage_c": 0, "power": 0, "contactor_feedback": 0}),
    Kind("overvoltage", "cabinet", alarms=("supplyVoltageTooHigh",),
         sets={"voltage_a": 258, "voltage_b": 257, "voltage_c": 259}, event="supplyVoltageTooHigh", at_once=True,
         within=15 * MINUTE),
    Kind("not_closing", "cabinet", alarms=("switchingErrorOn",), event="switchingErrorOn", at_once=True, sun="down",
         within=10 * MINUTE,
         sets={**_CURRENTS, "contactor": 1, "contactor_feedback": 0, "current_a": 0.2, "power": 45}),
    Kind("power_factor_low", "cabinet", alarms=("powerFactorTooLow",), sets={"power_factor": 0.66}, sun="down",
         within=40 * MINUTE),
    Kind("overcurrent", "cabinet", alarms=("currentTooHigh",),
         sets={"current_a": 295, "current_b": 296, "current_c": 294, "power": 192_000, "contactor": 1,
               "contactor_feedback": 1},
         within=15 * MINUTE),
    Kind("breaker", "cabinet", alarms=("circuitBreakerTripped",), sets={"leakage": 28}, event="circuitBreakerTripped",
         at_once=True, within=5 * MINUTE),
    Kind("by_hand", "cabinet", alarms=("localOverride",), sets={"leakage": 27}, event="localOverride",
         at_once=True, within=5 * MINUTE),
    Kind("meter_exchanged", "cabinet", alarms=("implausibleJump",), amend=_backwards, within=15 * MINUTE),
    Kind("flatline", "cabinet", alarms=("flatLine",), frozen=True),
)  # fmt: skip
_MANHOLE: Final = (
    Kind("cover_moved", "manhole", alarms=("coverMoved",), sets={"moved": 1}, event="coverMoved", at_once=True,
         within=5 * MINUTE),
    Kind("cover_hit", "manhole", alarms=("coverAbnormal",), sets={"tilt": 3}, event="impactDetected", at_once=True,
         within=5 * MINUTE),
    Kind("settled", "manhole", alarms=("coverSettled",), sets={"tilt": 8.5}, event="coverSettled", at_once=True),
    Kind("sensor_leaps", "manhole", alarms=("implausibleJump",), sets={"temperature": 88}, at_once=True),
    Kind("flatline", "manhole", alarms=("flatLine",), frozen=True),
)  # fmt: skip
_DUST: Final = (
    Kind("noise_day", "dust", alarms=("noiseTooHigh",), sets={"noise": 88, "rain": 0, "wind_speed": 2},
         within=25 * MINUTE),
    Kind("night_work", "dust", alarms=("pm10TooHigh",), within=20 * MINUTE,
         sets={"pm10": 300, "pm25": 58, "tsp": 690, "spray": 1}),
    Kind("sensor_weak", "dust", alarms=("stationFault",), quality={"pm10": "fault"}, sets={"pm10": 2}),
    Kind("unit_wrong", "dust", alarms=("stationFault",), sets={"pressure": 101}, event="stationFault", at_once=True,
         within=5 * MINUTE),
    Kind("sensor_leaps", "dust", alarms=("implausibleJump",), amend=_dust_leaps, within=10 * MINUTE),
    Kind("flatline", "dust", alarms=("flatLine",), frozen=True),
)  # fmt: skip
_FUME: Final = (
    Kind("sensor_fault", "fume", alarms=("sensorFault",), sets={"humidity": 50}, event="sensorFault", at_once=True,
         within=5 * MINUTE),
    Kind("cleaning_reported", "fume", alarms=("cleaningDue",), sets={"humidity": 50}, event="cleaningDue", at_once=True,
         within=5 * MINUTE),
    Kind("greasy", "fume", alarms=("cleaningDue",), amend=_greasy),
    Kind("sensor_leaps", "fume", alarms=("implausibleJump",), amend=_fume_leaps, within=10 * MINUTE),
    Kind("flatline", "fume", alarms=("flatLine",), frozen=True),
)  # fmt: skip
_PARKING: Final = (
    Kind("stuck", "parking", alarms=("occupancyStuck",), at_once=True, within=5 * MINUTE,
         sets={"occupied": 1, "duration": 1_400_000, "magnetic": 51}),
    Kind("sensor_fault", "parking", alarms=("sensorFault",), sets={"magnetic": 1}, event="sensorFault", at_once=True,
         within=5 * MINUTE),
    Kind("restarted", "parking", alarms=("implausibleJump",), sets={"parkings": 0}, at_once=True),
    Kind("flatline", "parking", alarms=("flatLine",), frozen=True),
)  # fmt: skip
SHIFT: Final = {"clock_wrong": 40 * MINUTE}  # by how much stamps are ahead
_CLOCKS: Final = tuple(
    Kind("clock_wrong", family, "bytes", alarms=("clockWrong",), within=75 * MINUTE)
    for family in ("streetlight", "cabinet", "dust", "fume")
)
_EVERYWHERE: Final = tuple(
    Kind("lost", family, alarms=("deviceLost", "communicationFailure"), mute=True)
    for family in ("streetlight", "cabinet", "manhole", "dust", "fume", "parking")
)

KINDS: Final[dict[tuple[str, str], Kind]] = mishaps.KINDS | {
    (kind.family, kind.name): kind
    for kind in (*_LAMP, *_CABINET, *_MANHOLE, *_DUST, *_FUME, *_PARKING, *_CLOCKS, *_EVERYWHERE)
}


def find(family: str, name: str) -> Kind | None:
    return KINDS.get((family, name)) or KINDS.get((ANY, name))
