"""The backtest's part of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BacktestSettings(BaseModel):
    """`[backtest]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    processes: int = Field(2, ge=1, le=64, description="processes that judge one backtest, at low priority")
    waiting: int = Field(8, ge=1, le=1000, description="backtests that may wait for the one that runs")
    keep: int = Field(20, ge=1, le=1000, description="finished backtests kept; the oldest goes")
    memory_mb: int = Field(512, ge=64, description="MiB that reading may use in each process")
