"""Time of day and date in the city's zone, for columns of times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from drivers.telemetry import DAY, MINUTE, SECOND

if TYPE_CHECKING:
    from drivers.telemetry import Int64

_BLOCK = 15 * MINUTE  # offsets of zones change at multiples of it
_MOST = 4096


class Zone:
    """Offsets from UTC, learnt a quarter of an hour at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._zone = ZoneInfo(name)
        self._offset: dict[int, int] = {}

    def time_of_day(self, time: Int64) -> Int64:
        """µs after local midnight."""
        local: Int64 = self.local(time) % DAY
        return local

    def day(self, time: Int64) -> Int64:
        """The local date, as days since 1970-01-01."""
        day: Int64 = self.local(time) // DAY
        return day

    def local(self, time: Int64) -> Int64:
        """What local clocks show, as µs since 1970-01-01 00:00 of theirs."""
        block = time // _BLOCK
        first, last = int(block.min(initial=0)), int(block.max(initial=0))
        if len(time) and first == int(block.min()) and first == last:
            local: Int64 = time + self._at(first)
            return local
        blocks, place = np.unique(block, return_inverse=True)
        offsets = np.array([self._at(int(each)) for each in blocks], np.int64)
        shifted: Int64 = time + offsets[place]
        return shifted

    def _at(self, block: int) -> int:
        offset = self._offset.get(block)
        if offset is None:
            if len(self._offset) >= _MOST:
                self._offset.clear()
            instant = datetime.fromtimestamp(block * _BLOCK // SECOND, UTC)
            shift = instant.astimezone(self._zone).utcoffset()
            assert shift is not None
            offset = self._offset[block] = round(shift.total_seconds()) * SECOND
        return offset
