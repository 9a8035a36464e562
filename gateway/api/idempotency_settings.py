"""The configuration of repeated requests."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from drivers.telemetry import DAY, MINUTE
from gateway.cases.span import Span


class IdempotencySettings(BaseModel):
    """`[idempotency]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Span = Field(default=DAY, ge=MINUTE, le=30 * DAY)  # an answer is repeated for so long
    keys: int = Field(default=20_000, ge=100, le=1_000_000)  # answers kept of one caller; then 429
