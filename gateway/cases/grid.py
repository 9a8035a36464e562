"""Codes of places and parts: 单元网格 of 15 digits (GB/T 30428.1), 部件 of 16 digits (GB/T 30428.2)."""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import Invalid

LEVELS: Final = (6, 9, 12, 15)  # digits of a district, street, community and cell
PART: Final = re.compile(r"[0-9]{16}")
CELL: Final = re.compile(r"[0-9]{15}")
CLASSES: Final = frozenset({"01", "02", "03", "04", "05"})  # public, traffic, appearance, green, others
LAST_PROVINCE: Final = 82
FIRST_PROVINCE: Final = 11


def cell(code: str) -> str:
    """The code itself; "" is none. 6 administrative + 3 street + 3 community + 3 cell digits; raises Invalid."""
    if code and not (CELL.fullmatch(code) and _district(code)):
        raise Invalid(
            f"{code!r:.40} is no grid code: 15 digits, the first six a district's as 320582", field="grid"
        )
    return code


def part(code: str) -> str:
    """The code itself; "" is none. 6 administrative + 2 class + 2 sub-class + 6 sequence digits; raises Invalid."""
    known = PART.fullmatch(code) and _district(code) and (code[6:8] in CLASSES or code[6:8] >= "90")
    if code and not known:
        raise Invalid(
            f"{code!r:.40} is no part code: 16 digits, a district's six and a class 01 to 05 or a city's own from 90",
            field="part",
        )
    return code


def kind(code: str) -> str:
    """Class and sub-class of a part: 0102 of 3205820102048188."""
    return code[6:10]


def above(code: str) -> list[str]:
    """The codes of district, street, community and cell that a grid code lies in."""
    return [code[:digits] for digits in LEVELS if len(code) >= digits]


def _district(code: str) -> bool:
    return FIRST_PROVINCE <= int(code[:2]) <= LAST_PROVINCE
