"""The vocabulary of telemetry: points, families, quality, and the Batch that carries them.

From the decoder on, readings travel as columns (law 2); nothing past this module knows bytes, topics or registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

SECOND: Final = 1_000_000  # every time in the core is int64 microseconds, UTC
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

NO_TIME: Final = -(2**63)  # Batch.time of a row whose device sent no time, until the gateway stamps it


class Quality(IntEnum):
    """What a point's value is worth. Rules judge the first four and no other."""

    GOOD = 0
    UNCERTAIN = 1
    MANUAL = 2
    OVER_RANGE = 3
    FAULT = 4
    CALIBRATING = 5
    MAINTENANCE = 6
    STOPPED = 7
    NO_COMMS = 8
    ABSENT = 255  # this row does not carry the point; its value is NaN


LAST_JUDGED: Final = int(Quality.OVER_RANGE)


class Kind(IntEnum):
    """What period a reading speaks of (HJ 212-2017 Table 9: 2011, 2051, 2061, 2031)."""

    SAMPLE = 0
    MINUTE = 1
    HOUR = 2
    DAY = 3
    STATUS = 4  # what a status topic, a will or the link says of the device: only `online`, no watermark, not judged


class Flag(IntFlag):
    """Bits of Batch.flags. LATE and HISTORICAL rows are stored and not judged (law 3)."""

    LATE = 1
    HISTORICAL = 2
    CLOCK = 4  # the device's clock was outside the allowed window; the row stands under its receive time


@dataclass(frozen=True, slots=True)
class Point:
    """A named quantity with unit, plausible range and resolution.

    An enumerated point has `labels`; its value is the position in them and its unit is empty.
    """

    name: str
    unit: str
    low: float
    high: float
    resolution: float = 0.0
    labels: tuple[str, ...] = ()
    en: str = ""
    zh: str = ""

    @classmethod
    def enum(cls, name: str, *labels: str, en: str = "", zh: str = "") -> Self:
        return cls(name, "", 0, len(labels) - 1, 1, labels, en, zh)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A canonical alarm name of a family (TALQ 2.7.1 where it has one), with its texts."""

    name: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Command:
    """What a device of a family can be told; each argument is a quantity with unit and range."""

    name: str
    args: tuple[Point, ...] = ()
    en: str = ""
    zh: str = ""


@dataclass(frozen=True)
class Family:
    """A class of devices: fixed points, commands and canonical alarms.

    Two points are added to those declared: `event` (which alarm the device itself reports: position in `alarms`) and
    `online` (what its link or status topic says: offline, online; only in rows of Kind.STATUS).
    """

    name: str
    points: tuple[Point, ...]
    alarms: tuple[Alarm, ...]
    interval: int  # µs; how often a device of this family is expected to report
    commands: tuple[Command, ...] = ()
    en: str = ""
    zh: str = ""
    index: Mapping[str, int] = field(init=False)
    low: Float64 = field(init=False)
    high: Float64 = field(init=False)

    def __post_init__(self) -> None:
        implied = (
            Point.enum("event", *(alarm.name for alarm in self.alarms), en="device event", zh="设备事件"),
            Point.enum("online", "offline", "online", en="link state", zh="在线状态"),
        )
        object.__setattr__(self, "points", (*self.points, *implied))
        object.__setattr__(self, "index", {point.name: row for row, point in enumerate(self.points)})
        object.__setattr__(self, "low", np.array([point.low for point in self.points]))
        object.__setattr__(self, "high", np.array([point.high for point in self.points]))

    def __len__(self) -> int:
        return len(self.points)


@dataclass(slots=True)
class Batch:
    """Columns of readings of one family; row i of every column is one reading.

    device int32[n] (dense index in the family), time and received int64[n] (µs UTC), kind uint8[n] (Kind),
    flags uint8[n] (Flag), values float64[point, n] (NaN where absent), quality uint8[point, n] (Quality).
    """

    family: Family
    device: Int32
    time: Int64
    received: Int64
    kind: UInt8
    flags: UInt8
    values: Float64
    quality: UInt8

    def __len__(self) -> int:
        return len(self.device)

    @classmethod
    def empty(cls, family: Family, n: int = 0) -> Self:
        """n rows of no device, no time and no value, to be filled in."""
        return cls(
            family,
            np.full(n, -1, np.int32),
            np.full(n, NO_TIME, np.int64),
            np.zeros(n, np.int64),
            np.zeros(n, np.uint8),
            np.zeros(n, np.uint8),
            np.full((len(family), n), np.nan),
            np.full((len(family), n), Quality.ABSENT, np.uint8),
        )

    def take(self, rows: npt.NDArray[np.intp] | Bool) -> Batch:
        """The named rows, in the named order (index or mask), as a new batch."""
        return Batch(
            self.family,
            self.device[rows],
            self.time[rows],
            self.received[rows],
            self.kind[rows],
            self.flags[rows],
            self.values[:, rows],
            self.quality[:, rows],
        )

    @classmethod
    def concat(cls, batches: Sequence[Batch]) -> Batch:
        """One batch of all rows, in order. The batches are of one family; there is at least one."""
        if len(batches) == 1:
            return batches[0]
        return cls(
            batches[0].family,
            np.concatenate([b.device for b in batches]),
            np.concatenate([b.time for b in batches]),
            np.concatenate([b.received for b in batches]),
            np.concatenate([b.kind for b in batches]),
            np.concatenate([b.flags for b in batches]),
            np.concatenate([b.values for b in batches], axis=1),
            np.concatenate([b.quality for b in batches], axis=1),
        )

    def present(self) -> Bool:
        """bool[point, n]: which points each row carries."""
        mask: Bool = self.quality != Quality.ABSENT
        return mask

    def judged(self) -> Bool:
        """bool[point, n]: which values rules may use."""
        mask: Bool = self.quality <= LAST_JUDGED
        return mask
