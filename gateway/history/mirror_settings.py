"""Options of the mirror: the `[mirror]` table of the configuration."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Dialect(StrEnum):
    """How the mirror is asked what it holds: every one of them is written to in the same way."""

    INFLUXQL = "influxql"  # InfluxDB 2 and 3
    VICTORIA_METRICS = "victoria-metrics"


class MirrorSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[
        str,
        Field(
            pattern="^(https?://.+)?$", description="InfluxDB, or what speaks its v2 write API; empty = none"
        ),
    ] = ""
    token: Annotated[SecretStr, Field(description="its token")] = SecretStr("")
    org: Annotated[str, Field(description="its organisation")] = "citygate"
    bucket: Annotated[str, Field(min_length=1, description="the bucket that readings go to")] = "citygate"
    dialect: Annotated[Dialect, Field(description="how it is asked what it holds")] = Dialect.INFLUXQL
    batch: Annotated[int, Field(ge=1, le=100_000, description="points of one write at most")] = 4_096
    interval_ms: Annotated[int, Field(ge=10, description="how often it is brought up to date")] = 1_000
    timeout_s: Annotated[float, Field(gt=0, description="for one request")] = 10.0
    longest_backoff_s: Annotated[float, Field(gt=0, description="longest pause while it is away")] = 60.0
