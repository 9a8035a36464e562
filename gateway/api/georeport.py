"""What Open311 keeps while the gateway runs: its settings, and how much each api_key has brought lately."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

from drivers.telemetry import MINUTE, SECOND
from gateway.clock import Clock
from gateway.errors import TooMany
from gateway.ingest.buckets import Buckets
from gateway.notify.open311_settings import Open311Settings


class GeoReport:
    def __init__(self, settings: Open311Settings, clock: Clock, zone: str) -> None:
        self.settings = settings
        self.zone = ZoneInfo(zone)
        self._clock = clock
        self._buckets = Buckets(settings.per_minute, MINUTE, longest=0)

    def count(self, actor: str) -> None:
        """One more report; raises TooMany."""
        now = int(self._clock.monotonic() * SECOND)
        if not self._buckets.room(actor, now):
            over = self._buckets.take(actor, now)
            raise TooMany("too many requests by this api_key; wait", max(1, math.ceil(over / SECOND)))
        self._buckets.take(actor, now)
