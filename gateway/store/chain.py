"""The audit trail's chain: each entry's hash covers it and the hash before it; a checkpoint signs the newest one.

Pure. Whoever alters, drops or adds an entry must alter all that follow, and cannot where a checkpoint stands.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

BEGINNING: Final = sha256(b"citygate audit").digest()  # what the first entry's hash covers
DOMAIN: Final = b"citygate audit checkpoint\n"


class Line(Struct, array_like=True, frozen=True):
    """What an entry's hash covers. detail: its JSON, as stored."""

    time: int
    actor: str
    action: str
    object: str
    detail: str


class Checkpoint(Struct, frozen=True):
    """There were so many entries up to this one, and this was its hash. key: Ed25519, public. Times µs UTC."""

    entry: int
    entries: int
    chain: bytes
    time: int
    key: bytes
    signature: bytes = b""


def link(before: bytes, line: Line) -> bytes:
    return sha256(before + msgspec.json.encode(line)).digest()


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Checkpoint:
    bare = msgspec.structs.replace(checkpoint, key=public(key), signature=b"")
    return msgspec.structs.replace(bare, signature=key.sign(_signed(bare)))


def genuine(checkpoint: Checkpoint) -> bool:
    """Signed by the key that it names."""
    try:
        key = Ed25519PublicKey.from_public_bytes(checkpoint.key)
        key.verify(checkpoint.signature, _signed(checkpoint))
    except (InvalidSignature, ValueError):
        return False
    return True


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _signed(checkpoint: Checkpoint) -> bytes:
    return DOMAIN + msgspec.json.encode(msgspec.structs.replace(checkpoint, signature=b""))
