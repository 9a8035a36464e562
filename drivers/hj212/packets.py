"""Sub-packets: parts of one message that was too long, known by (MN, CN, DataTime, PNUM).

Each part is a reading of its own, so that its 9014 can leave once it is durable; history merges rows of one time. What
is kept here is which parts have come, and the DataTime for parts that repeat only the QN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from drivers.telemetry import MINUTE

if TYPE_CHECKING:
    from drivers.hj212.segment import Segment

OPEN: Final = 32  # messages of one station whose parts are awaited
PATIENCE: Final = 10 * MINUTE

_Key = tuple[str, str, int]  # CN, DataTime, PNUM; the station is the MN


@dataclass(slots=True)
class _Parts:
    seen: set[int]
    qn: str
    since: int


class Packets:
    """Of one station. whole, torn: messages of which all parts came, or not all in time; again: parts that came twice."""

    def __init__(self) -> None:
        self.whole = self.torn = self.again = 0
        self._open: dict[_Key, _Parts] = {}

    def take(self, segment: Segment, now: int) -> Segment:
        """Note a part, and give it the DataTime of its message where it has none. Other messages pass untouched."""
        pnum, pno = segment.pnum, segment.pno
        if pnum is None or pno is None or pnum < 2:
            return segment
        self._expire(now)
        time = segment.get("DataTime")
        if time is None:
            time = self._time(segment)
            if time is None:
                return segment
            segment = replace(segment, cp=((("DataTime", time),), *(segment.cp or ())))
        key = (segment.cn, time, pnum)
        parts = self._open.setdefault(key, _Parts(set(), segment.qn, now))
        self.again += pno in parts.seen
        parts.seen.add(pno)
        parts.qn = segment.qn
        if len(parts.seen) >= pnum:
            self.whole += 1
            del self._open[key]
        return segment

    def _time(self, segment: Segment) -> str | None:
        """The DataTime of the newest open message with these numbers, of the same QN if there is one."""
        fits = [
            (key, parts)
            for key, parts in self._open.items()
            if (key[0], key[2]) == (segment.cn, segment.pnum)
        ]
        same = [key for key, parts in fits if parts.qn == segment.qn]
        found = same or [key for key, _ in fits]
        return found[-1][1] if found else None

    def _expire(self, now: int) -> None:
        for key, parts in list(self._open.items()):
            if now - parts.since > PATIENCE or len(self._open) >= OPEN:
                self.torn += 1
                del self._open[key]
