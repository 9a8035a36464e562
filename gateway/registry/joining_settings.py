"""[joining]: how much is remembered of devices that nobody has registered, and how long a window may stand open."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class JoiningSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    remembered: int = Field(
        1_000, ge=10, le=100_000, description="unknown devices remembered; beyond: the longest unheard goes"
    )
    samples: int = Field(3, ge=1, le=20, description="last payloads kept of each")
    sample_bytes: int = Field(4_096, ge=64, le=4_096, description="bytes kept of a payload")
    windows: int = Field(16, ge=1, description="join windows open at once; beyond: the next is refused")
    newcomers: int = Field(500, ge=1, description="devices that one join window lets in; beyond: refused")
    longest_minutes: int = Field(240, ge=1, description="a join window cannot be opened for longer")
