"""The seam for products whose payloads are no JSON of readings: bytes of a protocol in, readings out, and back.

A codec knows bytes; it does not know devices, indexes or history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.city_json import Faults
    from drivers.jsonscan import Limits


class Mark(NamedTuple):
    """Tells a copy of a frame from another frame: its counter, and its bytes."""

    counter: int
    frame: bytes


class Reading(Struct):
    """What a payload says of one time. values: by point; time: µs UTC; facts: what it says besides, for people."""

    values: dict[str, float] = field(default_factory=dict)
    event: str | None = None
    time: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    mark: Mark | None = None


class Codec(Protocol):
    """Payloads of a product, both directions. Stateless: the same bytes always say the same."""

    def readings(self, payload: bytes, limits: Limits, faults: Faults) -> Sequence[Reading]:
        """What a payload says; what is left out of it goes to `faults`. Raises Refused where it is of no use at all."""

    def names(self, payload: bytes, limits: Limits) -> tuple[str, ...]:
        """By which ids the payload names its device, the surest first; raises Refused."""

    def encode(self, time: int | None, values: Mapping[str, float], event: str | None) -> bytes:
        """A payload that says so. Raises ValueError for what the product cannot say."""

    def points(self) -> frozenset[str]:
        """Every point that a payload may carry."""


class Downlink(NamedTuple):
    """A command as bytes: the port it goes to, and what is sent there."""

    port: int
    payload: bytes
