"""What a platform may ask of a station (HJ 212-2017 Table 9), typed and within the standard's ranges.

The table of 2005 gave other meanings to some numbers, and that of 2025 uses 1001 and 1002 anew; none of those is asked here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.hj212.moment import beginning, stamp
from drivers.telemetry import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from drivers.hj212.segment import Item


class Cn(StrEnum):
    TIMEOUT = "1000"
    READ_CLOCK = "1011"
    SET_CLOCK = "1012"
    CLOCK_WANTED = "1013"
    READ_REALTIME_INTERVAL = "1061"
    SET_REALTIME_INTERVAL = "1062"
    READ_MINUTE_INTERVAL = "1063"
    SET_MINUTE_INTERVAL = "1064"
    REALTIME = "2011"
    STOP_REALTIME = "2012"
    STATES = "2021"
    STOP_STATES = "2022"
    DAY = "2031"
    RUN_TIME = "2041"
    MINUTE = "2051"
    HOUR = "2061"
    RESTARTED = "2081"
    CALIBRATE = "3011"
    SAMPLE_NOW = "3012"
    READY = "9011"
    RESULT = "9012"
    NOTICE = "9013"
    DATA = "9014"
    HEARTBEAT = "9015"


KINDS: Final[Mapping[str, Kind]] = {
    Cn.REALTIME: Kind.SAMPLE,
    Cn.STATES: Kind.SAMPLE,
    Cn.MINUTE: Kind.MINUTE,
    Cn.HOUR: Kind.HOUR,
    Cn.DAY: Kind.DAY,
}
PULLED: Final = frozenset((Cn.MINUTE, Cn.HOUR, Cn.DAY, Cn.RUN_TIME))

WORDED: Final = frozenset(("reportInterval", "calibrate"))  # commands of families that `order` has a word for
MINUTE_INTERVALS: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
READY: Final = "1"
SUCCESS: Final = "1"
QN_RTN: Final[Mapping[str, str]] = {
    "1": "ready",
    "2": "refused",
    "3": "wrong PW",
    "4": "wrong MN",
    "5": "wrong ST",
    "6": "wrong Flag",
    "7": "wrong QN",
    "8": "wrong CN",
    "9": "wrong CRC",
    "100": "unknown error",
}
EXE_RTN: Final[Mapping[str, str]] = {
    "1": "success",
    "2": "failed, no reason given",
    "3": "a condition in the command is wrong",
    "4": "timeout",
    "5": "busy",
    "6": "system fault",
    "100": "no data",
}


class Request(NamedTuple):
    """A command and its CP. begin, end: µs UTC of a history pull, both included."""

    cn: str
    cp: tuple[Item, ...] = ()
    begin: int = 0
    end: int = 0


def set_timeout(seconds: int, retries: int) -> Request:
    return Request(Cn.TIMEOUT, ((("OverTime", f"{seconds}"),), (("ReCount", f"{retries}"),)))


def read_clock() -> Request:
    return Request(Cn.READ_CLOCK)


def set_clock(now: int, zone: tzinfo) -> Request:
    return Request(Cn.SET_CLOCK, ((("SystemTime", stamp(now, zone)),),))


def set_realtime_interval(seconds: int) -> Request:
    """30 to 3600 s; others raise ValueError."""
    if not 30 <= seconds <= 3600:
        raise ValueError(f"a real-time interval is 30 to 3600 s, not {seconds}")
    return Request(Cn.SET_REALTIME_INTERVAL, ((("RtdInterval", f"{seconds}"),),))


def set_minute_interval(minutes: int) -> Request:
    """A divisor of the hour that the standard lists; others raise ValueError."""
    if minutes not in MINUTE_INTERVALS:
        raise ValueError(f"a minute interval is one of {MINUTE_INTERVALS}, not {minutes}")
    return Request(Cn.SET_MINUTE_INTERVAL, ((("MinInterval", f"{minutes}"),),))


def start_realtime() -> Request:
    return Request(Cn.REALTIME)


def stop_realtime() -> Request:
    return Request(Cn.STOP_REALTIME)


def start_states() -> Request:
    return Request(Cn.STATES)


def calibrate(factor: str) -> Request:
    return Request(Cn.CALIBRATE, ((("PolId", factor),),))


def order(name: str, args: Mapping[str, float], subject: str) -> Request | None:
    """What a command of a family means here; None where HJ 212 has no word for it. Raises ValueError beyond its ranges."""
    if name == "reportInterval":
        return set_realtime_interval(round(args["interval"]))
    return calibrate(subject) if name == "calibrate" else None


def pull(cn: str, begin: int, end: int, zone: tzinfo) -> Request:
    """The stored minute, hour or day data of periods that begin in [begin, end] (µs UTC)."""
    if cn not in PULLED or end < begin:
        raise ValueError(f"no history is pulled by CN={cn} from {begin} to {end}")
    span = (("BeginTime", stamp(begin, zone)),), (("EndTime", stamp(end, zone)),)
    return Request(cn, span, begin, end)


def missing(cn: str, since: int, now: int, zone: tzinfo) -> Request | None:
    """The pull of what a station stored while it was not heard from `since` to `now`; None where no period ended then.

    Minute data are asked from the last reading on; hour and day data where their period, which DataTime names by its
    beginning (6.3), ended meanwhile.
    """
    if cn == Cn.MINUTE:
        return pull(cn, since, now, zone)
    begin = beginning(since, zone, day=cn == Cn.DAY)
    end = beginning(beginning(now, zone, day=cn == Cn.DAY) - 1, zone, day=cn == Cn.DAY)
    return pull(cn, begin, end, zone) if begin <= end else None


def greeting(
    now: int, zone: tzinfo, *, seconds: int, retries: int, interval: int, minutes: int
) -> list[Request]:
    """The first connection (6.7): clock, timeouts, intervals [s, min], then uploads on."""
    return [
        set_clock(now, zone),
        set_timeout(seconds, retries),
        set_realtime_interval(min(3600, max(30, interval))),
        set_minute_interval(minutes),
        start_realtime(),
        start_states(),
    ]
