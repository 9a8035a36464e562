"""Times as HJ 212 writes them: wall clock of the station, fourteen digits, with three of milliseconds in QN."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import tzinfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DIGITS: Final = (14, 17, 12)  # seconds, milliseconds, minutes


def moment(text: str, zone: tzinfo) -> int | None:
    """µs UTC of 12, 14 or 17 digits; None for what is no time."""
    if len(text) not in _DIGITS or not (text.isascii() and text.isdecimal()):
        return None
    try:
        local = datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[8:10]),
            int(text[10:12]),
            int(text[12:14] or 0),
            int(text[14:] or 0) * 1000,
            zone,
        )
        return (local - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def stamp(time: int, zone: tzinfo) -> str:
    """yyyyMMddHHmmss of µs UTC."""
    return _local(time, zone).strftime("%Y%m%d%H%M%S")


def number(time: int, zone: tzinfo) -> str:
    """yyyyMMddHHmmssfff of µs UTC: a QN."""
    return f"{stamp(time, zone)}{time // 1000 % 1000:03d}"


def beginning(time: int, zone: tzinfo, *, day: bool) -> int:
    """When the hour, or the day, of this moment began by the station's wall clock (µs UTC)."""
    local = _local(time, zone).replace(minute=0, second=0, microsecond=0)
    return ((local.replace(hour=0) if day else local) - _EPOCH) // _MICROSECOND


def _local(time: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=time)).astimezone(zone)
