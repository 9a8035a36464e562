"""Options of the history store: the `[history]` table of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drivers.families import FAMILIES


class HistorySettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: Annotated[
        int, Field(ge=1, le=64, description="threads DuckDB may use for queries and checkpoints")
    ] = 2
    memory_mb: Annotated[int, Field(ge=64, description="memory DuckDB may use, in MiB")] = 1024
    readers: Annotated[int, Field(ge=1, le=32, description="queries that run at the same time")] = 2
    checkpoint_seconds: Annotated[
        float,
        Field(gt=0, description="real seconds between two checkpoints, which fold the log into the tables"),
    ] = 0.5
    checkpoint_kb: Annotated[int, Field(ge=1, description="smallest log worth a checkpoint, in KiB")] = 1024
    part_rows: Annotated[
        int, Field(ge=1, description="rows of a large Parquet part; a quarter of it waits in the hot table")
    ] = 1_000_000
    settle_minutes: Annotated[
        int, Field(ge=0, le=1440, description="minutes after 00:00 UTC at which the day before becomes parts")
    ] = 30
    keep_days: Annotated[int, Field(ge=0, description="days for which parts are kept; 0 = for ever")] = 0
    keep: Annotated[
        dict[str, Annotated[int, Field(ge=0)]], Field(description="the same by family; goes before keep_days")
    ] = {}
    low_mb: Annotated[
        int,
        Field(
            ge=0, description="free MiB of the data folder below which the gateway sheds what it can spare"
        ),
    ] = 1024
    floor_mb: Annotated[
        int, Field(ge=0, description="free MiB below which telemetry is neither stored nor acknowledged")
    ] = 256
    reserve_mb: Annotated[
        int,
        Field(
            ge=0,
            description="MiB laid by, and given up for alarms, cases and log-in when the floor is reached",
        ),
    ] = 32
    shed_history: Annotated[
        bool, Field(description="whether the oldest days of Parquet may go when space is low")
    ] = False

    @field_validator("keep")
    @classmethod
    def _known_families(cls, keep: dict[str, int]) -> dict[str, int]:
        if unknown := keep.keys() - FAMILIES.keys():
            raise ValueError(f"no family {', '.join(sorted(unknown))}; there are: {', '.join(FAMILIES)}")
        return keep
