"""MQTT's data types (5.0 §1.5, 3.1.1 §1.5), both ways. Nothing reads past the packet it stands in."""

from __future__ import annotations

from drivers.mqtt.codes import EncodeError, malformed
from drivers.mqtt.packets import MAX_REMAINING


class Body:
    """A place in the body of one packet: what is taken is checked against its end.

    first: the packet's first byte. version: the level spoken. server: we are the server, the client is speaking.
    """

    __slots__ = ("data", "end", "first", "pos", "server", "version")

    def __init__(self, data: bytes, pos: int, end: int, *, first: int, version: int, server: bool) -> None:
        self.data = data
        self.pos = pos
        self.end = end
        self.first = first
        self.version = version
        self.server = server

    def __len__(self) -> int:
        return self.end - self.pos

    def skip(self, size: int) -> int:
        """Where the next `size` bytes start; they are taken."""
        start = self.pos
        if start + size > self.end:
            raise malformed("a field runs past the end of its packet")
        self.pos = start + size
        return start

    def u8(self) -> int:
        return self.data[self.skip(1)]

    def u16(self) -> int:
        start = self.skip(2)
        return self.data[start] << 8 | self.data[start + 1]

    def u32(self) -> int:
        start = self.skip(4)
        return int.from_bytes(self.data[start : start + 4], "big")

    def varint(self) -> int:
        """A variable byte integer in its shortest form (5.0 §1.5.5)."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise malformed("a variable byte integer is longer than need be")
                return value
        raise malformed("a variable byte integer has more than four bytes")

    def binary(self) -> bytes:
        size = self.u16()
        start = self.skip(size)
        return self.data[start : start + size]

    def text(self) -> str:
        return decode_text(self.binary())

    def packet_id(self) -> int:
        number = self.u16()
        if number == 0:
            raise malformed("packet identifier 0")
        return number

    def rest(self) -> bytes:
        start = self.skip(self.end - self.pos)
        return self.data[start : self.end]

    def part(self, size: int) -> Body:
        """The next `size` bytes as a body of their own."""
        start = self.skip(size)
        return Body(
            self.data, start, start + size, first=self.first, version=self.version, server=self.server
        )

    def finish(self) -> None:
        if self.pos != self.end:
            raise malformed(f"{self.end - self.pos} bytes follow the last field")


def decode_text(raw: bytes) -> str:
    """UTF-8 as MQTT wants it: well-formed, no surrogates, no U+0000 (§1.5.4)."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise malformed("a string is not UTF-8") from error
    if "\0" in text:
        raise malformed("a string holds U+0000")
    return text


def u8(value: int) -> bytes:
    return _fixed(value, 1)


def u16(value: int) -> bytes:
    return _fixed(value, 2)


def u32(value: int) -> bytes:
    return _fixed(value, 4)


def _fixed(value: int, size: int) -> bytes:
    try:
        return value.to_bytes(size, "big")
    except OverflowError as error:
        raise EncodeError(f"{value} does not fit {size} bytes") from error


def varint(value: int) -> bytes:
    if not 0 <= value <= MAX_REMAINING:
        raise EncodeError(f"{value} does not fit a variable byte integer")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def binary(value: bytes) -> bytes:
    return u16(len(value)) + value


def text(value: str) -> bytes:
    if "\0" in value:
        raise EncodeError("a string holds U+0000")
    try:
        return binary(value.encode())
    except UnicodeEncodeError as error:
        raise EncodeError("a string holds a surrogate") from error


def packet_id(value: int) -> bytes:
    if not 0 < value <= 0xFFFF:
        raise EncodeError(f"packet identifier {value}")
    return value.to_bytes(2, "big")
