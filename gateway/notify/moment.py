"""City time as the wall clock shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time: int, zone: tzinfo) -> datetime:
    """Of µs UTC."""
    return (EPOCH + timedelta(microseconds=time)).astimezone(zone)
