"""What the engine says: raised or cleared of (rule, device) at an event time, with its evidence."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from msgspec import Struct


def transition_id(rule: str, family: str, device: int, time: int, raised: bool) -> str:
    """32 hex digits that depend on nothing but rule, device and event time: a replay says the same (design 2)."""
    text = f"{rule}\n{family}\n{device}\n{time}\n{int(raised)}"
    return blake2b(text.encode(), digest_size=16).hexdigest()


class Transition(Struct, frozen=True, gc=False):
    """time: event time, µs UTC. received: receive time of what caused it (for silence: the deadline itself).

    shadow: of a rule that is only tried; nobody may be told of it.
    """

    id: str
    rule: str
    version: int
    alarm: str
    severity: str
    family: str
    index: int
    device: str
    raised: bool
    time: int
    received: int
    evidence: dict[str, Any]
    shadow: bool = False
