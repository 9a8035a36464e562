"""The station's side of the dialogue, as a 2017 client of another platform: sans-IO.

A message is given up only when its 9014 came; until then it is sent again, and after a lost link all of it, oldest first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from drivers.hj212.commands import READY, SUCCESS, Cn
from drivers.hj212.crc import Crc
from drivers.hj212.frame import Frame, Framer, encode_frame
from drivers.hj212.moment import number
from drivers.hj212.segment import ANSWER, Segment, decode, encode
from drivers.hj212.station import EXCHANGE
from drivers.refusal import Refused
from drivers.telemetry import SECOND

if TYPE_CHECKING:
    from datetime import tzinfo

UNDERSTOOD: Final = frozenset((Cn.TIMEOUT, Cn.REALTIME, Cn.STATES))  # taken, and changing nothing here
SILENCED: Final = frozenset((Cn.STOP_REALTIME, Cn.STOP_STATES))
REFUSED: Final = "2"  # QnRtn


@dataclass(slots=True)
class _UnderWay:
    token: int
    segment: Segment
    due: int
    sent: int = 1


class Reporter:
    """One connection's worth of messages, of one station or many.

    window: messages under way at once. lost(): the link is gone; done: tokens acknowledged, in the order of their 9014.
    """

    def __init__(
        self,
        zone: tzinfo,
        *,
        timeout: int = 10 * SECOND,
        retries: int = 3,
        window: int = 16,
        crc: Crc = Crc.HJ212,
    ) -> None:
        self._zone = zone
        self._timeout = timeout
        self._retries = retries
        self._window = window
        self._crc = crc
        self._framer = Framer()
        self._waiting: deque[tuple[int, Segment]] = deque()
        self._under_way: OrderedDict[tuple[str, str], _UnderWay] = OrderedDict()
        self._numbered = 0

    def __len__(self) -> int:
        """Messages not yet acknowledged."""
        return len(self._waiting) + len(self._under_way)

    def offer(self, token: int, segment: Segment) -> None:
        """A message to be sent; it gets its QN when it goes."""
        self._waiting.append((token, segment))

    def due(self, now: int) -> bytes:
        """What is to be sent at `now` (µs UTC): what was not answered in time, and what the window has room for."""
        parts = []
        for one in self._under_way.values():
            if now >= one.due and one.sent <= self._retries:
                one.sent += 1
                one.due = now + self._timeout
                parts.append(self._frame(one.segment))
        while self._waiting and len(self._under_way) < self._window:
            token, segment = self._waiting.popleft()
            self._numbered = max(now // 1000, self._numbered + 1)
            segment = replace(
                segment, qn=number(self._numbered * 1000, self._zone), flag=(segment.flag or 4) | ANSWER
            )
            self._under_way[segment.mn, segment.qn] = _UnderWay(token, segment, now + self._timeout)
            parts.append(self._frame(segment))
        return b"".join(parts)

    def dead(self, now: int) -> bool:
        """The other side has left a message unanswered through all its repetitions: drop the link (Table 1)."""
        return any(one.sent > self._retries and now >= one.due for one in self._under_way.values())

    def feed(self, data: bytes) -> tuple[bytes, list[int]]:
        """What the platform said: what to answer at once, and the tokens it has acknowledged."""
        answers, done = [], []
        for found in self._framer.feed(data):
            if not isinstance(found, Frame):
                continue
            try:
                segment = decode(found.data).segment
            except Refused:
                continue
            if segment.cn == Cn.DATA:
                one = self._under_way.pop((segment.mn, segment.qn), None)
                if one is not None:
                    done.append(one.token)
            elif segment.cn not in {Cn.READY, Cn.RESULT, Cn.NOTICE}:
                answers.append(self._asked(segment))
        return b"".join(answers), done

    def lost(self) -> None:
        """The link is gone: all that was under way is to be sent again, before what waits."""
        self._waiting.extendleft((one.token, one.segment) for one in reversed(self._under_way.values()))
        self._under_way.clear()
        self._framer = Framer()

    def clear(self) -> None:
        """Forget every message; the owner offers them again."""
        self._waiting.clear()
        self._under_way.clear()
        self._framer = Framer()

    def _asked(self, asked: Segment) -> bytes:
        """A gateway obeys no other platform: it takes what changes nothing, and refuses the rest."""
        if asked.cn in SILENCED:
            return self._answer(asked, Cn.NOTICE)
        if asked.cn in UNDERSTOOD:
            ready = self._answer(asked, Cn.READY, ("QnRtn", READY))
            return ready + self._answer(asked, Cn.RESULT, ("ExeRtn", SUCCESS))
        return self._answer(asked, Cn.READY, ("QnRtn", REFUSED))

    def _answer(self, asked: Segment, cn: str, *item: tuple[str, str]) -> bytes:
        cp = (item,) if item else ()
        return self._frame(Segment(cn=cn, mn=asked.mn, qn=asked.qn, st=EXCHANGE, pw=asked.pw, flag=4, cp=cp))

    def _frame(self, segment: Segment) -> bytes:
        return encode_frame(encode(segment), self._crc)
