"""Time-based one-time passwords (RFC 6238) and the otpauth URI that phones read. Pure: the time is an argument."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32decode, b32encode
from typing import Final
from urllib.parse import quote, urlencode

STEP: Final = 30  # seconds
DIGITS: Final = 6
DRIFT: Final = 1  # steps that a phone may be off
BYTES: Final = 20  # of a key, as RFC 4226 (4, R6) recommends
ISSUER: Final = "citygate"


def new_key() -> str:
    """A shared key of 160 random bits, base32."""
    return b32encode(secrets.token_bytes(BYTES)).decode()


def code(key: bytes, step: int, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """RFC 4226 (5.3) with the step as the counter."""
    mac = hmac.digest(key, step.to_bytes(8, "big"), algorithm)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(seconds: float) -> int:
    return int(seconds // STEP)


def accept(key: str, given: str, seconds: float, used: int | None) -> int | None:
    """The step whose code was given; None where it is wrong, or not newer than the one used last (RFC 6238, 5.2)."""
    shared, now = b32decode(key), step_of(seconds)
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):  # all of them: the time says nothing
        if hmac.compare_digest(code(shared, step), given) and (used is None or step > used):
            found = step
    return found


def uri(key: str, name: str) -> str:
    """What a phone reads as a QR code."""
    query = urlencode({"secret": key, "issuer": ISSUER, "digits": DIGITS, "period": STEP})
    return f"otpauth://totp/{ISSUER}:{quote(name)}?{query}"
