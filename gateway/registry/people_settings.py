"""[people]: how people log in, how long a log-in lasts, and what guessing costs."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

MINUTE: Final = 60_000_000


class PeopleSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description='how browsers reach the pages, as "https://gate.example.org", where a proxy stands before them',
    )
    idle_minutes: int = Field(60, ge=1, description="a session ends when nothing was asked for so long")
    longest_hours: int = Field(12, ge=1, le=8_760, description="a session ends so long after its log-in")
    sessions: int = Field(20, ge=1, description="sessions of one person; beyond: the one least used ends")
    secure: bool = Field(
        default=False, description="send the cookie over TLS only; always so where the request came by TLS"
    )
    shortest_password: int = Field(12, ge=8, le=128, description="characters of a password at least")
    argon2_memory_kb: int = Field(65_536, ge=8, description="memory of one password check, in KiB")
    argon2_passes: int = Field(3, ge=1, description="passes over it")
    attempts: int = Field(
        10, ge=1, description="log-ins tried for one name from one address in a window; beyond: 429"
    )
    attempts_per_name: int = Field(
        100, ge=1, description="log-ins tried for one name from anywhere in a window; beyond: 429"
    )
    window: float = Field(300.0, gt=0, description="seconds of that window")

    @property
    def idle(self) -> int:
        """µs."""
        return self.idle_minutes * MINUTE

    @property
    def longest(self) -> int:
        """µs."""
        return self.longest_hours * 60 * MINUTE
