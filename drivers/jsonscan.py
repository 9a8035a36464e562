"""JSON from strangers: size and depth are judged on the bytes before any parser; every fault becomes a Refused.

What is parsed here is parsed slowly and exactly, to say what was wrong; the fast path is `drivers.shape`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from drivers.refusal import Reason, Refused

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # an open string runs to the end
_SHOWN: Final = 60
_EXACT: Final = 18  # digits that surely fit int64; longer integers are read as floats


@dataclass(frozen=True, slots=True)
class Limits:
    """What one payload may be. size: bytes; depth: levels of nesting; readings: elements of a list."""

    size: int = 65_536
    depth: int = 16
    readings: int = 1_000


def deeper(payload: bytes, limit: int) -> bool:
    """Whether objects and lists nest deeper than `limit`. Linear; stops at the first that does."""
    if payload.count(b"{") + payload.count(b"[") <= limit:
        return False
    depth = 0
    for token in _TOKEN.finditer(payload):
        mark = token[0]
        if mark in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif mark in b"]}":
            depth -= 1
    return False


def check(payload: bytes, limits: Limits) -> None:
    """Refuse (EMPTY, OVERSIZE, TOO_DEEP) by the bytes alone."""
    if not payload:
        raise Refused(Reason.EMPTY, "payload of no bytes; send one JSON object")
    if len(payload) > limits.size:
        raise Refused(
            Reason.OVERSIZE, f"payload of {len(payload)} bytes, limit {limits.size}; send smaller batches"
        )
    if deeper(payload, limits.depth):
        raise Refused(Reason.TOO_DEEP, f"payload nests deeper than {limits.depth} levels; send a flatter one")


def parse(payload: bytes, limits: Limits) -> Any:
    """The document of a payload; numbers too large for a float come as infinity, NaN literals as NaN."""
    check(payload, limits)
    try:
        return _DECODER.decode(payload.decode())
    except UnicodeDecodeError as error:
        raise Refused(Reason.BAD_JSON, f"byte {error.start} is not UTF-8; send JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise Refused(
            Reason.BAD_JSON, f"not JSON at {place}: {error.msg}; send one JSON object or list"
        ) from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _EXACT else float(digits)


_DECODER: Final = json.JSONDecoder(parse_int=_integer)


def show(value: object) -> str:
    """A value from a stranger, safe to print and to store: escaped and short."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def kind(value: object) -> str:
    """What JSON calls a value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
