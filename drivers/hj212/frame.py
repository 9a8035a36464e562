"""HJ 212 frames in a byte stream: `##`, four digits of length, the data segment, four hex digits of CRC, CR LF.

Bytes in, frames and damages out; whatever comes, it raises nothing, holds at most one frame's worth of bytes, and goes
on at the next `##`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from drivers.hj212.crc import Crc, crc_hj212, crc_modbus, right
from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Reason

STANDARD: Final = (
    1024  # bytes of the longest data segment (Table 2); four digits admit more, and stations use it
)
LONGEST: Final = 9999
SHORTEST: Final = 16  # less cannot hold a field: no frame
KEPT: Final = 4096  # bytes of a damage that are kept to look at

_HEAD: Final = 6  # "##0101"
_SUM: Final = 4
_HEADER: Final = re.compile(rb"##[0-9]{4}")
_BEGUN: Final = re.compile(rb"#{1,2}\Z|##[0-9]{1,3}\Z")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{4}")
_LAYOUT: Final = b"\r\n \t\0"  # between frames: nothing to speak of


class Frame(NamedTuple):
    """A data segment whose CRC is right by one of the two sums. offset: of its `##` in the stream."""

    data: bytes
    stated: int
    crc: Crc
    oddities: tuple[Tolerance, ...]
    offset: int

    def passes(self, mode: Crc) -> bool:
        """Whether the frame is right for a device that must send this sum."""
        return mode is Crc.EITHER or mode is self.crc or right(self.data, self.stated, mode) is not None


@dataclass(slots=True)
class Damage:
    """Bytes of no use. offset: of the first of them in the stream; raw: the first of them."""

    reason: Reason
    detail: str
    raw: bytes
    offset: int
    size: int


class _Verdict(NamedTuple):
    end: int  # bytes of the buffer that are dealt with
    found: Frame | Damage


class Framer:
    """One direction of one connection. offset: bytes of the stream that are dealt with."""

    def __init__(self) -> None:
        self.offset = 0
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame | Damage]:
        """Every frame and damage that these bytes complete, in order; damages that adjoin are one."""
        self._buffer += data
        found: list[Frame | Damage] = []
        while (verdict := self._next(known=bool(found) and isinstance(found[-1], Damage))) is not None:
            del self._buffer[: verdict.end]
            self.offset += verdict.end
            _join(found, verdict.found)
        return found

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._buffer)

    def _next(self, *, known: bool) -> _Verdict | None:
        """known: what stands before is damaged already, and why."""
        buffer = self._buffer
        header = _HEADER.search(buffer)
        if header is None:
            begun = _BEGUN.search(buffer, max(0, len(buffer) - 5))
            noise = begun.start() if begun else len(buffer)
        else:
            noise = header.start()
        if noise:
            layout = noise - len(buffer[:noise].lstrip(_LAYOUT))
            if not layout:
                return self._damage(noise, Reason.BAD_FRAME, "no ## and four digits of length here")
            self.offset += layout
            del buffer[:layout]
            return self._next(known=known)
        return self._frame(known=known) if header is not None else None

    def _frame(self, *, known: bool) -> _Verdict | None:
        """The buffer begins with a header: a frame by its stated length, or by its line end, or a damage."""
        buffer = self._buffer
        length = int(buffer[2:_HEAD])
        size = len(buffer)
        after = buffer.find(b"##", _HEAD)
        bound = size if after < 0 else after
        end = _HEAD + length + _SUM
        if end <= bound and (frame := self._checked(_HEAD + length)):
            return frame
        line = buffer.find(b"\r\n", _HEAD, bound)
        if line < 0 and after >= 0:
            line = bound
        if line >= 0:
            if line != end and (frame := self._checked(line - _SUM, Tolerance.LENGTH)):
                return frame
            if after < 0 and size < end:
                return None  # a line end within the segment, or a wrong length: the next bytes tell
            return self._damage(line, Reason.BAD_CRC, "" if known else self._wrong(length, line))
        if size > _HEAD + LONGEST + _SUM + 2:
            return self._damage(size, Reason.BAD_FRAME, f"no end of frame within {size} bytes")
        return None

    def _checked(self, close: int, *oddities: Tolerance) -> _Verdict | None:
        """The frame whose segment ends at `close`, if the four characters behind it are a CRC of it."""
        buffer = self._buffer
        if close < _HEAD + SHORTEST:
            return None
        stated = bytes(buffer[close : close + _SUM])
        if not _HEX.fullmatch(stated):
            return None
        data = bytes(buffer[_HEAD:close])
        value = int(stated, 16)
        crc = right(data, value, Crc.EITHER)
        if crc is None:
            return None
        departures = (
            (crc is Crc.MODBUS, Tolerance.MODBUS_CRC),
            (stated != stated.upper(), Tolerance.LOWER_CASE_CRC),
            (len(data) > STANDARD, Tolerance.LONG_SEGMENT),
        )
        noted = [*oddities, *(tolerance for departs, tolerance in departures if departs)]
        end = close + _SUM
        trailer = bytes(buffer[end : end + 2])
        if trailer == b"\r\n":
            end += 2
        elif trailer and trailer != b"\r":
            noted.append(Tolerance.NO_TRAILER)
        return _Verdict(end, Frame(data, value, crc, tuple(noted), self.offset))

    def _damage(self, end: int, reason: Reason, detail: str) -> _Verdict:
        return _Verdict(end, Damage(reason, detail, bytes(self._buffer[: min(end, KEPT)]), self.offset, end))

    def _wrong(self, length: int, line: int) -> str:
        text = bytes(self._buffer[_HEAD : line - _SUM])
        stated = bytes(self._buffer[line - _SUM : line]).decode("ascii", "replace")
        own, modbus = crc_hj212(text), crc_modbus(text)
        return (
            f"CRC {stated!r} is wrong: {own:04X} by Annex A, {modbus:04X} by Modbus"
            f" over {len(text)} bytes (stated length {length})"
        )


def _join(found: list[Frame | Damage], new: Frame | Damage) -> None:
    last = found[-1] if found else None
    if isinstance(new, Damage) and isinstance(last, Damage):
        last.raw = (last.raw + new.raw)[:KEPT] if len(last.raw) < KEPT else last.raw
        last.size += new.size
    else:
        found.append(new)


def encode_frame(data: bytes, crc: Crc = Crc.HJ212) -> bytes:
    """The frame of a data segment, CR LF with it; raises ValueError for one longer than four digits can say."""
    if len(data) > LONGEST:
        raise ValueError(f"a data segment has at most {LONGEST} bytes, not {len(data)}")
    value = crc_modbus(data) if crc is Crc.MODBUS else crc_hj212(data)
    return b"##%04d%b%04X\r\n" % (len(data), data, value)
