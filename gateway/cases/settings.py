"""The desk's part of the configuration."""

from __future__ import annotations

from datetime import date, time
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from drivers.telemetry import HOUR, MINUTE
from gateway.cases import calendar
from gateway.cases.calendar import CHINA, Adjusted
from gateway.cases.deadline import HOURS, WorkClock
from gateway.cases.span import Span

LONGEST_SHELF: Final = 24 * 30 * HOUR


class Step(NamedTuple):
    """Said when `at` (share of the limit; above 1: overdue by the rest) has run. to: whose attention it needs."""

    at: float
    to: str


class Escalation(BaseModel):
    """One entry of `escalation`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: float = Field(ge=1, le=100)
    to: str = Field(min_length=1, max_length=64)


class DeskSettings(BaseModel):
    """`[desk]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = "Asia/Shanghai"  # whose wall clock working hours go by
    hours: tuple[tuple[time, time], ...] = HOURS  # working hours of a working day
    calendar: str = CHINA  # whose holidays: an ISO 3166 code as "CN" or "DE-BE", or "weekdays" for none
    working: tuple[date, ...] = ()  # days that are worked whatever the calendar says
    free: tuple[date, ...] = ()  # days that are not
    dispatch_within: Span = Field(default=15 * MINUTE, ge=0)  # a filed case waits for a crew; 0s = for ever
    warnings: tuple[float, ...] = (0.5, 0.8)  # shares of the limit at which a case is due soon
    escalation: tuple[Escalation, ...] = (
        Escalation(at=1, to="dispatcher"),
        Escalation(at=1.5, to="supervisor"),
        Escalation(at=2, to="director"),
    )
    report_near: float = Field(default=50, gt=0, le=5000)  # metres within which a report is of an open case
    report_within: Span = Field(default=24 * HOUR, gt=0)  # … of another kind, changed within this time: named
    stale: Span = Field(default=30 * MINUTE, ge=0)  # received later than this: no case unless it still stands
    longest_shelf: Span = Field(default=LONGEST_SHELF, gt=0)  # an alarm cannot be shelved for longer
    longest_window: Span = Field(default=LONGEST_SHELF, gt=0)  # nor a maintenance window last longer
    storm_causes: int = Field(
        default=10, ge=0
    )  # more new cases within a minute in one area: a storm; 0 = never
    storm_levels: int = Field(
        default=1, ge=0, le=8
    )  # names of an area path that make such an area; 0 = the city

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"'{zone}' is no time zone") from error
        return zone

    @field_validator("calendar")
    @classmethod
    def _there(cls, name: str) -> str:
        calendar.named(name)
        return name

    @field_validator("warnings")
    @classmethod
    def _before(cls, warnings: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share < 1 for share in warnings):
            raise ValueError("a warning comes before the limit has run: a share between 0 and 1")
        return warnings

    def clock(self) -> WorkClock:
        """Working time as this city counts it."""
        days = Adjusted(calendar.named(self.calendar), self.working, self.free)
        return WorkClock(self.zone, self.hours, days)

    def steps(self) -> tuple[Step, ...]:
        """All that is said of a limit, in order; that it has run out is among them."""
        told = {Step(share, "") for share in self.warnings} | {
            Step(one.at, one.to) for one in self.escalation
        }
        if not any(step.at == 1 for step in told):
            told.add(Step(1.0, ""))
        return tuple(sorted(told))

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        edges = [edge for slot in self.hours for edge in slot]
        if not edges or sorted(set(edges)) != edges:
            raise ValueError("working hours must be slots in order that do not touch")
        return self
