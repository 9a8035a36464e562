"""[logins]: wrong passwords cost time, whoever guesses and wherever (API and MQTT); right ones never do.

Generated secrets cannot be guessed (design 3): so a neighbour's wrong guesses must never lock out who has the right one.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from gateway.clock import SECOND, Clock
from gateway.ingest.buckets import Buckets


class LoginSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    failures_per_user: int = Field(
        10, ge=1, description="wrong passwords for one name in a window; beyond: answered late, HTTP: 429"
    )
    failures_per_address: int = Field(
        100,
        ge=1,
        description="wrong passwords from one address in a window; beyond: answered late, HTTP: 429",
    )
    window: float = Field(60.0, gt=0, description="seconds of that window")
    delay: float = Field(
        5.0, ge=0, description="seconds by which MQTT answers at most; connect_timeout is more"
    )


class Logins:
    """Who failed lately; both tables are bounded, and what a stranger wrote is cut before it is kept."""

    def __init__(self, settings: LoginSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        window = int(settings.window * SECOND)
        self._users = Buckets(settings.failures_per_user, window)
        self._addresses = Buckets(settings.failures_per_address, window)
        self.failures = 0
        self.throttled = 0  # failures that were answered late or with 429

    def failed(self, user: str, address: str) -> float:
        """Counts a wrong password; seconds that this name and this address must wait now, 0 within the bounds.

        user: "" where none was named. address: "" = this machine's own socket.
        """
        now = int(self._clock.monotonic() * SECOND)
        self.failures += 1
        over = self._users.take(user, now) if user else 0
        over = max(over, self._addresses.take(address, now) if address else 0)
        self.throttled += over > 0
        return over / SECOND
