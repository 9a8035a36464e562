"""JSON as others answer it: read as the type it should have, or a LinkError; nothing else escapes, whatever its bytes are."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from gateway.errors import LinkError

T = TypeVar("T")


def read(body: bytes | str, kind: type[T], whose: str) -> T:
    """Raises LinkError. whose: what cannot be read then, as people call it; a body may hold secrets, so none is shown."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LinkError(f"{whose} cannot be read: {error}") from error
