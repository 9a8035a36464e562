"""Requests and their answers as bytes, by pymodbus' PDUs and framers. An answer is accepted only as that of its request.

On TCP the transaction id says whose it is. RTU has none: unit, function and length must agree, and the checksum.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from drivers.modbus.plan import FUNCTION
from drivers.modbus.words import BIT_TABLES

if TYPE_CHECKING:
    from collections.abc import Collection

    from drivers.modbus.plan import Read

EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, not done yet",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not respond",
}
_MBAP: Final = Struct(">HHHB")  # transaction, protocol 0, bytes that follow, unit
LONGEST: Final = 254  # bytes of unit and PDU behind an MBAP header
KEPT: Final = 512  # bytes of an unmatched line that are kept; an RTU frame has 256 at most
EXCEPTION: Final = 0x80

_READS: Final = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_DECODER: Final = DecodePDU(False)
_RTU: Final = FramerRTU(_DECODER)
_TCP: Final = FramerSocket(_DECODER)


class Request(NamedTuple):
    """unit, the PDU to send, and what its answer looks like: how it begins and how long it is."""

    unit: int
    pdu: bytes
    head: bytes
    size: int

    @property
    def shape(self) -> tuple[int, bytes, int]:
        """Two requests of one shape have answers that RTU cannot tell apart."""
        return self.unit, self.head, self.size


class Answer(NamedTuple):
    """data: the bytes of a read, or empty. exception: 0, or the code the device answered with."""

    data: bytes
    exception: int = 0


class Desync(ValueError):  # noqa: N818 - what happened to the line
    """What arrives is no Modbus TCP: only a new connection finds the next frame."""


def read_request(unit: int, read: Read) -> Request:
    message = _READS[read.table](address=read.start, count=read.length)
    size = (read.length + 7) // 8 if read.table in BIT_TABLES else 2 * read.length
    function = FUNCTION[read.table]
    return Request(unit, bytes([function]) + message.encode(), bytes([function, size]), 2 + size)


def write_coil(unit: int, address: int, *, on: bool) -> Request:
    pdu = b"\x05" + WriteSingleCoilRequest(address=address, bits=[on]).encode()
    return Request(unit, pdu, pdu, len(pdu))


def write_registers(unit: int, address: int, cells: list[int]) -> Request:
    """Function 6 for one register, 16 for more."""
    if len(cells) == 1:
        pdu = b"\x06" + WriteSingleRegisterRequest(address=address, registers=cells).encode()
        return Request(unit, pdu, pdu, len(pdu))
    pdu = b"\x10" + WriteMultipleRegistersRequest(address=address, registers=cells).encode()
    return Request(unit, pdu, pdu[:5], 5)


def matched(request: Request, pdu: bytes) -> Answer | None:
    """The answer in a PDU, if it is one to this request."""
    if len(pdu) == request.size and pdu.startswith(request.head):
        return Answer(pdu[2:])
    if len(pdu) == 2 and pdu[0] == request.pdu[0] | EXCEPTION:
        return Answer(b"", pdu[1])
    return None


class Framing(Protocol):
    """Bytes of one line, both directions."""

    ids: bool  # whether a late answer can be told from the one awaited
    strays: int  # answers that came and were not awaited

    def frame(self, request: Request) -> bytes:
        """What to send; from then on only its answer is accepted."""

    def take(
        self, data: bytes, request: Request | None, owed: Collection[Request]
    ) -> tuple[Answer | None, list[Request]]:
        """The answer to `request`, if it is there now; and which of the `owed` came late. Raises Desync."""

    def clear(self) -> None:
        """Forget what has arrived."""


class TcpFraming:
    """MBAP: the transaction id rises with every request."""

    ids = True

    def __init__(self) -> None:
        self.strays = 0
        self._id = 0
        self._number = b""
        self._buffer = b""

    def frame(self, request: Request) -> bytes:
        self._id = (self._id % 0xFFFF) + 1
        self._number = self._id.to_bytes(2, "big")
        return _TCP.encode(request.pdu, request.unit, self._id)

    def take(
        self, data: bytes, request: Request | None, owed: Collection[Request]
    ) -> tuple[Answer | None, list[Request]]:
        del owed
        if request is not None and not self._buffer and self._is_all(request, data):
            return Answer(data[_MBAP.size + 2 :]), []
        buffer = self._buffer + data if self._buffer else data
        answer: Answer | None = None
        while len(buffer) >= 8:
            size = int.from_bytes(buffer[4:6], "big")
            if buffer[2:4] != b"\0\0" or not 2 <= size <= LONGEST:
                raise Desync(f"no MBAP header: {buffer[:8].hex(' ')}")
            if len(buffer) < 6 + size:
                break
            number, unit, pdu = buffer[:2], buffer[6], buffer[7 : 6 + size]
            buffer = buffer[6 + size :]
            awaited = request is not None and number == self._number and unit == request.unit
            if awaited and request is not None and answer is None:
                answer = matched(request, pdu)
                self.strays += answer is None
            else:
                self.strays += 1
        self._buffer = buffer
        return answer, []

    def _is_all(self, request: Request, data: bytes) -> bool:
        """Whether this is the answer to the request and nothing else, as nearly always."""
        return (
            len(data) == _MBAP.size + request.size
            and _MBAP.unpack_from(data) == (self._id, 0, request.size + 1, request.unit)
            and data.startswith(request.head, _MBAP.size)
        )

    def clear(self) -> None:
        self._buffer = b""


class RtuFraming:
    """noise: what a DTU says of itself between the frames (heartbeats, its registration)."""

    ids = False

    def __init__(self, noise: tuple[bytes, ...] = ()) -> None:
        self.strays = 0
        self._noise = tuple(word for word in noise if word)
        self._buffer = b""

    def frame(self, request: Request) -> bytes:
        self._buffer = b""
        return _RTU.encode(request.pdu, request.unit, 0)

    def take(
        self, data: bytes, request: Request | None, owed: Collection[Request]
    ) -> tuple[Answer | None, list[Request]]:
        if data in self._noise:
            return None, []
        self._buffer = (self._buffer + data)[-KEPT:]
        late: list[Request] = []
        found = self._find(request, owed, late, self._buffer)
        quiet = self._without_noise() if found is None else self._buffer
        if quiet != self._buffer:
            found = self._find(request, owed, late, quiet)
        self.strays += len(late)
        if found is not None:
            self._buffer = b""
        return found, late

    def _find(
        self, request: Request | None, owed: Collection[Request], late: list[Request], buffer: bytes
    ) -> Answer | None:
        if request is not None and (answer := _scan(request, buffer)) is not None:
            return answer
        late += [one for one in owed if one not in late and _scan(one, buffer, exceptions=False) is not None]
        return None

    def _without_noise(self) -> bytes:
        quiet = self._buffer
        for word in self._noise:
            if len(word) >= 4:
                quiet = quiet.replace(word, b"")
        return quiet

    def clear(self) -> None:
        self._buffer = b""


def _scan(request: Request, buffer: bytes, *, exceptions: bool = True) -> Answer | None:
    """The first sound frame in the buffer that answers the request, wherever it begins."""
    unit = bytes([request.unit])
    size = request.size + 3
    start = buffer.find(unit + request.head)
    while start >= 0:
        if start + size <= len(buffer) and _sound(buffer[start : start + size]):
            return Answer(buffer[start + 3 : start + size - 2])
        start = buffer.find(unit + request.head, start + 1)
    if not exceptions:
        return None
    refusal = unit + bytes([request.pdu[0] | EXCEPTION])
    start = buffer.find(refusal)
    while start >= 0:
        if start + 5 <= len(buffer) and _sound(buffer[start : start + 5]):
            return Answer(b"", buffer[start + 2])
        start = buffer.find(refusal, start + 1)
    return None


def _sound(frame: bytes) -> bool:
    return FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))
