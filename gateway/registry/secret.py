"""Secrets are generated here, shown once, and kept only as SHA-256; comparison takes the same time for any guess."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final

BYTES: Final = 24  # 192 random bits


def generate() -> str:
    """A new secret: 32 characters of A-Z a-z 0-9 _ -."""
    return secrets.token_urlsafe(BYTES)


def digest(secret: str | bytes) -> bytes:
    """Its SHA-256, 32 bytes. Enough for secrets that nobody chose (design 3, Credentials)."""
    return sha256(secret.encode() if isinstance(secret, str) else secret).digest()


def matches(secret: bytes, expected: bytes) -> bool:
    return hmac.compare_digest(digest(secret), expected)


NOBODY: Final = digest(generate())  # what a guess for an unknown name is compared with
