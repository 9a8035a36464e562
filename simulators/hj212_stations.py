"""HJ 212 stations that dial in: they answer the platform, keep what was not acknowledged, and err as real ones do.

A station gives up a reading only when its 9014 came; after a lost link it sends the rest again, oldest first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from drivers.hj212.commands import KINDS, READY, SUCCESS, Cn
from drivers.hj212.crc import Crc
from drivers.hj212.frame import Frame, Framer, encode_frame
from drivers.hj212.moment import moment, number
from drivers.hj212.segment import Segment, decode, encode
from drivers.hj212.uploads import split, upload
from drivers.refusal import Refused
from drivers.telemetry import HOUR, MINUTE, SECOND, Kind, Quality

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from drivers.hj212.profile import StationMap
    from simulators.latency import Histogram
    from simulators.pace import Pace

MEMORY: Final = 10_000  # readings a station keeps; the oldest go first
WINDOW: Final = 16  # uploads under way
PERIODS: Final = {Kind.MINUTE: 10 * MINUTE, Kind.HOUR: HOUR}  # of what it stores and gives again when asked


@dataclass(frozen=True, slots=True)
class Manners:
    """How a station speaks. 0 = never; n: every nth upload."""

    crc: Crc = Crc.HJ212
    wrong_crc: int = 0
    wrong_length: int = 0  # the CRC is right, the length one short
    no_trailer: int = 0
    garbage: int = 0  # a line of it before the frame
    items: int = 0  # of a sub-packet
    version: int = 1
    st: str = "39"
    obeys: bool = True  # answers requests
    quality: Mapping[str, Quality] | None = None


@dataclass(slots=True)
class Tally:
    """What the world knows of one station. acknowledged: DataTime (µs UTC) of each reading that was answered."""

    sent: int = 0
    again: int = 0
    acknowledged: int = 0
    requests: int = 0
    dropped: int = 0  # the memory was full


class StationLink(asyncio.Protocol):
    """One station with memory. `values(time)` is what it measures."""

    def __init__(
        self,
        mn: str,
        profile: StationMap,
        values: Callable[[int], Mapping[str, float]],
        pace: Pace,
        *,
        zone: tzinfo,
        manners: Manners | None = None,
        latency: Histogram | None = None,
    ) -> None:
        """latency: is told how long each answer took, from the sample on."""
        self.mn = mn
        self.manners = manners or Manners()
        self.tally = Tally()
        self.times: list[int] = []  # of every sample that was acknowledged
        self.clock = 0  # µs that the station's clock is ahead
        self._profile = profile
        self._values = values
        self._pace = pace
        self._zone = zone
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._kept: OrderedDict[int, int] = OrderedDict()  # DataTime -> how often sent, until acknowledged
        self._under_way: dict[str, tuple[int, set[str]]] = {}  # QN -> DataTime, all QNs of its parts
        self._samples: dict[int, Mapping[str, float]] = {}
        self._stored: dict[Kind, OrderedDict[int, Mapping[str, float]]] = {
            kind: OrderedDict() for kind in PERIODS
        }
        self._number = 0
        self._latency = latency
        self._begun: dict[int, int] = {}  # DataTime -> ns when it was measured; only for `latency`

    @property
    def connected(self) -> bool:
        return self._transport is not None

    @property
    def kept(self) -> int:
        """Readings that wait for their acknowledgement."""
        return len(self._kept)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._framer = Framer()
        self._under_way.clear()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._under_way.clear()

    def data_received(self, data: bytes) -> None:
        for found in self._framer.feed(data):
            if isinstance(found, Frame):
                try:
                    self._told(decode(found.data).segment)
                except Refused:
                    continue
        self._flush()

    def cut(self) -> None:
        """Lose the link, as in a tunnel."""
        if self._transport is not None:
            self._transport.abort()

    def measure(self, time: int) -> None:
        """Take a sample; send it, or keep it for later."""
        values = self._values(time)
        self._samples[time] = values
        self._kept[time] = 0
        if self._latency is not None:
            self._begun[time] = self._pace.nanoseconds()
        for kind, period in PERIODS.items():
            self._stored[kind][time // period * period] = values
        if len(self._kept) > MEMORY:
            oldest, _ = self._kept.popitem(last=False)
            self._samples.pop(oldest, None)
            self._begun.pop(oldest, None)
            self.tally.dropped += 1
        self._flush()

    def forget(self) -> None:
        """Lose what waits, as a station without a memory; its minute records stay with it."""
        self._kept.clear()
        self._samples.clear()

    def resend(self) -> None:
        """What was sent and not acknowledged is sent again (after the station's own time-out)."""
        self._under_way.clear()
        self._flush()

    def now(self) -> int:
        return self._pace.now() + self.clock

    def _flush(self) -> None:
        if self._transport is None:
            return
        busy = {time for time, _ in self._under_way.values()}
        for time in list(self._kept):
            if len(busy) >= WINDOW:
                return
            if time not in busy:
                busy.add(time)
                self._send(time)

    def _send(self, time: int) -> None:
        manners = self.manners
        self.tally.again += self._kept[time] > 0
        self._kept[time] += 1
        whole = upload(
            self._profile,
            self._zone,
            mn=self.mn,
            time=time,
            sent=self._next(),
            values=self._samples[time],
            quality=manners.quality or {},
            st=manners.st,
            version=manners.version,
            again=manners.version == 2 and self._kept[time] > 1,
        )
        parts = list(split(whole, manners.items)) if manners.items else [whole]
        parts = [replace(part, qn=number(self._next(), self._zone)) for part in parts]
        names = {part.qn for part in parts}
        for part in parts:
            self._under_way[part.qn] = (time, names)
            self._write(self._marred(encode_frame(encode(part), manners.crc)))

    def _next(self) -> int:
        """µs of a QN that this station never used: two frames of one millisecond differ."""
        self._number = max(self.now() // 1000, self._number + 1)
        return self._number * 1000

    def _marred(self, frame: bytes) -> bytes:
        """The frame, or what this station makes of it now and then."""
        self.tally.sent += 1
        turn, manners = self.tally.sent, self.manners
        if manners.wrong_crc and turn % manners.wrong_crc == 0:
            return frame[:-6] + (b"0000" if frame[-6:-2] != b"0000" else b"1111") + b"\r\n"
        if manners.wrong_length and turn % manners.wrong_length == 0:
            frame = b"##%04d" % (int(frame[2:6]) - 1) + frame[6:]
        elif manners.no_trailer and turn % manners.no_trailer == 0:
            frame = frame[:-2]
        if manners.garbage and turn % manners.garbage == 0:
            frame = b"\xff\x00+++ATH\r\n##02" + frame
        return frame

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _told(self, segment: Segment) -> None:
        if segment.cn == Cn.DATA:
            self._acknowledged(segment.qn)
        elif segment.cn not in {Cn.NOTICE, Cn.READY, Cn.RESULT}:
            self.tally.requests += 1
            if self.manners.obeys:
                self._obey(segment)

    def _acknowledged(self, qn: str) -> None:
        time, names = self._under_way.pop(qn, (None, set()))
        if time is None:
            return
        names.discard(qn)
        if not names and self._kept.pop(time, None) is not None:
            self.tally.acknowledged += 1
            self.times.append(time)
            self._samples.pop(time)
            if self._latency is not None:
                self._latency.add(self._pace.nanoseconds() - self._begun.pop(time))

    def _obey(self, asked: Segment) -> None:
        """9011, what it takes, 9012; a notice gets 9013."""
        if asked.cn in {Cn.STOP_REALTIME, Cn.STOP_STATES}:
            self._answer(asked, Cn.NOTICE)
            return
        self._answer(asked, Cn.READY, ("QnRtn", READY))
        if asked.cn == Cn.SET_CLOCK:
            told = moment(asked.get("SystemTime") or "", self._zone)
            if told is not None and abs(told - self.now()) > SECOND:
                self.clock = told - self._pace.now()
        elif asked.cn in KINDS and "BeginTime" in {name for item in asked.cp or () for name, _ in item}:
            self._pulled(asked, KINDS[asked.cn])
        self._answer(asked, Cn.RESULT, ("ExeRtn", SUCCESS))

    def _pulled(self, asked: Segment, kind: Kind) -> None:
        """Every record of the span, each with a QN of its own (6.1)."""
        begin, end = (moment(asked.get(name) or "", self._zone) or 0 for name in ("BeginTime", "EndTime"))
        for time, values in self._stored.get(kind, {}).items():
            if begin <= time <= end:
                record = upload(
                    self._profile,
                    self._zone,
                    mn=self.mn,
                    time=time,
                    sent=self._next(),
                    values=values,
                    kind=kind,
                    st=self.manners.st,
                )
                self._write(encode_frame(encode(record), self.manners.crc))

    def _answer(self, asked: Segment, cn: str, *item: tuple[str, str]) -> None:
        answer = replace(asked, cn=cn, st="91", flag=self.manners.version << 2, cp=(item,) if item else ())
        self._write(encode_frame(encode(answer), self.manners.crc))


async def dial(stations: list[StationLink], host: str, port: int) -> None:
    """Connect every station that is not; raises OSError where the platform is away."""
    loop = asyncio.get_running_loop()
    for station in stations:
        if not station.connected:
            await loop.create_connection(lambda one=station: one, host, port)  # type: ignore[misc]
