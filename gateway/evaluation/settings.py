"""`[evaluation]`: targets and definitions of what a city publishes about its facilities and its work."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drivers.families import FAMILIES
from drivers.telemetry import HOUR, MINUTE
from gateway.cases.evaluation import RATES
from gateway.cases.span import Span

SUN: Final = "sun"
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
LAMP: Final = (
    "lampFailure",
    "controlGearFailure",
    "relayFailure",
    "cyclingFailure",
    "dimmingFailure",
    "supplyLoss",
)
POLE: Final = ("leakageDetected", "orientationChanged", "columnDamaged", "lanternBroken")
COVER: Final = ("coverOpened", "coverMoved", "coverAbnormal", "coverSettled")
CABINET: Final = (
    "phaseLoss",
    "switchingErrorOn",
    "switchingErrorOff",
    "contactorWelded",
    "circuitBreakerTripped",
)
FAULTS: Final = (*LAMP, *POLE, *COVER, *CABINET, "cableCut", "cabinetDoorOpen", "sensorFault")
WEIGHTS: Final = {
    "handled_on_time_rate": 30.0,
    "handled_rate": 20.0,
    "closed_rate": 20.0,
    "closed_on_time_rate": 20.0,
    "rework_rate": 10.0,
}


class EvaluationSettings(BaseModel):
    """`[evaluation]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lit_target: float = Field(default=0.95, ge=0, le=1)  # 亮灯率
    integrity_target: float = Field(default=0.95, ge=0, le=1)  # 设施完好率
    lighting: str = SUN  # when lamps ought to be lit: from sunset to sunrise, or local times
    settle: Span = Field(
        default=30 * MINUTE, ge=0, le=2 * HOUR
    )  # after sunset and before sunrise, not looked at
    lit_share: float = Field(default=0.15, gt=0, le=1)  # of a lamp's rated power, from which it burns
    lit_watts: float = Field(default=5, gt=0)  # the same where its rated power is not known
    facilities: tuple[str, ...] = ("streetlight", "cabinet", "manhole")  # families of 设施完好率
    faults: tuple[str, ...] = FAULTS  # alarms that take a facility out of good order
    parking_hold: Span = Field(default=3 * HOUR, gt=0, le=24 * HOUR)  # how long a bay's report is believed
    fume_hold: Span = Field(
        default=10 * MINUTE, gt=0, le=24 * HOUR
    )  # how long a kitchen's report is believed
    dust_rule: str = "dust-pm10-high"  # whose parameter `limit` is in force for a station
    dust_valid: float = Field(default=0.75, gt=0, le=1)  # share of an hour's minutes that must be heard
    weights: dict[str, float] = WEIGHTS  # of the rates in the score that ranks

    @field_validator("lighting")
    @classmethod
    def _lighting(cls, text: str) -> str:
        if text != SUN and not _CLOCK.fullmatch(text):
            raise ValueError(f'give "{SUN}" or local times such as "18:30-05:30"')
        return text

    @field_validator("facilities")
    @classmethod
    def _families(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in names if name not in FAMILIES]:
            raise ValueError(f"no family {unknown[0]!r}; there are: {', '.join(FAMILIES)}")
        return names

    @field_validator("faults")
    @classmethod
    def _alarms(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = {alarm.name for family in FAMILIES.values() for alarm in family.alarms}
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"no family has an alarm {unknown[0]!r}")
        return names

    @field_validator("weights")
    @classmethod
    def _weights(cls, weights: dict[str, float]) -> dict[str, float]:
        if unknown := [name for name in weights if name not in RATES]:
            raise ValueError(f"no rate {unknown[0]!r}; there are: {', '.join(RATES)}")
        if any(weight < 0 for weight in weights.values()) or not sum(weights.values()) > 0:
            raise ValueError("weights are not negative, and one is above 0")
        return weights

    @property
    def clock(self) -> tuple[int, int] | None:
        """Minutes of the local day at which lamps come on and go off; None: as the sun says."""
        found = _CLOCK.fullmatch(self.lighting)
        if found is None:
            return None
        on, off = (int(found[first]) * 60 + int(found[first + 1]) for first in (1, 3))
        return on, off
