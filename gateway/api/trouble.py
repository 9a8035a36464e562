"""Why the gateway cannot do its work, or soon cannot: which part, since when, and what a person does about it."""

from __future__ import annotations

from pydantic import BaseModel


class Trouble(BaseModel):
    """part: of the gateway. since: µs UTC, when it was first seen. blocking: telemetry is not acknowledged meanwhile."""

    part: str
    what: str
    remedy: str
    since: int
    blocking: bool = True
