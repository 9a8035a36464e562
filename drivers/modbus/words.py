"""Registers to numbers and back: types, byte and word orders, and the ways in which manuals write an address.

Numbers travel as the bytes of their registers, in wire order; what a register means stands in its declaration.
"""

from __future__ import annotations

import re
import struct
from struct import Struct
from typing import Final, Literal

Table = Literal["coil", "discrete", "input", "holding"]
Kind = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bcd16", "bcd32", "bits"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]

TABLES: Final[tuple[Table, ...]] = ("coil", "discrete", "input", "holding")
BIT_TABLES: Final = frozenset(("coil", "discrete"))
ORDERS: Final[tuple[Order, ...]] = ("ABCD", "CDAB", "BADC", "DCBA")
LAST_ADDRESS: Final = 0xFFFF

_STRUCTS: Final = {
    "u16": Struct(">H"),
    "i16": Struct(">h"),
    "u32": Struct(">I"),
    "i32": Struct(">i"),
    "u64": Struct(">Q"),
    "i64": Struct(">q"),
    "f32": Struct(">f"),
    "f64": Struct(">d"),
    "bits": Struct(">H"),
}
_DIGITS: Final = {"bcd16": 4, "bcd32": 8}
CODES: Final = {kind: form.format[1:] for kind, form in _STRUCTS.items() if kind != "bits"}
KINDS: Final = (*_STRUCTS, *_DIGITS)
_REFERENCE: Final = re.compile(r"([0134])(\d{4}|\d{5})")
_LEADING: Final[dict[str, Table]] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}


def width(kind: str) -> int:
    """Registers of one number."""
    return _DIGITS[kind] // 4 if kind in _DIGITS else _STRUCTS[kind].size // 2


def decode(kind: str, order: str, data: bytes) -> float | None:
    """The number in the bytes of its registers (2 bytes each); None where BCD holds no decimal digits."""
    straight = ordered(data, order)
    if kind not in _DIGITS:
        number: float = _STRUCTS[kind].unpack(straight)[0]
        return number
    digits = straight.hex()
    return int(digits) if digits.isdecimal() else None


def encode(kind: str, order: str, number: float) -> bytes:
    """The inverse of `decode`; raises ValueError where the number does not fit."""
    try:
        if kind in _DIGITS:
            straight = _bcd(number, _DIGITS[kind])
        elif kind.startswith("f"):
            straight = _STRUCTS[kind].pack(number)
        else:
            straight = _STRUCTS[kind].pack(round(number))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{number:g} does not fit into {kind}: {error}") from None
    return ordered(straight, order)


def ordered(data: bytes, order: str) -> bytes:
    """Between wire order and ABCD; its own inverse. A = the most significant byte."""
    if order == "ABCD":
        return data
    if order == "DCBA":
        return data[::-1]
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order == "CDAB":
        return b"".join(reversed(words))
    return b"".join(word[::-1] for word in words)


def reference(text: str) -> tuple[Table, int]:
    """A manual's 40001, 300001 or 00001 as table and 0-based address; raises ValueError."""
    found = _REFERENCE.fullmatch(text)
    number = int(found[2]) if found else 0
    if found is None or not 1 <= number <= LAST_ADDRESS + 1:
        raise ValueError(
            f"no register reference: {text!r}; write 40001 or 400001 (from 1), or a 0-based number"
        )
    return _LEADING[found[1]], number - 1


def _bcd(number: float, digits: int) -> bytes:
    whole = round(number)
    if not 0 <= whole < 10**digits:
        raise ValueError(f"{number:g} does not fit into {digits} decimal digits")
    return bytes.fromhex(f"{whole:0{digits}d}")
