"""Both check sums met on HJ 212 links: the standard's own (Annex A) and the Modbus CRC-16 that some makers send instead.

Annex A throws the low byte away, so its state is one byte and its step a permutation of order 8: the whole sum is the
exclusive or of all 8-byte words, then eight steps. It sees 8 bits of damage at most; structure and ranges must see the rest.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np

_POLYNOMIAL: Final = 0xA001


class Crc(StrEnum):
    """What a device's frames must be right by."""

    HJ212 = "hj212"
    MODBUS = "modbus"
    EITHER = "either"


def _shifted(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE: Final = tuple(_shifted(value) for value in range(256))
_WORD: Final = 8


def crc_hj212(data: bytes) -> int:
    """Annex A of HJ 212-2017: 1C80 for its sample frame."""
    if len(data) < _WORD:
        crc = 0xFFFF
        for byte in data:
            crc = _TABLE[(crc >> 8) ^ byte]
        return crc
    head = len(data) % _WORD
    crc = 0xFFFF
    for byte in data[:head]:
        crc = _TABLE[(crc >> 8) ^ byte]
    words = np.frombuffer(data, np.uint64, offset=head)
    for byte in np.bitwise_xor.reduce(words).tobytes():
        crc = _TABLE[(crc >> 8) ^ byte]
    return crc


def crc_modbus(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def right(data: bytes, stated: int, mode: Crc) -> Crc | None:
    """Which of the sums that `mode` admits is the stated one; None where none is."""
    if mode is not Crc.MODBUS and crc_hj212(data) == stated:
        return Crc.HJ212
    if mode is not Crc.HJ212 and crc_modbus(data) == stated:
        return Crc.MODBUS
    return None
