"""A recorded exchange, for people: what the gateway makes of a request and its answer, or of an answer alone.

RTU or TCP, one after the other in one piece. An answer alone is read as that of the one planned read whose shape it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pymodbus.framer import FramerRTU

from drivers.modbus.plan import FUNCTION, Read, plan
from drivers.modbus.values import Reader
from drivers.modbus.wire import EXCEPTION, EXCEPTIONS, Answer, matched, read_request
from drivers.modbus.words import BIT_TABLES
from drivers.refusal import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.modbus.register_map import Module, RegisterMap
    from drivers.telemetry import Family

_TABLES: Final = {function: table for table, function in FUNCTION.items()}
_REQUEST: Final = 8  # bytes of an RTU read request
_HEADER: Final = 7  # bytes of MBAP


class Exchange(NamedTuple):
    """values by point; faults: what was read and means nothing."""

    unit: int
    read: Read
    values: dict[str, float]
    faults: list[str]


def decode(declared: RegisterMap, family: Family, data: bytes) -> Exchange:
    """Raises Refused: BAD_FRAME, BAD_CRC, or EMPTY where none of the product's registers are in it."""
    unit, pdus = _tcp(data) if _is_tcp(data) else _rtu(data)
    read = _read_of(pdus[0]) if len(pdus) > 1 else _planned(declared, unit, pdus[0])
    answer = matched(read_request(unit, read), pdus[-1])
    if answer is None:
        raise Refused(Reason.BAD_FRAME, f"the answer is not one to a read of {read.length} from {read.start}")
    if answer.exception:
        raise Refused(
            Reason.EMPTY, f"exception {answer.exception}: {EXCEPTIONS.get(answer.exception, 'unknown')}"
        )
    return _values(declared, family, unit, read, answer)


def _values(declared: RegisterMap, family: Family, unit: int, read: Read, answer: Answer) -> Exchange:
    for module in declared.modules:
        faults: list[str] = []
        if any(read.covers(Read(one.table, one.address, one.count)) for one in module.registers):
            values = Reader(module, family).values(read, answer.data, faults)
            return Exchange(unit, read, values, faults)
    raise Refused(
        Reason.EMPTY, f"none of the product's registers are in a read of {read.length} from {read.start}"
    )


def _is_tcp(data: bytes) -> bool:
    """Whether the first frame has an MBAP header; a length fits by chance only where no RTU read has one."""
    size = int.from_bytes(data[4:6], "big")
    return data[2:4] == b"\0\0" and 3 <= size <= len(data) - 6 and not _sound(data[:_REQUEST])


def _tcp(data: bytes) -> tuple[int, list[bytes]]:
    pdus: list[bytes] = []
    unit, offset = data[6], 0
    while offset < len(data):
        size = int.from_bytes(data[offset + 4 : offset + 6], "big")
        end = offset + 6 + size
        if data[offset + 2 : offset + 4] != b"\0\0" or size < 3 or end > len(data):
            raise Refused(Reason.BAD_FRAME, f"byte {offset}: no whole Modbus TCP frame")
        pdus.append(data[offset + _HEADER : end])
        offset = end
    return unit, _one_or_two(pdus)


def _rtu(data: bytes) -> tuple[int, list[bytes]]:
    if len(data) < 5:
        raise Refused(Reason.BAD_FRAME, f"{len(data)} bytes are no Modbus frame")
    for cut in (0, _REQUEST):
        parts = [part for part in (data[:cut], data[cut:]) if part]
        if all(len(part) >= 5 and _sound(part) for part in parts):
            return data[0], [part[1:-2] for part in parts]
    raise Refused(Reason.BAD_CRC, f"byte {len(data) - 2}: the checksum does not fit")


def _sound(frame: bytes) -> bool:
    return FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))


def _one_or_two(pdus: list[bytes]) -> list[bytes]:
    if not 1 <= len(pdus) <= 2:
        raise Refused(Reason.BAD_FRAME, f"{len(pdus)} frames; give a request and its answer, or an answer")
    return pdus


def _read_of(pdu: bytes) -> Read:
    if len(pdu) != 5 or pdu[0] not in _TABLES:
        raise Refused(Reason.BAD_FRAME, "the first frame is no read request")
    read = Read(_TABLES[pdu[0]], int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big"))
    if not 1 <= read.length <= (2000 if read.table in BIT_TABLES else 125):
        raise Refused(Reason.BAD_FRAME, f"a read of {read.length} is beyond what a frame holds")
    return read


def _planned(declared: RegisterMap, unit: int, pdu: bytes) -> Read:
    found = [read for read in _reads(declared.modules) if _fits(unit, read, pdu)]
    if len(found) != 1:
        raise Refused(
            Reason.BAD_FRAME,
            f"an answer that fits {len(found)} reads of this product; put its request before it",
        )
    return found[0]


def _fits(unit: int, read: Read, pdu: bytes) -> bool:
    return not pdu[0] & EXCEPTION and matched(read_request(unit, read), pdu) is not None


def _reads(modules: tuple[Module, ...]) -> Iterator[Read]:
    for module in modules:
        yield from plan(module).reads
