"""Commands and their replies on the wire (design 3), both directions: the gateway's side and the device's."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from drivers.jsonscan import Limits, parse, show
from drivers.refusal import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

RESULTS: Final = ("accepted", "applied", "failed")
_MILLISECOND: Final = 1_000

T = TypeVar("T")


class Order(msgspec.Struct, frozen=True):
    """A command as a device receives it. expires: ms since epoch; a device ignores it from then on."""

    id: str
    name: str
    args: dict[str, float]
    expires: int


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device answers to a command. result: accepted, applied or failed; v: points read back after it."""

    id: str
    result: str
    error: str | None = None
    v: dict[str, float] = {}


def encode_command(id: str, name: str, args: Mapping[str, float], expires: int) -> bytes:  # noqa: A002 - the wire's word
    """expires: µs UTC."""
    return msgspec.json.encode(Order(id, name, dict(args), expires // _MILLISECOND))


def decode_command(payload: bytes, limits: Limits | None = None) -> Order:
    """What `encode_command` made, on the device's side; raises Refused."""
    return _typed(Order, payload, limits, "args")


def encode_reply(reply: Reply) -> bytes:
    return msgspec.json.encode(reply)


def decode_reply(payload: bytes, limits: Limits | None = None) -> Reply:
    """The reply a payload holds; raises Refused."""
    reply = _typed(Reply, payload, limits, "v")
    if reply.result not in RESULTS:
        raise Refused(Reason.OUT_OF_RANGE, f"result {show(reply.result)} is none of {', '.join(RESULTS)}")
    return reply


def _typed(kind: type[T], payload: bytes, limits: Limits | None, numbers: str) -> T:
    try:
        found = msgspec.convert(parse(payload, limits or Limits()), kind)
    except msgspec.ValidationError as error:
        raise Refused(Reason.WRONG_TYPE, str(error)) from None
    for name, value in getattr(found, numbers).items():
        if not isfinite(value):
            raise Refused(Reason.NOT_FINITE, f"{numbers}.{show(name)} is not finite; leave it out")
    return found
