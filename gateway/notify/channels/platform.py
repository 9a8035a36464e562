"""What a platform with group robots is: how it is addressed and signed, what it bears, and what its codes mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.notify.channels.pace import Window

Post = tuple[str, dict[str, Any]]  # address, document


class Platform(NamedTuple):
    """A code that is in no set is tried again: what it complains of, a person can put right meanwhile.

    size: UTF-8 bytes of a text. bursts: besides the settings' messages a minute. code: where answers carry it, the first
    that is there. busy: asked too often; rest, s, is what it wants then. hopeless: it will never take this text.
    """

    compose: Callable[[Any, str, int], Post]  # its settings, the text, µs UTC
    size: int
    code: tuple[str, ...]
    busy: frozenset[int]
    hopeless: frozenset[int]
    rest: float
    bursts: tuple[Window, ...] = ()
