"""The desk's part of the configuration."""

from __future__ import annotations

from datetime import time
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from drivers.telemetry import HOUR, MINUTE
from gateway.cases.deadline import HOURS
from gateway.cases.span import Span

LONGEST_SHELF: Final = 24 * 30 * HOUR


class DeskSettings(BaseModel):
    """`[desk]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = "Asia/Shanghai"  # whose wall clock working hours go by
    hours: tuple[tuple[time, time], ...] = HOURS  # working hours of a working day
    stale: Span = Field(default=30 * MINUTE, ge=0)  # received later than this: no case unless it still stands
    longest_shelf: Span = Field(default=LONGEST_SHELF, gt=0)  # an alarm cannot be shelved for longer

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"'{zone}' is no time zone") from error
        return zone

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        edges = [edge for slot in self.hours for edge in slot]
        if not edges or sorted(set(edges)) != edges:
            raise ValueError("working hours must be slots in order that do not touch")
        return self
